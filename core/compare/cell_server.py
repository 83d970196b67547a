"""The server that the trainings of a comparison are forked from: that of `multiprocessing`, with everything imported.

Started as a program it imports for five seconds. A worker that is a copy of the ready process (`core.ready`) has the
libraries already: there the server is a copy of the worker, made before that has threads (`begin_as_copy`). When it
ends, however it does, the next is started as a program.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.context import ForkServerContext, SpawnContext
from types import ModuleType
from typing import Any

from setproctitle import setproctitle

from core import lifeline, settings

Context = ForkServerContext | SpawnContext
PRELOADED = ("core.compare.forked", "core.compare.cell", "core.finetune.loop")


def context() -> Context:
    """How processes are begun: forked from the server, where that is to be had."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    try:
        return _begin()
    except OSError as error:  # its socket lies in the system's temporary folder, which may be full
        print(f"no server to fork from ({error}): each training imports its libraries anew", file=sys.stderr)
        return multiprocessing.get_context("spawn")


def begin_as_copy() -> None:
    """Fork the server from this process, which has everything loaded and no threads. Raises `OSError`."""
    resource_tracker.ensure_running()  # a program of its own, here too
    start = util.spawnv_passfds
    util.spawnv_passfds = _copy  # type: ignore[assignment]
    try:
        _begin()
    finally:
        util.spawnv_passfds = start


def _begin() -> ForkServerContext:
    """The context of the server, which is begun unless there is one."""
    settings.mark_children()
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(list(PRELOADED))
    with without_main():
        forkserver.ensure_running()
    return found


def _copy(_path: bytes, words: Sequence[Any], _passed: Sequence[int]) -> int:
    """A copy of this process that does what the program `python -c …` would do; returns its pid.

    The words are those that `multiprocessing` starts a server with, in every version since 3.4; what they name by its
    number (a socket, a pipe) a copy has under the same.
    """
    parent = os.getpid()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if pid := os.fork():
        return pid
    code = 1
    try:
        lifeline.end_with(parent)
        # Behind it the run's id, as in the command line of a worker.
        setproctitle(" ".join([*map(os.fsdecode, words), *sys.argv[1:]]))
        exec(words[-1], {})
    except SystemExit:
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


@contextmanager
def without_main() -> Iterator[None]:
    """Begin a process that does not first run this one's script again, whatever that is: a cell needs none of it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
