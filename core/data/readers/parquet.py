"""Parquet files in the layout of hub repositories."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from core.data.collection import Collection, Raw, encode_labels, fingerprint_files, split_rows
from core.data.table_rows import MAX_ROWS, Table
from core.data.text_collection import collect_texts
from core.data.text_columns import SAMPLE, find_text_columns
from core.errors import DataError, first_line
from core.problems import Problem
from core.registry.formats import SPLIT_WORDS
from core.spec import DataRef


class ParquetItems:
    """Pictures in a column of parquet files; a whole row group is read for the rows wanted of it."""

    def __init__(self, paths: Sequence[Path], column: str, counts: list[list[int]]) -> None:
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
                values = column.take(wanted - first).to_pylist()
            except (OSError, pa.ArrowException):  # a damaged page: its pictures cannot be read
                values = [None] * len(wanted)
            for row, content in zip(wanted.tolist(), values, strict=True):
                yield row, content.get("bytes") if isinstance(content, dict) else content

    def name(self, row: int) -> str:
        for path, _, first, n in self._places:
            if first <= row < first + n:
                return f"{path.name} #{row - first}"
        return f"#{row}"


def open_parquet(paths: Sequence[Path], ref: DataRef, name: str) -> Collection:
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
        first, label = find_columns(schema, features, ref)
        is_text = first is None
        if first is None:
            sample = next(files[0].iter_batches(SAMPLE), None)
            columns = sample.to_pydict() if sample is not None else {column: [] for column in schema.names}
            first, label = find_text_columns(columns, ref.model_copy(update={"label_column": label}))
        if label is None:
            raise DataError("data.no_label_column", columns=", ".join(schema.names)[:200])
        if any(not {first, label} <= set(file.schema_arrow.names) for file in files):
            raise DataError("data.mixed_files", name=name)
        values = _column(files, label)
        texts = _column(files, first) if is_text else []
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError("data.unreadable_file", path=name, detail=first_line(error)) from error
    if pa.types.is_nested(schema.field(label).type):
        raise DataError("data.several_labels", column=label)
    names = features.get(label, Feature()).get("names")
    splits = split_rows([_split_of(path) for path in paths], [file.metadata.num_rows for file in files])
    num_bytes = sum(path.stat().st_size for path in paths)
    if is_text:
        return collect_texts(
            ref.id,
            name,
            texts=texts,
            labels=values,
            splits=splits,
            columns=(first, label),
            label_names=names,
            all_columns=schema.names,
            num_bytes=num_bytes,
        )
    labels, targets, unlabelled = encode_labels(values, names)
    splits = {name: rows[targets[rows] >= 0] for name, rows in splits.items()}
    problems = [Problem("data.unlabelled", "warning", values={"n": unlabelled})] if unlabelled else []
    counts = [[file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)] for file in files]
    return Collection(
        id=ref.id,
        name=name,
        fingerprint=fingerprint_files(paths),
        labels=labels,
        targets=targets,
        splits={split: rows for split, rows in splits.items() if len(rows)},
        items=ParquetItems(paths, first, counts),
        problems=problems,
        num_bytes=num_bytes,
        columns=(first, label),
        all_columns=tuple(schema.names),
    )


def read_columns(path: Path) -> tuple[Table, list[Problem]]:
    """The columns of one file, to be answered; those of lists and records are left out. Raises `DataError`."""
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        if file.metadata.num_rows > MAX_ROWS:
            raise DataError("data.too_many_rows", name=path.name, limit=MAX_ROWS)
        content = file.read()
    except pyarrow.ArrowException as error:
        raise DataError("data.unreadable_file", path=path.name, detail=str(error)[:200]) from error
    if not content.num_rows:
        raise DataError("data.empty_table", name=path.name)
    table = {
        name: content.column(name).to_pylist()
        for name in content.column_names
        if not pyarrow.types.is_nested(content.schema.field(name).type)
    }
    return table, []


def _column(files: list[Any], name: str) -> list[Any]:
    return [value for file in files for value in file.read(columns=[name]).column(name).to_pylist()]


class Feature(TypedDict, total=False):
    """What the hub's `datasets` says of a column."""

    _type: str
    names: list[str] | None  # of classes


def named_features(declared: Mapping[str, Any]) -> dict[str, Feature]:
    """Features as `datasets` writes them, by column; those of lists, which have no kind of their own, left out."""
    return {
        name: Feature(_type=str(feature.get("_type")), names=feature.get("names"))
        for name, feature in declared.items()
        if isinstance(feature, dict)
    }


def _hub_features(schema: Any) -> dict[str, Feature]:
    """What the hub's `datasets` wrote about the columns; empty where it wrote nothing."""
    try:
        return named_features(json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"])
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def find_columns(schema: Any, features: Mapping[str, Feature], ref: DataRef) -> tuple[str | None, str | None]:
    """The picture column, None for texts, and the label column: as asked for, else declared, else by type and name.

    Raises `DataError` when a column is asked for that is not there.
    """
    import pyarrow as pa

    if ref.label_column is not None and ref.label_column not in schema.names:
        raise DataError("data.no_such_column", column=ref.label_column, columns=", ".join(schema.names)[:200])
    declared = {name: feature.get("_type") for name, feature in features.items()}
    pictures = [name for name, kind in declared.items() if kind == "Image"]
    for entry in schema:
        is_struct = pa.types.is_struct(entry.type) and any(part.name == "bytes" for part in entry.type)
        named = pa.types.is_binary(entry.type) and entry.name in {"image", "img", "picture", "bytes"}
        if is_struct or named:
            pictures.append(entry.name)
    labels = [ref.label_column] if ref.label_column else []
    labels += [name for name, kind in declared.items() if kind == "ClassLabel" and name != ref.text_column]
    picture = next((name for name in pictures if name in schema.names), None)
    if ref.text_column is not None:
        picture = ref.text_column if ref.text_column in pictures else None
    if picture is not None:
        labels += ["label", "labels", "fine_label", "target", "class", "category"]
    return picture, next((name for name in labels if name in schema.names), None)


def _split_of(path: Path) -> str:
    """The split a hub file belongs to: by how its name begins (train-00000-of-00002), else by its folder."""
    word = re.split(r"[-_.]", path.stem.lower())[0]
    return SPLIT_WORDS.get(word) or SPLIT_WORDS.get(path.parent.name.lower(), "train")
