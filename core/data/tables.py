"""Tables of texts: csv, tsv, xlsx, jsonl. Types are told by content, encodings guessed, nothing is run."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from core.data.sources import Collection
from core.data.texts import SAMPLE, SPLIT_COLUMNS, collect_texts, find_text_columns
from core.errors import DataError, Problem, first_line
from core.registry.formats import FORMATS, SPLIT_WORDS, format_of, load, split_word, table_format
from core.specs import DataRef

# Of a table everything is held in memory.
MAX_BYTES, MAX_ROWS, MAX_COLUMNS, MAX_TABLES = 500_000_000, 5_000_000, 500, 50
_MAX_SHEET_BYTES = 300_000_000

Table = dict[str, list[Any]]


def open_table(paths: Sequence[Path], ref: DataRef, name: str) -> Collection:
    """Tables of one data set; several files are its splits, by their names. Raises `DataError`."""
    if len(paths) > MAX_TABLES:
        raise DataError("data.too_many_tables", name=name, n=len(paths), limit=MAX_TABLES)
    columns: Table = {}
    splits: list[str] = []
    problems: list[Problem] = []
    left_out: list[str] = []
    all_columns: list[str] = []
    text = label = ""
    # The training rows first: a test file often lacks the labels.
    for path in sorted(paths, key=lambda path: (split_word(path) != "train", path.name)):
        table, found = read_table(path)
        if not columns:
            text, label = find_text_columns({column: values[:SAMPLE] for column, values in table.items()}, ref)
            columns, all_columns = {text: [], label: []}, list(table)
        if text not in table or label not in table:
            left_out.append(path.name)
            continue
        problems += found
        for column in (text, label):
            columns[column] += table[column]
        splits += _splits_of(path, table, alone=len(paths) == 1)
    if left_out:
        values = {"n": len(left_out), "names": ", ".join(left_out)[:200], "columns": f"{text}, {label}"}
        problems.append(Problem("data.table_left_out", "warning", "data", values))
    rows = np.array(splits)
    return collect_texts(
        ref.id,
        name,
        texts=columns[text],
        labels=columns[label],
        splits={str(split): np.flatnonzero(rows == split).astype(np.int64) for split in np.unique(rows)},
        columns=(text, label),
        all_columns=all_columns,
        num_bytes=sum(path.stat().st_size for path in paths),
        problems=problems,
    )


def _splits_of(path: Path, table: Table, *, alone: bool) -> list[str]:
    """The split of each row: a column that says so, else the file's name, else training."""
    for name, values in table.items():
        if name.strip().lower() in SPLIT_COLUMNS:
            words = [SPLIT_WORDS.get(str(value).strip().lower()) for value in values]
            if all(words):
                return [str(word) for word in words]
    word = "train" if alone else split_word(path) or "train"
    return [word] * len(next(iter(table.values())))


# -- one file ----------------------------------------------------------------------------------------------


