"""Class folders, on the disk or in a zip: one folder for each class, with or without train and test above.

What people really pack is read: a wrapper folder or two, `__MACOSX`, `Thumbs.db`, names from a Chinese
Windows. A zip is hostile until looked through: nothing is extracted, and what is odd about it is refused.
"""

from __future__ import annotations

import hashlib
import re
import stat
import threading
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.data.pictures import MAX_BYTES, SUFFIXES
from core.data.sources import SPLIT_WORDS, Collection, Raw
from core.errors import DataError, Problem

MAX_ENTRIES = 200_000
MAX_UNPACKED_BYTES = 50_000_000_000
# No picture format packs this well; a bomb of zeros packs a thousand to one.
MAX_RATIO = 200
_RATIO_COUNTS_FROM = 1_000_000
_JUNK = {"__macosx", "thumbs.db", "desktop.ini", ".ds_store", "$recycle.bin", "@eadir"}


@dataclass(frozen=True)
class _Entry:
    """A file of a folder or zip: its place as people see it, and where it really is."""

    parts: tuple[str, ...]
    source: str | zipfile.ZipInfo
    size: int
    stamp: str  # tells its content from another's


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
        return self._names[row]


class ZipItems:
    """Files in a zip, read in place."""

    def __init__(self, path: Path, infos: list[zipfile.ZipInfo], names: list[str]) -> None:
        self._archive, self._infos, self._names = zipfile.ZipFile(path), infos, names
        self._lock = threading.Lock()

    def read_many(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, Raw | None]]:
        for row in np.sort(rows).tolist():
            try:
                with self._lock:
                    yield row, self._archive.read(self._infos[row])
            except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError):
                yield row, None

    def name(self, row: int) -> str:
        return self._names[row]


def open_folder(root: Path, data_id: str, name: str) -> Collection:
    """A folder of class folders."""
    entries = []
    for path in sorted(root.rglob("*")):
        if not path.is_file():
            continue
        facts = path.stat()
        parts = path.relative_to(root).parts
        entries.append(_Entry(parts, str(path.relative_to(root)), facts.st_size, str(facts.st_mtime_ns)))
        if len(entries) > MAX_ENTRIES:
            raise DataError("data.too_many_files", name=name, limit=MAX_ENTRIES)
    pictures, placed = _arrange(entries, name)
    names = [str(entry.source) for entry in pictures]
    return _collect(data_id, name, pictures, placed, FolderItems(root, names))


def open_zip(path: Path, data_id: str, name: str) -> Collection:
    """A zip of class folders, looked through by `check_zip` first."""
    name = re.sub(r"\.zip$", "", name, flags=re.IGNORECASE)
    infos = check_zip(path, name)
    entries = [_Entry(_parts(info), info, info.file_size, f"{info.CRC:08x}") for info in infos]
    entries.sort(key=lambda entry: entry.parts)
    pictures, placed = _arrange(entries, name)
    sources = [entry.source for entry in pictures if isinstance(entry.source, zipfile.ZipInfo)]
    names = ["/".join(entry.parts) for entry in pictures]
    return _collect(data_id, name, pictures, placed, ZipItems(path, sources, names))


# -- a zip that nobody vouches for ---------------------------------------------------------------------------


