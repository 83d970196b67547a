"""Texts to be answered: any table, or a plain text of one text a line; no labels are needed.

`store_questions` keeps uploaded tables, and zips of pictures too.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from core import settings
from core.data.limits import within_memory
from core.data.readers.table import read_cells
from core.data.table_rows import Table
from core.data.text_columns import find_column_of_texts
from core.data.upload_files import copy_limited, safe_name
from core.errors import DataError
from core.files import replacing
from core.paths import path_problem
from core.problems import Problem
from core.registry.formats import asked_suffixes, format_of, load

_SHOWN_ROWS, _SHOWN_CHARS = 5, 200
_ABANDONED_AFTER_S = 86_400


@dataclass(frozen=True)
class Questions:
    """A table with the column that holds the texts, and what was odd about it."""

    table: Table
    column: str
    problems: list[Problem]

    @property
    def texts(self) -> list[Any]:
        return self.table[self.column]

    def __len__(self) -> int:
        return len(self.texts)


def read_questions(path: Path, column: str | None = None) -> Questions:
    """Read a table of any format, or a text of one text a line. Raises `DataError`."""
    try:
        row = format_of(path)
        with within_memory(path.name):
            read: tuple[Table, list[Problem]] = load(row.texts)(path) if row and row.texts else read_cells(path)
    except OSError as error:
        raise DataError([path_problem(error, path)]) from error
    table, problems = read
    return Questions(table, find_column_of_texts(table, column), problems)


@dataclass(frozen=True)
class Preview:
    """The beginning of a table of texts: what a person checks before all of it is answered."""

    table: dict[str, list[str]]
    column: str
    rows: int
    problems: list[Problem]


def preview_questions(path: Path) -> Preview:
    """The first rows as words, the column found, and how many rows there are."""
    questions = read_questions(path)
    table = {
        name: ["" if value is None else str(value)[:_SHOWN_CHARS] for value in values[:_SHOWN_ROWS]]
        for name, values in questions.table.items()
    }
    return Preview(table, questions.column, len(questions), questions.problems)


def store_questions(source: IO[bytes] | Any, name: str, key: str) -> Path:
    """Keep an upload in a folder of its own; the same upload (`key`) is kept once. Raises `DataError`.

    It is deleted with the run that answers it, and after a day when nobody asked.
    """
    folder = settings.folder("asked") / hashlib.sha256(key.encode()).hexdigest()[:16]
    path = folder / f"{safe_name(name)}{_suffix(name)}"
    if path.is_file():
        return path
    _forget_unasked(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    with replacing(path) as unfinished, unfinished.open("wb") as target:
        settings.keep_private(unfinished)
        source.seek(0)
        copy_limited(source, target)
    return path


def _suffix(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return suffix if suffix in (*asked_suffixes("texts"), *asked_suffixes("pictures")) else ".csv"


def _forget_unasked(folder: Path) -> None:
    """Remove uploads that no run was started with."""
    from core.store import open_store

    asked = {str(Path(str(run.spec.get("file", ""))).parent) for run in open_store().list_runs(kind="predict")}
    for path in folder.iterdir():
        with suppress(OSError):
            if str(path) not in asked and time.time() - path.stat().st_mtime > _ABANDONED_AFTER_S:
                shutil.rmtree(path)
