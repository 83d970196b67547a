"""Data formats, one row each: how one is told from others, what it holds, who reads it, and where it may come from.

Opening a data set, uploading, answering a file, the sentences that list formats and the upload fields all ask this
table. A format more is a row here and its reader in `core.data.readers`. Nothing but the standard library is needed
to ask; a reader is imported when something is read.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePath
from typing import Any, Literal

from core.registry.split_names import split_of_file
from core.registry.table import build_table

Holds = Literal["pictures", "texts", "either"]


@dataclass(frozen=True)
class Format:
    """One way in which a data set may lie somewhere. Functions are named as `module:function`."""

    id: str  # where `is_source`, data ids begin with it: builtin/digits
    word: str  # how sentences and the README name it
    holds: Holds
    reader: str  # (paths, data reference, name) -> Collection
    is_source: bool = False  # found by its data id, not on the disk
    is_folder: bool = False
    suffixes: tuple[str, ...] = ()
    head: bytes = b""  # the bytes such a file begins with
    is_zip: bool = False
    member: str = ""  # of a zip: the entry that tells it from other zips
    leads_folders: bool = False  # files of it in a folder are the data set, whatever else lies there
    needs_split_name: bool = False  # among other files it is a table only when named after a split: train.txt
    rows: str = ""  # of a table: (path, keep_all) -> (columns by name, problems)
    texts: str = ""  # how Predict reads the texts to be answered: path -> (columns by name, problems)
    pictures: str = ""  # how Predict lists the pictures to be answered: path -> (entries, entries -> items)
    may_upload: bool = False
    is_listed: bool = True  # named where formats are listed; the others go without saying
    is_inert: bool = False  # data whatever is in it: an imported run may bring such files

    def __post_init__(self) -> None:
        if not (self.is_source or self.is_folder or self.suffixes):
            raise ValueError(f"{self.id}: nothing tells the format from others")
        if self.may_upload and not self.suffixes:
            raise ValueError(f"{self.id}: an upload is kept under its ending, and none is given")
        for suffix in self.suffixes:
            if not re.fullmatch(r"(\.[a-z0-9]+)+", suffix):
                raise ValueError(f"{self.id}: {suffix!r} is no ending in small letters")

    def has_ending(self, path: PurePath) -> bool:
        """Whether a file is of this format by its name."""
        return path.suffix.lower() in self.suffixes


_TABLE, _TEXT, _CELLS = (
    "core.data.readers.table:open_table",
    "core.data.readers.table:read_text",
    "core.data.readers.table:read_cells",
)
_CELLS_OF_TEXT = "core.data.readers.table:read_cells_of_text"

# Lists and upload fields follow this order.
FORMATS = build_table(
    (
        Format("builtin", "builtin/", "either", "core.data.readers.builtin:open_builtin", is_source=True),
        Format("torchvision", "torchvision/", "pictures", "core.data.readers.cifar10:open_cifar10", is_source=True),
        Format("hub", "hub/", "either", "core.data.readers.hub:open_hub", is_source=True),
        Format(
            "folder",
            "folder",
            "pictures",
            "core.data.readers.folder:open_folder",
            is_folder=True,
            pictures="core.data.readers.folder:list_album",
        ),
        Format(
            "zip",
            "zip",
            "pictures",
            "core.data.readers.zip:open_zip",
            suffixes=(".zip",),
            is_zip=True,
            pictures="core.data.readers.zip:list_album",
            may_upload=True,
        ),
        Format(
            "csv",
            "csv",
            "texts",
            _TABLE,
            suffixes=(".csv",),
            rows=_TEXT,
            texts=_CELLS,
            may_upload=True,
            is_inert=True,
        ),
        Format(
            "tsv",
            "tsv",
            "texts",
            _TABLE,
            suffixes=(".tsv",),
            rows=_TEXT,
            texts=_CELLS,
            may_upload=True,
            is_inert=True,
        ),
        Format(
            "txt",
            "txt",
            "texts",
            _TABLE,
            suffixes=(".txt",),
            rows=_TEXT,
            texts=_CELLS_OF_TEXT,
            needs_split_name=True,
            may_upload=True,
            is_listed=False,
            is_inert=True,
        ),
        Format(
            "jsonl",
            "jsonl",
            "texts",
            _TABLE,
            suffixes=(".jsonl", ".ndjson"),
            rows=_TEXT,
            texts=_CELLS,
            may_upload=True,
            is_inert=True,
        ),
        Format(
            "json",
            "json",
            "texts",
            _TABLE,
            suffixes=(".json",),
            rows=_TEXT,
            texts=_CELLS,
            needs_split_name=True,
            may_upload=True,
            is_listed=False,
            is_inert=True,
        ),
        Format(
            "xlsx",
            "xlsx",
            "texts",
            _TABLE,
            suffixes=(".xlsx",),
            head=b"PK\x03\x04",
            is_zip=True,
            member="xl/workbook.xml",
            rows="core.data.readers.xlsx:read_xlsx",
            texts=_CELLS,
            may_upload=True,
        ),
        Format(
            "parquet",
            "parquet",
            "either",
            "core.data.readers.parquet:open_parquet",
            suffixes=(".parquet",),
            head=b"PAR1",
            texts="core.data.readers.parquet:read_columns",
            leads_folders=True,
            may_upload=True,
            is_inert=True,
        ),
    ),
    unique=("suffixes",),
)

# Packed files that are not opened; their endings are no part of a name.
ARCHIVES = (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz")


def load(function: str) -> Callable[..., Any]:
    """What a row names as `module:function`."""
    module, _, name = function.partition(":")
    named: Callable[..., Any] = getattr(import_module(module), name)
    return named


# -- which format it is ------------------------------------------------------------------------------------


def format_of(path: Path) -> Format | None:
    """The format of a file or folder: by its content, else a table by its name; None for anything else."""
    if path.is_dir():
        return next(row for row in FORMATS.values() if row.is_folder)
    members = _members(path)
    with path.open("rb") as file:
        head = file.read(64)
    for row in sorted(FORMATS.values(), key=lambda row: not row.member):  # a zip of its own kind before any zip
        if row.is_zip and members is not None:
            if not row.member or row.member in members:
                return row
        elif not row.is_zip and row.head and head.startswith(row.head):
            return row
    named = by_name(path)
    return named if named is not None and named.rows else None


def _members(path: Path) -> set[str] | None:
    """The names in a zip; none of one that is damaged; None for another file."""
    if not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return set(archive.NameToInfo)
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return set()


def by_name(name: PurePath) -> Format | None:
    """The format whose ending a name has."""
    return next((row for row in FORMATS.values() if row.has_ending(name)), None)


def table_format(path: Path, head: bytes) -> Format:
    """The format whose `rows` read a table that begins like this; plain text where nothing speaks for another."""
    packed = [row for row in FORMATS.values() if row.rows and row.head and head.startswith(row.head)]
    inside = format_of(path) if packed else None
    return inside if inside in packed and inside is not None else next(iter(packed), FORMATS["csv"])


# What servers send instead of a file: their page about it, or where one signs in; and old programs' "Excel" tables.
_WEB_PAGE = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]{0,200}>\s*)?(<!--.{0,1000}?-->\s*)?<(!doctype\s+html|html)\b",
    re.IGNORECASE | re.DOTALL,
)


def is_web_page(head: bytes) -> bool:
    """Whether a file that begins like this is HTML, whatever its name."""
    return _WEB_PAGE.match(head) is not None


def is_table(name: PurePath) -> bool:
    """Whether a file among others is a table by its name: any csv, but of notes.txt and train.txt the second."""
    row = by_name(name)
    return row is not None and bool(row.rows) and (not row.needs_split_name or split_word(name) is not None)


def split_word(path: PurePath) -> str | None:
    """The split a file is named after, at the beginning or the end.

    >>> split_word(PurePath("train-2.csv")), split_word(PurePath("reviews_test.csv")), split_word(PurePath("pets.csv"))
    ('train', 'test', None)
    """
    return split_of_file(path.stem)


def without_ending(name: str) -> str:
    """A file's name without the ending of a format or an archive.

    >>> without_ending("reviews.csv"), without_ending("pets.tar.gz"), without_ending("my.pets")
    ('reviews', 'pets', 'my.pets')
    """
    known = (*(suffix for row in FORMATS.values() for suffix in row.suffixes), *ARCHIVES)
    endings = "|".join(sorted({re.escape(suffix) for suffix in known}))
    return re.sub(rf"(\.tar)?({endings})$", "", name, flags=re.IGNORECASE)


# -- what is offered ---------------------------------------------------------------------------------------


def upload_suffixes() -> tuple[str, ...]:
    """Endings under which a data set may be uploaded."""
    return tuple(suffix for row in FORMATS.values() if row.may_upload for suffix in row.suffixes)


def asked_suffixes(what: Literal["texts", "pictures"]) -> tuple[str, ...]:
    """Endings of files whose texts or pictures Predict answers."""
    return tuple(suffix for row in FORMATS.values() if getattr(row, what) for suffix in row.suffixes)


def listed_words() -> list[str]:
    """The files that are named where a sentence lists what may hold texts and labels, in the table's order."""
    return [row.word for row in FORMATS.values() if row.is_listed and row.suffixes and row.holds != "pictures"]


