"""Pictures whose classes stand in a table beside them: metadata.csv, labels.csv."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from core.data.class_folders import NO_CLASSES, Entry, Layout, Parts, arrange, is_junk
from core.data.readers.table import read_table
from core.data.table_rows import Table
from core.data.text_collection import plain_labels
from core.data.text_columns import find_label
from core.errors import DataError
from core.problems import shown, told
from core.registry.formats import by_name
from core.registry.split_names import split_of

_MOST_TABLES, _MOST_BYTES = 10, 50_000_000
# Of the rows that name a picture that is there: a column with fewer is no column of files.
_FOUND = 0.5


def arrange_pictures(
    entries: Sequence[Entry], folders: Iterable[Parts], name: str, read: Callable[[Entry], Path]
) -> Layout:
    """Pictures by their class folders, else by a table beside them. `read` gives an entry as a file.

    Raises `DataError` where neither tells classes.
    """
    try:
        layout = arrange(entries, folders, name)
        if len({label for _, label in layout.placed}) > 1:
            return layout
    except DataError as error:
        by_tables = _by_tables(entries, read) if error.code in NO_CLASSES else None
        if by_tables is None:
            raise
        return by_tables
    return _by_tables(entries, read) or layout


def _by_tables(entries: Sequence[Entry], read: Callable[[Entry], Path]) -> Layout | None:
    wanted = [entry for entry in entries if not is_junk(entry.parts)]
    tables = [entry for entry in wanted if _is_table(entry)][:_MOST_TABLES]
    classes: dict[int, str] = {}
    for entry in tables:
        try:
            table, _ = read_table(read(entry))
        except DataError:  # some other file
            continue
        pictures = [one for one in wanted if one.is_picture and one.parts[: len(entry.parts) - 1] == entry.parts[:-1]]
        classes |= _classes(table, pictures, entry.parts[:-1])
    pictures = [entry for entry in wanted if entry.is_picture]
    named = [entry for entry in pictures if id(entry) in classes]
    if not named:
        return None
    splits = [split_of(entry.parts[0]) if len(entry.parts) > 1 else None for entry in named]
    # Their places do not tell the classes as folders do: another table is other data.
    stamped = [replace(entry, stamp=f"{entry.stamp}|{classes[id(entry)]}") for entry in named]
    layout = Layout(stamped, [(split or "train", classes[id(one)]) for split, one in zip(splits, named, strict=True)])
    missing = [shown("/".join(entry.parts)) for entry in pictures if id(entry) not in classes]
    layout.problems += told("data.pictures_not_in_table", missing)
    return layout


def _is_table(entry: Entry) -> bool:
    row = by_name(PurePosixPath(entry.parts[-1]))
    return row is not None and bool(row.rows) and entry.size <= _MOST_BYTES


def _classes(table: Table, pictures: Sequence[Entry], folder: Parts) -> dict[int, str]:
    """The class of each picture that a table names, by the entry's identity."""
    places: dict[str, Entry] = {}
    for entry in reversed(pictures):
        inner = PurePosixPath(*entry.parts[len(folder) :])
        places |= {inner.stem: entry, inner.name: entry, str(inner): entry, str(PurePosixPath(*entry.parts)): entry}
    for column, values in table.items():
        found = [places.get(_path(value)) for value in values]
        if sum(one is not None for one in found) < max(1, _FOUND * len(values)):
            continue
        label = find_label(table, column)
        if label is None:
            return {}
        labels = plain_labels(table[label])
        rows = zip(found, labels, strict=True)
        return {id(entry): str(value) for entry, value in rows if entry is not None and value is not None}
    return {}


def _path(value: object) -> str:
    """A cell as the place of a file: ./train\\7.png is train/7.png."""
    return str(PurePosixPath(str(value).strip().replace("\\", "/")))
