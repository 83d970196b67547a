"""Where pictures and texts come from: a reader for every kind of data id and layout, each giving a `Collection`.

A reader lists what is there (labels, splits, names) and reads raw bytes later, row by row or many at once.
Nothing is decoded here, and nothing a file says is run.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from core import settings
from core.errors import DataError, Problem
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
    reader = _SOURCES.get(ref.source)
    if reader is None:
        raise DataError("data.unknown_source", id=ref.id, known=", ".join(_SOURCES))
    collection = reader(ref)
    for column in (ref.text_column, ref.label_column):
        if column is not None and column not in (collection.columns or ()):  # never passed over in silence
            raise DataError("data.no_such_column", column=column, columns=", ".join(collection.columns or ()) or "-")
    return collection


# -- built in ----------------------------------------------------------------------------------------------


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


_REVIEWS = ("reviews-en", "reviews-zh")


def _builtin(ref: DataRef) -> Collection:
    if ref.name in _REVIEWS:
        from core.data.tables import open_table

        return open_table([Path(__file__).parent / "reviews" / f"{ref.name}.csv"], ref, ref.name)
    if ref.name != "digits":
        known = ", ".join(f"builtin/{name}" for name in ("digits", *_REVIEWS))
        raise DataError("data.unknown_builtin", id=ref.id, known=known)
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = np.round(digits.images * (255 / 16)).astype(np.uint8)
    pixels = np.repeat(grey[..., None], 3, axis=3)
    targets = digits.target.astype(np.int64)
    rows = np.arange(len(targets), dtype=np.int64)
    return Collection(
        id=ref.id,
        name="digits",
        fingerprint=digest(pixels.tobytes(), targets.tobytes()),
        labels=[str(label) for label in range(10)],
        targets=targets,
        splits={"train": rows},
        items=ArrayItems(pixels, "digit"),
        num_bytes=pixels.nbytes,
    )


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
    """Whatever lies at a path: a zip, parquet, a table, or a folder of one of these kinds."""
    from core.data.folders import open_folder
    from core.data.parquet import open_parquet
    from core.data.tables import is_table, open_table

    if path.is_file():
        return open_file(path, ref, name)
    parquet = _below(path, lambda file: file.suffix == ".parquet")
    if parquet:
        return open_parquet(parquet, ref, name)
    try:
        return open_folder(path, ref.id, name)
    except DataError as error:
        tables = _below(path, is_table)
        if error.code != "data.only_tables" or not tables:
            raise
    return open_table(tables, ref, name)


def open_file(path: Path, ref: DataRef, name: str) -> Collection:
    """One file, told by its content: a zip of pictures, parquet, a workbook, or a table by its name."""
    from core.data.parquet import open_parquet
    from core.data.tables import SUFFIXES, is_xlsx, open_table
    from core.data.zips import open_zip

    if zipfile.is_zipfile(path):
        return open_table([path], ref, name) if is_xlsx(path) else open_zip(path, ref.id, name)
    with path.open("rb") as file:
        if file.read(4) == b"PAR1":
            return open_parquet([path], ref, name)
    if path.suffix.lower() in SUFFIXES:
        return open_table([path], ref, name)
    raise DataError("data.unknown_file", path=path.name)


def _below(folder: Path, is_wanted: Callable[[Path], bool]) -> list[Path]:
    """The files of a kind in a folder and the folders in it; hidden ones are passed over."""
    found = (path for path in folder.rglob("*") if is_wanted(path) and path.is_file() and is_allowed(path))
    return sorted(path for path in found if not any(part[0] == "." for part in path.relative_to(folder).parts))


def _upload(ref: DataRef) -> Collection:
    from core.data.library import upload_path

    path = upload_path(ref.name)
    return open_path(path, ref, path.stem)


# -- the table -------------------------------------------------------------------------------------------


def _torchvision(ref: DataRef) -> Collection:
    from core.data.cifar import open_cifar10

    if ref.name != "cifar10":
        raise DataError("data.unknown_builtin", id=ref.id, known="torchvision/cifar10")
    return open_cifar10(ref)


def _hub(ref: DataRef) -> Collection:
    from core.data.hub import open_hub

    return open_hub(ref)


_SOURCES: dict[str, Callable[[DataRef], Collection]] = {
    "builtin": _builtin,
    "torchvision": _torchvision,
    "hub": _hub,
    "upload": _upload,
    "path": _path,
}


# -- rows and splits -------------------------------------------------------------------------------------


SPLIT_WORDS = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "dev": "validation", "test": "test", "testing": "test", "eval": "validation",
}  # fmt: skip


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


def fingerprint_files(paths: list[Path]) -> str:
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
