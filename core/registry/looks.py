"""Names and texts as they are seen: what looks the same is the same, and what nobody sees is nothing.

Bundles of text models carry this text in their predict.py (`core.optimize.bundle.write`), so it asks for no package,
and for an old Python.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable

# Nothing is seen of them between most letters, and they keep names apart that look the same.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)

# More of a text than this is never read: no model here reads so far, and one cell may hold megabytes.
MAX_CHARS = 20_000
_BREAK = re.compile(r"<\s*(?:br|/?p|/?div|/?li)\b[^<>]{0,200}>", re.IGNORECASE)
_TAG = re.compile(r"</?\s*(?:[biu]|em|strong|span|a|font|h[1-6]|ul|ol|img|table|t[rdh])\b[^<>]{0,300}>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,6}|#x[0-9a-fA-F]{1,5});")
# Surrogates stand alone only where an encoder failed; no tokenizer takes them.
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f\ud800-\udfff]")
_SHORT = 100  # longer texts are not looked through for something that is seen
_LETTER = re.compile("[^\\W\u115f\u1160]")  # most texts have one, which is found at once; these two are seen nowhere


def clean(text: str) -> str:
    """What of a text is read: no markup, no control characters, single blanks. Empty where nothing of it is seen.

    >>> clean("<b>Good</b>   film &amp; book"), clean("\u200b\ufeff <br>")
    ('Good film & book', '')
    """
    return readable(without_markup(text[:MAX_CHARS]))


def without_markup(text: str) -> str:
    """A text without tags, and with the characters that its entities stand for."""
    if "<" in text:
        text = _TAG.sub(" ", _BREAK.sub(" ", text))
    if "&" in text:
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return text


def readable(text: str) -> str:
    """A text without control characters and superfluous blanks; empty where nothing of it is seen."""
    single = " ".join((text if text.isprintable() else CONTROL.sub("", text)).split())
    if len(single) >= _SHORT or single.isascii() or _LETTER.search(single):
        return single
    return single if look(single) else ""


def look(name: str) -> str:
    """What is seen of a name: composed letters, single blanks, no marks without a width.

    >>> look("cafe\u0301\u200b ") == look("caf\u00e9")
    True
    """
    if name.isascii():
        return " ".join(name.split())
    return " ".join(_UNSEEN.sub("", unicodedata.normalize("NFC", name)).split())


def one_for_each_look(names: Iterable[str]) -> dict[str, str]:
    """For every name the one that stands for all that look like it: as it looks, where one of them is written so.

    >>> one_for_each_look(["cafe\u0301", "caf\u00e9", "bar"])["cafe\u0301"] == "caf\u00e9"
    True
    """
    by_look: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        by_look.setdefault(look(name) or name, []).append(name)
    return {name: seen if seen in group else group[0] for seen, group in by_look.items() for name in group}
