"""The data sets that can be chosen here: built in, found, uploaded."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict

from core import settings
from core.data.cache import with_lock
from core.errors import DataError, Problem
from core.files import forget_unfinished, unshared
from core.i18n import N_
from core.registry.formats import upload_suffixes
from core.specs import DataRef

UPLOAD_LIMIT_MB = 200
_UNNAMED = {"data.no_label_column", "data.no_text_column"}
_RESERVED = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10))}


class DataCard(BaseModel):
    """One data set that can be chosen."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    note: str  # English source text, translated where shown
    bytes: int | None = None  # on this disk; None: comes with a package


def list_data() -> list[DataCard]:
    """Everything at hand without typing a path: built in, found in torchvision's folder, uploaded."""
    from core.data.cifar import find_cifar10

    note = N_("1,797 handwritten digits of 8 × 8 px, for a first success")
    cards = [DataCard(id="builtin/digits", name="digits", note=note)]
    note = N_("short English reviews written for Graft, good or bad, for a first success")
    cards.append(DataCard(id="builtin/reviews-en", name="reviews-en", note=note))
    note = N_("short Chinese reviews written for Graft, good or bad, for a first success")
    cards.append(DataCard(id="builtin/reviews-zh", name="reviews-zh", note=note))
    if find_cifar10() is not None:
        note = N_("60,000 pictures of 10 kinds, 32 × 32 px")
        cards.append(DataCard(id="torchvision/cifar10", name="CIFAR-10", note=note))
    note = N_("uploaded")
    found = []
    for path in _folder().iterdir():
        if path.name.startswith(".") or path.suffix not in upload_suffixes():
            continue
        with suppress(FileNotFoundError):  # deleted a moment ago
            found.append((path.stat().st_mtime, path.stem, path.stat().st_size))
    return cards + [
        DataCard(id=f"upload/{stem}", name=stem, note=note, bytes=size) for _, stem, size in sorted(found, reverse=True)
    ]


def store_upload(source: IO[bytes] | Path | Any, name: str) -> str:
    """Keep an uploaded zip or table after looking through it; returns its data id, `upload/NAME`.

    The name is made safe and unique. Raises `DataError` with everything that is wrong; nothing is kept then.
    """
    from core.data.sources import open_file

    folder = _folder()
    forget_unfinished(folder)
    suffix = Path(name).suffix.lower()
    suffix = suffix if suffix in upload_suffixes() else ".zip"  # whatever a zip is called, it is one
    unfinished = unshared(folder / f"upload{suffix}")
    try:
        with unfinished.open("wb") as target:
            if isinstance(source, Path):
                with source.open("rb") as file:
                    copy_limited(file, target)
            else:
                source.seek(0)
                copy_limited(source, target)
        if suffix == ".zip" and not zipfile.is_zipfile(unfinished):
            raise DataError("data.not_an_upload", name=name[:80])
        try:
            open_file(unfinished, DataRef(id="upload/-"), name)
        except DataError as error:  # a fine table whose columns a person has to name is kept
            if not {problem.code for problem in error.problems} <= _UNNAMED:
                raise DataError(_as_named(error.problems, unfinished.name, name[:80])) from error
        with with_lock("uploads"):  # of two uploads of one name the second gets another
            target_path = _free(folder, safe_name(name), suffix)
            unfinished.replace(target_path)
        return f"upload/{target_path.stem}"
    finally:
        unfinished.unlink(missing_ok=True)


def _as_named(problems: Iterable[Problem], kept_as: str, name: str) -> list[Problem]:
    """Problems that tell the name a person gave, not the one the file was looked through under."""
    return [
        replace(
            problem,
            values={
                key: value.replace(kept_as, name) if isinstance(value, str) else value
                for key, value in problem.values.items()
            },
        )
        for problem in problems
    ]


def copy_limited(source: IO[bytes], target: IO[bytes]) -> None:
    """Copy up to the limit, piece by piece: what is too large never fills the disk."""
    total = 0
    while chunk := source.read(1 << 20):
        total += len(chunk)
        if total > UPLOAD_LIMIT_MB * 1_048_576:  # as browsers and Streamlit count
            raise DataError("data.upload_too_large", limit=UPLOAD_LIMIT_MB)
        target.write(chunk)


def upload_path(name: str) -> Path:
    """The file of an upload. Raises `DataError` when there is none of this name."""
    if name == Path(name).name and not name.startswith(".") and "\\" not in name:
        for suffix in upload_suffixes():
            path = _folder() / f"{name}{suffix}"
            if path.is_file():
                return path
    raise DataError("data.unknown_upload", name=name[:80])


def upload_size(name: str) -> int:
    """Bytes of an upload on the disk."""
    return upload_path(name).stat().st_size


def delete_upload(name: str) -> None:
    """Remove an upload; runs that used it stay, and cannot be repeated."""
    upload_path(name).unlink()


def _folder() -> Path:
    return settings.folder("uploads")


def safe_name(name: str) -> str:
    """A file name for any system: letters and digits of any script, short, without what paths are made of."""
    stem = re.sub(r"\.[a-z]{3,7}$", "", re.split(r"[/\\]", name)[-1], flags=re.IGNORECASE)
    stem = re.sub(r"[^\w.-]+", "-", stem).strip("-. ")
    stem = stem.encode()[:100].decode(errors="ignore")
    return f"{stem}-data" if stem.lower() in _RESERVED else stem or "data"


def _free(folder: Path, stem: str, suffix: str) -> Path:
    """A name that no upload of any kind has: the id says nothing of the kind."""
    taken = {path.stem for path in folder.iterdir()}
    free, number = stem, 2
    while free in taken:
        free, number = f"{stem}-{number}", number + 1
    return folder / f"{free}{suffix}"
