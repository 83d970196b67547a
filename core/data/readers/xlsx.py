"""Spreadsheets (xlsx): which sheet holds the table, where it begins, and its cells."""

from __future__ import annotations

import re
import zipfile
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from core.data.readers.sheets import Place, Sheet, Workbook, column_number
from core.data.table_names import is_usual_name
from core.data.table_rows import Table, column_names, fill, ragged_rows
from core.data.zip_safety import check_zip
from core.errors import DataError, what_is_broken
from core.problems import Problem, shown
from core.registry.formats import FORMATS, format_of

# Of XML that has to be gone through for one sheet; media beside it is not looked at.
_MAX_SHEET_BYTES = 60_000_000
_LOOKED_AT_ROWS, _LOOKED_AT_SHEETS = 100, 20


def read_xlsx(path: Path, keep_all: bool) -> tuple[Table, list[Problem]]:
    """The table of a workbook: of the first sheet that holds one, from the row that names its columns on.

    Values only, formulas are never computed. Raises `DataError`.
    """
    check_zip(path, path.name)
    if format_of(path) is not FORMATS["xlsx"]:
        raise DataError("data.unknown_file", path=path.name)
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(Workbook(archive, path.name), path.name, keep_all)
    except (DataError, MemoryError):
        raise
    except Exception as error:  # a damaged workbook fails in many ways
        raise DataError("data.unreadable_file", path=path.name, detail=what_is_broken(error)) from error


def _read(book: Workbook, name: str, keep_all: bool) -> tuple[Table, list[Problem]]:
    place = _choose(book, name, keep_all)
    _check_size(book, place, name)
    sheet = book.read(place)
    _fill_merged(sheet, sorted(sheet.rows))
    if not sheet.rows:
        raise DataError("data.empty_table", name=name)
    start = _find_start(sheet)
    numbers = [number for number in sorted(sheet.rows) if number >= start]
    used = sorted({column for number in numbers for column in sheet.rows[number]})
    header = sheet.rows[numbers[0]]
    while len(used) > 1 and used[-1] not in header:  # cells beside the table are no column of it
        used.pop()
    names = column_names([header.get(column) for column in used], name)
    table, ragged = fill(names, _rows(sheet, numbers[1:], used), name, keep_all)
    problems = ragged_rows(name, ragged, len(names), keep_all)
    if start > min(sheet.rows):
        values = {"name": name, "row": start, "sheet": shown(place.name)}
        problems.append(Problem("data.rows_above", "warning", "data", values))
    if sheet.uncomputed:
        values = {"name": name, "n": sheet.uncomputed}
        problems.append(Problem("data.formulas_without_values", "warning", "data", values))
    if len(book.places) > 1:
        values = {"name": name, "n": len(book.places) - 1, "sheet": shown(place.name)}
        code = "data.other_sheets" if place == book.places[0] else "data.sheet_taken"
        problems.append(Problem(code, "warning", "data", values))
    return table, problems


def _rows(sheet: Sheet, numbers: list[int], used: list[int]) -> Iterator[list[Any]]:
    """Rows with a cell for each column, and behind them what stands elsewhere."""
    known = set(used)
    for number in numbers:
        cells = sheet.rows[number]
        yield [cells.get(column) for column in used] + [cells[column] for column in cells if column not in known]


# -- where the table is ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Look:
    """A sheet by its first rows: how wide they are at most, how many, and whether one names texts or labels."""

    place: Place
    columns: int
    rows: int
    is_named: bool


def _choose(book: Workbook, name: str, keep_all: bool) -> Place:
    """The first sheet with a column of a usual name, else with two columns, else (to be answered) with any rows.

    Raises `DataError` that says what was looked at.
    """
    if len(book.places) == 1:
        return book.places[0]
    looks = [_look(book, place, name) for place in book.places[:_LOOKED_AT_SHEETS]]
    looks = [look for look in looks if look.rows > 1]
    wide = [look for look in looks if look.columns > 1]
    fitting = [look for look in wide if look.is_named] or wide or (looks if keep_all else [])
    if not fitting:
        sheets = ", ".join(shown(place.name) for place in book.places)[:200]
        raise DataError("data.no_table_in_sheets", name=name, sheets=sheets or "-")
    return fitting[0].place


def _look(book: Workbook, place: Place, name: str) -> _Look:
    _check_size(book, place, name)
    rows = list(book.read(place, _LOOKED_AT_ROWS).rows.values())
    is_named = any(len(cells) > 1 and any(map(is_usual_name, cells.values())) for cells in rows)
    return _Look(place, max(map(len, rows), default=0), len(rows), is_named)


def _find_start(sheet: Sheet) -> int:
    """The row that names the columns: the first that is not much narrower than the rows of the table.

    What stands above it is a title or a note.
    """
    numbers = sorted(sheet.rows)
    first = numbers[:_LOOKED_AT_ROWS]
    widths = [len(sheet.rows[number]) for number in first]
    wanted = median(widths) / 2 if widths else 0
    return next((number for number, width in zip(first, widths, strict=True) if width > wanted), 0)


def _check_size(book: Workbook, place: Place, name: str) -> None:
    if book.size(place) > _MAX_SHEET_BYTES:
        raise DataError("data.sheet_too_large", name=name, limit=_MAX_SHEET_BYTES // 1_000_000)


def _fill_merged(sheet: Sheet, numbers: list[int]) -> None:
    """A cell merged over several rows holds for each of them. Cells merged within a row are titles."""
    areas: list[tuple[int, int, int]] = []  # column, first and last row
    for text in sheet.merged:
        found = re.fullmatch(r"([A-Z]{1,3})([0-9]{1,7}):[A-Z]{1,3}([0-9]{1,7})", text)
        if found and found[2] != found[3]:
            areas.append((column_number(found[1]), int(found[2]), int(found[3])))
    column, reached = 0, 0
    for next_column, top, bottom in sorted(areas):
        if next_column != column:
            column, reached = next_column, 0
        if top <= reached:  # no spreadsheet lets areas overlap: a file that does would be gone through again and again
            continue
        reached = bottom
        value = sheet.rows.get(top, {}).get(column)
        if value is None:
            continue
        for number in numbers[bisect_left(numbers, top) : bisect_left(numbers, bottom + 1)]:
            sheet.rows[number].setdefault(column, value)
