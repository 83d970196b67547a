"""Where pictures come from: a reader for every kind of data id and layout, each giving a `Collection`.

A reader lists what is there (labels, splits, names) and reads raw bytes later, row by row or many at once.
Nothing is decoded here, and nothing a file says is run.
"""

from __future__ import annotations

import hashlib
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core import settings
from core.data.pictures import MAX_BYTES
from core.errors import DataError, Problem
from core.specs import DataRef

Raw = bytes | NDArray[np.uint8]


class Items(Protocol):
    """The raw pictures of a collection."""

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

    def __len__(self) -> int:
        return len(self.targets)


def open_collection(ref: DataRef) -> Collection:
    """The collection of a data id. Raises `DataError` with all that is wrong with it as a whole."""
    reader = _SOURCES.get(ref.source)
    if reader is None:
        raise DataError("data.unknown_source", id=ref.id, known=", ".join(_SOURCES))
    return reader(ref)


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


def _builtin(ref: DataRef) -> Collection:
    if ref.name != "digits":
        raise DataError("data.unknown_builtin", id=ref.id, known="builtin/digits")
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = np.round(digits.images * (255 / 16)).astype(np.uint8)
    pixels = np.repeat(grey[..., None], 3, axis=3)
    targets = digits.target.astype(np.int64)
    rows = np.arange(len(targets), dtype=np.int64)
    return Collection(
        id=ref.id,
        name="digits",
        fingerprint=_digest(pixels.tobytes(), targets.tobytes()),
        labels=[str(label) for label in range(10)],
        targets=targets,
        splits={"train": rows},
        items=ArrayItems(pixels, "digit"),
        num_bytes=pixels.nbytes,
    )


# -- files and folders -------------------------------------------------------------------------------------


def _path(ref: DataRef) -> Collection:
    path = Path(ref.name).expanduser().absolute()
    roots = settings.data_roots()
    if roots and not any(path.resolve().is_relative_to(root) for root in roots):
        raise DataError("data.path_not_allowed", path=str(path), roots=", ".join(map(str, roots)))
    if not path.exists():
        raise DataError("data.path_missing", path=str(path))
    return open_path(path, ref.id, path.name)


def open_path(path: Path, data_id: str, name: str) -> Collection:
    """Whatever lies at a path: a zip, parquet, or a folder of either layout."""
    from core.data.folders import open_folder, open_zip

    if path.is_file():
        if zipfile.is_zipfile(path):
            return open_zip(path, data_id, name)
        with path.open("rb") as file:
            if file.read(4) == b"PAR1":
                return _parquet([path], data_id, name)
        raise DataError("data.unknown_file", path=path.name)
    parquet = sorted(p for p in path.rglob("*.parquet") if p.is_file() and not p.name.startswith("."))
    if parquet:
        return _parquet(parquet, data_id, name)
    return open_folder(path, data_id, name)


def _upload(ref: DataRef) -> Collection:
    from core.data.library import upload_path

    path = upload_path(ref.name)
    return open_path(path, ref.id, path.stem)


# -- parquet in the layout of a hub repository ---------------------------------------------------------------


class ParquetItems:
    """Pictures in a column of parquet files; a whole row group is read for the rows wanted of it."""

    def __init__(self, paths: list[Path], column: str, counts: list[list[int]]) -> None:
        self._column = column
        self._places: list[tuple[Path, int, int, int]] = []  # file, row group, first row, rows
        first = 0
        for path, groups in zip(paths, counts, strict=True):
            for group, n in enumerate(groups):
                self._places.append((path, group, first, n))
                first += n

    def read_many(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, Raw | None]]:
        import pyarrow.parquet as pq

        ordered = np.sort(rows)
        for path, group, first, n in self._places:
            wanted = ordered[(ordered >= first) & (ordered < first + n)]
            if not len(wanted):
                continue
            column = pq.ParquetFile(path).read_row_group(group, columns=[self._column]).column(self._column)
            for row, value in zip(wanted.tolist(), column.take(wanted - first), strict=True):
                content = value.as_py()
                yield row, content["bytes"] if isinstance(content, dict) else content

    def name(self, row: int) -> str:
        for path, _, first, n in self._places:
            if first <= row < first + n:
                return f"{path.name} #{row - first}"
        return f"#{row}"