def read_table(path: Path, fewest: int = 2, *, keep_all: bool = False) -> tuple[Table, list[Problem]]:
    """Columns by name, and what is wrong with single rows; `keep_all`: rows with other cells than the first too.

    Raises `DataError` for a file that is no table, or has fewer columns than `fewest`.
    """
    name = path.name
    if path.stat().st_size > MAX_BYTES:
        raise DataError("data.table_too_large", name=name, limit=MAX_BYTES // 1_000_000)
    with path.open("rb") as file:
        head = file.read(4096)
    found: tuple[Table, list[Problem]] = load(table_format(path, head).rows)(path, keep_all)
    table, problems = found
    if not any(table.values()):
        raise DataError("data.empty_table", name=name)
    if len(table) < fewest:
        raise DataError("data.one_column", name=name, columns=", ".join(table)[:200])
    return table, problems


def read_cells(path: Path) -> tuple[Table, list[Problem]]:
    """A table whose texts are to be answered: every row is kept. Raises `DataError`."""
    return read_table(path, fewest=1, keep_all=True)


def read_cells_or_lines(path: Path) -> tuple[Table, list[Problem]]:
    """As `read_cells`; lines with commas of their own, and no cells, are lines: what a person pastes into a .csv."""
    try:
        return read_cells(path)
    except DataError as error:
        if error.problems[0].code != "data.no_table":
            raise
        return read_lines(path)


def read_lines(path: Path) -> tuple[Table, list[Problem]]:
    """A text of one text a line. Raises `DataError`."""
    text, problems = decode_text(path.read_bytes(), path.name)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not lines:
        raise DataError("data.empty_table", name=path.name)
    if len(lines) > MAX_ROWS:
        raise DataError("data.too_many_rows", name=path.name, limit=MAX_ROWS)
    return {"text": list(lines)}, problems


def read_text(path: Path, keep_all: bool) -> tuple[Table, list[Problem]]:
    """A table of characters: json where it begins like it, else separated by commas and the like."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head.count(0) > len(head) // 10 and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError("data.unknown_file", path=path.name)
    text, problems = decode_text(path.read_bytes(), path.name)
    is_json = text[:100].lstrip()[:1] in ("{", "[")
    table, more = _read_json(text, path.name) if is_json else _read_separated(text, path, keep_all)
    return table, [*problems, *more]


def _names(header: Sequence[Any], file: str) -> list[str]:
    """Names of columns, each once. Raises `DataError` for more than any table of texts has."""
    if len(header) > MAX_COLUMNS:
        raise DataError("data.no_table", name=file)
    names: list[str] = []
    for place, cell in enumerate(header, 1):
        name = "" if cell is None else str(cell).strip()[:100]
        names.append(name if name and name not in names else f"{name or 'column'} ({place})")
    return names


def _fill(names: list[str], rows: Iterable[Sequence[Any]], file: str, keep_all: bool = False) -> tuple[Table, int]:
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


def _ragged_rows(name: str, n: int, wanted: int, keep_all: bool) -> list[Problem]:
    """What is told of rows with other cells than the first."""
    code = "data.ragged_rows_kept" if keep_all else "data.ragged_rows"
    return [Problem(code, "warning", "data", {"name": name, "n": n, "wanted": wanted})] if n else []


# -- encodings ---------------------------------------------------------------------------------------------


def decode_text(raw: bytes, name: str) -> tuple[str, list[Problem]]:
    """Bytes as text: by its mark, else UTF-8, else GB18030 (what Chinese Windows writes), else Western.

    Raises `DataError` when none fits.
    """
    marks = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
    for encoding in [known for mark, known in marks if raw.startswith(mark)] + ["utf-8"]:
        try:
            return raw.decode(encoding), []
        except UnicodeDecodeError:
            continue
    for encoding, fits in (("gb18030", _is_chinese), ("cp1252", _is_western)):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if fits(text):
            return text, [Problem("data.encoding_guessed", "warning", "data", {"name": name, "encoding": encoding})]
    # UTF-8 with a few damaged bytes: the rest is worth reading.
    text = raw.decode("utf-8-sig", errors="replace")
    damaged = text.count("\ufffd")
    if damaged * 20 <= len(_foreign(text)):
        return text, [Problem("data.damaged_characters", "warning", "data", {"name": name, "n": damaged})]
    raise DataError("data.encoding_unknown", name=name)


def _foreign(text: str) -> str:
    """The first characters of a text that are not ASCII."""
    return "".join(found[0] for found in islice(re.finditer(r"[^\x00-\x7f]+", text), 20_000))


def _is_chinese(text: str) -> bool:
    """Whether what is not ASCII is everyday Chinese: GB18030 decodes nearly anything, but to rare characters."""
    foreign = _foreign(text)
    return len(foreign.encode("gb2312", errors="ignore")) > 1.9 * len(foreign)


def _is_western(text: str) -> bool:
    """Whether most letters are ASCII: in other scripts read as a Western one hardly any are."""
    return len(_foreign(text)) < 0.3 * sum(map(str.isalpha, text[:200_000])) + 1


# -- separated by commas and the like ----------------------------------------------------------------------


def _read_separated(text: str, path: Path, keep_all: bool) -> tuple[Table, list[Problem]]:
    csv.field_size_limit(2**31 - 1)
    delimiter = _delimiter(text, path)
    table, ragged, wanted = _split(text, delimiter, csv.QUOTE_MINIMAL, path.name, keep_all)
    if text.count('"') % 2:  # a quote that is never closed swallows rows
        other = _split(text, delimiter, csv.QUOTE_NONE, path.name, keep_all)
        if _num_rows(other[0]) > _num_rows(table):
            table, ragged, wanted = other
    if ragged > _num_rows(table) - (ragged if keep_all else 0):
        raise DataError("data.no_table", name=path.name)
    problems = _ragged_rows(path.name, ragged, wanted, keep_all)
    if _lacks_header(table):
        table = {f"column {place}": [name, *values] for place, (name, values) in enumerate(table.items(), 1)}
        problems.append(Problem("data.no_header", "warning", "data", {"name": path.name}))
    return table, problems


def _split(text: str, delimiter: str, quoting: int, name: str, keep_all: bool) -> tuple[Table, int, int]:
    """Columns, ragged rows, and how many cells a row should have."""
    rows = _rows(text, delimiter, quoting)
    try:
        names = _names(next((row for row in rows if any(row)), []), name)
        table, ragged = _fill(names, rows, name, keep_all)
    except csv.Error as error:
        raise DataError("data.unreadable_file", path=name, detail=str(error)[:200]) from error
    return table, ragged, len(names)


def _num_rows(table: Table) -> int:
    return len(next(iter(table.values()), []))


def _rows(text: str, delimiter: str, quoting: int = csv.QUOTE_MINIMAL) -> Iterator[list[str]]:
    # Line by line: a StringIO would hold everything once more, at four bytes a character.
    lines = (found[0] for found in re.finditer(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text))
    return csv.reader(lines, delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]


def _delimiter(text: str, path: Path) -> str:
    """What separates the columns: what gives the first lines the same number of columns, at least two."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    best, score = ",", 0.0
    for delimiter in (",", "\t", ";", "|"):
        widths = [len(row) for row in islice(_rows(text[:200_000], delimiter), 50) if row]
        if widths and widths[0] > 1:
            same = sum(width == widths[0] for width in widths) / len(widths)
            if same > score + 0.01:
                best, score = delimiter, same
    return best


def _lacks_header(table: Table) -> bool:
    """Whether the first row is one of texts and classes: its class is one that other rows have too."""
    for name, values in table.items():
        different = set(values[:SAMPLE])
        if 2 <= len(different) <= max(2, min(20, len(values[:SAMPLE]) // 2)) and name in different:
            return True
    return False


# -- json --------------------------------------------------------------------------------------------------


def _read_json(text: str, name: str) -> tuple[Table, list[Problem]]:
    """One object a line, or a list of objects, alone or as the only list of an object."""
    found: list[Any] = []
    if not text.lstrip().startswith("["):
        # Not splitlines: it also breaks at characters that stand inside texts.
        found = [_parse(line) for line in text.split("\n") if line.strip()]
    if not any(isinstance(row, dict) for row in found) or len(found) == 1:
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError("data.unreadable_file", path=name, detail=str(error)[:200]) from error
        lists = [part for part in whole.values() if isinstance(part, list)] if isinstance(whole, dict) else [whole]
        if len(lists) == 1 and isinstance(lists[0], list):
            found = lists[0]
    records = [row for row in found if isinstance(row, dict)]
    if not records:
        raise DataError("data.no_table", name=name)
    if len(records) > MAX_ROWS:
        raise DataError("data.too_many_rows", name=name, limit=MAX_ROWS)
    keys = list(dict.fromkeys(key for row in records for key in row))[:MAX_COLUMNS]
    table = {key: [_scalar(row.get(key)) for row in records] for key in keys}
    bad = len(found) - len(records)
    values = {"name": name, "n": bad}
    return table, [Problem("data.bad_lines", "warning", "data", values)] if bad else []


def _parse(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _scalar(value: Any) -> Any:
    return None if isinstance(value, dict | list) else value


# -- workbooks ---------------------------------------------------------------------------------------------


def read_xlsx(path: Path, keep_all: bool) -> tuple[Table, list[Problem]]:
    """The first sheet of a workbook: values only, formulas are never computed."""
    import openpyxl

    from core.data.zips import check_zip

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
            names = _names(header, path.name)
            padded = (tuple(row) + (None,) * (len(names) - len(row)) for row in rows)
            table, ragged = _fill(names, padded, path.name, keep_all)
        finally:
            book.close()
    except DataError:
        raise
    except Exception as error:  # a damaged workbook fails in many ways
        detail = first_line(error)
        raise DataError("data.unreadable_file", path=path.name, detail=detail) from error
    problems = _ragged_rows(path.name, ragged, len(names), keep_all)
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
