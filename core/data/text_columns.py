"""Which column of a table holds the texts, and which the labels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.data.split_column import holds_splits
from core.data.table_names import LABEL_NAMES, TEXT_NAMES, is_about_rows, is_of_labels, parts_of
from core.data.table_rows import Several
from core.errors import DataError
from core.problems import Problem
from core.spec import DataRef

SAMPLE = 500  # values of a column that tell what it holds
MOST_CLASSES = 500
# Of the rows a column of labels fills: less, and it says something of a few rows only.
_FILLED = 0.9
# More different numbers than this are rather counted or measured than classes, where there are words too.
_FEW_NUMBERS = 5
Columns = Mapping[str, Sequence[Any]]


def find_text_columns(columns: Columns, ref: DataRef | None = None) -> tuple[str, str]:
    """(text column, label column): as asked for, else by name, else by what all their cells hold.

    Raises `DataError` with all that is missing.
    """
    shown = ", ".join(columns)[:200]
    text, label = (ref.text_column, ref.label_column) if ref else (None, None)
    problems = [
        Problem("data.no_such_column", field="data", values={"column": name, "columns": shown})
        for name in (text, label)
        if name is not None and name not in columns
    ]
    if text is not None and text == label:
        problems.append(Problem("data.same_column", field="data", values={"column": text}))
    if problems:
        raise DataError(problems)
    label = label or _named_label(columns, text)
    text = text or _named(columns, TEXT_NAMES, label) or _longest(columns, label)
    label = label or next(iter(likely_labels(columns, text)), None)
    if text is None:
        problems.append(Problem("data.no_text_column", field="data", values={"columns": shown}))
    if label is None:
        problems.append(Problem("data.no_label_column", field="data", values={"columns": shown}))
    if text is None or label is None:
        raise DataError(problems)
    return text, label


def doubts(columns: Columns, text: str, label: str, ref: DataRef | None = None) -> list[Problem]:
    """What is told where the labels' column was guessed, and others might be meant."""
    if (ref is not None and ref.label_column is not None) or is_of_labels(label):
        return []
    others = [name for name in likely_labels(columns, text) if name != label]
    values = {"column": label[:80], "others": ", ".join(name[:80] for name in others[:5])}
    return [Problem("data.label_guessed", "warning", "data", values)] if others else []


def find_column_of_texts(columns: Columns, wanted: str | None = None) -> str:
    """The column of the texts alone: as asked for, else by name, else the one with the longest. Raises `DataError`."""
    shown = ", ".join(columns)[:200]
    if wanted is not None and wanted not in columns:
        raise DataError("data.no_such_column", column=wanted, columns=shown)
    column = wanted or _named(columns, TEXT_NAMES, None) or _longest(columns, None)
    if column is None:
        raise DataError("data.no_text_column", columns=shown)
    return column


def find_label(columns: Columns, taken: str) -> str | None:
    """The column of the labels beside one that holds something else."""
    return _named_label(columns, taken) or next(iter(likely_labels(columns, taken)), None)


def likely_labels(columns: Columns, text: str | None) -> list[str]:
    """Columns that may hold the labels, the likeliest first: by name, by how many rows they fill, by few classes."""
    ranked = []
    for name, values in columns.items():
        if name == text or holds_splits(name, values):
            continue
        filled = sum(value is not None and value != "" and value == value for value in values)
        different = _different(values)
        if not 2 <= different <= min(MOST_CLASSES, max(2, filled // 2)):
            continue
        is_measure = different > _FEW_NUMBERS and all(_is_number(value) for value in values[:SAMPLE])
        is_partial = filled < _FILLED * len(values)
        rank = (is_partial, not is_of_labels(name), is_about_rows(name), is_measure, different)
        ranked.append((rank, name))
    return [name for _, name in sorted(ranked, key=lambda found: found[0])]


# -- by name and by content --------------------------------------------------------------------------------


def _named(columns: Columns, names: tuple[str, ...], taken: str | None) -> str | None:
    """The first column that bears one of these names."""
    lower = {name.strip().lower(): name for name in reversed(list(columns)) if name != taken}
    return next((lower[name] for name in names if name in lower), None)


def _named_label(columns: Columns, text: str | None) -> str | None:
    """A column named as labels are, unless it holds more than classes and another does not."""
    name = _named(columns, LABEL_NAMES, text)
    if name is not None and _different(columns[name]) > MOST_CLASSES:
        return next(iter(likely_labels(columns, text)), name)
    return name


def _longest(columns: Columns, taken: str | None) -> str | None:
    """The column of the longest texts; one whose name speaks of texts before others, of where a row is from last."""
    lengths = {name: _mean_length(values) for name, values in columns.items() if name != taken}

    def rank(name: str) -> tuple[bool, bool, float]:
        is_about = is_about_rows(name) or is_of_labels(name)
        return not is_about and bool(parts_of(name) & set(TEXT_NAMES)), not is_about, lengths[name]

    return max((name for name in lengths if lengths[name] > 0), key=rank, default=None)


def _mean_length(values: Sequence[Any]) -> float:
    strings = [value for value in values if isinstance(value, str) and not isinstance(value, Several)]
    return sum(map(len, strings)) / len(strings) if len(strings) >= max(1, len(values) // 2) else 0.0


def _is_number(value: object) -> bool:
    if value is None or isinstance(value, int | float):
        return True
    return re.fullmatch(r"\s*|[+-]?[\d.,]+", str(value)) is not None


def _different(values: Sequence[Any]) -> int:
    """How many different values there are, counted up to one more than there may be classes."""
    seen: set[str] = set()
    for value in values:
        if value is not None and value != "":
            seen.add(str(value))
            if len(seen) > MOST_CLASSES:
                break
    return len(seen)
