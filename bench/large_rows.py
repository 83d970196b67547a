"""Made rows for `python -m bench large`: small pictures and short texts of ten classes, the same at each call."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 10
EDGE = 32  # px
_GROUP = 1_000  # rows of a row group
_WORDS, _OWN = 5_000, 40  # words of all classes, and of each alone


def make_rows(folder: Path, kind: str, rows: int) -> Path:
    """So many rows as a file or folder below `folder`; made once."""
    path = folder / (f"pictures-{rows}" if kind == "folder" else f"{kind}-{rows}{SUFFIX[kind]}")
    if not path.exists():
        unfinished = path.with_name(f".{path.name}")
        _WRITERS[kind](unfinished, rows)
        unfinished.replace(path)
    return path


def _pictures(rows: int) -> Iterator[tuple[int, bytes]]:
    """Class and JPEG of each: the class's own pattern under noise, no two alike."""
    random = np.random.default_rng(0)
    patterns = random.integers(0, 256, (CLASSES, 8, 8, 3)).repeat(4, 1).repeat(4, 2)
    for row in range(rows):
        label = row % CLASSES
        noise = random.integers(0, 256, (EDGE, EDGE, 3))
        content = io.BytesIO()
        Image.fromarray(((patterns[label] + noise) // 2).astype(np.uint8)).save(content, "JPEG", quality=85)
        yield label, content.getvalue()


def _texts(rows: int) -> Iterator[tuple[str, str]]:
    """A short text and its class: some of its words are of its class alone, and no two texts are alike."""
    random = np.random.default_rng(0)
    for row in range(rows):
        label = row % CLASSES
        common = random.integers(0, _WORDS, 8).tolist()
        own = random.integers(0, _OWN, 2).tolist()
        words = [*(f"word{word}" for word in common), *(f"{_NAMES[label]}{word}" for word in own)]
        yield " ".join([words[place] for place in random.permutation(len(words))]) + f" {row}", _NAMES[label]


_NAMES = [f"class{chr(97 + label)}" for label in range(CLASSES)]


def _write_folder(path: Path, rows: int) -> None:
    for name in _NAMES:
        (path / name).mkdir(parents=True)
    for row, (label, content) in enumerate(_pictures(rows)):
        (path / _NAMES[label] / f"{row}.jpg").write_bytes(content)


def _write_picture_parquet(path: Path, rows: int) -> None:
    _write_parquet(path, "image", _pictures(rows))


def _write_text_parquet(path: Path, rows: int) -> None:
    _write_parquet(path, "text", _texts(rows))


def _write_parquet(path: Path, first: str, rows: Iterator[tuple[object, object]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer: pq.ParquetWriter | None = None
    while part := [row for row, _ in zip(rows, range(_GROUP), strict=False)]:
        a, b = zip(*part, strict=True)
        columns = {first: a, "label": b} if first == "text" else {first: b, "label": a}
        table = pa.table({name: list(values) for name, values in columns.items()})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _write_csv(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(_texts(rows))


def _write_jsonl(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for text, label in _texts(rows):
            file.write(json.dumps({"text": text, "label": label}) + "\n")


SUFFIX = {"parquet": ".parquet", "csv": ".csv", "jsonl": ".jsonl", "images": ".parquet"}
_WRITERS: dict[str, Callable[[Path, int], None]] = {
    "images": _write_picture_parquet,
    "folder": _write_folder,
    "csv": _write_csv,
    "jsonl": _write_jsonl,
    "parquet": _write_text_parquet,
}
PICTURES = ("images", "folder")
