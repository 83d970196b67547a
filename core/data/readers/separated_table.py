"""A text table of separated cells as columns by name: its first row named or numbered, odd rows mended or told."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from core.data.readers.separated import ONE_COLUMN, Row, Rows, is_class_like, read_rows
from core.data.table_header import is_header
from core.data.table_names import TEXT_NAMES, is_known_name
from core.data.table_rows import MAX_COLUMNS, MAX_ROWS, Table, column_names, ragged_rows
from core.errors import DataError
from core.problems import Problem

# Of questions: less alike than this, and the commas stand in sentences.
_ALIKE = 0.9
_TITLE_LINES = 20
_REPEATED = 0.1


def read_separated(text: str, path: Path, keep_all: bool) -> tuple[Table, list[Problem]]:
    """Columns by name, and what was odd; `keep_all`: every row is kept, and lines of prose are rows of one cell."""
    name = path.name
    is_tabbed = path.suffix.lower() == ".tsv" and "\t" in text[:200_000]
    rows = read_rows(text, name, "\t" if is_tabbed else None)
    if keep_all and rows.layout.width > 1 and _is_prose(rows):
        rows = read_rows(text, name, is_lines=True)
    if rows.layout.width > MAX_COLUMNS:
        raise DataError("data.too_many_columns", name=name, limit=MAX_COLUMNS)
    problems = [
        *_count("data.stray_quotes", name, rows.stray),
        *_count("data.rows_in_cells", name, rows.swallowed),
    ]
    skipped = _rows_before(rows)
    if skipped:
        values = {"name": name, "n": len(skipped), "first": " ".join(skipped[0])[:80]}
        problems.append(Problem("data.lines_before_table", "warning", "data", values))
    problems += _count("data.repeated_header", name, _drop_repeated_header(rows))
    header, names = _header(rows, name, keep_all)
    if header is None and rows.cells:
        code = "data.first_line_kept" if keep_all and rows.layout.width == 1 else "data.no_header"
        problems.append(Problem(code, "warning", "data", {"name": name}))
    return _fill(rows, names, name, keep_all, problems)


def read_lines(text: str, name: str) -> Table:
    """A text a line; a first line that is the usual name of such a column is no text."""
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    if len(lines) > 1 and lines[0].lower() in TEXT_NAMES:
        lines = lines[1:]
    if not lines:
        raise DataError("data.empty_table", name=name)
    if len(lines) > MAX_ROWS:
        raise DataError("data.too_many_rows", name=name, limit=MAX_ROWS)
    return {"text": list(lines)}


def is_tabbed_table(text: str) -> bool:
    """Whether lines are rows of cells with tabs between them, under usual names: what spreadsheets save as text."""
    rows = read_rows(text[:200_000], "", "\t")
    return rows.layout.width > 1 and rows.layout.share >= _ALIKE and any(map(is_known_name, rows.cells[0]))


# -- the first row -----------------------------------------------------------------------------------------


def _is_prose(rows: Rows) -> bool:
    """Whether the separators of questions are the commas of sentences."""
    first = rows.cells[0]
    if len(first) > 1 and any(map(is_known_name, first)):
        return False
    if rows.layout.share < _ALIKE:
        return True
    cells = [cell for row in rows.cells[:200] for cell in row[1:]]
    return rows.layout.delimiter in ",;|" and all(cell.startswith(" ") for cell in cells)


def _rows_before(rows: Rows) -> list[Row]:
    """Lines of a title above the table, taken out: rows of one cell before the first of them all."""
    width, filled = rows.layout.width, [sum(map(bool, row)) for row in rows.cells[:_TITLE_LINES]]
    first = next((place for place, n in enumerate(filled) if n > 1), 0)
    if width == 2 and not (first == 1 and len(rows.cells[0]) == 1 and _is_header_next(rows)):
        first = 0  # a name for all but the first column is no title
    if not first:
        return []
    skipped, rows.cells = rows.cells[:first], rows.cells[first:]
    rows.lines = {place - first: line for place, line in rows.lines.items()}
    return skipped


def _drop_repeated_header(rows: Rows) -> int:
    """How many rows were taken out that name the columns once more, as where files were put behind one another."""
    first = rows.cells[0] if rows.cells else []
    if len(first) < 2 or not all(map(is_known_name, first)):
        return 0
    kept = [place for place, row in enumerate(rows.cells) if not place or row != first]
    n = len(rows.cells) - len(kept)
    # Where it is common, it is a row.
    if not n or n > _REPEATED * len(rows.cells):
        return 0
    rows.lines = {place: rows.lines[old] for place, old in enumerate(kept) if old in rows.lines}
    rows.cells = [rows.cells[place] for place in kept]
    return n


def _is_header_next(rows: Rows) -> bool:
    """Whether the second row names the columns."""
    columns = list(zip(*(row for row in rows.cells[2:] if len(row) == rows.layout.width), strict=True))
    return bool(columns) and is_header(rows.cells[1], columns, by_default=False)


def _header(rows: Rows, name: str, keep_all: bool) -> tuple[Row | None, list[str]]:
    """The row of names taken out of the rows, None where there is none; and the names."""
    width = rows.layout.width
    first = rows.cells[0] if rows.cells else []
    below = rows.cells[1:]
    if len(first) == width - 1 and sum(len(row) == width for row in below) > 0.5 * len(below):
        first = ["", *first]  # R writes the rows' own names without a name for their column
    columns = list(zip(*(row for row in below if len(row) == width), strict=True))
    if width == 1:
        columns = columns or [()]
        named = is_header(first[:1], columns, by_default=not keep_all) if first else True
    else:
        named = len(first) < width or is_header(first[:width], columns)
        if len(first) < width - 1 and not keep_all:
            raise DataError("data.no_table", name=name)
    if not named:
        return None, ["text"] if width == 1 else [f"column {place}" for place in range(1, width + 1)]
    rows.cells = below
    rows.lines = {place - 1: line for place, line in rows.lines.items() if place}
    if len(first) > width and any(first[width:]):
        width = len(first)
    return first, column_names([*first, *[""] * (width - len(first))], name)


# -- the others --------------------------------------------------------------------------------------------


def _fill(
    rows: Rows, names: list[str], file: str, keep_all: bool, problems: list[Problem]
) -> tuple[Table, list[Problem]]:
    """Rows as columns. A row with too many cells is put together where only one way is right."""
    width = len(names)
    if rows.cells and all(len(row) == width for row in rows.cells):  # as most tables are
        return {name: list(column) for name, column in zip(names, zip(*rows.cells, strict=True), strict=True)}, problems
    mend = _Mender(rows, width)
    columns: list[list[Any]] = [[] for _ in names]
    mended = ragged = 0
    for place, row in enumerate(rows.cells):
        if len(row) > width:
            row = row[:width] if not any(row[width:]) else row
        if len(row) > width and (whole := mend(rows.lines.get(place, ""))) is not None:
            row, mended = whole, mended + 1
        elif len(row) != width:
            ragged += 1
            if not keep_all:
                continue
            row = _fitted(row, width)
        for column, cell in zip(columns, row, strict=True):
            column.append(cell)
    if ragged > len(columns[0]) - (ragged if keep_all else 0):
        raise DataError("data.no_table", name=file)
    problems += _count("data.separators_in_texts", file, mended)
    problems += ragged_rows(file, ragged, width, keep_all)
    return dict(zip(names, columns, strict=True)), problems


class _Mender:
    """Puts cells together that a separator within a text tore apart.

    They belong to the column of the longest texts, as long as the cells that are left are what their columns hold.
    """

    def __init__(self, rows: Rows, width: int) -> None:
        self._width, self._sign = width, rows.layout.delimiter
        whole = [row for row in rows.cells if len(row) == width]
        columns = list(zip(*whole, strict=True))
        self._known: dict[int, set[str]] = {}
        self._wide = -1
        if width < 2 or not columns or self._sign == ONE_COLUMN:
            return
        self._wide = max(range(width), key=lambda place: sum(map(len, columns[place])))
        for place, column in enumerate(columns):
            counted = Counter(cell.strip() for cell in column)
            if place != self._wide and is_class_like(counted):
                self._known[place] = set(counted)

    def __call__(self, line: str) -> Row | None:
        if self._wide < 0 or not self._known or not line:
            return None
        pieces = line.split(self._sign)
        surplus = len(pieces) - self._width
        if surplus < 1:
            return None
        stop = self._wide + surplus + 1
        text = self._sign.join(pieces[self._wide : stop])
        bare = text.strip()
        if len(bare) > 1 and bare[0] == bare[-1] == '"':
            text = bare[1:-1].replace('""', '"')
        row = [*map(_bare, pieces[: self._wide]), text, *map(_bare, pieces[stop:])]
        return row if all(row[place].strip() in known for place, known in self._known.items()) else None


def _bare(cell: str) -> str:
    return cell[1:-1] if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _fitted(row: Row, width: int) -> Row:
    """A row with a cell for each column: what is missing is empty, what is too much stands in the last."""
    if len(row) <= width:
        return [*row, *[""] * (width - len(row))]
    return [*row[: width - 1], ", ".join(cell.strip() for cell in row[width - 1 :] if cell)]


def _count(code: str, name: str, n: int) -> list[Problem]:
    return [Problem(code, "warning", "data", {"name": name, "n": n})] if n else []
