"""Whether the first row of a table names its columns, or is one of its rows already."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

from core.data.table_names import is_known_name, is_usual_name

_LOOKED_AT = 100_000
_MOST_CLASSES = 500
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d+)?|[.,]\d+)(e[+-]?\d+)?%?", re.IGNORECASE)


def is_header(first: Sequence[Any], columns: Sequence[Sequence[Any]], *, by_default: bool = True) -> bool:
    """Whether a first row is one of names: by usual names, else by what stands below each of its cells.

    `by_default` is for tables where nothing speaks for either.
    """
    told = [_judge(cell, column) for cell, column in zip(first, columns, strict=False)]
    if len(told) == 1:  # a word may well be a text of its own, as "No" or "Name"
        return is_usual_name(first[0]) or (by_default and told[0] != "alike")
    if "name" in told or "word" in told:
        return True
    for sign, answer in (("number", False), ("other", True), ("same", False), ("alike", False)):
        if sign in told:
            return answer
    return by_default


def _judge(cell: Any, column: Sequence[Any]) -> str:
    """What a cell is to those below it: a usual name, a word, of another kind, the same as some, or like them."""
    text = "" if cell is None else str(cell).strip()
    below = [str(value).strip() for value in islice(column, _LOOKED_AT) if value is not None and str(value).strip()]
    if not text or not below:
        return ""
    counts = Counter(below)
    recurs = counts[text] > 0
    if is_known_name(text) and not recurs:
        return "name"
    numbers = sum(bool(_NUMBER.fullmatch(value)) for value in below)
    if numbers > 0.9 * len(below):
        return "number" if _NUMBER.fullmatch(text) else "other"
    lengths = sorted(map(len, below))
    usual = lengths[len(lengths) // 10]
    if not recurs and len(text) <= 30 and 2 * len(text) <= usual and " " not in text:
        return "word"  # above sentences
    several = 2 <= len(counts) <= min(_MOST_CLASSES, max(2, len(below) // 2))
    if several:
        return "same" if recurs else "other" if len(below) >= 4 and min(counts.values()) > 1 else ""
    if recurs:
        return "same"
    return "alike" if (len(text) >= usual and len(text.split()) > 2) or len(text) > 60 else ""
