"""A table of texts as rows: its columns named, its size limited."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from sys import getsizeof
from typing import Any

from core.errors import DataError
from core.problems import Problem

# Of a table everything is held in memory.
MAX_BYTES, MAX_ROWS, MAX_COLUMNS, MAX_TABLES = 500_000_000, 2_000_000, 500, 50
# What its cells may take there: a small file may unfold to any size.
MAX_HELD_BYTES = 300_000_000
_PLACE_BYTES = 8  # of a cell in its column, whatever it holds
_SHORT_CHARS, _MOST_SHORT = 24, 10_000  # of a cell that is held once, and how many such there are
_MOST_LISTED = 10_000  # values and characters of a cell with several
# What spreadsheets write into a cell that they could not compute, in English, German, French and Spanish.
_ERRORS = frozenset(
    (
        "#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!",
        "#CONNECT!", "#GETTING_DATA", "#NV", "#BEZUG!", "#WERT!", "#ZAHL!", "#VALEUR!", "#NOM?", "#NOMBRE!", "#¡REF!",
        "#¡VALOR!", "#¿NOMBRE?", "#¡NUM!", "#¡DIV/0!",
    )
)  # fmt: skip
Table = dict[str, list[Any]]


class Several(str):
    """A cell that holds several values, spelled as JSON: no class by itself, and no text."""

    __slots__ = ()


def as_cell(value: Any) -> Any:
    """A value as a cell: of a list with one entry that entry, a list of several spelled out, a record nothing."""
    if isinstance(value, list):
        if len(value) > 1:
            return Several(json.dumps(value[:_MOST_LISTED], ensure_ascii=False, default=str)[:_MOST_LISTED])
        value = value[0] if value else None
    if isinstance(value, str) and not value.isascii():
        return whole(value)
    return None if isinstance(value, dict | list) else value


def whole(text: str) -> str:
    """A text in whole letters: half of one, as JSON may hold it ("\\ud83d"), becomes the sign for what is lost.

    >>> whole("a\\ud83d"), whole("\\ud83c\\udf31")
    ('a\ufffd', '🌱')
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class Held:
    """Counts what the cells of a table take in memory. `add` raises `DataError` where that is too much."""

    def __init__(self, file: str) -> None:
        self._file, self._bytes, self._rows = file, 0, 0
        self._short: dict[str, str] = {}

    def add(self, cells: Collection[object], *more: object) -> None:
        """One row more, of these cells, with what else is kept of it."""
        self.add_blank()
        self.take(sum(map(getsizeof, (*cells, *more))) + _PLACE_BYTES * (len(cells) + len(more)))

    def hold(self, row: list[Any], *, is_kept: bool = False) -> list[Any]:
        """One row more; returns its cells as they are to be held, `is_kept`: together, too.

        Short ones that came before, as classes do, are those: each is held once, however many rows have it.
        """
        held, num_bytes = row[:], 0  # of a line that was split the list itself keeps room for a dozen cells
        for place, cell in enumerate(row):
            if type(cell) is str and len(cell) <= _SHORT_CHARS:
                if (same := self._short.get(cell)) is not None:
                    held[place] = same
                    continue
                if len(self._short) < _MOST_SHORT:
                    self._short[cell] = cell
            num_bytes += getsizeof(cell)
        self.add_blank()
        self.take(num_bytes + _PLACE_BYTES * len(row) + (getsizeof(held) + _PLACE_BYTES if is_kept else 0))
        return held

    def add_blank(self) -> None:
        """A row that holds nothing: it takes time all the same."""
        self._rows += 1
        if self._rows > MAX_ROWS:
            raise DataError("data.too_many_rows", name=self._file, limit=MAX_ROWS)

    def add_column(self, cells: Sequence[object]) -> None:
        """So many cells more of one column: rows are counted by whoever knows them."""
        for start in range(0, len(cells), 1000):
            part = cells[start : start + 1000]
            self.take(_PLACE_BYTES * len(part) + sum(map(getsizeof, part)))

    def take(self, num_bytes: int) -> None:
        """So many bytes more."""
        self._bytes += num_bytes
        if self._bytes > MAX_HELD_BYTES:
            raise DataError("data.table_unfolds", name=self._file, limit=MAX_HELD_BYTES // 1_000_000)


class Columns:
    """Columns that grow row by row, where each row names its own: what a row does not name is empty."""

    def __init__(self, file: str) -> None:
        self.table: Table = {}
        self.rows = 0
        self.file, self._held = file, Held(file)

    def add(self, row: Mapping[str, object]) -> None:
        """One row more. Raises `DataError` for more columns, rows or content than any table of texts has."""
        for name in row:
            if name not in self.table:
                self._begin(name)
        cells = self._held.hold([row.get(name) for name in self.table])
        for column, cell in zip(self.table.values(), cells, strict=True):
            column.append(cell)
        self.rows += 1

    def _begin(self, name: str) -> None:
        if len(self.table) == MAX_COLUMNS:
            raise DataError("data.too_many_columns", name=self.file, limit=MAX_COLUMNS)
        self._held.take(_PLACE_BYTES * self.rows)
        self.table[name] = [None] * self.rows


def column_names(header: Sequence[Any], file: str) -> list[str]:
    """Names of columns, each once. Raises `DataError` for more than any table of texts has.

    >>> column_names(["text", "", "text"], "some.csv")
    ['text', 'column (2)', 'text (3)']
    """
    if len(header) > MAX_COLUMNS:
        raise DataError("data.too_many_columns", name=file, limit=MAX_COLUMNS)
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
    ragged, held = 0, Held(file)
    for row in rows:
        if not any(row) and all(cell in (None, "") for cell in row):
            held.add_blank()
            continue
        if len(row) != len(names) and (
            len(row) < len(names) or any(cell not in (None, "") for cell in row[len(names) :])
        ):
            ragged += 1
            if not keep_all:
                continue
            row = _fitted(row, len(names))
        held.add(row)
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


def empty_errors(table: Table, name: str) -> list[Problem]:
    """Make cells empty that hold a spreadsheet's error, and tell how many: "#N/A" is no text and no class."""
    n, example = 0, ""
    for values in table.values():
        for place, cell in enumerate(values):
            if isinstance(cell, str) and cell[:1] == "#" and cell.strip() in _ERRORS:
                n, example, values[place] = n + 1, cell.strip(), None
    return [Problem("data.error_cells", "warning", "data", {"name": name, "n": n, "example": example})] if n else []