# -- pictures' own files -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class PictureFile:
    """A kind of picture file, by the name Pillow knows it under; told by its content where it is opened."""

    id: str
    suffixes: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()  # endings named in the upload field


PICTURE_FILES = build_table(
    (
        PictureFile("PNG", (".png",), (".png",)),
        PictureFile("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), (".jpg", ".jpeg")),
        PictureFile("MPO"),
        PictureFile("WEBP", (".webp",), (".webp",)),
        PictureFile("BMP", (".bmp",), (".bmp",)),
        PictureFile("GIF", (".gif",), (".gif",)),
        PictureFile("HEIF", (".heic", ".heif"), (".heic",)),
        PictureFile("TIFF", (".tif", ".tiff"), (".tif", ".tiff")),
        PictureFile("PPM", (".ppm", ".pgm")),
        PictureFile("AVIF", (".avif",)),
    ),
    unique=("suffixes",),
)
# What is asked of files whose endings say nothing: saved from the web, or without an ending.
_PICTURE_HEAD = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|II\*\x00|MM\x00\*|....ftyp(?:hei[cx]|mif1|msf1|avif)",
    re.DOTALL,
)
HEAD_BYTES = 16
PICTURE_SUFFIXES = frozenset(suffix for row in PICTURE_FILES.values() for suffix in row.suffixes)


def has_telling_ending(name: PurePath) -> bool:
    """Whether a file's ending says what it is: a picture, a format of data, or a packed file."""
    suffix = name.suffix.lower()
    return suffix in PICTURE_SUFFIXES or suffix in ARCHIVES or by_name(name) is not None


def begins_like_picture(head: bytes) -> bool:
    """Whether the first `HEAD_BYTES` of a file are those of a picture."""
    return _PICTURE_HEAD.match(head) is not None
