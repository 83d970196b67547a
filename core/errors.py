"""What can go wrong, as one family; every member carries a code and the values its sentence needs.

GraftError                 something Graft can explain
├── InputError             what was asked for cannot be done: all problems at once
├── NotFoundError          an id that names nothing here
├── DataError              a data set that cannot be used: all problems at once
├── WeightsError           weights that are absent or damaged
├── StoreError             the record of runs cannot be opened or written
├── RunError               a run that failed for a known reason (memory, disk, diverged)
└── StoppedError           the user asked the run to stop

Core speaks in codes and values; `core.messages` holds the sentence of every code, and the pages
translate it. Logs stay English.
"""

from __future__ import annotations

import errno
import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from core.i18n import N_
from core.paths import path_problem
from core.problems import Problem
from core.settings import hide

PARTLY = 3  # exit status where some of what was asked for could not be done, and the rest is


class GraftError(Exception):
    """Something Graft can explain. `code` selects the sentence, `values` fill it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code, values)
        self.code = code
        self.values = values

    @property
    def problems(self) -> tuple[Problem, ...]:
        return (Problem(self.code, values=self.values),)

    def __str__(self) -> str:
        from core.messages import explain

        return " ".join(explain(problem) for problem in self.problems)


class _ProblemsError(GraftError):
    """An error that tells all its problems at once."""

    def __init__(self, problems: Iterable[Problem] | str, **values: Any) -> None:
        if isinstance(problems, str):
            problems = [Problem(problems, values=values)]
        self._problems = tuple(problems)
        first = next((p for p in self._problems if p.severity == "error"), self._problems[0])
        super().__init__(first.code, **dict(first.values))

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self._problems


class InputError(_ProblemsError):
    """What was asked for cannot be done as asked."""

    exit_code = 2


class DataError(_ProblemsError):
    """A data set that cannot be used."""

    exit_code = 2


class NotFoundError(GraftError):
    """An id that names nothing here; the remedy lists what is near."""

    exit_code = 2


class WeightsError(GraftError):
    """Weights that are not on this machine, or not what they should be."""


class StoreError(GraftError):
    """The record of runs cannot be opened, read or written."""


class RunError(_ProblemsError):
    """A run failed for a reason that is known."""


class StoppedError(GraftError):
    """The user asked the run to stop; what was done so far is kept."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("run.stopped")


_UNKNOWN = "run.unknown_error"
# What the system refuses whoever asks: a reason of its own, and none of Graft's.
_OF_THE_SYSTEM = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP}
# A disk that fails, a stick that was pulled out, a network drive that is gone.
_WITHOUT_DEVICE = {getattr(errno, name) for name in ("EIO", "ESTALE", "ENODEV", "ENXIO") if hasattr(errno, name)}
_WITHOUT_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "failed to allocate")
_WITHOUT_DISK = ("no space left on device", "database or disk is full")


def problems_of(error: BaseException) -> list[Problem]:
    """What to tell about an error; the traceback stays in the log."""
    cause: BaseException | None = error
    while cause is not None:  # a full disk is often reported as something else by who met it
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return [Problem("run.disk_full", values={"path": f" ({cause.filename})" if cause.filename else ""})]
        if isinstance(cause, OSError) and cause.errno in _WITHOUT_DEVICE and not isinstance(error, GraftError):
            return [Problem("run.disk_broken", values={"detail": cause.strerror or first_line(cause)})]
        if isinstance(cause, MemoryError) or any(text in str(cause).lower() for text in _WITHOUT_MEMORY):
            return [Problem("run.out_of_memory")]
        if any(text in str(cause).lower() for text in _WITHOUT_DISK):
            return [Problem("run.disk_full", values={"path": ""})]
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, GraftError):
        return list(error.problems)
    if isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM and error.filename:
        return [path_problem(error, str(error.filename))]
    return [Problem(_UNKNOWN, values={"detail": hide(f"{type(error).__name__}: {error}")[:500]})]


def is_unknown(problems: Iterable[Problem]) -> bool:
    """Whether `problems_of` knew no more of an error than what it is called."""
    return any(problem.code == _UNKNOWN for problem in problems)


def print_traceback() -> None:
    """Write how the error at hand came about to the log, without what nobody else is to know."""
    print(hide(traceback.format_exc()), file=sys.stderr, flush=True)


def log_error(error: BaseException) -> None:
    """Write the error at hand to the log of a worker, without what nobody else is to know.

    How an unknown one came about, line by line; of what is known its sentences, and what it came from.
    """
    from core.messages import explain

    problems = problems_of(error)
    if is_unknown(problems):
        print_traceback()
        return
    lines = [explain(problem) for problem in problems]
    cause: BaseException | None = error
    while cause is not None:
        frames = traceback.extract_tb(cause.__traceback__)
        place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
        lines.append(f"  from {type(cause).__name__}{place}: {first_line(cause)}")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    print(hide("\n".join(lines)), file=sys.stderr, flush=True)


def first_line(error: object, most: int = 200) -> str:
    """An error of a library in a line: the first of its own, at most so many letters of it, or what it is called.

    >>> first_line(ValueError("no such operator\\nin line 3")), first_line(KeyboardInterrupt())
    ('no such operator', 'KeyboardInterrupt')
    """
    return hide(str(error).strip().split("\n")[0])[:most].rstrip(".") or type(error).__name__


_NAME_OF_CLASS = re.compile(r"\b(?:\w+\.)*\w*(?:Error|Exception): ")


def what_is_broken(error: Exception) -> str:
    """Why a file that somebody brought could not be read, by what its reader met: without names of Python's or C++'s.

    >>> what_is_broken(OSError("Couldn't deserialize thrift: TProtocolException: Exceeded size limit"))
    'its footer is damaged'
    >>> what_is_broken(ValueError("No sheet: xml.etree.ParseError: no element found, line 1"))
    'No sheet: no element found, line 1'
    """
    if isinstance(error, LookupError | TypeError | AttributeError | ArithmeticError | AssertionError | RecursionError):
        return N_("its parts do not fit together")  # Python's words would say less
    if "int_max_str_digits" in str(error):
        return N_("a number has too many digits")
    if "thrift" in str(error):  # of a Parquet file; the rest differs by chance
        return N_("its footer is damaged")
    return _NAME_OF_CLASS.sub("", first_line(error))
