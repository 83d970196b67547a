"""Where uploads lie, what they may be called, and how large they may be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO

from core import settings
from core.errors import DataError
from core.registry.formats import upload_suffixes

UPLOAD_LIMIT_MB = 200
_RESERVED = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10))}


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
            path = uploads_folder() / f"{name}{suffix}"
            if path.is_file():
                return path
    raise DataError("data.unknown_upload", name=name[:80])


def uploads_folder() -> Path:
    return settings.folder("uploads")


def safe_name(name: str) -> str:
    """A file name for any system: letters and digits of any script, short, without what paths are made of."""
    stem = re.sub(r"\.[a-z]{3,7}$", "", re.split(r"[/\\]", name)[-1], flags=re.IGNORECASE)
    stem = re.sub(r"[^\w.-]+", "-", stem).strip("-. ")
    stem = stem.encode()[:100].decode(errors="ignore")
    return f"{stem}-data" if stem.lower() in _RESERVED else stem or "data"
