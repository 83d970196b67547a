"""Class folders on the disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from core.data.class_folders import Entry, Parts, collect, is_junk
from core.data.collection import Collection, Raw, is_allowed
from core.data.readers.picture_tables import arrange_pictures
from core.data.readers.text_files import collect_text_files, holds_text_files
from core.data.showing import MAX_BYTES
from core.errors import DataError
from core.paths import legible
from core.registry.formats import HEAD_BYTES, begins_like_picture, has_telling_ending
from core.spec import DataRef

# One's own disk may hold many; this only keeps a root folder given by mistake from being walked for hours.
MAX_FILES = 3_000_000
# What the system tells of itself in the shape of files, some of which keep a reader waiting for ever.
_OF_THE_SYSTEM = ("/proc", "/sys", "/dev")


class FolderItems:
    """Files below a folder."""

    def __init__(self, root: Path, names: list[str]) -> None:
        self._root, self._names = root, names

    def read_many(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, Raw | None]]:
        for row in rows.tolist():
            path = self._root / self._names[row]
            try:
                with path.open("rb") as file:
                    yield row, file.read(MAX_BYTES + 1)
            except OSError:
                yield row, None

    def name(self, row: int) -> str:
        return legible(self._names[row])


def open_folder(paths: Sequence[Path], ref: DataRef, name: str) -> Collection:
    """A folder of class folders. Raises `DataError` with what is wrong with it as a whole."""
    (root,) = paths
    entries, folders = list_folder(root, name)
    if holds_text_files(entries):
        return collect_text_files(ref.id, name, entries, folders, items_of_folder(root, entries))
    layout = arrange_pictures(entries, folders, name, lambda entry: root / str(entry.source))
    return collect(ref.id, name, layout, items_of_folder(root, layout.pictures))


def list_album(root: Path) -> tuple[list[Entry], Callable[[list[Entry]], FolderItems]]:
    """All files of a folder, and what reads some of them. Raises `DataError` where they are far too many."""
    return list_folder(root, root.name)[0], partial(items_of_folder, root)


def items_of_folder(root: Path, entries: list[Entry]) -> FolderItems:
    """These files of a folder, to be read."""
    return FolderItems(root, [str(entry.source) for entry in entries])


def list_folder(root: Path, name: str) -> tuple[list[Entry], list[Parts]]:
    """All files below a folder in order, and the folders. Raises `DataError` where they are far too many."""
    entries: list[Entry] = []
    folders: list[Parts] = []
    for place, files in _walk(root):
        parts = tuple(legible(part) for part in place.parts)
        folders.append(parts)
        for file in files:
            try:
                facts = file.stat()
            except OSError:  # a link that leads nowhere
                continue
            path = str(place / file.name)
            is_picture = not has_telling_ending(PurePath(file.name)) and _begins_like_picture(file.path)
            entries.append(Entry((*parts, legible(file.name)), path, facts.st_size, str(facts.st_mtime_ns), is_picture))
        if len(entries) > MAX_FILES:
            raise DataError("data.folder_too_large", name=name, limit=MAX_FILES)
    return sorted(entries, key=lambda entry: entry.parts), folders


def files_below(root: Path, name: str) -> list[Path]:
    """The files of a folder and the folders in it; hidden ones are passed over. Raises `DataError` for too many."""
    found: list[Path] = []
    for place, files in _walk(root):
        if not any(part.startswith(".") for part in place.parts):
            found += [root / place / file.name for file in files if not file.name.startswith(".")]
        if len(found) > MAX_FILES:
            raise DataError("data.folder_too_large", name=name, limit=MAX_FILES)
    return found


def _begins_like_picture(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return begins_like_picture(file.read(HEAD_BYTES))
    except OSError:
        return False


def _walk(root: Path) -> Iterator[tuple[Path, list[os.DirEntry[str]]]]:
    """Every folder below the root (relative to it) with its files. Links are followed, but not in circles.

    Where data may only come from certain folders, links that lead out of them are passed over. Raises `DataError` for a
    whole disk.
    """
    if os.path.realpath(root) == os.path.realpath(root.anchor or os.sep):
        raise DataError("data.whole_disk", path=str(root))
    seen = set(_OF_THE_SYSTEM)
    waiting = [Path()]
    while waiting:
        place = waiting.pop()
        real = os.path.realpath(root / place)
        if real in seen:
            continue
        seen.add(real)
        try:
            with os.scandir(root / place) as listing:
                entries = [e for e in listing if not is_junk((e.name,)) and _is_allowed(e)]
        except OSError:
            continue
        yield place, [entry for entry in entries if _is(entry.is_file)]
        waiting += [place / entry.name for entry in entries if _is(entry.is_dir)]


def _is(ask: Callable[[], bool]) -> bool:
    """What an entry is; it is nothing where its link leads in a circle or has a name that is too long."""
    try:
        return ask()
    except OSError:
        return False


def _is_allowed(entry: os.DirEntry[str]) -> bool:
    return not entry.is_symlink() or is_allowed(Path(entry.path))
