"""Words from outside drawn as words: what in Markdown (as Streamlit and model hubs draw it) would be something else.

Names, notes, labels, file names and what libraries say pass through `as_text` wherever they stand in a sentence, and
through `as_label` in charts. What Graft itself writes in Markdown is `Markdown`, and left as it is.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from core.i18n import Translator, translator

_JOINER = "\u2060"  # has no width and no meaning: two signs that it parts are no sign together
# Always signs of Markdown, mathematics or HTML; an underscore within a word and a single & are none.
_SIGNS = re.compile(r"[\\`*\[\]<>$~|]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
# What Streamlit looks for in the words that are left: :smile:, :material/home:, :red[, www., addresses, arrows, dashes.
_COUPLED = re.compile(
    r":(?=[\w+/-]+[:\[{\\])|(?<=\w):(?=//)|\bwww(?=\.)|(?<=\S)@(?=\S)|<(?=-)|-(?=[->])|[~>](?==)|<(?==)", re.I
)
_BLOCK = re.compile(r"^(?:([#+=-])(?=[\s#+=-]|$)|(\d{1,9})([.)])(?=\s|$))")
_IN_CODE = re.compile(r"`[^`{]*\{(\w+)\}[^`]*`")
# A cell that begins so is computed by spreadsheets: an apostrophe before it makes it a text (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_SPACES = re.compile(r"\s+|[\x00-\x1f\x7f\u2028\u2029]")


class Markdown(str):
    """Text in Markdown that Graft wrote: words from outside in it are escaped already."""

    __slots__ = ()


def as_text(text: object) -> Markdown:
    """Words as Markdown that draws these very words, on one line.

    >>> print(as_text("a_b *c* [d](e) $f$ <b>"))
    a_b \\*c\\* \\[d\\](e) \\$f\\$ \\<b\\>
    """
    if isinstance(text, Markdown):
        return text
    words = _SPACES.sub(" ", str(text)).strip()
    words = _COUPLED.sub(lambda found: found[0] + _JOINER, words)
    words = _SIGNS.sub(lambda found: "\\" + found[0], words)
    return Markdown(_BLOCK.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}", words))


def as_code(text: object) -> Markdown:
    """An id, a path or a command as code, in which nothing is a sign.

    >>> print(as_code("a`b"))
    `a'b`
    """
    return Markdown(f"`{_unticked(text)}`")


def _unticked(text: object) -> str:
    return _SPACES.sub(" ", str(text)).replace("`", "'")


def join_markdown(sign: str, words: Iterable[str]) -> Markdown:
    """Words one after another, each drawn as it is."""
    return Markdown(sign.join(as_text(word) for word in words))


def as_label(text: object) -> str:
    """Words in a chart, which draws <b> and <a href>.

    >>> as_label("<b>cat</b>")
    '&lt;b&gt;cat&lt;/b&gt;'
    """
    return html.escape(str(text), quote=False).replace("%{", f"%{_JOINER}{{")


def plain_cell(value: str | float | None) -> str | float | None:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if not isinstance(value, str):
        return "" if value is None else value
    value = value.replace("\x00", "")
    is_number = value[:1] in "+-" and value[1:].replace(".", "", 1).isdecimal()
    return f"'{value}" if value.startswith(_FORMULA) and not is_number else value


class MarkdownTranslator(Translator):
    """A translator whose sentences are Markdown: what fills them is drawn as it is, whatever it holds."""

    def fill(self, template: str, values: Mapping[str, object]) -> str:
        """A sentence with its values."""
        if not values:
            return Markdown(template)
        in_code = set(_IN_CODE.findall(template))
        return Markdown(template.format(**{name: _drawn(value, name in in_code) for name, value in values.items()}))


def _drawn(value: object, in_code: bool) -> object:
    if not isinstance(value, str):
        return value if isinstance(value, int | float) else as_text(value)
    return _unticked(value) if in_code else as_text(value)


@lru_cache(maxsize=8)
def markdown_translator(language: str) -> MarkdownTranslator:
    """The translator of a language for whatever draws Markdown."""
    plain = translator(language)
    return MarkdownTranslator(plain.language, plain.catalog)
