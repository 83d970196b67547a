"""The data sets that can be chosen here: built in, found, uploaded."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict

from core import settings
from core.errors import DataError
from core.i18n import N_

UPLOAD_LIMIT_MB = 200
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
    if find_cifar10() is not None:
        note = N_("60,000 pictures of 10 kinds, 32 × 32 px")
        cards.append(DataCard(id="torchvision/cifar10", name="CIFAR-10", note=note))
    note = N_("uploaded")
    for path in sorted(_folder().glob("*.zip"), key=lambda p: p.stat().st_mtime, reverse=True):
        cards.append(DataCard(id=f"upload/{path.stem}", name=path.stem, note=note, bytes=path.stat().st_size))
    return cards


def store_upload(source: IO[bytes] | Path | Any, name: str) -> str:
    """Keep an uploaded zip after looking through it; returns its data id, `upload/NAME`.

    The name is made safe and unique. Raises `DataError` with everything that is wrong; nothing is kept then.
    """
    from core.data.folders import open_zip

    folder = _folder()
    unfinished = folder / f".{_safe(name)}.tmp"
    try:
        with unfinished.open("wb") as target:
            if isinstance(source, Path):
                with source.open("rb") as file:
                    shutil.copyfileobj(file, target, 1 << 20)
            else:
                source.seek(0)
                shutil.copyfileobj(source, target, 1 << 20)
        if unfinished.stat().st_size > UPLOAD_LIMIT_MB * 1_000_000 * 1.05:
            raise DataError(
                "data.upload_too_large", size=f"{unfinished.stat().st_size / 1e6:.0f}", limit=UPLOAD_LIMIT_MB
            )
        if not zipfile.is_zipfile(unfinished):
            raise DataError("data.not_a_zip", name=name[:80])
        open_zip(unfinished, "upload/-", name)
        target_path = _free(folder, _safe(name))
        unfinished.replace(target_path)
        return f"upload/{target_path.stem}"
    finally:
        unfinished.unlink(missing_ok=True)


def upload_path(name: str) -> Path:
    """The file of an upload. Raises `DataError` when there is none of this name."""
    path = _folder() / f"{name}.zip"
    if name != Path(name).name or name.startswith(".") or "\\" in name or not path.is_file():
        raise DataError("data.unknown_upload", name=name[:80])
    return path


def upload_size(name: str) -> int:
    """Bytes of an upload on the disk."""
    return upload_path(name).stat().st_size


def delete_upload(name: str) -> None:
    """Remove an upload; runs that used it stay, and cannot be repeated."""
    upload_path(name).unlink()


def _folder() -> Path:
    return settings.folder("uploads")


def _safe(name: str) -> str:
    """A file name for any system: letters and digits of any script, short, without what paths are made of."""
    stem = re.sub(r"\.zip$", "", re.split(r"[/\\]", name)[-1], flags=re.IGNORECASE)
    stem = re.sub(r"[^\w.-]+", "-", stem).strip("-. ")
    stem = stem.encode()[:100].decode(errors="ignore")
    return f"{stem}-data" if stem.lower() in _RESERVED else stem or "data"


def _free(folder: Path, stem: str) -> Path:
    path, number = folder / f"{stem}.zip", 2
    while path.exists():
        path, number = folder / f"{stem}-{number}.zip", number + 1
    return path
