"""How much memory and time reading one file may take, whatever is in it."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from core.errors import DataError

# Above what the process holds already. Readers end by themselves long before; this holds where a library does not.
MOST_MEMORY_MB = 500
MOST_SECONDS = 60
_lock = threading.RLock()


@contextmanager
def within_memory(name: str) -> Iterator[None]:
    """Read a file here with a limit of the process's memory, where the system has one (Linux).

    Raises `DataError` where it is reached. One file is read at a time.
    """
    with _lock:
        collects = gc.isenabled()
        gc.disable()  # rows by the million hold no cycles, and looking for some takes a third of the time
        try:
            with _limit():
                yield
        except (MemoryError, SystemError) as error:  # some of Python's own forgets to say what it lacked
            raise DataError("data.reading_too_much", name=name, limit=MOST_MEMORY_MB, seconds=MOST_SECONDS) from error
        finally:
            if collects:
                gc.enable()


@contextmanager
def _limit() -> Iterator[None]:
    if sys.platform != "linux":
        yield
        return
    import resource

    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = psutil.Process().memory_info().data + MOST_MEMORY_MB * 1_000_000
    for known in (before, hard):
        wanted = wanted if known == resource.RLIM_INFINITY else min(wanted, known)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))
