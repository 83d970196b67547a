"""A fair share of the processors: threads that wait for each other stop spinning as soon as others want their turn.

GNU OpenMP, which torch computes with on Linux, lets a thread spin that waits for its kind. Alone that is quickest.
Beside one busy process it is ruin: who spins takes the processor from the one it waits for. The library can do without,
and decides it anew at each wait: it hardly spins while the process has more of its threads than there are processors
(libgomp, wait.h: `gomp_throttled_spin_count_var`). So while others are at work a few threads more are kept, asleep.
What is computed stays the same to the bit, as it would not with fewer threads. Elsewhere nothing is done.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Mapping

import psutil

from core.hardware import usable_threads

LOOK_EVERY_S = 0.5
BUSY, CALM = 0.3, 0.15  # processors that others want beyond those left to them: shared from here on, and down to here
STAY_S = 3.0  # who comes and goes, as a browser does, is not followed each time


def spin_less(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for threads that spin some 0.2 ms, not for several (200 ms with LLVM's OpenMP)."""
    if "OMP_WAIT_POLICY" in environment:  # the user has decided
        return dict(environment)
    return {"GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1", **environment}


def watch() -> Watch:
    """Share from now on, until this process ends; asked again, the same one."""
    global _watching
    with _lock:
        if _watching is None:
            _watching = Watch()
            _watching.start()
        return _watching


_lock = threading.Lock()
_watching: Watch | None = None


class Watch(threading.Thread):
    """Looks what others use of the processors, and shares them while that is much."""

    def __init__(self) -> None:
        super().__init__(name="sharing", daemon=True)
        self._sleepers: _Sleepers | None = None
        self._until = 0.0

    @property
    def is_sharing(self) -> bool:
        return self._sleepers is not None

    def run(self) -> None:
        before = _Used.now()
        while True:
            time.sleep(LOOK_EVERY_S)
            now = _Used.now()
            self.notice(now.by_others_since(before) - _left_to_others())
            before = now

    def notice(self, wanted: float) -> None:
        """Act on how many processors others have used of late beyond those that this process leaves alone."""
        now = time.monotonic()
        if wanted >= BUSY:
            self._until = now + STAY_S
            if self._sleepers is None and (path := _gnu_openmp()) is not None:
                self._sleepers = _Sleepers(path)
        elif wanted <= CALM and self._sleepers is not None and now >= self._until:
            self._sleepers.end()
            self._sleepers = None


def _left_to_others() -> int:
    return max(0, (psutil.cpu_count() or 1) - usable_threads())


class _Used:
    """Processor seconds that were used by now: of all, and of this process."""

    def __init__(self, at: float, of_all: float, own: float) -> None:
        self.at, self.of_all, self.own = at, of_all, own

    @classmethod
    def now(cls) -> _Used:
        every = psutil.cpu_times()
        idle = every.idle + getattr(every, "iowait", 0.0)
        guests = getattr(every, "guest", 0.0) + getattr(every, "guest_nice", 0.0)  # counted as users already
        own = os.times()
        return cls(time.monotonic(), sum(every) - idle - guests, own.user + own.system)

    def by_others_since(self, before: _Used) -> float:
        """Processors that others kept busy on average."""
        passed = max(1e-3, self.at - before.at)
        return max(0.0, (self.of_all - before.of_all - (self.own - before.own)) / passed)


class _Sleepers:
    """A team of one thread more than there are processors, asleep until its end."""

    def __init__(self, gnu_openmp: str) -> None:
        self._library = ctypes.CDLL(gnu_openmp)
        self._ends, self._sleeps = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._sleep, name="sharing-team", daemon=True)
        self._thread.start()
        self._sleeps.wait()

    def _sleep(self) -> None:
        nothing = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)
        self._library.GOMP_parallel(nothing, None, ctypes.c_uint((psutil.cpu_count() or 1) + 1), ctypes.c_uint(0))
        self._sleeps.set()
        self._ends.wait()  # the team lives as long as the thread that made it

    def end(self) -> None:
        self._ends.set()
        self._thread.join()


def _gnu_openmp() -> str | None:
    """The library that torch of this process computes with; None where it is another, or none yet."""
    if not sys.platform.startswith("linux") or "torch" not in sys.modules:
        return None
    from threadpoolctl import threadpool_info

    found = [one["filepath"] for one in threadpool_info() if one.get("prefix") == "libgomp"]
    return next((path for path in found if f"{os.sep}torch" in path), found[0] if found else None)
