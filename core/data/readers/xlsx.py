"""Spreadsheets (xlsx), read without formulas and without trust."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from core.data.table_rows import MAX_COLUMNS, Table, column_names, fill, ragged_rows
from core.errors import DataError, first_line
from core.problems import Problem
from core.registry.formats import FORMATS, format_of

_MAX_SHEET_BYTES = 300_000_000


# -- workbooks ---------------------------------------------------------------------------------------------


def read_xlsx(path: Path, keep_all: bool) -> tuple[Table, list[Problem]]:
    """The first sheet of a workbook: values only, formulas are never computed."""
    import openpyxl

    from core.data.zip_safety import check_zip

    infos = [info for info, _ in check_zip(path, path.name)]
    if format_of(path) is not FORMATS["xlsx"]:
        raise DataError("data.unknown_file", path=path.name)
    if sum(info.file_size for info in infos) > _MAX_SHEET_BYTES:
        raise DataError("data.table_too_large", name=path.name, limit=_MAX_SHEET_BYTES // 1_000_000)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            others = len(book.sheetnames) - 1
            rows = book.worksheets[0].iter_rows(values_only=True, max_col=MAX_COLUMNS + 1)
            header = list(next((row for row in rows if any(cell is not None for cell in row)), ()))
            while header and header[-1] is None:
                header.pop()
            names = column_names(header, path.name)
            padded = (tuple(row) + (None,) * (len(names) - len(row)) for row in rows)
            table, ragged = fill(names, padded, path.name, keep_all)
        finally:
            book.close()
    except DataError:
        raise
    except Exception as error:  # a damaged workbook fails in many ways
        detail = first_line(error)
        raise DataError("data.unreadable_file", path=path.name, detail=detail) from error
    problems = ragged_rows(path.name, ragged, len(names), keep_all)
    has_gaps = any(None in values for values in table.values())
    uncomputed = _uncomputed(path) if has_gaps and _has_formulas(path) else 0
    if uncomputed:
        values = {"name": path.name, "n": uncomputed}
        problems.append(Problem("data.formulas_without_values", "warning", "data", values))
    if others > 0:
        problems.append(Problem("data.other_sheets", "warning", "data", {"name": path.name, "n": others}))
    return table, problems


def _has_formulas(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/"):
                with archive.open(name) as sheet:
                    before = b""
                    while part := sheet.read(1_000_000):
                        if re.search(rb"<f[ />]", before + part):
                            return True
                        before = part[-2:]
    return False


def _uncomputed(path: Path) -> int:
    """Cells of the first sheet that hold a formula without its result, as programs write them."""
    import openpyxl

    books = [openpyxl.load_workbook(path, read_only=True, data_only=only) for only in (False, True)]
    try:
        sheets = [book.worksheets[0].iter_rows(values_only=True, max_col=MAX_COLUMNS + 1) for book in books]
        return sum(
            value is None and isinstance(formula, str) and formula.startswith("=")
            for formulas, values in zip(*sheets, strict=False)
            for formula, value in zip(formulas, values, strict=False)
        )
    finally:
        for book in books:
            book.close()
