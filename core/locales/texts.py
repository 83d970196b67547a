"""`python -m core.locales.texts`: bring every language's graft.po in step with the texts in the code.

A text is what stands in `_("…")`, `N_("…")` and `_.plural("one", "many", n)` in core, pages and app.py. The
syntax tree finds them, also inside f-strings, where Babel's own extractor sees nothing before Python 3.12.
The file is written with one header, sorted, each text once (the first translation given wins), without
texts that are gone. What lacks a translation is printed and the exit status is 1.

`--check` writes nothing and fails on anything that a run would change or complain about.
"""

from __future__ import annotations

import ast
import re
import string
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babel.messages.plurals import get_plural
from babel.messages.pofile import escape, unescape

LOCALES = Path(__file__).resolve().parent
ROOT = LOCALES.parent.parent
_FIELD = re.compile(r'(msgid|msgid_plural|msgstr)(?:\[(\d+)\])?\s+(".*")$')


@dataclass(frozen=True)
class Text:
    """A text of the code and where it stands first; `many` is its plural form."""

    one: str
    many: str | None
    place: str


@dataclass
class Entry:
    """A text of a .po file with its translations, one for each plural form of the language."""

    line: int
    one: str = ""
    many: str | None = None
    strings: tuple[str, ...] = ()
    is_fuzzy: bool = False

    @property
    def is_translated(self) -> bool:
        return bool(self.strings) and all(self.strings)


# -- the code ------------------------------------------------------------------------------------------


def find_texts(root: Path = ROOT) -> dict[str, Text]:
    """Every text of the code by its English (singular) form. Raises ValueError for two plurals of one text."""
    texts: dict[str, Text] = {}
    for path in [*sorted((root / "core").rglob("*.py")), *sorted((root / "pages").rglob("*.py")), root / "app.py"]:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                place = f"{path.relative_to(root).as_posix()}:{node.lineno}"
                for one, many in _texts_of(node):
                    _add(texts, Text(one, many, place))
    return texts


def _add(texts: dict[str, Text], text: Text) -> None:
    known = texts.get(text.one)
    if known is None or known.many is None:  # gettext finds a plural's text under its singular form too
        texts[text.one] = text if known is None or text.many is not None else known
    elif text.many is not None and text.many != known.many:
        raise ValueError(f"{text.place}: {text.one!r} has another plural form at {known.place}")


def _texts_of(call: ast.Call) -> Iterator[tuple[str, str | None]]:
    func = call.func
    if isinstance(func, ast.Name) and func.id in {"_", "N_"} and call.args:
        for text in _literals(call.args[0]):
            yield text, None
    elif isinstance(func, ast.Attribute) and func.attr == "plural" and len(call.args) > 1:
        yield from zip(_literals(call.args[0]), _literals(call.args[1]), strict=True)


