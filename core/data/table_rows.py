"""A table of texts as rows: its columns named, its size limited."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from core.errors import DataError
from core.problems import Problem

# Of a table everything is held in memory.
MAX_BYTES, MAX_ROWS, MAX_COLUMNS, MAX_TABLES = 500_000_000, 5_000_000, 500, 50
Table = dict[str, list[Any]]


def column_names(header: Sequence[Any], file: str) -> list[str]:
    """Names of columns, each once. Raises `DataError` for more than any table of texts has.

    >>> column_names(["text", "", "text"], "some.csv")
    ['text', 'column (2)', 'text (3)']
    """
    if len(header) > MAX_COLUMNS:
        raise DataError("data.no_table", name=file)
    names: list[str] = []
    for place, cell in enumerate(header, 1):
        name = "" if cell is None else str(cell).strip()[:100]
        names.append(name if name and name not in names else f"{name or 'column'} ({place})")
    return names


def fill(names: list[str], rows: Iterable[Sequence[Any]], file: str, keep_all: bool = False) -> tuple[Table, int]:
    """Rows as columns, and how many did not have a cell for each column: left out, or made to fit.

    Made to fit: what is missing is empty, what is too much stands in the last column.
    """
    columns: list[list[Any]] = [[] for _ in names]
    ragged = 0
    for row in rows:
        if not any(cell not in (None, "") for cell in row):
            continue
        if len(row) < len(names) or any(cell not in (None, "") for cell in row[len(names) :]):
            ragged += 1
            if not keep_all:
                continue
            row = _fitted(row, len(names))
        if len(columns[0]) == MAX_ROWS:
            raise DataError("data.too_many_rows", name=file, limit=MAX_ROWS)
        for column, cell in zip(columns, row, strict=False):
            column.append(cell)
    return dict(zip(names, columns, strict=True)), ragged


def _fitted(row: Sequence[Any], width: int) -> list[Any]:
    if len(row) <= width:
        return [*row, *[""] * (width - len(row))]
    rest = ", ".join(str(cell).strip() for cell in row[width - 1 :] if cell not in (None, ""))
    return [*row[: width - 1], rest]


def ragged_rows(name: str, n: int, wanted: int, keep_all: bool) -> list[Problem]:
    """What is told of rows with other cells than the first."""
    code = "data.ragged_rows_kept" if keep_all else "data.ragged_rows"
    return [Problem(code, "warning", "data", {"name": name, "n": n, "wanted": wanted})] if n else []
