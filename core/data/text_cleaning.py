"""Texts without markup, control characters and entities, and cut where they are endless."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.registry.looks import look

# More of a text than this is never read: no model here reads so far, and one cell may hold megabytes.
MAX_CHARS = 20_000
_BREAK = re.compile(r"<\s*+(?:br|/?p|/?div|/?li)\b[^<>]{0,200}>", re.IGNORECASE)
_TAG = re.compile(r"</?\s*+(?:[biu]|em|strong|span|a|font|h[1-6]|ul|ol|img|table|t[rdh])\b[^<>]{0,300}>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,6}|#x[0-9a-fA-F]{1,5});")
_SHORT = 100  # longer texts are not looked through for something that is seen
# Surrogates stand alone only where an encoder failed; no tokenizer takes them.
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Cleaned:
    """Texts ready for a tokenizer, and what was done to them."""

    texts: list[str]
    markup: int = 0  # texts that held HTML
    cut: int = 0  # texts longer than MAX_CHARS
    control: int = 0  # texts with NUL or other control characters


def clean_texts(raw: Sequence[object]) -> Cleaned:
    """Take markup, control characters and superfluous blanks out; nothing else is changed.

    A text of which nothing is seen then is empty.

    >>> clean_texts(["<b>Good</b>   film &amp; book"]).texts
    ['Good film & book']
    """
    texts, markup, cut, control = [], 0, 0, 0
    for value in raw:
        text = "" if value is None or value != value else str(value)  # NaN is not itself
        if len(text) > MAX_CHARS:
            text, cut = text[:MAX_CHARS], cut + 1
        plain = _TAG.sub(" ", _BREAK.sub(" ", text)) if "<" in text else text
        if "&" in plain:
            plain = _ENTITY.sub(lambda found: html.unescape(found[0]), plain)
        markup += plain != text
        kept = CONTROL.sub("", plain)
        control += kept != plain
        single = " ".join(kept.split())
        if len(single) < _SHORT and not look(single):
            single = ""
        texts.append(text if single == text else single)  # most are as they were: nothing is held twice
    return Cleaned(texts, markup, cut, control)