def _literals(node: ast.expr) -> Iterator[str]:
    """The text of a literal, or those of a choice between literals; the empty one is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)


# -- the .po file --------------------------------------------------------------------------------------


def parse_po(text: str) -> list[Entry]:
    """All entries in their order, duplicates too (people append by hand), the header and obsolete ones not.

    Raises ValueError with the line that is no part of an entry.
    """
    entries: list[Entry] = []
    entry, strings, target, is_fuzzy = Entry(0), dict[int, str](), "", False
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line.startswith("#,"):
            is_fuzzy |= "fuzzy" in line
        if not line or line.startswith("#"):
            continue
        field = _FIELD.match(line)
        if field and field[1] == "msgid":
            entry, strings, is_fuzzy = Entry(number, is_fuzzy=is_fuzzy), {}, False
            entries.append(entry)
        if field:
            target = field[1] + (field[2] or "")
        elif not (line.startswith('"') and line.endswith('"') and len(line) > 1) or not target:
            raise ValueError(f"line {number} is no part of an entry: {line}")
        value = unescape(field[3] if field else line)
        if target == "msgid":
            entry.one += value
        elif target == "msgid_plural":
            entry.many = (entry.many or "") + value
        else:
            index = int(target.removeprefix("msgstr") or 0)
            strings[index] = strings.get(index, "") + value
            entry.strings = tuple(strings[i] for i in sorted(strings))
    return [entry for entry in entries if entry.one]


def merge(texts: dict[str, Text], entries: list[Entry], num_plurals: int) -> list[Entry]:
    """One entry for each text, sorted; a fuzzy translation is taken only where there is no better one."""
    best: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda entry: (not entry.is_translated, entry.is_fuzzy)):
        best.setdefault(entry.one, entry)
    merged = []
    for one in sorted(texts):
        known, count = best.get(one), num_plurals if texts[one].many else 1
        given = known.strings if known else ()
        strings = given if len(given) == count else ("",) * count
        is_fuzzy = known is not None and known.is_fuzzy and any(strings)
        merged.append(Entry(0, one, texts[one].many, strings, is_fuzzy))
    return merged


def render_po(entries: list[Entry], language: str) -> str:
    """The file: a header, then the entries."""
    plural = get_plural(language)
    header = {
        "Project-Id-Version": "Graft",
        "Language": language,
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Transfer-Encoding": "8bit",
        "Plural-Forms": f"nplurals={plural.num_plurals}; plural={plural.plural_expr};",
    }
    lines = ["# Texts of Graft. Written by `make texts`.", 'msgid ""', 'msgstr ""']
    lines += [escape(f"{name}: {value}\n") for name, value in header.items()]
    for entry in entries:
        lines += ["", *(["#, fuzzy"] if entry.is_fuzzy else []), f"msgid {escape(entry.one)}"]
        if entry.many is None:
            lines.append(f"msgstr {escape(entry.strings[0])}")
        else:
            lines.append(f"msgid_plural {escape(entry.many)}")
            lines += [f"msgstr[{i}] {escape(text)}" for i, text in enumerate(entry.strings)]
    return "\n".join(lines) + "\n"


# -- what is wrong -------------------------------------------------------------------------------------


def check_entries(texts: dict[str, Text], entries: list[Entry]) -> list[str]:
    """What a merged file still lacks: translations, certainty, placeholders."""
    problems = []
    for entry in entries:
        text = texts[entry.one]
        if not entry.is_translated:
            problems.append(f"missing ({text.place}): {entry.one}")
        elif entry.is_fuzzy:
            problems.append(f"fuzzy ({text.place}): {entry.one}")
        elif any(_placeholders(string_) != _placeholders(text.many or text.one) for string_ in entry.strings):
            problems.append(f"other placeholders ({text.place}): {entry.one} → {' | '.join(entry.strings)}")
    return problems


def check_file(texts: dict[str, Text], entries: list[Entry]) -> list[str]:
    """What a file says twice or of texts that are gone."""
    problems, seen = [], set[str]()
    for entry in entries:
        if entry.one in seen:
            problems.append(f"duplicate (line {entry.line}): {entry.one}")
        elif entry.one not in texts:
            problems.append(f"stale (line {entry.line}): {entry.one}")
        elif entry.many != texts[entry.one].many:
            problems.append(f"other plural (line {entry.line}): {entry.one}")
        seen.add(entry.one)
    return problems


def _placeholders(text: str) -> set[str] | None:
    try:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError:
        return None


def update(path: Path, texts: dict[str, Text], *, check: bool) -> list[str]:
    """Bring one file in step (or only look, with `check`); returns what is wrong with it."""
    language, before = path.parent.parent.name, path.read_text(encoding="utf-8")
    entries = parse_po(before)
    merged = merge(texts, entries, get_plural(language).num_plurals)
    problems = check_entries(texts, merged)
    after = render_po(merged, language)
    if not check:
        path.write_text(after, encoding="utf-8")
        return problems
    problems = check_file(texts, entries) + problems
    return problems if problems or before == after else ["not as `make texts` writes it"]


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 when every language is complete and in step."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments not in ([], ["--check"]):
        print("usage: python -m core.locales.texts [--check]", file=sys.stderr)
        return 2
    texts, failed = find_texts(), False
    for path in sorted(LOCALES.glob("*/LC_MESSAGES/graft.po")):
        problems = update(path, texts, check=bool(arguments))
        failed |= bool(problems)
        print(f"{path.parent.parent.name}: {len(texts)} texts, {len(problems)} to do")
        for problem in problems:
            print(f"  {problem}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
