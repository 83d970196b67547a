"""What was typed, as it is meant: bare names of models and data, paths that were pasted, and where results go.

What is taken otherwise than it was typed is told on stderr.
"""

from __future__ import annotations

import sys
from pathlib import Path

from core.data.meant import meant_data as data_of
from core.errors import InputError
from core.models.meant import meant_model as model_of
from core.paths import check_writable, meant_path
from core.problems import Problem


def meant_model(given: str, *, takes_folders: bool = False) -> str:
    """The model id that was meant. Raises `InputError` where that is not certain."""
    return _told(given, model_of(given, takes_folders=takes_folders))


def meant_data(given: str) -> str:
    """The data id that was meant. Raises `InputError` where that is not certain."""
    return _told(given, data_of(given))


def meant_ids(model: str, data: str) -> tuple[str, str]:
    """Both. Raises `InputError` with all that is wrong with either."""
    problems: list[Problem] = []
    found = []
    for ask, given in ((meant_model, model), (meant_data, data)):
        try:
            found.append(ask(given))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return found[0], found[1]


def checked_output(
    given: Path, *, reads: Path | None = None, may_be_folder: bool = False, makes_folders: bool = False
) -> Path:
    """Where a result is to be written, tried before the work begins. Raises `InputError`."""
    path = meant_path(given).absolute()
    problems = check_writable(path, reads=reads, may_be_folder=may_be_folder, makes_folders=makes_folders)
    if problems:
        raise InputError(problems)
    return path


def _told(given: str, meant: str) -> str:
    if meant != given:
        print(f"{given} is taken for {meant}", file=sys.stderr)
    return meant
