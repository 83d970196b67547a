"""Where pictures and texts come from: the format of a data id or path is told, and its reader gives a `Collection`.

Formats and their readers are rows of `core.registry.formats`. A reader lists what is there (labels, splits, names)
and reads raw bytes later, row by row or many at once. Nothing is decoded here, and nothing a file says is run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from core import settings
from core.errors import DataError, Problem
from core.registry.formats import FORMATS, Format, format_of, is_table, load
from core.specs import DataRef

Raw = bytes | NDArray[np.uint8]


class Items(Protocol):
    """The raw pictures or texts of a collection."""

    def read_many(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, Raw | None]]:
        """(row, bytes or a decoded square) for each row, in the order that is quickest; None: unreadable."""

    def name(self, row: int) -> str:
        """What to call the row when talking to people."""


@dataclass
class Collection:
    """A data set before anything is decoded: one entry of `targets` and `split_of` for each row."""

    id: str
    name: str
    fingerprint: str
    labels: list[str]
    targets: NDArray[np.int64]
    splits: dict[str, NDArray[np.int64]]  # "train", "validation", "test"
    items: Items
    problems: list[Problem] = field(default_factory=list)
    num_bytes: int = 0
    kind: Literal["image", "text"] = "image"
    columns: tuple[str, str] | None = None  # of a table: where pictures or texts stand, and where labels
    all_columns: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.targets)


def open_collection(ref: DataRef) -> Collection:
    """The collection of a data id. Raises `DataError` with all that is wrong with it as a whole."""
    row = FORMATS.get(ref.source)
    if row is not None and row.is_source:
        collection = read(row, [], ref, ref.name)
    elif ref.source in _PLACES:
        collection = _PLACES[ref.source](ref)
    else:
        known = [*(row.id for row in FORMATS.values() if row.is_source), *_PLACES]
        raise DataError("data.unknown_source", id=ref.id, known=", ".join(known))
    for column in (ref.text_column, ref.label_column):
        if column is not None and column not in (collection.columns or ()):  # never passed over in silence
            raise DataError("data.no_such_column", column=column, columns=", ".join(collection.columns or ()) or "-")
    return collection


# -- pictures as numbers -----------------------------------------------------------------------------------


@dataclass
class ArrayItems:
    """Pictures that are already squares of numbers."""

    pixels: NDArray[np.uint8]  # [N, s, s, 3]
    prefix: str

    def read_many(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, Raw | None]]:
        for row in rows.tolist():
            yield row, self.pixels[row]

    def name(self, row: int) -> str:
        return f"{self.prefix} {row}"


# -- files and folders -------------------------------------------------------------------------------------


def _path(ref: DataRef) -> Collection:
    path = Path(ref.name).expanduser().absolute()
    if not is_allowed(path):
        roots = ", ".join(map(str, settings.data_roots()))
        raise DataError("data.path_not_allowed", path=str(path), roots=roots)
    if not path.exists():
        raise DataError("data.path_missing", path=str(path))
    return open_path(path, ref, path.name)


def is_allowed(path: Path) -> bool:
    """Whether a path, with its links followed, lies where data may come from."""
    roots = settings.data_roots()
    return not roots or any(path.resolve().is_relative_to(root) for root in roots)


def open_path(path: Path, ref: DataRef, name: str) -> Collection:
    """Whatever lies at a path: a file of a known format, or a folder of pictures or of such files."""
    if path.is_file():
        return open_file(path, ref, name)
    for row in FORMATS.values():
        files = _below(path, row.has_ending) if row.leads_folders else []
        if files:
            return read(row, files, ref, name)
    try:
        return read(FORMATS["folder"], [path], ref, name)
    except DataError as error:
        tables = _below(path, is_table)
        if error.code != "data.only_tables" or not tables:
            raise
    return read(FORMATS["csv"], tables, ref, name)  # tables of any kind are read together


def open_file(path: Path, ref: DataRef, name: str) -> Collection:
    """One file, told by its content, a table by its name."""
    row = format_of(path)
    if row is None:
        raise DataError("data.unknown_file", path=path.name)
    return read(row, [path], ref, name)


def read(row: Format, paths: list[Path], ref: DataRef, name: str) -> Collection:
    """What a format's reader makes of these paths."""
    collection: Collection = load(row.reader)(paths, ref, name)
    return collection


def _below(folder: Path, is_wanted: Callable[[Path], bool]) -> list[Path]:
    """The files of a kind in a folder and the folders in it; hidden ones are passed over."""
    found = (path for path in folder.rglob("*") if is_wanted(path) and path.is_file() and is_allowed(path))
    return sorted(path for path in found if not any(part[0] == "." for part in path.relative_to(folder).parts))


def _upload(ref: DataRef) -> Collection:
    from core.data.library import upload_path

    path = upload_path(ref.name)
    return open_path(path, ref, path.stem)


_PLACES: dict[str, Callable[[DataRef], Collection]] = {"upload": _upload, "path": _path}


# -- rows and splits -------------------------------------------------------------------------------------


def split_rows(split_of_part: list[str], sizes: list[int]) -> dict[str, NDArray[np.int64]]:
    """Rows by split, where parts of these sizes follow one another."""
    names = np.repeat(np.array(split_of_part), sizes)
    return {str(split): np.flatnonzero(names == split).astype(np.int64) for split in np.unique(names)}


# -- fingerprints --------------------------------------------------------------------------------------------


def digest(*parts: bytes) -> str:
    total = hashlib.blake2b(digest_size=12)
    for part in parts:
        total.update(part)
    return total.hexdigest()


# Above this much, only names, sizes, and the ends of each file are read.
_WHOLE_BYTES = 1_000_000_000
_END = 1 << 20


def fingerprint_files(paths: Sequence[Path]) -> str:
    """What the files hold, whatever they are called and wherever they lie."""
    total = hashlib.blake2b(digest_size=12)
    is_small = sum(path.stat().st_size for path in paths) <= _WHOLE_BYTES
    for path in paths:
        size = path.stat().st_size
        total.update(f"{path.name}|{size}|".encode())
        with path.open("rb") as file:
            if is_small:
                while chunk := file.read(1 << 22):
                    total.update(chunk)
            else:
                total.update(file.read(_END))
                file.seek(max(0, size - _END))
                total.update(file.read(_END))
    return total.hexdigest()
