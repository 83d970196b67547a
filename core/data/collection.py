"""What every reader gives: items that can be read one by one, labels, splits, and a fingerprint of the content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from core import settings
from core.problems import Problem


def encode_labels(values: list[Any], names: list[str] | None) -> tuple[list[str], NDArray[np.int64], int]:
    """Label names and numbers; -1 where a row has none."""
    is_number = all(isinstance(value, int) or value is None for value in values)
    if names and is_number:
        targets = np.array([-1 if value is None else value for value in values], dtype=np.int64)
        targets[(targets < 0) | (targets >= len(names))] = -1
        labels = [str(name) for name in names]
    else:
        present = {value for value in values if value is not None}
        known = sorted(present) if is_number else sorted(present, key=str)
        index = {value: place for place, value in enumerate(known)}
        targets = np.array([index.get(value, -1) for value in values], dtype=np.int64)
        labels = [str(value) for value in known]
    return labels, targets, int((targets < 0).sum())


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
    sizes: NDArray[np.int64] | None = None  # bytes of each item, where that is known without reading it

    def __len__(self) -> int:
        return len(self.targets)


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


def is_allowed(path: Path) -> bool:
    """Whether a path, with its links followed, lies where data may come from."""
    roots = settings.data_roots()
    if not roots:
        return True
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError, ValueError):  # a circle of links, a null byte: it lies nowhere
        return False
    return any(resolved.is_relative_to(root) for root in roots)


# -- rows and splits -------------------------------------------------------------------------------------


def split_rows(split_of_part: list[str], sizes: list[int]) -> dict[str, NDArray[np.int64]]:
    """Rows by split, where parts of these sizes follow one another."""
    names = np.repeat(np.array(split_of_part), sizes)
    return {str(split): np.flatnonzero(names == split).astype(np.int64) for split in np.unique(names)}


# -- fingerprints --------------------------------------------------------------------------------------------


def digest(*parts: bytes) -> str:
    return digest_all(parts)


def digest_all(parts: Iterable[bytes]) -> str:
    """Of parts that are never together in memory."""
    total = hashlib.blake2b(digest_size=12)
    for part in parts:
        total.update(part)
    return total.hexdigest()


def fingerprint_files(paths: Sequence[Path]) -> str:
    """What the files hold, whatever they are called and wherever they lie."""
    total = hashlib.blake2b(digest_size=12)
    for path in paths:
        total.update(f"{path.name}|{path.stat().st_size}|".encode())
        with path.open("rb") as file:
            while chunk := file.read(1 << 22):
                total.update(chunk)
    return total.hexdigest()


Ints = NDArray[np.int64]
