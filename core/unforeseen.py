"""What nobody foresaw, at every door: a sentence for whoever is there, and how it came about in a log that it names.

The doors are the command line, the server and its pages, the process that reads what was uploaded; a worker has a log
of its own (`core.errors.log_error`).
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from core import settings
from core.errors import GraftError, is_unknown, problems_of
from core.files import to_json, write_atomically
from core.messages import explain
from core.problems import Problem
from core.settings import hide

INTERRUPTED = 130
_MOST_BYTES = 1_000_000  # of the log; then the older half goes
Tell = Callable[[Iterable[Problem]], None]


def told(error: BaseException) -> list[Problem]:
    """What to tell about an error: in its own words where it is known, else where its traceback was written."""
    problems = problems_of(error)
    if not is_unknown(problems):
        return problems
    detail, log = str(problems[0].values["detail"]).rstrip("."), _keep(error)
    if not log:
        return [Problem("unforeseen.nowhere", values={"detail": detail})]
    return [Problem("unforeseen.logged", values={"detail": detail, "log": log})]


def say(problems: Iterable[Problem]) -> None:
    """Each in its sentence, on stderr."""
    for problem in problems:
        print(f"{problem.severity}: {explain(problem)}", file=sys.stderr)


def say_as_json(problems: Iterable[Problem]) -> None:
    """The same, and as the one document on stdout."""
    problems = list(problems)
    rows = [{**problem.as_dict(), "sentence": explain(problem)} for problem in problems]
    print_document({"error": rows})
    say(problems)


def print_document(value: object) -> None:
    """A JSON document on stdout; where that has not all letters, with these spelled as JSON does."""
    text = to_json(value)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, sort_keys=True, allow_nan=False, indent=2)
    print(text)


def door(work: Callable[[], str | int | None], tell: Tell = say) -> NoReturn:
    """Do a program's work and leave with its exit status: no traceback, whatever happens in it.

    `work` returns the status, None for 0. A reader who had enough of the output (`| head`) is nothing wrong.
    """
    _make_streams_safe()
    try:
        code = work()
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        code = _tell(tell, [Problem("unforeseen.interrupted")], INTERRUPTED)
    except BrokenPipeError:
        code = 0
    except Exception as error:
        code = _tell(tell, told(error), error.exit_code if isinstance(error, GraftError) else 1)
    sys.exit(_close(tell, code))


def _tell(tell: Tell, problems: list[Problem], status: int) -> int:
    with suppress(OSError, ValueError):  # nobody listens any more
        tell(problems)
    return status


def _keep(error: BaseException) -> str:
    """Write how an error came about to the log; returns where that is, empty where nothing can be written."""
    lines = "".join(traceback.format_exception(error))
    asked = " ".join(sys.argv[:20])[:1000]
    text = hide(f"{time.strftime('%F %T')} {os.getpid()} {asked}\n{lines}\n")
    content = text.encode("utf-8", "backslashreplace")
    with suppress(OSError):
        return _append(settings.home() / "graft.log", content)
    with suppress(OSError):  # the home cannot be written
        number, path = tempfile.mkstemp(prefix="graft-", suffix=".log")
        with os.fdopen(number, "wb") as file:
            file.write(content)
        return path
    return ""


def _append(path: Path, content: bytes) -> str:
    if path.is_file() and path.stat().st_size > _MOST_BYTES:
        write_atomically(path, path.read_bytes()[-_MOST_BYTES // 2 :].decode("utf-8", "replace"))
    path.touch(mode=0o600)
    with settings.keep_private(path).open("ab") as file:
        file.write(content)
    return str(path)


# -- streams -----------------------------------------------------------------------------------------------


def _make_streams_safe() -> None:
    """Let no letter that a terminal cannot show end the work, and no file take the place of a closed stream."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:  # closed by who started this: the next file to be opened would get its number
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _close(tell: Tell, code: str | int | None) -> str | int | None:
    """Send what is still to be printed; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except ValueError:  # closed meanwhile
            continue
        except OSError as error:
            with suppress(OSError, ValueError):  # else Python tries again, and complains
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if not isinstance(error, BrokenPipeError):  # a full disk behind `>`
                code = _tell(tell, told(error), 1)
    return code
