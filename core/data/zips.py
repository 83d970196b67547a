"""A zip of class folders: hostile until looked through. Nothing is extracted; what is odd is refused."""

from __future__ import annotations

import re
import stat
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.data.classes import Entry, Parts, arrange, collect, shown
from core.data.pictures import MAX_BYTES
from core.data.sources import Collection, Raw
from core.errors import DataError, Problem
from core.specs import DataRef

MAX_ENTRIES = 200_000
MAX_UNPACKED_BYTES = 50_000_000_000
# No picture format packs this well; a bomb of zeros packs a thousand to one.
MAX_RATIO = 200
_RATIO_COUNTS_FROM = 1_000_000
# An entry's record in the list at the end takes 46 bytes and its name: more than this is no list of pictures.
_MAX_LIST_BYTES = MAX_ENTRIES * 256


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
            except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError):
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
    layout = arrange(entries, folders, name)
    return collect(ref.id, name, layout, items_of_zip(path, layout.pictures))


def list_zip(path: Path, name: str) -> tuple[list[Entry], set[Parts]]:
    """The files of a zip in order, and its folders. Raises `DataError` for one that is not safe to read."""
    entries: list[Entry] = []
    folders: set[Parts] = set()
    for info, text in check_zip(path, name):
        parts, is_folder = _parts(text), text.endswith(("/", "\\"))
        folders |= {parts[:depth] for depth in range(1, len(parts) + is_folder)}
        if parts and not is_folder:
            entries.append(Entry(parts, info, info.file_size, f"{info.CRC:08x}"))
    return sorted(entries, key=lambda entry: entry.parts), folders


def list_album(path: Path) -> tuple[list[Entry], Callable[[list[Entry]], ZipItems]]:
    """The files of a zip, and what reads some of them. Raises `DataError` for one that is not safe to read."""
    return list_zip(path, path.name)[0], partial(items_of_zip, path)


def items_of_zip(path: Path, entries: list[Entry]) -> ZipItems:
    """These files of a zip, to be read."""
    sources = [entry.source for entry in entries if isinstance(entry.source, zipfile.ZipInfo)]
    return ZipItems(path, sources, ["/".join(entry.parts) for entry in entries])


def check_zip(path: Path, name: str) -> list[tuple[zipfile.ZipInfo, str]]:
    """The entries of a zip that is safe to read, with their names as their maker wrote them.

    Raises `DataError` with everything that speaks against it.
    """
    try:
        if _list_bytes(path) > _MAX_LIST_BYTES:
            raise DataError("data.too_many_files", name=name, limit=MAX_ENTRIES)
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError("data.zip_damaged", name=name, detail=str(error)[:200]) from error
    if len(infos) > MAX_ENTRIES:
        raise DataError("data.too_many_files", name=name, limit=MAX_ENTRIES)
    entries = list(zip(infos, _decode_names(infos), strict=True))
    checks = {
        "data.zip_unsafe_path": [text for _, text in entries if _leaves_folder(text)],
        "data.zip_symlink": [text for info, text in entries if stat.S_ISLNK(info.external_attr >> 16)],
        "data.zip_encrypted": [text for info, text in entries if info.flag_bits & 0x1],
        "data.zip_bomb": [text for info, text in entries if _is_bomb(info)],
    }
    problems = [
        Problem(code, values={"name": name, "entry": shown(found[0]), "n": len(found)})
        for code, found in checks.items()
        if found
    ]
    unpacked = sum(info.file_size for info in infos)
    # Entries that overlap in the file are another kind of bomb: together they claim more than there is.
    if unpacked > MAX_UNPACKED_BYTES or sum(info.compress_size for info in infos) > path.stat().st_size:
        values = {"name": name, "size": f"{unpacked / 1e9:.1f} GB", "limit": f"{MAX_UNPACKED_BYTES / 1e9:.0f} GB"}
        problems.append(Problem("data.zip_too_large", values=values))
    if problems:
        raise DataError(problems)
    return entries


def _list_bytes(path: Path) -> int:
    """The length of a zip's list of entries, before `zipfile` makes an object of each."""
    with path.open("rb") as file:
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
    return int(end[zipfile._ECD_SIZE]) if end else 0  # type: ignore[attr-defined]


def _is_bomb(info: zipfile.ZipInfo) -> bool:
    return info.file_size > _RATIO_COUNTS_FROM and info.file_size > MAX_RATIO * max(1, info.compress_size)


def _leaves_folder(name: str) -> bool:
    parts = re.split(r"[/\\]", name)
    return name.startswith(("/", "\\")) or ".." in parts or "\0" in name or re.match(r"^[A-Za-z]:", name) is not None


def _decode_names(infos: list[zipfile.ZipInfo]) -> list[str]:
    """The entries' names: UTF-8 where an entry says so, else in the one encoding that fits them all.

    Names without the UTF-8 flag come from a Chinese Windows (GB18030), from systems that forget the flag
    (UTF-8), or from old Western tools (code page 437). One short name fits several; all of them rarely do.
    """
    plain = [info.flag_bits & 0x800 or info.orig_filename.isascii() for info in infos]
    raw = [b"" if known else _raw_name(info) for info, known in zip(infos, plain, strict=True)]
    # Accented letters stand alone among ASCII; Chinese characters are pairs of high bytes.
    lengths = [len(run) for text in set(raw) for run in re.findall(rb"[\x80-\xff]+", text)]
    is_western = 2 * lengths.count(1) > len(lengths)
    decoded: list[str] = []
    for encoding in ("utf-8", "cp437") if is_western else ("utf-8", "gb18030", "cp437"):
        try:
            decoded = [text.decode(encoding) for text in raw]
        except UnicodeDecodeError:
            continue
        break
    return [info.orig_filename if known else text for info, known, text in zip(infos, plain, decoded, strict=True)]


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    return info.orig_filename.encode("cp437", errors="replace")


def _parts(name: str) -> Parts:
    return tuple(part for part in re.split(r"[/\\]", name) if part not in {"", "."})
