"""A data set ready for training: labels, splits, and pictures as squares of uint8, decoded once and kept."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.data.cache import RowStore, cache_folder, trim_cache, with_lock
from core.data.pictures import MAX_BYTES, MAX_PIXELS, Interpolation, decode, read_header
from core.data.sources import Collection, Raw, open_collection
from core.data.splits import Split, make_split
from core.errors import DataError, Problem, StoppedError
from core.events import Reporter
from core.hardware import usable_threads
from core.specs import DataRef

# What is known of a row: 0 not looked at, 1 fine, 2 unreadable, 3 too large; width, height, content hash.
_FINE, _UNREADABLE, _TOO_LARGE = 1, 2, 3
_CHUNK = 64
_TELL_EVERY_S = 1.0
Ints = NDArray[np.int64]
T = TypeVar("T")


class Pixels:
    """The pictures of a data set as squares of `size` px, decoded on demand and kept on the disk."""

    def __init__(self, collection: Collection, size: int, resize_size: int, how: Interpolation) -> None:
        self.size = size
        self._collection, self._resize_size, self._how = collection, resize_size, how
        facts = f"{collection.fingerprint}|{size}|{resize_size}|{how}"
        self.key = hashlib.sha256(facts.encode()).hexdigest()[:24]
        self._store = RowStore(cache_folder("pixels", self.key), len(collection), (size, size, 3), np.uint8)

    def __len__(self) -> int:
        return len(self._collection)

    def read(self, rows: Ints) -> NDArray[np.uint8]:
        """Pictures [n, size, size, 3]; rows that were never decoded are decoded now."""
        missing = self._store.missing(rows)
        if len(missing):
            self.decode(missing, None)
        found: NDArray[np.uint8] = self._store.read(rows)
        return found

    def ensure(self, rows: Ints, reporter: Reporter) -> None:
        """Decode what is missing of these rows. Raises `StoppedError` when asked to stop."""
        missing = np.unique(self._store.missing(rows))
        if len(missing):
            with with_lock(f"pixels-{self.key}"):
                self.decode(np.unique(self._store.missing(rows)), reporter)

    def decode(self, rows: Ints, reporter: Reporter | None) -> Ints:
        """Decode and keep rows; returns those that cannot be read (they are kept as grey squares)."""
        bad = []
        grey = np.full((self.size, self.size, 3), 128, dtype=np.uint8)
        for part in _in_threads(self._collection, rows, self._square, reporter):
            numbers = np.array([row for row, _ in part], dtype=np.int64)
            bad += [row for row, square in part if square is None]
            self._store.write(numbers, np.stack([grey if square is None else square for _, square in part]))
        return np.array(bad, dtype=np.int64)

    def _square(self, raw: Raw | None) -> NDArray[np.uint8] | None:
        if raw is None:
            return None
        if isinstance(raw, np.ndarray) and raw.shape[0] == self.size:
            return raw
        try:
            if isinstance(raw, np.ndarray):
                from PIL import Image

                from core.data.pictures import fit_image

                return fit_image(Image.fromarray(raw), self.size, self._resize_size, self._how)
            return decode(raw, self.size, self._resize_size, self._how)
        except (OSError, ValueError):
            return None


@dataclass
class ImageData:
    """What training needs of a data set; `targets` has an entry for every row, the splits are row numbers."""

    id: str
    fingerprint: str
    labels: list[str]
    targets: Ints
    train: Ints
    validation: Ints
    test: Ints
    pixels: Pixels
    is_native: bool  # kept at the pictures' own small size, whole: nothing is cropped
    problems: list[Problem]


def load_images(
    ref: DataRef,
    *,
    image_size: int,
    resize_size: int,
    interpolation: Interpolation,
    train_size: int | None = None,
    test_size: int | None = None,
    seed: int,
    reporter: Reporter,
) -> ImageData:
    """Read, check and split a data set, and decode the pictures chosen.

    Small pictures that are all squares of one size up to `image_size` keep it (they are enlarged on the
    device, batch by batch); others are resized to `resize_size` and cropped to `image_size`. Unreadable
    pictures are left out and told. Raises `DataError` with everything that blocks, all at once.
    """
    trim_cache()
    collection = open_collection(ref)
    facts = Facts(collection)
    bad: Ints = np.zeros(0, dtype=np.int64)
    while True:
        usable = {name: rows[~np.isin(rows, bad)] for name, rows in collection.splits.items() if len(rows)}
        problems = check_collection(collection, usable) + unreadable_problems(collection, facts, bad)
        if any(problem.severity == "error" for problem in problems):
            raise DataError(problems)
        split = make_split(collection.targets, usable, train_size=train_size, test_size=test_size, seed=seed)
        chosen = np.unique(np.concatenate([split.train, split.validation, split.test]))
        facts.look(chosen, reporter)
        new = facts.unusable(chosen)
        if not len(new):
            edge = facts.native_edge(chosen, image_size)
            size, resize = (edge, edge) if edge else (image_size, resize_size)
            pixels = Pixels(collection, size, resize, interpolation)
            missing = pixels._store.missing(chosen)
            with with_lock(f"pixels-{pixels.key}"):
                new = pixels.decode(np.unique(missing), reporter)
            facts.mark_unreadable(new)
        if not len(new):
            break
        bad = np.union1d(bad, new)
    problems += facts.duplicates(split)
    return ImageData(
        id=ref.id,
        fingerprint=collection.fingerprint,
        labels=collection.labels,
        targets=collection.targets,
        train=split.train,
        validation=split.validation,
        test=split.test,
        pixels=pixels,
        is_native=edge is not None,
        problems=problems,
    )


def check_collection(collection: Collection, usable: dict[str, Ints]) -> list[Problem]:
    """Everything that speaks against training on what can be read of a data set."""
    problems = list(collection.problems)
    values: dict[str, Any]
    train = usable.get("train", np.zeros(0, dtype=np.int64))
    if not len(train):
        values = {"id": collection.id, "splits": ", ".join(collection.splits) or "-"}
        return [*problems, Problem("data.no_train_split", field="data", values=values)]
    counts = np.bincount(collection.targets[train], minlength=len(collection.labels))
    present = int((counts > 0).sum())
    if present < 2:
        label = collection.labels[int(counts.argmax())] if collection.labels else ""
        problems.append(Problem("data.one_class", field="data", values={"label": label[:80], "n": len(train)}))
    elif len(train) < 2 * present:
        values = {"n": len(train), "classes": present}
        problems.append(Problem("data.too_few", "warning", "data", values))
    empty = [collection.labels[c] for c in np.flatnonzero(counts == 0)]
    if empty and present >= 2:
        values = {"n": len(empty), "labels": _list(empty)}
        problems.append(Problem("data.empty_class", "warning", "data", values))
    single = [collection.labels[c] for c in np.flatnonzero(counts == 1)]
    if single and present >= 2:
        problems.append(Problem("data.single_picture", "warning", "data", {"n": len(single), "labels": _list(single)}))
    return problems


def _list(names: list[str], most: int = 5) -> str:
    shown = ", ".join(name[:40] for name in names[:most])
    return shown + (", …" if len(names) > most else "")


def unreadable_problems(collection: Collection, facts: Facts, bad: Ints) -> list[Problem]:
    """Pictures that are left out, by reason."""
    problems = []
    large = bad[facts.status(bad) == _TOO_LARGE] if len(bad) else bad
    damaged = np.setdiff1d(bad, large)
    for code, rows in (("data.unreadable", damaged), ("data.too_large", large)):
        if len(rows):
            names = _list([collection.items.name(int(row)) for row in rows], 3)
            problems.append(Problem(code, "warning", "data", {"n": len(rows), "names": names}))
    return problems


class Facts:
    """What a look at each picture's header told: size, whether it is a picture, a hash of its bytes. Kept."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self._store = RowStore(cache_folder("facts", collection.fingerprint), len(collection), (4,), np.int64)

    def look(self, rows: Ints, reporter: Reporter | None) -> None:
        """Look at rows that were not looked at yet."""
        missing = np.unique(self._store.missing(rows))
        for part in _in_threads(self.collection, missing, _look, reporter):
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

    def unusable(self, rows: Ints) -> Ints:
        found: Ints = rows[self.status(rows) != _FINE]
        return found

    def mark_unreadable(self, rows: Ints) -> None:
        """A picture whose header was fine and whose body is not."""
        if len(rows):
            known = self._store.read(rows)
            known[:, 0] = _UNREADABLE
            self._store.write(rows, known)

    def native_edge(self, rows: Ints, limit: int) -> int | None:
        """The edge that all these pictures share if they are squares of at most `limit` px."""
        sizes = np.unique(self.sizes(rows), axis=0)
        is_one_square = len(sizes) == 1 and sizes[0, 0] == sizes[0, 1] <= limit
        return int(sizes[0, 0]) if is_one_square else None

    def duplicates(self, split: Split) -> list[Problem]:
        """Test pictures that are trained on too: the result would flatter."""
        hashes = self.hashes(np.concatenate([split.train, split.validation]))
        tested = self.hashes(split.test)
        n = int(np.isin(tested, hashes).sum())
        return [Problem("data.leak", "warning", "data", {"n": n, "total": len(tested)})] if n else []


