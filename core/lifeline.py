"""Processes that end with the one that started them, however that one ends.

Who is killed can tell its children nothing. `start` begins one that ties itself to its parent before it loads anything:
on Linux the kernel ends it at the parent's death, elsewhere it looks for its parent each second. `python -m
core.lifeline PARENT MODULE …` is that child. Workers are not started so: a run outlives whoever began it.
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from core import settings

LOOK_EVERY_S = 1.0
_PR_SET_PDEATHSIG = 1


# -- in the parent -----------------------------------------------------------------------------------------


def start(module: str, *arguments: str, **options: Any) -> subprocess.Popen[Any]:
    """Begin `python -m module arguments`, to end with this process; `options` are those of `Popen`."""
    command = [sys.executable, "-m", __name__, str(os.getpid()), module, *arguments]
    options = {"cwd": settings.PROJECT, **options}
    if threading.current_thread() is threading.main_thread():
        return subprocess.Popen(command, **options)
    # The kernel counts the death of the thread that started a child as its parent's: this one lasts.
    begun: Future[subprocess.Popen[Any]] = _lasting_thread().submit(lambda: subprocess.Popen(command, **options))
    return begun.result()


_lock = threading.Lock()
_lasting: ThreadPoolExecutor | None = None


def _lasting_thread() -> ThreadPoolExecutor:
    global _lasting
    with _lock:
        if _lasting is None:
            _lasting = ThreadPoolExecutor(1, thread_name_prefix="lifeline")
        return _lasting


def _forget_threads() -> None:
    """A forked process has none of its parent's threads."""
    global _lasting, _lock
    _lasting, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


# -- in the child ------------------------------------------------------------------------------------------


def end_with(parent: int) -> None:
    """End this process, at once and without a word, when its parent with this pid is gone."""
    if _ask_kernel():
        if os.getppid() != parent:  # it went before the kernel was asked
            os._exit(1)
        return
    threading.Thread(target=_watch, args=(parent,), name="lifeline", daemon=True).start()


def outlive() -> None:
    """Take back `end_with`: from now on this process goes on without its parent."""
    _outlives.set()
    _ask_kernel(0)


_outlives = threading.Event()


def _ask_kernel(number: int = signal.SIGKILL) -> bool:
    """Whether the kernel will send this process a signal (0: none) when its parent dies: on Linux it is asked to."""
    if sys.platform != "linux":
        return False
    import ctypes

    try:
        return int(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)) == 0
    except (OSError, AttributeError):
        return False


def _watch(parent: int) -> None:
    while _is_there(parent):
        if _outlives.wait(LOOK_EVERY_S):
            return
    os._exit(1)


def _is_there(parent: int) -> bool:
    if os.name == "posix":  # an orphan is given to another parent
        return os.getppid() == parent
    import psutil

    try:
        return bool(psutil.Process(parent).create_time() <= psutil.Process().create_time())
    except psutil.Error:
        return False


def main() -> None:
    """Tie this process to its parent, then be the module that was asked for."""
    end_with(int(sys.argv[1]))
    module = sys.argv[2]
    del sys.argv[:2]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
