"""Data sets of a Hugging Face hub through `datasets`; what a repository holds is read, never run."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import settings
from core.data.collection import Collection, Raw, digest, split_rows
from core.data.readers.parquet import encode_picture_labels, find_columns, named_features
from core.data.showing import MAX_BYTES
from core.data.table_rows import as_cell
from core.data.text_collection import collect_texts
from core.data.text_columns import SAMPLE, find_text_columns
from core.errors import DataError, first_line
from core.models.hubs import hub_endpoint, ways_to
from core.problems import Problem
from core.registry.split_names import split_of
from core.spec import DataRef

_PART = r"[A-Za-z0-9][\w.-]*"
_NAME = re.compile(rf"{_PART}/{_PART}")


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
        content: bytes = value["bytes"]
        return content
    try:
        path = Path(value["path"])
        return path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
    except (OSError, TypeError):
        return None


def open_hub(paths: Sequence[Path], ref: DataRef, name: str) -> Collection:
    """`hub/ORG/NAME[:config]` through `datasets`; repository code is never run.

    Raises `DataError` when it is not in the cache and the hub is out of reach, or holds neither pictures nor texts.
    """
    name, _, config = name.partition(":")
    # The library takes what looks like a folder for one: only a repository's name may reach it.
    if not _NAME.fullmatch(name) or Path(name).exists():
        raise DataError("data.hub_id", id=ref.id)
    import datasets

    _stay_offline()
    try:
        loaded = datasets.load_dataset(name, config or None)
    except Exception as error:  # the library has no common base for "not there", "no network", "a script"
        detail = first_line(error)
        told = Problem("data.hub_unreachable", values={"id": ref.id, "detail": detail})
        raise DataError([told, *ways_to(hub_endpoint())]) from error
    parts = {split_of(split) or split: part for split, part in loaded.items()}
    parts = {split: part for split, part in parts.items() if split in {"train", "validation", "test"}}
    first = next(iter(parts.values()), None)
    if first is None:
        raise DataError("data.no_train_split", id=ref.id, splits=", ".join(loaded))
    column, label = find_columns(first.features.arrow_schema, named_features(first.features.to_dict()), ref)
    is_text = column is None
    if column is None:
        column, label = find_text_columns(first[:SAMPLE], ref.model_copy(update={"label_column": label}))
    if label is None:
        raise DataError("data.no_label_column", columns=", ".join(first.column_names)[:200])
    if any(not {column, label} <= set(part.column_names) for part in parts.values()):
        raise DataError("data.mixed_files", name=name)
    names = getattr(first.features[label], "names", None)
    values = [as_cell(value) for part in parts.values() for value in part[label]]
    splits = split_rows(list(parts), [len(part) for part in parts.values()])
    num_bytes = next((part.dataset_size or 0 for part in parts.values()), 0)
    if is_text:
        return collect_texts(
            ref.id,
            name,
            texts=[text for part in parts.values() for text in part[column]],
            labels=values,
            splits=splits,
            columns=(column, label),
            label_names=names,
            all_columns=first.column_names,
            num_bytes=num_bytes,
        )
    labels, targets, problems = encode_picture_labels(values, names, label)
    only = [part.select_columns([column]) for part in parts.values()]
    raw = [part.cast_column(column, datasets.Image(decode=False)) for part in only]
    return Collection(
        id=ref.id,
        name=name,
        fingerprint=digest(*[part._fingerprint.encode() for part in raw]),
        labels=labels,
        targets=targets,
        splits={split: rows[targets[rows] >= 0] for split, rows in splits.items() if (targets[rows] >= 0).any()},
        items=HubItems(raw, column),
        problems=problems,
        num_bytes=num_bytes,
        columns=(column, label),
        all_columns=tuple(first.column_names),
    )


def _stay_offline() -> None:
    """Make `GRAFT_OFFLINE` hold in the libraries too: they looked at the environment when they were imported."""
    if settings.is_offline():
        import datasets
        import huggingface_hub.constants

        huggingface_hub.constants.HF_HUB_OFFLINE = True
        datasets.config.HF_HUB_OFFLINE = True
