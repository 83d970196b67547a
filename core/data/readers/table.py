"""Tables of texts: csv, tsv, xlsx, jsonl. Types are told by content, encodings guessed, nothing is run."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from core.data.collection import Collection
from core.data.readers.json_rows import read_json
from core.data.table_rows import MAX_BYTES, MAX_ROWS, MAX_TABLES, Table, column_names, empty_errors, fill, ragged_rows
from core.data.text_collection import collect_texts
from core.data.text_columns import SAMPLE, SPLIT_COLUMNS, find_text_columns
from core.data.text_encoding import decode_text
from core.errors import DataError
from core.problems import Problem
from core.registry.formats import SPLIT_WORDS, load, split_word, table_format
from core.spec import DataRef


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
        table, odd = read_table(path)
        if not columns:
            text, label = find_text_columns({column: values[:SAMPLE] for column, values in table.items()}, ref)
            columns, all_columns = {text: [], label: []}, list(table)
        if text not in table or label not in table:
            left_out.append(path.name)
            continue
        problems += odd
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
    problems = [*problems, *empty_errors(table, name)]
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
    table, more = read_json(text, path.name) if is_json else _read_separated(text, path, keep_all)
    return table, [*problems, *more]


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
    problems = ragged_rows(path.name, ragged, wanted, keep_all)
    if _lacks_header(table):
        table = {f"column {place}": [name, *values] for place, (name, values) in enumerate(table.items(), 1)}
        problems.append(Problem("data.no_header", "warning", "data", {"name": path.name}))
    return table, problems


def _split(text: str, delimiter: str, quoting: int, name: str, keep_all: bool) -> tuple[Table, int, int]:
    """Columns, ragged rows, and how many cells a row should have."""
    rows = _rows(text, delimiter, quoting)
    try:
        names = column_names(next((row for row in rows if any(row)), []), name)
        table, ragged = fill(names, rows, name, keep_all)
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
