"""What is known of every picture before it is decoded, found with all threads and kept.

Whether it is a picture at all, its size, and a hash of its bytes: a look into the header is a hundred times
quicker than decoding.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from core.cache import RowStore, cache_folder
from core.data import showing
from core.data.collection import Collection, Raw
from core.data.picture import is_cut_short
from core.data.room import room_for
from core.data.showing import DECODING, MAX_BYTES
from core.errors import StoppedError
from core.hardware import usable_threads
from core.progress import Reporter

# What is known of a row: 0 not looked at, 1 fine, 2 unreadable, 3 too large; width, height, content hash; what is odd.
FINE, UNREADABLE, TOO_LARGE = 1, 2, 3
ODD = {showing.TURN_UNKNOWN: 1, showing.NEARLY_FLAT: 2}
_CHUNK = 64
_TELL_EVERY_S = 1.0
Ints = NDArray[np.int64]
T = TypeVar("T")


class Facts:
    """What a look at each picture's header told: size, whether it is a picture, a hash of its bytes. Kept."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        folder = cache_folder("facts", f"{collection.fingerprint}-{DECODING}")
        self._store = RowStore(folder, len(collection), (5,), np.int64)

    def look(self, rows: Ints, reporter: Reporter | None) -> None:
        """Look at rows that were not looked at yet."""
        missing = np.unique(self._store.missing(rows))
        for part in in_threads(self.collection, missing, _look, reporter):
            numbers = np.array([row for row, _ in part], dtype=np.int64)
            self._store.write(numbers, np.array([fact for _, fact in part], dtype=np.int64))

    def status(self, rows: Ints) -> Ints:
        return np.asarray(self._store.read(rows)[:, 0])

    def sizes(self, rows: Ints) -> Ints:
        """Width and height [n, 2] in px."""
        return np.asarray(self._store.read(rows)[:, 1:3])

    def hashes(self, rows: Ints) -> Ints:
        """A hash of each picture's bytes."""
        return np.asarray(self._store.read(rows)[:, 3])

    def possible_copies(self, rows: Ints) -> Ints:
        """Those of the rows that may hold what another of them holds: files of a size of their own do not."""
        sizes = self.collection.sizes
        if sizes is None:
            return rows
        _, place, counts = np.unique(sizes[rows], return_inverse=True, return_counts=True)
        return rows[counts[place] > 1]

    def alike(self, rows: Ints) -> Ints:
        """For every row of the collection the first that holds the same bytes, as far as these rows tell.

        They were looked at; what holds nothing that can be read is no copy of anything.
        """
        first = np.arange(len(self.collection), dtype=np.int64)
        known = np.unique(rows)
        known = known[self.hashes(known) != 0]
        _, earliest, place = np.unique(self.hashes(known), return_index=True, return_inverse=True)
        first[known] = known[earliest[place]]
        return first

    def odd(self, rows: Ints, oddity: str) -> Ints:
        """Those of the rows that were found odd in this way."""
        return rows[(self._store.read(rows)[:, 4] & ODD[oddity]) > 0]

    def unusable(self, rows: Ints) -> Ints:
        return rows[~self.is_fine(rows)]

    def is_fine(self, rows: Ints) -> NDArray[np.bool_]:
        """For each row whether it is a picture that can be used, as far as is known."""
        return np.asarray(self.status(rows) == FINE)

    def mark_unreadable(self, rows: Ints) -> None:
        """A picture whose header was fine and whose body is not."""
        if len(rows):
            known = self._store.read(rows)
            known[:, 0] = UNREADABLE
            self._store.write(rows, known)

    def native_edge(self, rows: Ints, limit: int) -> int | None:
        """The edge that all these pictures share if they are squares of at most `limit` px."""
        sizes = np.unique(self.sizes(rows), axis=0)
        is_one_square = len(sizes) == 1 and sizes[0, 0] == sizes[0, 1] <= limit
        return int(sizes[0, 0]) if is_one_square else None


def _look(raw: Raw | None) -> tuple[int, int, int, int, int]:
    if raw is None:
        return UNREADABLE, 0, 0, 0, 0
    content = raw.tobytes() if isinstance(raw, np.ndarray) else raw
    digest = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little", signed=True)
    if isinstance(raw, np.ndarray):
        return FINE, raw.shape[1], raw.shape[0], digest, 0
    if len(raw) > MAX_BYTES:
        return TOO_LARGE, 0, 0, digest, 0
    try:
        image = showing.open_header(raw)
        width, height = image.size
        showing.check_size(image, len(raw))
        with room_for(showing.memory_for(image)):
            if is_cut_short(raw, image.format) or showing.holds_wide_values(image):  # decoding it tells
                image = showing.open_decoded(raw)
            odd = sum(ODD[one] for one in showing.oddities(image))
    except MemoryError:  # says nothing about the picture
        raise
    except showing.TooLargeError:
        return TOO_LARGE, width, height, digest, 0
    except Exception:  # decoders fail in many ways on damaged files
        return UNREADABLE, 0, 0, digest, 0
    return FINE, width, height, digest, odd


def in_threads(
    collection: Collection, rows: Ints, work: Callable[[Raw | None], T], reporter: Reporter | None
) -> Iterator[list[tuple[int, T]]]:
    """`work` on the raw pictures of rows, in chunks on all threads: decoders leave Python's lock alone.

    Few chunks wait at a time, so that memory stays small. Raises `StoppedError` between chunks.
    """

    def do(part: list[tuple[int, Raw | None]]) -> list[tuple[int, T]]:
        return [(row, work(raw)) for row, raw in part]

    threads = usable_threads()
    done, tell_at = 0, time.monotonic() + _TELL_EVERY_S

    def finish(future: Future[list[tuple[int, T]]]) -> list[tuple[int, T]]:
        nonlocal done, tell_at
        finished = future.result()
        done += len(finished)
        if reporter is not None and reporter.should_stop():
            raise StoppedError()
        if reporter is not None and time.monotonic() > tell_at:
            reporter.phase("decode", done=done, total=len(rows))
            tell_at = time.monotonic() + _TELL_EVERY_S
        return finished

    waiting: deque[Future[list[tuple[int, T]]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for part in _chunks(collection.items.read_many(rows)):
                waiting.append(pool.submit(do, part))
                if len(waiting) > 2 * threads:
                    yield finish(waiting.popleft())
            while waiting:
                yield finish(waiting.popleft())
        finally:
            for future in waiting:
                future.cancel()


def _chunks(items: Iterator[tuple[int, Raw | None]]) -> Iterator[list[tuple[int, Raw | None]]]:
    part: list[tuple[int, Raw | None]] = []
    num_bytes = 0
    for row, raw in items:
        part.append((row, raw))
        num_bytes += 0 if raw is None else len(raw) if isinstance(raw, bytes) else raw.nbytes
        if len(part) == _CHUNK or num_bytes > 16_000_000:
            yield part
            part, num_bytes = [], 0
    if part:
        yield part
