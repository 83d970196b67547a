"""What was computed once and is kept: decoded pictures, features, facts. Locked per key, capped, disposable.

Everything lies under `GRAFT_HOME/cache/<kind>/<key>/`; deleting it costs time and nothing else.
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from core import settings
from core.errors import RunError, StoppedError
from core.files import disk_bytes
from core.i18n import translator

KINDS = ("pixels", "features", "facts", "onnx")
# A folder that was opened so recently may be at work in another process: it is not trimmed.
_IN_USE_S = 3600.0
_STAMP = "used"
# The mark of a row that was written with its sum; earlier versions kept none, and marked with 1.
_SUMMED = 2
_AT_ONCE_BYTES = 16_000_000  # of rows that are compared with their sums
# The lock of who opens a folder's files and who removes folders: the marks must lie beside the rows they tell of.
_COMING_AND_GOING = "coming-and-going"


def cache_folder(kind: str, key: str) -> Path:
    """The folder of a key, made if need be and marked as used now."""
    path = settings.folder("cache") / kind / key
    with with_lock(_COMING_AND_GOING):
        path.mkdir(parents=True, exist_ok=True)
        (path / _STAMP).touch()
    return path


@contextmanager
def with_lock(key: str, should_stop: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """One process at a time for this key; others wait, and raise `StoppedError` when told to stop."""
    folder = settings.folder("cache") / "locks"
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / f"{key}.lock")
    while True:
        try:
            lock.acquire(timeout=0.5)
            break
        except Timeout:
            if should_stop():
                raise StoppedError() from None
    try:
        yield
    finally:
        lock.release()


class RowStore:
    """Rows of one shape and type in a sparse file, written in any order, by several processes if need be.

    They are read, not mapped: pages of a mapped file count as the process's memory as long as there is room, and of
    many rows they would be all that is seen of it.

    A row counts once its mark is set, and the mark is set after the row and its sum: a killed writer leaves at worst a
    row that is computed again. Two writers of one row write the same bytes. A row that is not as it was written any
    more is found when it is first asked for, said, and computed again.
    """

    def __init__(self, folder: Path, num_rows: int, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.row_bytes = int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize
        self._lock = threading.Lock()
        self._name = f"{folder.parent.name}/{folder.name}"
        with with_lock(_COMING_AND_GOING):
            folder.mkdir(parents=True, exist_ok=True)  # it may just have been removed
            self._data = _open(folder / "data.bin", num_rows * self.row_bytes)
            self._sums = _open(folder / "sums.bin", num_rows * 8)
            self._marks = _open(folder / "present.bin", num_rows)
        self._present = np.memmap(self._marks, dtype=np.uint8, mode="r", shape=(num_rows,))
        weakref.finalize(self, _close, self._data, self._sums, self._marks)
        self._kept_sums = np.memmap(self._sums, dtype=np.uint64, mode="r", shape=(num_rows,))
        self._is_checked = np.zeros(num_rows, dtype=bool)

    def missing(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of the rows that are not there yet, or not as they were written."""
        fresh = rows[(self._present[rows] == _SUMMED) & ~self._is_checked[rows]]
        if len(fresh):
            self._check(np.unique(fresh))
        absent: NDArray[np.int64] = rows[self._present[rows] == 0]
        return absent

    def _check(self, rows: NDArray[np.int64]) -> None:
        """Compare rows with their sums; those that differ are not there any more."""
        step = max(1, _AT_ONCE_BYTES // max(1, self.row_bytes))
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            wrong = part[_sums_of(self.read(part)) != self._kept_sums[part]]
            self._is_checked[part] = True
            if not len(wrong):
                continue
            print(f"{len(wrong)} kept rows of {self._name} are damaged: computed again", file=sys.stderr, flush=True)
            with self._lock:
                self._mark(wrong, b"\0")

    def read(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """A copy of rows [n, *shape] that are there."""
        found: NDArray[Any] = np.empty((len(rows), *self.shape), dtype=self.dtype)
        content = memoryview(found.reshape(-1).view(np.uint8).data)
        with self._lock:
            for start, stop in _runs(rows):
                self._data.seek(int(rows[start]) * self.row_bytes)
                _read_all(self._data, content[start * self.row_bytes : stop * self.row_bytes])
        return found

    def write(self, rows: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Keep rows. Raises OSError on a full disk, with nothing marked."""
        if not len(rows):
            return
        values = np.ascontiguousarray(values, dtype=self.dtype).reshape(len(rows), -1).view(np.uint8)
        sums = _sums_of(values)
        with self._lock:
            for start, stop in _runs(rows):
                self._data.seek(int(rows[start]) * self.row_bytes)
                _write_all(self._data, values[start:stop].reshape(-1).data)
                self._sums.seek(int(rows[start]) * 8)
                _write_all(self._sums, memoryview(sums[start:stop].tobytes()))
            self._mark(rows, bytes([_SUMMED]))

    def _mark(self, rows: NDArray[np.int64], mark: bytes) -> None:
        for start, stop in _runs(rows):
            self._marks.seek(int(rows[start]))
            _write_all(self._marks, memoryview(mark * (stop - start)))


def check_room(num_bytes: int) -> None:
    """Refuse to begin what the disk of the caches cannot hold. Raises `RunError`."""
    folder = settings.folder("cache")
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        size = translator("en").size
        raise RunError("run.disk_short", need=size(num_bytes), free=size(free), folder=str(folder))


def _sums_of(rows: NDArray[Any]) -> NDArray[np.uint64]:
    """A sum of each row [n, …], other wherever one of its words of eight bytes is another: each counts by its place."""
    flat = np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8)
    if rest := flat.shape[1] % 8:
        flat = np.pad(flat, ((0, 0), (0, 8 - rest)))
    words = flat.view(np.uint64)
    # Odd numbers: no change of a single word is lost. One more: a row of zeros has a sum too.
    odd = np.random.default_rng(0).integers(0, 2**63, words.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    total: NDArray[np.uint64] = (words * odd).sum(axis=1, dtype=np.uint64) + np.uint64(1)
    return total


def _close(*files: Any) -> None:
    for file in files:
        file.close()


def _write_all(file: Any, content: memoryview) -> None:
    """Write to the last byte: on a disk that is nearly full one call keeps a part and says how much."""
    while len(content):
        written = file.write(content)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file.name))
        content = content[written:]


def _read_all(file: Any, content: memoryview) -> None:
    """Fill to the last byte: of some gigabytes one call gives a part. Raises OSError where the file ends before."""
    while len(content):
        read = file.readinto(content)
        if not read:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(file.name))
        content = content[read:]


def _runs(rows: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Where consecutive row numbers begin and end, so that they are written in one go."""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    edges = [0, *breaks.tolist(), len(rows)]
    return [(a, b) for a, b in itertools.pairwise(edges) if b > a]


def _open(path: Path, size: int) -> Any:
    # Unbuffered: what is written is the kernel's at once and outlives this process.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    file = os.fdopen(descriptor, "r+b", buffering=0)
    if os.fstat(descriptor).st_size < max(1, size):
        file.truncate(max(1, size))  # sparse: takes room only as rows are written
    return file


# -- how much there is, and less of it ---------------------------------------------------------------------


def cache_sizes() -> dict[str, int]:
    """Bytes on the disk by kind."""
    root = settings.folder("cache")
    return {kind: sum(disk_bytes(path) for path in _keys(root / kind)) for kind in KINDS}


def clear_cache(kind: str | None = None) -> int:
    """Delete everything, or everything of a kind; returns the bytes freed."""
    freed = 0
    for name in KINDS if kind is None else (kind,):
        for path in _keys(settings.folder("cache") / name):
            freed += _remove(path)
    return freed


def trim_cache() -> int:
    """Delete the least recently used until `GRAFT_CACHE_GB` is kept; returns the bytes freed."""
    try:
        limit = float(settings.get("GRAFT_CACHE_GB")) * 1e9
    except ValueError:
        limit = float(settings.SETTINGS["GRAFT_CACHE_GB"].default) * 1e9
    root = settings.folder("cache")
    entries = [(_used_at(path), disk_bytes(path), path) for kind in KINDS for path in _keys(root / kind)]
    total, freed = sum(size for _, size, _ in entries), 0
    for used, size, path in sorted(entries, key=lambda item: item[0]):
        if total - freed <= limit or time.time() - used < _IN_USE_S:
            break
        _remove(path)
        freed += size
    return freed


def _keys(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _used_at(path: Path) -> float:
    try:
        return (path / _STAMP).stat().st_mtime
    except OSError:
        return 0.0


def _remove(path: Path) -> int:
    size = disk_bytes(path)
    # Out of sight first: nobody opens half a folder.
    gone = path.with_name(f".{path.name}.{os.getpid()}.gone")
    try:
        with with_lock(_COMING_AND_GOING):
            path.rename(gone)
    except OSError:  # another process was faster, or Windows, which does not move what is open
        return 0
    shutil.rmtree(gone, ignore_errors=True)
    return size
