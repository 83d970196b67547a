"""Taking in an upload and removing one: whole or not at all."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from core import settings
from core.cache import with_lock
from core.data.upload_files import copy_limited, safe_name, upload_path, uploads_folder
from core.errors import DataError
from core.files import forget_unfinished, unshared
from core.problems import Problem
from core.registry.formats import upload_suffixes
from core.spec import DataRef

_UNNAMED = {"data.no_label_column", "data.no_text_column"}


def look_through(path: Path, name: str) -> None:
    """Open an upload as a data set. Raises `DataError` with everything that is wrong."""
    from core.data.open import open_file

    open_file(path, DataRef(id="upload/-"), name)


def store_upload(source: IO[bytes] | Path | Any, name: str, look: Callable[[Path, str], None] = look_through) -> str:
    """Keep an uploaded zip or table after looking through it; returns its data id, `upload/NAME`.

    The name is made safe and unique. `look` is `look_through`, here or in another process. Raises `DataError` with
    everything that is wrong; nothing is kept then.
    """
    folder = uploads_folder()
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
            look(unfinished, name)
        except DataError as error:  # a fine table whose columns a person has to name is kept
            if not {problem.code for problem in error.problems} <= _UNNAMED:
                raise DataError(_as_named(error.problems, unfinished.name, name[:80])) from error
        with with_lock("uploads"):  # of two uploads of one name the second gets another
            target_path = _free(folder, safe_name(name), suffix)
            settings.keep_private(unfinished).replace(target_path)
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


def upload_size(name: str) -> int:
    """Bytes of an upload on the disk."""
    return upload_path(name).stat().st_size


def delete_upload(name: str) -> None:
    """Remove an upload; runs that used it stay, and cannot be repeated."""
    upload_path(name).unlink()


def _free(folder: Path, stem: str, suffix: str) -> Path:
    """A name that no upload of any kind has: the id says nothing of the kind."""
    taken = {path.stem for path in folder.iterdir()}
    free, number = stem, 2
    while free in taken:
        free, number = f"{stem}-{number}", number + 1
    return folder / f"{free}{suffix}"
