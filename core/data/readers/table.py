"""Tables of texts: csv, tsv, xlsx, jsonl. Types are told by content, encodings guessed, nothing is run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.data.collection import Collection
from core.data.readers.fasttext import is_fasttext, read_fasttext
from core.data.readers.json_rows import is_single_value, read_json
from core.data.readers.narrow import narrow
from core.data.readers.separated_table import is_tabbed_table, read_lines, read_separated
from core.data.split_column import splits_in_column
from core.data.table_rows import MAX_BYTES, MAX_TABLES, Table, empty_errors
from core.data.text_collection import collect_texts
from core.data.text_columns import doubts, find_text_columns
from core.data.text_encoding import decode_text
from core.errors import DataError
from core.problems import Problem
from core.registry.formats import is_web_page, load, split_word, table_format
from core.registry.split_names import split_of
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
    named = _named_splits(paths)
    for path in sorted(paths, key=lambda path: (named[path] != "train", path.name)):
        table, odd = read_table(path)
        if not columns:
            text, label = find_text_columns(table, ref)
            problems += doubts(table, text, label, ref)
            columns, all_columns = {text: [], label: []}, list(table)
        own = _same_columns(table, text, label, columns[label])
        if own is None:
            left_out.append(path.name)
            continue
        problems += odd
        for column, place in zip((text, label), own, strict=True):
            columns[column] += table[place]
        words, unclear = _splits_of(table, own, named[path])
        splits += words
        problems += unclear
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


def _same_columns(table: Table, text: str, label: str, labels: Sequence[object]) -> tuple[str, str] | None:
    """The columns of another table that are the texts and labels: by their names, else where its classes are known."""
    names = {name.strip().casefold(): name for name in reversed(list(table))}
    named = names.get(text.strip().casefold()), names.get(label.strip().casefold())
    if named[0] is not None and named[1] is not None:
        return named[0], named[1]
    try:
        found = find_text_columns(table)
    except DataError:
        return None
    known = {str(value).strip() for value in labels}
    return found if all(str(value).strip() in known for value in table[found[1]]) else None


def _splits_of(table: Table, taken: tuple[str, str], named: str) -> tuple[list[str], list[Problem]]:
    """The split of each row: a column that says so, else that of its file; and what is odd about it."""
    words, problems = splits_in_column(table, taken)
    return ([named] * len(next(iter(table.values()))) if words is None else words), problems


def _named_splits(paths: Sequence[Path]) -> dict[Path, str]:
    """The split of each file: by its own name, else by that of its folder where folders differ, else training."""
    if len(paths) == 1:
        return {paths[0]: "train"}
    has_folders = len({path.parent for path in paths}) > 1
    by_folder = {path: split_of(path.parent.name) if has_folders else None for path in paths}
    return {path: split_word(path) or by_folder[path] or "train" for path in paths}


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


def read_cells_of_text(path: Path) -> tuple[Table, list[Problem]]:
    """As `read_cells` for what spreadsheets save as text, with tabs; any other text is one of a text a line."""
    raw = path.read_bytes()
    text, problems = decode_text(raw, path.name)
    if is_fasttext(text) or is_tabbed_table(text) or is_web_page(raw[:4096]):
        return read_cells(path)
    return read_lines(text, path.name), problems


def read_text(path: Path, keep_all: bool) -> tuple[Table, list[Problem]]:
    """A table of characters: json where it begins like it, else separated by commas and the like."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head.count(0) > len(head) // 10 and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError("data.unknown_file", path=path.name)
    if is_web_page(head):
        raise DataError("data.web_page", name=path.name)
    text, problems = decode_text(path.read_bytes(), path.name)
    if is_fasttext(text):
        return read_fasttext(text, path.name), problems
    if text[:100].lstrip()[:1] in ("{", "[") or is_single_value(text):
        table, more = read_json(text, path.name)
        return table, [*problems, *more]
    text, stand_ins = narrow(text)
    table, more = read_separated(text, path, keep_all)
    del text  # the cells may take what it took
    table, more = stand_ins.undo_in(table, more, path.name)
    return table, [*problems, *more]
