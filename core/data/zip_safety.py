"""Whether a zip may be unpacked: its size, its ratio, its paths."""

from __future__ import annotations

import os
import re
import stat
import struct
import zipfile
from pathlib import Path

from core.errors import DataError
from core.problems import Problem, shown

MAX_ENTRIES = 200_000
MAX_UNPACKED_BYTES = 50_000_000_000
# No picture format packs this well; a bomb of zeros packs a thousand to one.
MAX_RATIO = 200
_RATIO_COUNTS_FROM = 1_000_000
# What packers take at their strongest.
_MAX_DICTIONARY_BYTES = 64 << 20
# An entry's record in the list at the end takes 46 bytes and its name: more than this is no list of pictures.
_MAX_LIST_BYTES = MAX_ENTRIES * 256


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
    greedy = _greedy(path, infos)
    checks = {
        "data.zip_unsafe_path": [text for _, text in entries if _leaves_folder(text)],
        "data.zip_symlink": [text for info, text in entries if stat.S_ISLNK(info.external_attr >> 16)],
        "data.zip_encrypted": [text for info, text in entries if info.flag_bits & 0x1],
        "data.zip_packing": [text for info, text in entries if info.header_offset in greedy],
        "data.zip_bomb": [text for info, text in entries if _is_bomb(info)],
    }
    problems = [
        Problem(code, values={"name": name, "entry": shown(unsafe[0]), "n": len(unsafe)})
        for code, unsafe in checks.items()
        if unsafe
    ]
    unpacked = sum(info.file_size for info in infos)
    # Entries that overlap in the file are another kind of bomb: together they claim more than there is.
    if unpacked > MAX_UNPACKED_BYTES or sum(info.compress_size for info in infos) > path.stat().st_size:
        values = {"name": name, "size": f"{unpacked / 1e9:.1f} GB", "limit": f"{MAX_UNPACKED_BYTES / 1e9:.0f} GB"}
        problems.append(Problem("data.zip_too_large", values=values))
    if problems:
        raise DataError(problems)
    return entries


def _greedy(path: Path, infos: list[zipfile.ZipInfo]) -> set[int]:
    """Where entries begin that are packed by LZMA with so large a dictionary that unpacking takes it all at once."""
    greedy = set()
    packed = [info for info in infos if info.compress_type == zipfile.ZIP_LZMA]
    with path.open("rb") as file:
        for info in packed:
            file.seek(info.header_offset)
            name, extra = struct.unpack("<26x2H", file.read(30).ljust(30, b"\0"))
            file.seek(name + extra, os.SEEK_CUR)
            # Two bytes of version, two of length, one of properties, then the size of the dictionary.
            (size,) = struct.unpack("<5xI", file.read(9).ljust(9, b"\0"))
            if size > _MAX_DICTIONARY_BYTES:
                greedy.add(info.header_offset)
    return greedy


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
