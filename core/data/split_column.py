"""The column of a table that says which rows train, validate and test."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from core.data.table_names import SPLIT_COLUMNS
from core.problems import Problem, shown
from core.registry.split_names import split_of

_MOST = 12  # different cells of such a column: train, Train, test, …
_SHOWN = 3


def splits_in_column(
    columns: Mapping[str, Sequence[Any]], taken: Collection[str]
) -> tuple[list[str] | None, list[Problem]]:
    """The split of each row, as a column tells that is neither the texts' nor the labels'; None where none does.

    A column is one of splits by what it holds, whatever it is called. One that holds names of splits and others
    beside is told.
    """
    problems: list[Problem] = []
    for name in sorted(columns, key=lambda name: not is_named_so(name)):
        cells = _cells(columns[name])
        if name in taken or not 0 < len(cells) <= _MOST:
            continue
        words = {cell: split_of(cell) for cell in cells}
        found = {word for word in words.values() if word is not None}
        if None not in words.values():
            if "train" in found and (len(found) > 1 or is_named_so(name)):
                return [str(words[_cell(value)]) for value in columns[name]], problems
        elif is_named_so(name) and found:
            others = sorted(cell for cell, word in words.items() if word is None)
            listed = ", ".join(shown(cell)[:40] or "–" for cell in others[:_SHOWN])
            values = {"column": shown(name), "values": listed + (", …" if len(others) > _SHOWN else "")}
            problems.append(Problem("data.split_column_unclear", "warning", "data", values))
    return None, problems


def is_named_so(name: str) -> bool:
    """Whether a column is called as those of splits are."""
    return name.strip().lower() in SPLIT_COLUMNS


def holds_splits(name: str, values: Sequence[Any]) -> bool:
    """Whether a column is one of splits: by its name, or because it holds nothing but names of splits."""
    cells = _cells(values)
    words = {split_of(cell) for cell in cells} if 0 < len(cells) <= _MOST else {None}
    return is_named_so(name) or (None not in words and "train" in words and len(words) > 1)


def _cells(values: Sequence[Any]) -> set[str]:
    """The different cells of a column, or a few more than such a column may have."""
    cells: set[str] = set()
    for value in values:
        cells.add(_cell(value))
        if len(cells) > _MOST:
            break
    return cells


def _cell(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()
