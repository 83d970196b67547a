"""A data id becomes a collection: the reader is the one whose format it has."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

from core import settings
from core.data.collection import Collection, is_allowed
from core.data.limits import within_memory
from core.data.readers.folder import files_below
from core.errors import DataError
from core.paths import check_readable, meant_path, path_problem
from core.registry.formats import FORMATS, Format, format_of, is_table, is_web_page, load
from core.spec import DataRef


def open_collection(ref: DataRef) -> Collection:
    """The collection of a data id. Raises `DataError` with all that is wrong with it as a whole."""
    row = FORMATS.get(ref.source)
    if row is not None and row.is_source:
        collection = read(row, [], ref, ref.name)
    elif ref.source in _PLACES:
        collection = _PLACES[ref.source](ref)
    else:
        known = [*(row.id for row in FORMATS.values() if row.is_source), *_PLACES]
        raise DataError("data.unknown_source", id=ref.id, known=", ".join(known))
    for column in (ref.text_column, ref.label_column):
        if column is not None and column not in (collection.columns or ()):  # never passed over in silence
            raise DataError("data.no_such_column", column=column, columns=", ".join(collection.columns or ()) or "-")
    return collection


# -- files and folders -------------------------------------------------------------------------------------


def _path(ref: DataRef) -> Collection:
    path = meant_path(ref.name).absolute()
    if not is_allowed(path):
        roots = ", ".join(map(str, settings.data_roots()))
        raise DataError("data.path_not_allowed", path=str(path), roots=roots)
    problems = check_readable(path)
    if problems:
        raise DataError(problems)
    return open_path(path, ref, path.name)


def open_path(path: Path, ref: DataRef, name: str) -> Collection:
    """Whatever lies at a path: a file of a known format, or a folder of pictures or of such files."""
    try:
        return open_file(path, ref, name) if path.is_file() else _open_folder(path, ref, name)
    except OSError as error:  # of the disk, not of what is in a file: readers tell that themselves
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM):
            raise
        raise DataError([path_problem(error, error.filename or path)]) from error


def _open_folder(path: Path, ref: DataRef, name: str) -> Collection:
    below = sorted(files_below(path, name))
    for row in FORMATS.values():
        files = [file for file in below if row.has_ending(file)] if row.leads_folders else []
        if files:
            return read(row, files, ref, name)
    try:
        return read(FORMATS["folder"], [path], ref, name)
    except DataError as error:
        tables = [file for file in below if is_table(file)]
        if error.code != "data.only_tables" or not tables:
            raise
    return read(FORMATS["csv"], tables, ref, name)  # tables of any kind are read together


def open_file(path: Path, ref: DataRef, name: str) -> Collection:
    """One file, told by its content, a table by its name."""
    row = format_of(path)
    if row is None:
        with path.open("rb") as file:
            code = "data.web_page" if is_web_page(file.read(4096)) else "data.unknown_file"
        raise DataError(code, name=path.name, path=path.name)
    with within_memory(path.name):
        return read(row, [path], ref, name)


def read(row: Format, paths: list[Path], ref: DataRef, name: str) -> Collection:
    """What a format's reader makes of these paths."""
    collection: Collection = load(row.reader)(paths, ref, name)
    return collection


def _upload(ref: DataRef) -> Collection:
    from core.data.upload_files import upload_path

    path = upload_path(ref.name)
    return open_path(path, ref, path.stem)


_PLACES: dict[str, Callable[[DataRef], Collection]] = {"upload": _upload, "path": _path}
