"""Texts without markup, control characters and entities, and cut where they are endless."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.registry.looks import CONTROL, MAX_CHARS, readable, without_markup


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
        plain = without_markup(text)
        markup += plain != text
        control += not plain.isprintable() and CONTROL.search(plain) is not None
        single = readable(plain)
        texts.append(text if single == text else single)  # most are as they were: nothing is held twice
    return Cleaned(texts, markup, cut, control)
