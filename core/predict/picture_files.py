"""Pictures to be answered: all that lie in a folder or a zip, at whatever depth; no labels are needed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.data.class_folders import is_junk
from core.data.collection import Items
from core.data.limits import within_memory
from core.data.picture import fit_image, open_told
from core.errors import DataError
from core.hardware import usable_threads
from core.models.card import Preprocessing
from core.problems import Problem, told
from core.registry.formats import FORMATS, format_of, load


@dataclass(frozen=True)
class Album:
    """Pictures by their names, in order, and what was odd about the rest."""

    names: list[str]
    items: Items
    problems: list[Problem]
    stamps: list[str]  # of each picture: tells it from any other

    def __len__(self) -> int:
        return len(self.names)


class Seen(NamedTuple):
    """A picture as the square [size, size, 3] that a model is shown; None for what cannot be read."""

    name: str
    square: NDArray[np.uint8] | None
    odd: Sequence[str] = ()  # codes of what is odd about it


class Squares:
    """The pictures of an album as a model is shown them, decoded by all processors.

    While the model is loaded, which takes one processor some seconds, the others decode ahead, as many as take
    `AHEAD_BYTES`; then only what is asked for is decoded, so that the network has all processors in turn.
    """

    AHEAD_BYTES = 200_000_000

    def __init__(self, album: Album, seen: Preprocessing) -> None:
        self._album, self._seen = album, seen
        threads = usable_threads()
        self._ahead, self._pool = ThreadPoolExecutor(max(1, threads - 1)), ThreadPoolExecutor(threads)
        self._asked: dict[int, Future[Seen]] = {}

    def __enter__(self) -> Squares:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pool in (self._ahead, self._pool):
            pool.shutdown(cancel_futures=True)

    def begin(self) -> None:
        """Decode the first ones ahead, as the model is likely to be shown them."""
        n = max(1, self.AHEAD_BYTES // (3 * self._seen.image_size**2))
        self._ask(range(min(len(self._album), n)), self._ahead)

    def be_shown_as(self, seen: Preprocessing) -> None:
        """The model is there, and says itself how it is shown pictures."""
        if seen != self._seen:
            self._seen = seen
            self._asked = {row: asked for row, asked in self._asked.items() if not asked.cancel()}
            wait(self._asked.values())
            self._asked.clear()

    def take(self, first: int, stop: int) -> list[Seen]:
        """Pictures of some places. Each is taken once."""
        rows = range(first, min(stop, len(self._album)))
        for row in [row for row, asked in self._asked.items() if row not in rows and asked.cancel()]:
            del self._asked[row]
        self._ask(rows, self._pool)
        return [self._asked.pop(row).result() for row in rows]

    def _ask(self, rows: range, pool: ThreadPoolExecutor) -> None:
        self._asked |= {row: pool.submit(self._see, row) for row in rows if row not in self._asked}

    def _see(self, row: int) -> Seen:
        name = self._album.names[row]
        ((_, raw),) = self._album.items.read_many(np.array([row]))
        if not isinstance(raw, bytes):
            return Seen(name, None)
        try:
            picture, odd = open_told(raw, name)
        except DataError:
            return Seen(name, None)
        return Seen(name, fit_image(picture, self._seen), [problem.code for problem in odd])


def open_album(path: Path) -> Album:
    """The pictures of a folder or zip, known by their endings or their first bytes; what else lies there is told.

    Raises `DataError` for a zip that is not safe to read and where there is no picture.
    """
    row = format_of(path)
    how = row if row and row.pictures else FORMATS["zip"]
    with within_memory(path.name) if path.is_file() else nullcontext():
        listed, items_of = load(how.pictures)(path)
    entries = [entry for entry in listed if not is_junk(entry.parts)]
    pictures = [entry for entry in entries if entry.is_picture]
    others = ["/".join(entry.parts) for entry in entries if not entry.is_picture]
    if not pictures:
        raise DataError("predict.no_pictures", name=path.name, n=len(others))
    names = ["/".join(entry.parts) for entry in pictures]
    stamps = [f"{name}|{entry.size}|{entry.stamp}" for name, entry in zip(names, pictures, strict=True)]
    return Album(names, items_of(pictures), told("data.other_files", others), stamps)


def peek_album(path: Path) -> tuple[int, list[str], list[Problem]]:
    """How many pictures a folder or zip holds, the first names, and what is odd about the rest. Raises `DataError`."""
    album = open_album(path)
    return len(album), album.names[:3], album.problems