def _look(raw: Raw | None) -> tuple[int, int, int, int]:
    if raw is None:
        return _UNREADABLE, 0, 0, 0
    content = raw.tobytes() if isinstance(raw, np.ndarray) else raw
    digest = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little", signed=True)
    if isinstance(raw, np.ndarray):
        return _FINE, raw.shape[1], raw.shape[0], digest
    if len(raw) > MAX_BYTES:
        return _TOO_LARGE, 0, 0, digest
    try:
        width, height = read_header(raw).size
    except OSError:
        return _UNREADABLE, 0, 0, digest
    return (_TOO_LARGE if width * height > MAX_PIXELS else _FINE), width, height, digest


def _in_threads(
    collection: Collection, rows: Ints, work: Callable[[Raw | None], T], reporter: Reporter | None
) -> Iterator[list[tuple[int, T]]]:
    """`work` on the raw pictures of rows, in chunks on all threads: decoders leave Python's lock alone.

    Few chunks wait at a time, so that memory stays small. Raises `StoppedError` between chunks.
    """

    def do(part: list[tuple[int, Raw | None]]) -> list[tuple[int, T]]:
        return [(row, work(raw)) for row, raw in part]

    threads = usable_threads()
    done, tell_at = 0, time.monotonic() + _TELL_EVERY_S
    waiting: deque[Future[list[tuple[int, T]]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for part in _chunks(collection.items.read_many(rows)):
            waiting.append(pool.submit(do, part))
            if len(waiting) > 2 * threads:
                finished = waiting.popleft().result()
                done += len(finished)
                if reporter is not None:
                    if reporter.should_stop():
                        raise StoppedError()
                    if time.monotonic() > tell_at:
                        reporter.phase("decode", done=done, total=len(rows))
                        tell_at = time.monotonic() + _TELL_EVERY_S
                yield finished
        while waiting:
            yield waiting.popleft().result()


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
