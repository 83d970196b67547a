"""A process of its own that reads what people bring to a page: the server never opens such a file itself.

`read_apart` hands a file to it and waits. What a file does to its reader ends with the reader: the next question starts
another. It ends with the server too.
"""

from __future__ import annotations

import atexit
import os
import pickle
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, Any

from core import lifeline, settings
from core.data.limits import MOST_MEMORY_MB, MOST_SECONDS, within_memory
from core.errors import DataError, GraftError
from core.problems import Problem
from core.registry.formats import load
from core.unforeseen import told

_LENGTH = struct.Struct(">Q")


def read_apart(function: str, name: str, *values: Any) -> Any:
    """What a function, named as `module:function`, makes of a file, computed in the reading process.

    `name` is what the file is called where it takes too much. Raises `DataError` with what the function found wrong.
    """
    problems, result = _PROCESS.ask(function, name, values)
    if problems:
        raise DataError(problems)
    return result


# -- in the server -----------------------------------------------------------------------------------------


class _ReadingProcess:
    """The reading process, started when the first file comes; one file at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, function: str, name: str, values: tuple[Any, ...]) -> tuple[list[Problem], Any]:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._end()
                self._process = _start()
            process = self._process
            watch = threading.Timer(MOST_SECONDS, process.kill)
            watch.start()
            try:
                _send(process.stdin, (function, name, values))
                answer: tuple[list[Problem], Any] = _receive(process.stdout)
            except (EOFError, OSError):  # it was ended: by its watch, by the system for want of memory, by a crash
                self._end()
                ended = {"name": name, "limit": MOST_MEMORY_MB, "seconds": MOST_SECONDS}
                return [Problem("data.reading_too_much", values=ended)], None
            finally:
                watch.cancel()
            return answer

    def end(self) -> None:
        """Let the process go; the next question starts another."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):  # what was still to be sent has nobody to read it
                    if pipe is not None:
                        pipe.close()


_PROCESS = _ReadingProcess()
atexit.register(_PROCESS.end)


def _start() -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "GRAFT_HOME": str(settings.home().resolve()),
        "OMP_NUM_THREADS": "1",
        "PYTHONUTF8": "1",
    }
    return lifeline.start(
        "core.data.reading",
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


# -- between the two ---------------------------------------------------------------------------------------


def _send(pipe: IO[bytes] | None, message: object) -> None:
    # Both ends are Graft and run as the same user: what a pickle could do, the process that sends it can do anyway.
    assert pipe is not None
    content = pickle.dumps(message)
    pipe.write(_LENGTH.pack(len(content)) + content)
    pipe.flush()


def _receive(pipe: IO[bytes] | None) -> Any:
    assert pipe is not None
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    content = pipe.read(_LENGTH.unpack(head)[0])
    return pickle.loads(content)


# -- in the reading process --------------------------------------------------------------------------------


def main() -> None:
    """Answer questions until the server is gone."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    while True:
        try:
            function, name, values = _receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            _send(answers, _answer(function, name, values))
        except BrokenPipeError:
            return


def _answer(function: str, name: str, values: tuple[Any, ...]) -> tuple[list[Problem], Any]:
    try:
        with within_memory(name):
            return [], load(function)(*values)
    except GraftError as error:
        return list(error.problems), None
    except Exception as error:
        return told(error), None


if __name__ == "__main__":
    main()