def _parquet(paths: list[Path], data_id: str, name: str) -> Collection:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        files = [pq.ParquetFile(path) for path in paths]
        schema = files[0].schema_arrow
        features = _hub_features(schema)
        picture, label = _columns(schema, features)
        if picture is None or label is None:
            missing = "picture" if picture is None else "label"
            raise DataError("data.no_column", missing=missing, columns=", ".join(schema.names))
        if any(not {picture, label} <= set(file.schema_arrow.names) for file in files):
            raise DataError("data.mixed_files", name=name)
        raw = [file.read(columns=[label]).column(label) for file in files]
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError("data.unreadable_file", path=name, detail=str(error).split("\n")[0][:200]) from error
    if pa.types.is_list(schema.field(label).type):
        raise DataError("data.several_labels", column=label)
    values = [value for column in raw for value in column.to_pylist()]
    labels, targets, unlabelled = _encode(values, features.get(label, {}).get("names"))
    splits = _split_rows([_split_of(path) for path in paths], [file.metadata.num_rows for file in files])
    splits = {name: rows[targets[rows] >= 0] for name, rows in splits.items()}
    problems = [Problem("data.unlabelled", "warning", values={"n": unlabelled})] if unlabelled else []
    counts = [[file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)] for file in files]
    return Collection(
        id=data_id,
        name=name,
        fingerprint=_fingerprint_files(paths),
        labels=labels,
        targets=targets,
        splits={split: rows for split, rows in splits.items() if len(rows)},
        items=ParquetItems(paths, picture, counts),
        problems=problems,
        num_bytes=sum(path.stat().st_size for path in paths),
    )


def _hub_features(schema: Any) -> dict[str, Any]:
    """What the hub's `datasets` wrote about the columns; empty where it wrote nothing."""
    try:
        features: dict[str, Any] = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return features
    except (KeyError, ValueError, TypeError):
        return {}


def _columns(schema: Any, features: dict[str, Any]) -> tuple[str | None, str | None]:
    """The picture column and the label column, by what is declared, else by type and name."""
    import pyarrow as pa

    declared = {name: feature.get("_type") for name, feature in features.items() if isinstance(feature, dict)}
    pictures = [name for name, kind in declared.items() if kind == "Image"]
    for entry in schema:
        is_struct = pa.types.is_struct(entry.type) and any(part.name == "bytes" for part in entry.type)
        named = pa.types.is_binary(entry.type) and entry.name in {"image", "img", "picture", "bytes"}
        if is_struct or named:
            pictures.append(entry.name)
    labels = [name for name, kind in declared.items() if kind == "ClassLabel"]
    labels += [
        name for name in ("label", "labels", "fine_label", "target", "class", "category") if name in schema.names
    ]
    known = [name for name in pictures if name in schema.names]
    return (known[0] if known else None), (labels[0] if labels else None)


def _encode(values: list[Any], names: list[str] | None) -> tuple[list[str], NDArray[np.int64], int]:
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


SPLIT_WORDS = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "dev": "validation", "test": "test", "testing": "test", "eval": "validation",
}  # fmt: skip


def _split_of(path: Path) -> str:
    """The split a hub file belongs to, by its name or its folder."""
    for part in (path.stem, path.parent.name):
        word = part.lower().replace("_", "-").split("-")[0].split(".")[0]
        if word in SPLIT_WORDS:
            return SPLIT_WORDS[word]
    return "train"


def _split_rows(split_of_part: list[str], sizes: list[int]) -> dict[str, NDArray[np.int64]]:
    """Rows by split, where parts of these sizes follow one another."""
    names = np.repeat(np.array(split_of_part), sizes)
    return {str(split): np.flatnonzero(names == split).astype(np.int64) for split in np.unique(names)}


