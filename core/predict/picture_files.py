"""Pictures to be answered: all that lie in a folder or a zip, at whatever depth; no labels are needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from core.data.class_folders import is_junk
from core.data.collection import Items
from core.data.limits import within_memory
from core.data.picture import open_told
from core.errors import DataError
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

    def read(self, first: int, stop: int) -> Iterator[tuple[str, Image.Image | None, list[Problem]]]:
        """Names and decoded pictures of some places with what is odd about them; None for what cannot be read."""
        for row, raw in self.items.read_many(np.arange(first, min(stop, len(self)), dtype=np.int64)):
            picture, odd = None, list[Problem]()
            if isinstance(raw, bytes):
                with suppress(DataError):
                    picture, odd = open_told(raw, self.names[row])
            yield self.names[row], picture, odd


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
