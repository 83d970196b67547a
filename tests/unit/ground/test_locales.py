"""Every text of the code has a translation; and what keeps it so works on files written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from core.locales import texts as locales_texts
from core.locales.texts import Text

HEADER = 'msgid ""\nmsgstr ""\n"Language: zh_CN\\n"\n'


def _file(tmp_path: Path, entries: str) -> Path:
    path = tmp_path / "zh_CN" / "LC_MESSAGES" / "graft.po"
    path.parent.mkdir(parents=True)
    path.write_text(HEADER + entries, encoding="utf-8")
    return path


def _known(*given: str | tuple[str, str]) -> dict[str, Text]:
    pairs = [(item, None) if isinstance(item, str) else item for item in given]
    return {one: Text(one, many, "core/x.py:1") for one, many in pairs}


def test_catalogues_are_complete_and_in_step(capsys: pytest.CaptureFixture[str]) -> None:
    code = locales_texts.main(["--check"])
    assert code == 0, capsys.readouterr().out


def test_texts_are_found_wherever_they_stand(tmp_path: Path) -> None:
    for folder in ("core", "pages"):
        (tmp_path / folder).mkdir()
    (tmp_path / "core" / "a.py").write_text(
        'X = N_("marked " "in two")\ny = f"<b>{_(\'in an f-string\')}</b>"\nz = _("yes" if y else "no", n=1)\n',
        encoding="utf-8",
    )
    (tmp_path / "pages" / "b.py").write_text(
        'v = _(variable)\nw = _.plural("{n} run", "{n} runs", 3)\nu = _("{n} run")\nt = other("not a text")\n',
        encoding="utf-8",
    )
    (tmp_path / "app.py").write_text('_("")\n', encoding="utf-8")
    found = locales_texts.find_texts(tmp_path)
    assert set(found) == {"marked in two", "in an f-string", "yes", "no", "{n} run"}
    assert found["{n} run"].many == "{n} runs"
    assert found["in an f-string"].place == "core/a.py:2"


def test_update_keeps_the_first_translation_when_a_text_stands_twice(tmp_path: Path) -> None:
    path = _file(
        tmp_path, 'msgid "b"\nmsgstr ""\n\nmsgid "b"\nmsgstr "二"\n\nmsgid "b"\nmsgstr "2"\n\nmsgid "a"\nmsgstr "一"'
    )
    assert locales_texts.update(path, _known("a", "b"), check=False) == []
    written = path.read_text(encoding="utf-8")
    assert written.index('msgid "a"\nmsgstr "一"') < written.index('msgid "b"\nmsgstr "二"')
    assert written.count('msgid "b"') == 1
    assert locales_texts.update(path, _known("a", "b"), check=True) == []
    with path.open("rb") as file:
        assert {message.id: message.string for message in read_po(file) if message.id} == {"a": "一", "b": "二"}


def test_update_survives_quotes_newlines_and_wrapped_lines(tmp_path: Path) -> None:
    text = 'say "yes"\nor \\no'
    path = _file(tmp_path, 'msgid ""\n"say \\"yes\\"\\n"\n"or \\\\no"\nmsgstr ""\n"说“是”\\n"\n"或否"\n')
    assert locales_texts.update(path, _known(text), check=False) == []
    with path.open("rb") as file:
        assert [message.string for message in read_po(file) if message.id == text] == ["说“是”\n或否"]


def test_update_writes_one_form_of_a_chinese_plural(tmp_path: Path) -> None:
    path = _file(tmp_path, 'msgid "{n} run"\nmsgid_plural "{n} runs"\nmsgstr[0] "{n} 个任务"\n')
    known = _known(("{n} run", "{n} runs"))
    assert locales_texts.update(path, known, check=False) == []
    assert "nplurals=1; plural=0;" in path.read_text(encoding="utf-8")
    assert locales_texts.update(path, known, check=True) == []


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ("", "missing"),
        ('msgid "a {x}"\nmsgstr ""\n', "missing"),
        ('msgid "a {x}"\nmsgstr "一 {x}"\n\nmsgid "gone"\nmsgstr "没了"\n', "stale"),
        ('msgid "a {x}"\nmsgstr "一 {x}"\n\nmsgid "a {x}"\nmsgstr "一 {x}"\n', "duplicate"),
        ('#, fuzzy\nmsgid "a {x}"\nmsgstr "一 {x}"\n', "fuzzy"),
        ('msgid "a {x}"\nmsgstr "一 {y}"\n', "other placeholders"),
        ('msgid "a {x}"\nmsgstr "一"\n', "other placeholders"),
        ('msgid "a {x}"\nmsgstr "一 {x"\n', "other placeholders"),
        ('msgid "a {x}"\nmsgid_plural "as"\nmsgstr[0] "一 {x}"\n', "other plural"),
        ('msgid "a {x}"\nmsgstr "一 {x}"\n', "not as `make texts` writes it"),
    ],
)
def test_check_complains_and_writes_nothing_when_a_file_is_out_of_step(
    tmp_path: Path, entries: str, complaint: str
) -> None:
    path = _file(tmp_path, entries)
    before = path.read_text(encoding="utf-8")
    problems = locales_texts.update(path, _known("a {x}"), check=True)
    assert any(problem.startswith(complaint) for problem in problems), problems
    assert path.read_text(encoding="utf-8") == before


def test_parsing_tells_the_line_when_it_is_no_entry(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line 4"):
        locales_texts.parse_po(HEADER + 'masgid "a"\n')


def test_finding_refuses_a_text_with_two_plurals(tmp_path: Path) -> None:
    for folder in ("core", "pages"):
        (tmp_path / folder).mkdir()
    (tmp_path / "app.py").write_text('_.plural("{n} ox", "{n} oxen", 2)\n_.plural("{n} ox", "{n} oxes", 2)\n', "utf-8")
    with pytest.raises(ValueError, match="another plural"):
        locales_texts.find_texts(tmp_path)