# -- the hub and torchvision's own ---------------------------------------------------------------------------


class HubItems:
    """Pictures of a `datasets` data set, undecoded."""

    def __init__(self, parts: list[Any], column: str) -> None:
        self._parts, self._column, self._lock = parts, column, threading.Lock()

    def read_many(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, Raw | None]]:
        first = 0
        for part in self._parts:
            for row in np.sort(rows[(rows >= first) & (rows < first + len(part))]).tolist():
                with self._lock:
                    value = part[row - first][self._column]
                yield row, _bytes_of_hub(value)
            first += len(part)

    def name(self, row: int) -> str:
        return f"#{row}"


def _bytes_of_hub(value: dict[str, Any]) -> bytes | None:
    if value.get("bytes"):
        found: bytes = value["bytes"]
        return found
    try:
        path = Path(value["path"])
        return path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
    except (OSError, TypeError):
        return None


def _hub(ref: DataRef) -> Collection:
    """`hub/ORG/NAME[:config]` through `datasets`; repository code is never run."""
    import datasets

    name, _, config = ref.name.partition(":")
    try:
        found = datasets.load_dataset(name, config or None)
    except Exception as error:  # the library has no common base for "not there", "no network", "a script"
        detail = str(error).strip().split("\n")[0][:200] or type(error).__name__
        raise DataError("data.hub_unreachable", id=ref.id, detail=detail) from error
    parts = {SPLIT_WORDS.get(split, split): part for split, part in found.items()}
    parts = {split: part for split, part in parts.items() if split in {"train", "validation", "test"}}
    first = next(iter(parts.values()), None)
    if first is None:
        raise DataError("data.no_train_split", id=ref.id, splits=", ".join(found))
    picture, label = _columns(first.features.arrow_schema, first.features.to_dict())
    if picture is None or label is None:
        missing = "picture" if picture is None else "label"
        raise DataError("data.no_column", missing=missing, columns=", ".join(first.column_names))
    names = getattr(first.features[label], "names", None)
    values = [value for part in parts.values() for value in part[label]]
    if any(isinstance(value, list) for value in values[:1]):
        raise DataError("data.several_labels", column=label)
    labels, targets, unlabelled = _encode(values, names)
    raw = [part.cast_column(picture, datasets.Image(decode=False)) for part in parts.values()]
    splits = _split_rows(list(parts), [len(part) for part in raw])
    return Collection(
        id=ref.id,
        name=name,
        fingerprint=_digest(*[part._fingerprint.encode() for part in raw]),
        labels=labels,
        targets=targets,
        splits={split: rows[targets[rows] >= 0] for split, rows in splits.items()},
        items=HubItems(raw, picture),
        problems=[Problem("data.unlabelled", "warning", values={"n": unlabelled})] if unlabelled else [],
        num_bytes=sum(part.dataset_size or 0 for part in parts.values()),
    )


def _torchvision(ref: DataRef) -> Collection:
    from core.data.cifar import open_cifar10

    if ref.name != "cifar10":
        raise DataError("data.unknown_builtin", id=ref.id, known="torchvision/cifar10")
    return open_cifar10(ref)


_SOURCES: dict[str, Callable[[DataRef], Collection]] = {
    "builtin": _builtin,
    "torchvision": _torchvision,
    "hub": _hub,
    "upload": _upload,
    "path": _path,
}


# -- fingerprints --------------------------------------------------------------------------------------------


def _digest(*parts: bytes) -> str:
    total = hashlib.blake2b(digest_size=12)
    for part in parts:
        total.update(part)
    return total.hexdigest()


# Above this much, only names, sizes, and the ends of each file are read.
_WHOLE_BYTES = 1_000_000_000
_END = 1 << 20


def _fingerprint_files(paths: list[Path]) -> str:
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
