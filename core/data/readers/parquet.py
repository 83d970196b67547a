"""Parquet files in the layout of hub repositories."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from core.data.collection import Collection, Raw, encode_labels, fingerprint_files, split_rows
from core.data.readers.parquet_columns import is_bytes, open_footer, read_large, read_values
from core.data.split_column import is_named_so, splits_in_column
from core.data.table_rows import MAX_COLUMNS, Held, Table, empty_errors
from core.data.text_collection import collect_texts, count_several, plain_labels
from core.data.text_columns import find_text_columns
from core.errors import DataError
from core.problems import Problem
from core.registry.split_names import split_of, split_of_file
from core.spec import DataRef

# Rows by which columns are told where their names do not: a table may be sorted by its labels.
_LOOKED_AT = 50_000


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

        ordered = np.sort(rows)
        for path, group, first, n in self._places:
            begin, end = np.searchsorted(ordered, [first, first + n])
            waiting = deque(ordered[begin:end].tolist())
            place = first
            try:
                for part in read_large(path, group, self._column) if waiting else ():
                    while waiting and waiting[0] < place + len(part):
                        content = part[waiting[0] - place]
                        yield waiting.popleft(), content
                    place += len(part)
                    if not waiting:
                        break
            except (OSError, pa.ArrowException) as error:  # a damaged page: its pictures cannot be read
                if isinstance(error, MemoryError):
                    raise
            for row in waiting:
                yield row, None

    def name(self, row: int) -> str:
        for path, _, first, n in self._places:
            if first <= row < first + n:
                return f"{path.name} #{row - first}"
        return f"#{row}"


def open_parquet(paths: Sequence[Path], ref: DataRef, name: str) -> Collection:
    """Parquet files of one data set. Raises `DataError` with what is wrong with them as a whole."""
    folders = sorted({path.parent.name for path in paths if _folder_split(path) is None})
    if len(folders) > 1:
        raise DataError("data.several_configs", name=name, folders=", ".join(folders)[:200])
    files = [open_footer(path) for path in paths]
    schema = files[0].schema_arrow
    features = _hub_features(schema)
    first, label = find_columns(schema, features, ref)
    is_text = first is None
    if first is None:
        readable = _readable_columns(schema)
        columns: dict[str, Sequence[Any]] = {
            column: read_values(files[:1], paths[:1], column, most=_LOOKED_AT) for column in readable
        }
        first, label = find_text_columns(columns, ref.model_copy(update={"label_column": label}))
    if label is None:
        raise DataError("data.no_label_column", columns=", ".join(schema.names)[:200])
    if any(not {first, label} <= set(file.schema_arrow.names) for file in files):
        raise DataError("data.mixed_files", name=name)
    held = Held(name)
    values = read_values(files, paths, label, held)
    texts = read_values(files, paths, first, held) if is_text else []
    names = features.get(label, Feature()).get("names")
    splits = split_rows([_split_of(path) for path in paths], [file.metadata.num_rows for file in files])
    unclear: list[Problem] = []
    if set(splits) == {"train"}:
        named = [column for column in schema.names if is_named_so(column) and column not in (first, label)]
        cells = {column: read_values(files, paths, column, held) for column in named}
        words, unclear = splits_in_column(cells, (first, label))
        splits = split_rows(words, [1] * len(words)) if words is not None else splits
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
            problems=unclear,
        )
    labels, targets, problems = encode_picture_labels(values, names, label)
    splits = {name: rows[targets[rows] >= 0] for name, rows in splits.items()}
    counts = [[file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)] for file in files]
    return Collection(
        id=ref.id,
        name=name,
        fingerprint=fingerprint_files(paths),
        labels=labels,
        targets=targets,
        splits={split: rows for split, rows in splits.items() if len(rows)},
        items=ParquetItems(paths, first, counts),
        problems=[*unclear, *problems],
        num_bytes=num_bytes,
        columns=(first, label),
        all_columns=tuple(schema.names),
    )


def read_columns(path: Path) -> tuple[Table, list[Problem]]:
    """The columns of one file, to be answered; those of lists and records are left out. Raises `DataError`."""
    import pyarrow as pa

    file = open_footer(path)
    if not file.metadata.num_rows:
        raise DataError("data.empty_table", name=path.name)
    held = Held(path.name)
    nested = {field.name for field in file.schema_arrow if pa.types.is_nested(field.type)}
    names = [column for column in _readable_columns(file.schema_arrow) if column not in nested]
    table = {column: read_values([file], [path], column, held) for column in names}
    return table, empty_errors(table, path.name)


def _readable_columns(schema: Any) -> list[str]:
    """Columns whose values can be shown: all but bytes, which are pictures, and records."""
    import pyarrow as pa

    kinds = {field.name: field.type for field in schema}
    unreadable = (is_bytes, pa.types.is_struct, pa.types.is_map)
    return [name for name, kind in kinds.items() if not any(is_one(kind) for is_one in unreadable)][:MAX_COLUMNS]


def encode_picture_labels(
    values: Sequence[Any], names: list[str] | None, column: str
) -> tuple[list[str], NDArray[np.int64], list[Problem]]:
    """The class of each picture by its label, told as texts' labels are. Raises `DataError` for several each."""
    several = count_several(values, column)
    labels, targets, without = encode_labels(plain_labels(values), names)
    counts = {"data.several_labels_left_out": several, "data.unlabelled": without - several}
    return labels, targets, [Problem(code, "warning", values={"n": n}) for code, n in counts.items() if n]


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
        named = is_bytes(entry.type) and entry.name in {"image", "img", "picture", "bytes"}
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
    return split_of_file(path.stem) or _folder_split(path) or "train"


def _folder_split(path: Path) -> str | None:
    """The split that a file's folder is called: a data set's own folder, test_pictures, says nothing."""
    return split_of(path.parent.name) if re.fullmatch(r"[^\W_]+", path.parent.name) else None
