"""Parquet in the layout of a hub repository: pictures as bytes in a column, a class in another."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.sources import SPLIT_WORDS, Collection, Raw, fingerprint_files, split_rows
from core.errors import DataError, Problem


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
        import pyarrow as pa
        import pyarrow.parquet as pq

        ordered = np.sort(rows)
        for path, group, first, n in self._places:
            wanted = ordered[(ordered >= first) & (ordered < first + n)]
            if not len(wanted):
                continue
            try:
                column = pq.ParquetFile(path).read_row_group(group, columns=[self._column]).column(self._column)
                found = column.take(wanted - first).to_pylist()
            except (OSError, pa.ArrowException):  # a damaged page: its pictures cannot be read
                found = [None] * len(wanted)
            for row, content in zip(wanted.tolist(), found, strict=True):
                yield row, content.get("bytes") if isinstance(content, dict) else content

    def name(self, row: int) -> str:
        for path, _, first, n in self._places:
            if first <= row < first + n:
                return f"{path.name} #{row - first}"
        return f"#{row}"


def open_parquet(paths: list[Path], data_id: str, name: str) -> Collection:
    """Parquet files of one data set. Raises `DataError` with what is wrong with them as a whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folders = sorted({path.parent.name for path in paths if path.parent.name.lower() not in SPLIT_WORDS})
    if len(folders) > 1:
        raise DataError("data.several_configs", name=name, folders=", ".join(folders)[:200])
    try:
        files = [pq.ParquetFile(path) for path in paths]
        schema = files[0].schema_arrow
        features = _hub_features(schema)
        picture, label = find_columns(schema, features)
        if picture is None or label is None:
            raise missing_columns(picture, label, schema.names)
        if any(not {picture, label} <= set(file.schema_arrow.names) for file in files):
            raise DataError("data.mixed_files", name=name)
        raw = [file.read(columns=[label]).column(label) for file in files]
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError("data.unreadable_file", path=name, detail=str(error).split("\n")[0][:200]) from error
    if pa.types.is_nested(schema.field(label).type):
        raise DataError("data.several_labels", column=label)
    values = [value for column in raw for value in column.to_pylist()]
    labels, targets, unlabelled = encode_labels(values, features.get(label, {}).get("names"))
    splits = split_rows([_split_of(path) for path in paths], [file.metadata.num_rows for file in files])
    splits = {name: rows[targets[rows] >= 0] for name, rows in splits.items()}
    problems = [Problem("data.unlabelled", "warning", values={"n": unlabelled})] if unlabelled else []
    counts = [[file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)] for file in files]
    return Collection(
        id=data_id,
        name=name,
        fingerprint=fingerprint_files(paths),
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


def find_columns(schema: Any, features: dict[str, Any]) -> tuple[str | None, str | None]:
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
    picture, label = (next((name for name in found if name in schema.names), None) for found in (pictures, labels))
    return picture, label


def missing_columns(picture: str | None, label: str | None, names: list[str]) -> DataError:
    """What to raise where there is no picture column, no label column, or neither."""
    shown, problems = ", ".join(names)[:200], []
    if picture is None:
        problems.append(Problem("data.no_picture_column", values={"columns": shown}))
    if label is None:
        problems.append(Problem("data.no_label_column", values={"columns": shown}))
    return DataError(problems)


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


def _split_of(path: Path) -> str:
    """The split a hub file belongs to: by how its name begins (train-00000-of-00002), else by its folder."""
    word = re.split(r"[-_.]", path.stem.lower())[0]
    return SPLIT_WORDS.get(word) or SPLIT_WORDS.get(path.parent.name.lower(), "train")
