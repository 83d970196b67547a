"""Files that are either the old one or the whole new one, whoever writes them at once; their sizes and sums.

What is being written lies beside its place under a name that no other process, thread or call has, hidden by a dot;
a killed writer leaves it there, and whoever owns the folder removes it with `forget_unfinished`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

# A name of 40 letters of any script and what is added to it fits where a name may have 255 bytes.
_STEM_LETTERS = 40
_UNFINISHED = re.compile(r"\.(.*\.)?[0-9a-f]{32}\.tmp(\.[^.]*)?")
ABANDONED_AFTER_S = 3600.0  # untouched for so long, nobody is writing it any more


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; what lies there at the end takes `path`'s place, after an error nothing does.

    It ends as `path` does, for writers and readers that go by the ending.
    """
    unfinished = unshared(path)
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def making_folder(path: Path, within: Path | None = None) -> Iterator[Path]:
    """An empty folder beside `path` to fill; at the end it becomes `path`, after an error it is gone.

    `within` is where it lies meanwhile, for a place whose every folder counts. Raises `FileExistsError` when `path` was
    made meanwhile: what came first stays.
    """
    unfinished = (within or path.parent) / unshared(path).name
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.rename(path)
        except OSError as error:  # a full folder in the way has a number of its own on most systems
            if path.is_dir():
                raise FileExistsError(errno.EEXIST, "it is there already", str(path)) from error
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def unshared(path: Path) -> Path:
    """A name beside `path` that nobody else has; for where only what was written tells what it will be called."""
    return path.with_name(f".{path.stem[:_STEM_LETTERS]}.{uuid.uuid4().hex}.tmp{path.suffix}")


def write_atomically(path: Path, text: str) -> None:
    """Write a text in UTF-8."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def is_unfinished(path: Path) -> bool:
    """Whether a name says that it is not to be counted, sent or shown: earlier versions wrote to `NAME.tmp`."""
    return path.name.startswith(".") or path.suffix == ".tmp"


def forget_unfinished(folder: Path, *, older_than_s: float = ABANDONED_AFTER_S) -> None:
    """Remove what killed writers left in a folder, as far as nobody wrote it in the last `older_than_s`."""
    for path in list(folder.iterdir()) if folder.is_dir() else []:
        if not _UNFINISHED.fullmatch(path.name):
            continue
        with suppress(OSError):  # another one removes it too
            if time.time() - path.stat().st_mtime >= older_than_s:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def to_json(value: Any) -> str:
    """JSON as Graft writes it: UTF-8, stable key order, no NaN."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False, indent=2)


def to_sealed_json(value: Mapping[str, Any]) -> str:
    """JSON with the sum of its content, by which `from_sealed_json` knows it again."""
    return to_json({**value, "sum": _sum_of(value)})


def from_sealed_json(text: str) -> dict[str, object]:
    """What was sealed, or a record of before there were seals. Raises `ValueError` for one that is damaged."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("it is no record")
    total = value.pop("sum", None)
    if total is not None and total != _sum_of(value):
        raise ValueError("its sum is another")
    return value


def _sum_of(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(to_json(value).encode()).hexdigest()


def sha256(path: Path) -> str:
    """The sum of a file's content, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size_of(path: Path) -> int:
    """Bytes of a file, or of a folder with all its files."""
    if path.is_file():
        return path.stat().st_size
    return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())


def disk_bytes(folder: Path) -> int:
    """What a folder really takes: sparse files take less than their length."""
    total = 0
    for path in folder.rglob("*"):
        try:
            stat = path.stat()
        except OSError:
            continue
        total += stat.st_blocks * 512 if hasattr(stat, "st_blocks") else stat.st_size
    return total
