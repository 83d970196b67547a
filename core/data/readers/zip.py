"""Zips of class folders or of one table."""

from __future__ import annotations

import lzma
import re
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from core import settings
from core.data.class_folders import Entry, Parts, collect
from core.data.collection import Collection, Raw
from core.data.readers.picture_tables import arrange_pictures
from core.data.readers.text_files import collect_text_files, holds_text_files
from core.data.showing import MAX_BYTES
from core.data.zip_safety import check_zip
from core.errors import DataError, first_line
from core.registry.formats import HEAD_BYTES, begins_like_picture, has_telling_ending
from core.spec import DataRef

# How an entry fails that is damaged, or packed in a way that is not read.
_DAMAGED = (
    OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, NotImplementedError, ValueError,
)  # fmt: skip


class ZipItems:
    """Files in a zip, read in place."""

    def __init__(self, path: Path, infos: list[zipfile.ZipInfo], names: list[str]) -> None:
        self._archive, self._infos, self._names = zipfile.ZipFile(path), infos, names
        self._lock = threading.Lock()

    def read_many(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, Raw | None]]:
        for row in np.sort(rows).tolist():
            try:
                with self._lock, self._archive.open(self._infos[row]) as file:
                    content = file.read(MAX_BYTES + 1)
            except _DAMAGED:
                yield row, None
            else:
                yield row, content

    def name(self, row: int) -> str:
        return self._names[row]


def open_zip(paths: Sequence[Path], ref: DataRef, name: str) -> Collection:
    """A zip of class folders, looked through by `check_zip` first. Raises `DataError` for what is wrong."""
    (path,) = paths
    name = re.sub(r"\.zip$", "", name, flags=re.IGNORECASE)
    entries, folders = list_zip(path, name)
    if holds_text_files(entries):
        return collect_text_files(ref.id, name, entries, sorted(folders), items_of_zip(path, entries))
    # Not in the system's temporary folder, which may be full or not to be written.
    with (
        tempfile.TemporaryDirectory(dir=settings.folder("cache")) as unpacked,
        zipfile.ZipFile(path) as archive,
    ):
        layout = arrange_pictures(entries, folders, name, partial(_unpack, archive, Path(unpacked)))
    return collect(ref.id, name, layout, items_of_zip(path, layout.pictures))


def _unpack(archive: zipfile.ZipFile, folder: Path, entry: Entry) -> Path:
    """An entry as a file of its own, under the name it has."""
    target = folder / entry.parts[-1]
    assert isinstance(entry.source, zipfile.ZipInfo)
    try:
        target.write_bytes(archive.read(entry.source))
    except _DAMAGED as error:
        raise DataError("data.unreadable_file", path=entry.parts[-1], detail=first_line(error)) from error
    return target


def list_zip(path: Path, name: str) -> tuple[list[Entry], set[Parts]]:
    """The files of a zip in order, and its folders. Raises `DataError` for one that is not safe to read."""
    entries: list[Entry] = []
    folders: set[Parts] = set()
    listed = check_zip(path, name)
    with zipfile.ZipFile(path) as archive:
        for info, text in listed:
            parts, is_folder = _parts(text), text.endswith(("/", "\\"))
            folders |= {parts[:depth] for depth in range(1, len(parts) + is_folder)}
            if parts and not is_folder:
                is_picture = not has_telling_ending(PurePath(parts[-1])) and _begins_like_picture(archive, info)
                entries.append(Entry(parts, info, info.file_size, f"{info.CRC:08x}", is_picture))
    return sorted(entries, key=lambda entry: entry.parts), folders


def _begins_like_picture(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # to begin with others may take gigabytes
        return False
    try:
        with archive.open(info) as file:
            return begins_like_picture(file.read(HEAD_BYTES))
    except _DAMAGED:
        return False


def list_album(path: Path) -> tuple[list[Entry], Callable[[list[Entry]], ZipItems]]:
    """The files of a zip, and what reads some of them. Raises `DataError` for one that is not safe to read."""
    return list_zip(path, path.name)[0], partial(items_of_zip, path)


def items_of_zip(path: Path, entries: list[Entry]) -> ZipItems:
    """These files of a zip, to be read."""
    sources = [entry.source for entry in entries if isinstance(entry.source, zipfile.ZipInfo)]
    return ZipItems(path, sources, ["/".join(entry.parts) for entry in entries])


def _parts(name: str) -> Parts:
    return tuple(part for part in re.split(r"[/\\]", name) if part not in {"", "."})
