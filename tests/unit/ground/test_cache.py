"""What is kept survives crashes, full disks and other processes, and is let go in the right order."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.cache import RowStore, cache_folder, cache_sizes, clear_cache, trim_cache, with_lock
from core.errors import StoppedError


def _store(key: str = "k", rows: int = 50, shape: tuple[int, ...] = (3, 4), dtype: Any = np.uint8) -> RowStore:
    return RowStore(cache_folder("pixels", key), rows, shape, dtype)


def _values(rows: np.ndarray, shape: tuple[int, ...] = (3, 4)) -> np.ndarray:
    return np.stack([np.full(shape, row + 1, dtype=np.uint8) for row in rows])


@pytest.mark.parametrize("shape", [(), (7,), (5, 5, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
def test_rows_read_equal_rows_written_when_order_and_gaps_are_any(shape: tuple[int, ...], dtype: Any) -> None:
    store = _store(shape=shape, dtype=dtype)
    rows = np.array([41, 3, 4, 5, 0, 49, 20])
    values = np.random.default_rng(0).integers(0, 200, (len(rows), *shape)).astype(dtype)
    store.write(rows, values)
    np.testing.assert_array_equal(store.read(rows), values)
    np.testing.assert_array_equal(store.read(rows[[2, 2, 0]]), values[[2, 2, 0]])
    assert store.missing(np.arange(50)).tolist() == sorted(set(range(50)) - set(rows.tolist()))


def test_rows_read_are_a_copy_when_changed_by_the_reader() -> None:
    store = _store()
    store.write(np.array([1]), _values(np.array([1])))
    store.read(np.array([1]))[:] = 0
    assert store.read(np.array([1])).min() == 2


def test_write_does_nothing_when_there_are_no_rows() -> None:
    store = _store()
    store.write(np.zeros(0, dtype=np.int64), np.zeros((0, 3, 4), dtype=np.uint8))
    assert len(store.missing(np.arange(50))) == 50


def test_rows_are_there_when_opened_again() -> None:
    rows = np.array([7, 2])
    _store().write(rows, _values(rows))
    again = _store()
    assert not len(again.missing(rows))
    np.testing.assert_array_equal(again.read(rows), _values(rows))


# -- damage ------------------------------------------------------------------------------------------------


def _spoil(name: str, change: Callable[[bytearray], object]) -> None:
    path = cache_folder("pixels", "k") / name
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


@pytest.mark.parametrize(("shape", "dtype"), [((3, 4), np.uint8), ((5, 3), np.uint8), ((8,), np.float32)])
def test_row_with_another_bit_is_computed_again_and_said(
    shape: tuple[int, ...], dtype: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = np.arange(10)
    values = np.random.default_rng(0).integers(0, 200, (10, *shape)).astype(dtype)
    _store(shape=shape, dtype=dtype).write(rows, values)
    size = values[0].nbytes

    def flip(content: bytearray) -> None:
        for place in (2 * size, 5 * size - 1):  # the first byte of the third row, the last of the fifth
            content[place] ^= 4

    _spoil("data.bin", flip)
    again = _store(shape=shape, dtype=dtype)
    assert again.missing(rows).tolist() == [2, 4]
    assert "2 kept rows of pixels/k are damaged" in capsys.readouterr().err
    assert _store(shape=shape, dtype=dtype).missing(rows).tolist() == [2, 4], "others are told the same"
    again.write(np.array([2, 4]), values[[2, 4]])
    fresh = _store(shape=shape, dtype=dtype)
    assert not len(fresh.missing(rows))
    np.testing.assert_array_equal(fresh.read(rows), values)


@pytest.mark.parametrize("name", ["data.bin", "sums.bin", "present.bin"])
def test_rows_of_a_file_that_was_cut_are_computed_again(name: str) -> None:
    rows = np.arange(50)
    _store().write(rows, _values(rows))

    def cut(content: bytearray) -> None:
        del content[len(content) // 2 :]

    _spoil(name, cut)
    assert _store().missing(rows).tolist() == list(range(25, 50))


def test_rows_of_an_earlier_version_count_though_they_have_no_sums() -> None:
    rows = np.arange(50)
    _store().write(rows, _values(rows))
    (cache_folder("pixels", "k") / "sums.bin").unlink()
    (cache_folder("pixels", "k") / "present.bin").write_bytes(b"\1" * 50)
    assert not len(_store().missing(rows))


def test_row_of_zeros_is_told_from_one_that_was_lost() -> None:
    rows = np.arange(3)
    _store(rows=3).write(rows, np.zeros((3, 3, 4), dtype=np.uint8))
    assert not len(_store(rows=3).missing(rows))
    _spoil("sums.bin", lambda content: content.__setitem__(slice(0, 8), bytes(8)))
    assert _store(rows=3).missing(rows).tolist() == [0]


class _Full:
    """A file on a nearly full disk: each call keeps a part, then none."""

    name = "data.bin"

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def seek(self, place: int) -> None:
        self.file.seek(place)

    def write(self, content: memoryview) -> int:
        kept = min(self.room, max(1, len(content) // 2))
        if not kept:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= kept
        return int(self.file.write(content[:kept]))

    def readinto(self, content: memoryview) -> int:
        return int(self.file.readinto(content))


def test_write_keeps_whole_rows_when_a_call_writes_only_a_part() -> None:
    store, rows = _store(), np.arange(4)
    store._data = _Full(store._data, 10_000)
    store.write(rows, _values(rows))
    np.testing.assert_array_equal(store.read(rows), _values(rows))


def test_write_raises_and_marks_nothing_when_the_disk_is_full() -> None:
    store, rows = _store(), np.arange(4)
    store._data = _Full(store._data, 30)  # two and a half rows
    with pytest.raises(OSError, match="space") as found:
        store.write(rows, _values(rows))
    assert found.value.errno == errno.ENOSPC
    assert store.missing(rows).tolist() == rows.tolist()


def test_write_raises_when_nothing_more_is_taken() -> None:
    store = _store()
    store._data = _Full(store._data, 0)
    store._data.write = lambda content: 0  # type: ignore[method-assign]
    with pytest.raises(OSError, match="space") as found:
        store.write(np.array([0]), _values(np.array([0])))
    assert found.value.errno == errno.ENOSPC


_WRITER = """
import sys, time, numpy as np
from core.cache import RowStore, cache_folder
store = RowStore(cache_folder("pixels", "shared"), 4000, (100,), np.uint8)
print("ready", flush=True)
for row in range(int(sys.argv[1]), 4000, int(sys.argv[2])):
    store.write(np.array([row]), np.full((1, 100), row % 251, dtype=np.uint8))
    if row % 50 < 2:
        time.sleep(0.001)