def check_zip(path: Path, name: str) -> list[zipfile.ZipInfo]:
    """The files of a zip that is safe to read. Raises `DataError` with everything that speaks against it."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError("data.zip_damaged", name=name, detail=str(error)[:200]) from error
    if len(infos) > MAX_ENTRIES:
        raise DataError("data.too_many_files", name=name, limit=MAX_ENTRIES)
    files = [info for info in infos if not info.is_dir()]
    checks = {
        "data.zip_unsafe_path": [info for info in infos if _leaves_folder(_decoded(info))],
        "data.zip_symlink": [info for info in infos if stat.S_ISLNK(info.external_attr >> 16)],
        "data.zip_encrypted": [info for info in files if info.flag_bits & 0x1],
        "data.zip_bomb": [info for info in files if _is_bomb(info)],
    }
    problems = [
        Problem(code, values={"name": name, "entry": _shown(_decoded(found[0])), "n": len(found)})
        for code, found in checks.items()
        if found
    ]
    unpacked = sum(info.file_size for info in files)
    # Entries that overlap in the file are another kind of bomb: together they claim more than there is.
    if unpacked > MAX_UNPACKED_BYTES or sum(info.compress_size for info in files) > path.stat().st_size:
        values = {"name": name, "size": f"{unpacked / 1e9:.1f} GB", "limit": f"{MAX_UNPACKED_BYTES / 1e9:.0f} GB"}
        problems.append(Problem("data.zip_too_large", values=values))
    if problems:
        raise DataError(problems)
    return files


def _is_bomb(info: zipfile.ZipInfo) -> bool:
    return info.file_size > _RATIO_COUNTS_FROM and info.file_size > MAX_RATIO * max(1, info.compress_size)


def _leaves_folder(name: str) -> bool:
    parts = re.split(r"[/\\]", name)
    return name.startswith(("/", "\\")) or ".." in parts or "\0" in name or re.match(r"^[A-Za-z]:", name) is not None


def _decoded(info: zipfile.ZipInfo) -> str:
    """The entry's name: UTF-8 where it says so, else what a Chinese Windows or an old tool wrote."""
    name = info.orig_filename
    if info.flag_bits & 0x800 or name.isascii():
        return name
    raw = name.encode("cp437", errors="replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return name


def _parts(info: zipfile.ZipInfo) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[/\\]", _decoded(info)) if part not in {"", "."})


def _shown(name: str) -> str:
    """An entry's name as it may be shown: short, without control characters."""
    return "".join(c if c.isprintable() else "�" for c in name)[:80]


# -- from files to classes -----------------------------------------------------------------------------------


def _arrange(entries: list[_Entry], name: str) -> tuple[list[_Entry], list[tuple[str, str]]]:
    """The pictures, and (split, class) of each. Raises `DataError` where no classes can be told."""
    entries = [entry for entry in entries if not _is_junk(entry.parts)]
    entries = _unwrap(entries)
    pictures = [entry for entry in entries if _suffix(entry) in SUFFIXES]
    if not pictures:
        raise DataError("data.no_pictures", name=name, n=len(entries))
    has_splits = all(entry.parts[0].lower() in SPLIT_WORDS and len(entry.parts) > 1 for entry in pictures)
    kept, placed, loose = [], [], 0
    for entry in pictures:
        split = SPLIT_WORDS[entry.parts[0].lower()] if has_splits else "train"
        rest = entry.parts[1:] if has_splits else entry.parts
        if len(rest) < 2:  # a picture outside any class folder
            loose += 1
            continue
        kept.append(entry)
        placed.append((split, rest[0]))
    if not kept:
        raise DataError("data.no_class_folders", name=name, n=loose)
    return kept, placed


def _is_junk(parts: tuple[str, ...]) -> bool:
    return any(part.lower() in _JUNK or part.startswith(("._", ".")) for part in parts)


def _suffix(entry: _Entry) -> str:
    return Path(entry.parts[-1]).suffix.lower()


def _unwrap(entries: list[_Entry]) -> list[_Entry]:
    """Without folders that hold everything: class folders and splits are what is below them.

    A folder that holds the pictures directly is a class, even when it is the only one.
    """
    while entries:
        tops = {entry.parts[0] for entry in entries}
        depth = min(len(entry.parts) for entry in entries if _suffix(entry) in SUFFIXES or len(entries) == 1)
        top = next(iter(tops))
        if len(tops) != 1 or depth < 3 or top.lower() in SPLIT_WORDS:
            break
        entries = [_Entry(e.parts[1:], e.source, e.size, e.stamp) for e in entries]
    return entries


def _collect(
    data_id: str, name: str, pictures: list[_Entry], placed: list[tuple[str, str]], items: FolderItems | ZipItems
) -> Collection:
    classes = {label for _, label in placed}
    labels = sorted(classes, key=_natural)
    index = {label: place for place, label in enumerate(labels)}
    targets = np.array([index[label] for _, label in placed], dtype=np.int64)
    split_names = np.array([split for split, _ in placed])
    splits = {str(s): np.flatnonzero(split_names == s).astype(np.int64) for s in np.unique(split_names)}
    problems = []
    folded: dict[str, str] = {}
    for label in labels:
        other = folded.setdefault(label.strip().casefold(), label)
        if other != label:
            problems.append(Problem("data.labels_alike", "warning", values={"a": other, "b": label}))
    total = hashlib.blake2b(digest_size=12)
    for entry in pictures:
        total.update(f"{'/'.join(entry.parts)}|{entry.size}|{entry.stamp}\n".encode())
    return Collection(
        id=data_id,
        name=name,
        fingerprint=total.hexdigest(),
        labels=labels,
        targets=targets,
        splits=splits,
        items=items,
        problems=problems,
        num_bytes=sum(entry.size for entry in pictures),
    )


def _natural(label: str) -> tuple[tuple[int, int | str], ...]:
    """Sorts class 2 before class 10."""
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", label) if part)