"""


def test_marked_rows_are_whole_when_two_processes_write_and_one_is_killed() -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(i), "2"], stdout=subprocess.PIPE, text=True)
        for i in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    store = RowStore(cache_folder("pixels", "shared"), 4000, (100,), np.uint8)
    every = np.arange(4000)
    while len(store.missing(every[::2])) > 1900:
        time.sleep(0.001)
    writers[0].kill()
    for writer in writers:
        writer.communicate(timeout=120)
    assert writers[1].returncode == 0
    there = np.setdiff1d(every, store.missing(every))
    assert set(range(1, 4000, 2)) <= set(there.tolist())
    assert 2000 < len(there) < 4000, "one was to be killed at work"
    assert (store.read(there) == (there % 251)[:, None]).all()


def test_lock_makes_the_second_wait_until_the_first_is_done() -> None:
    order: list[str] = []
    entered = threading.Event()

    def second() -> None:
        entered.wait()
        with with_lock("one"):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with with_lock("one"):
        entered.set()
        time.sleep(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_lock_gives_up_waiting_when_told_to_stop() -> None:
    with with_lock("one"), pytest.raises(StoppedError), with_lock("one", lambda: True):
        pytest.fail("two hold one lock")


def _keep(kind: str, key: str, num_bytes: int, age_s: float) -> Path:
    folder = cache_folder(kind, key)
    (folder / "data.bin").write_bytes(b"x" * num_bytes)
    then = time.time() - age_s
    os.utime(folder / "used", (then, then))
    return folder


def test_trim_removes_the_least_recently_used_when_there_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_CACHE_GB", "0.0003")
    oldest = _keep("features", "a", 200_000, 9e4)
    middle = _keep("pixels", "b", 200_000, 8e4)
    newest = _keep("facts", "c", 50_000, 7e4)
    assert trim_cache() >= 200_000
    assert [path.exists() for path in (oldest, middle, newest)] == [False, True, True]
    assert trim_cache() == 0


def test_trim_spares_what_was_opened_lately_when_there_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_CACHE_GB", "0")
    at_work, idle = _keep("features", "a", 100_000, 60), _keep("features", "b", 100_000, 9e4)
    trim_cache()
    assert at_work.exists()
    assert not idle.exists()


def test_open_store_goes_on_when_its_folder_is_cleared() -> None:
    store, rows = _store(), np.arange(3)
    store.write(rows, _values(rows))
    clear_cache("pixels")
    if sys.platform == "win32":
        pytest.skip("Windows does not remove what is open")
    np.testing.assert_array_equal(store.read(rows), _values(rows))
    assert len(_store().missing(rows)) == 3, "the new folder begins empty"


def test_sizes_count_what_is_on_the_disk_and_clear_frees_one_kind() -> None:
    _store(rows=1_000_000).write(np.array([999_999]), _values(np.array([9])))
    _keep("features", "a", 100_000, 0)
    sizes = cache_sizes()
    assert sizes["pixels"] < 1_000_000, "a file with holes counts by what it takes"
    assert sizes["features"] >= 100_000
    assert clear_cache("features") >= 100_000
    assert cache_sizes()["features"] == 0
    assert cache_sizes()["pixels"] == sizes["pixels"]
    clear_cache()
    assert not any(cache_sizes().values())


@pytest.mark.skipif(sys.platform != "linux", reason="what a process maps is told by Linux")
def test_rows_that_were_read_are_no_memory_of_the_process() -> None:
    """Else a training on many pictures would seem to need as much memory as they take on the disk."""

    def mapped() -> int:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssFile"))

    store = RowStore(cache_folder("pixels", "many"), 2000, (10_000,), np.uint8)
    for start in range(0, 2000, 500):
        store.write(np.arange(start, start + 500), np.ones((500, 10_000), dtype=np.uint8))
    before = mapped()
    for row in range(2000):
        assert store.read(np.array([row]))[0, -1] == 1
    assert mapped() - before < 4_000_000
