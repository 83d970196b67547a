"""What a long step says while it works: phases, shares, numbers, and how much time is left."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from core.errors import StoppedError
from core.hardware import turns


class PhaseClock:
    """A reporter that passes everything on, sums the seconds of each phase and counts work.

    Work is counted in passes of one picture through the whole network, so that a training step, a pass
    through the frozen part and a prediction add up on one scale.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self.seconds: dict[str, float] = {}
        self.alone: dict[str, float] = {}  # the same, as long as they take without others at work
        self._code, self._since, self._turns = "", time.perf_counter(), turns()
        self._values: dict[str, object] = {}
        self._total, self._done = 0.0, 0.0
        self._cost: dict[str, float] = {}

    def phase(self, code: str, **values: object) -> None:
        self._settle()
        self._code, self._values = code, values
        self._reporter.phase(code, **values)

    @contextmanager
    def during(self, code: str) -> Iterator[None]:
        """A phase inside another one, which goes on afterwards."""
        code_before, values_before = self._code, self._values
        self.phase(code)
        try:
            yield
        finally:
            if code_before:
                self.phase(code_before, **values_before)

    def _settle(self) -> None:
        now, then = time.perf_counter(), turns()
        if self._code:
            seconds = now - self._since
            self.seconds[self._code] = self.seconds.get(self._code, 0.0) + seconds
            self.alone[self._code] = self.alone.get(self._code, 0.0) + then.alone(seconds, self._turns)
        self._since, self._turns = now, then

    def end(self) -> None:
        """Nothing more is done: the last phase is over."""
        self._settle()
        self._code = ""

    def total(self, codes: Iterable[str]) -> float:
        """Seconds spent in these phases so far."""
        self._settle()
        return sum(self.seconds.get(code, 0.0) for code in codes)

    def expect(self, total: float, **cost: float) -> None:
        """Set the whole work ahead and what one picture costs by kind of work."""
        self._total, self._cost = total, cost

    def work(self, kind: str, pictures: int) -> None:
        """Count work done."""
        self._done += pictures * self._cost.get(kind, 0.0)
        if self._total:
            self._reporter.progress(min(self._done, self._total), self._total)

    def begin_at(self, **pictures: int) -> None:
        """Count what an earlier attempt did, by kind of work. Told at once: it is no measure of speed."""
        self._done += sum(count * self._cost.get(kind, 0.0) for kind, count in pictures.items())
        if self._total:
            self._reporter.progress(min(self._done, self._total), self._total)

    def raise_if_stopped(self) -> None:
        """Raise `StoppedError` when the user asked to stop."""
        if self._reporter.should_stop():
            raise StoppedError()

    # -- passed on ---------------------------------------------------------------------------------------
    def progress(self, done: float, total: float) -> None:
        self._reporter.progress(done, total)

    def metrics(self, step: int, epoch: float, **values: float) -> None:
        self._reporter.metrics(step, epoch, **values)

    def log(self, text: str) -> None:
        self._reporter.log(text)

    def should_stop(self) -> bool:
        return self._reporter.should_stop()


class Reporter(Protocol):
    """Where a long step reports to. Every method returns at once and never raises."""

    def phase(self, code: str, **values: object) -> None:
        """Say what happens now: a code of `core.messages.PHASES` and its values."""

    def progress(self, done: float, total: float) -> None:
        """Say how far the whole step is, in any unit; the time left is computed from it."""

    def metrics(self, step: int, epoch: float, **values: float) -> None:
        """Record measurements at an optimizer step. Names use `__` for `/`: `train__loss=0.3`."""

    def log(self, text: str) -> None:
        """Write one line to the run's log."""

    def should_stop(self) -> bool:
        """Whether the user asked to stop. Cheap enough to ask after every step."""


class SilentReporter:
    """A reporter that listens to nothing and never stops anything."""

    def phase(self, code: str, **values: object) -> None: ...

    def progress(self, done: float, total: float) -> None: ...

    def metrics(self, step: int, epoch: float, **values: float) -> None: ...

    def log(self, text: str) -> None: ...

    def should_stop(self) -> bool:
        return False


_RATE_MEMORY_S = 20.0  # how far back the speed behind the time left looks


class TimeLeft:
    """Seconds left, from an exponentially smoothed speed.

    A resumed run starts in the middle: only what was done while watching counts as speed.
    """

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None  # (when, share done)
        self._rate: float | None = None  # share per second

    def update(self, share: float, now: float) -> float | None:
        """Take in the share done at a moment; returns the seconds left, None while unknown."""
        if self._last is None or share < self._last[1]:
            self._last, self._rate = (now, share), None
            return None
        elapsed, done = now - self._last[0], share - self._last[1]
        if elapsed > 0 and done > 0:
            rate = done / elapsed
            weight = 1.0 if self._rate is None else 1.0 - math.exp(-elapsed / _RATE_MEMORY_S)
            self._rate = rate * weight + (self._rate or 0.0) * (1.0 - weight)
            self._last = (now, share)
        return None if self._rate is None else max(0.0, (1.0 - share) / self._rate)
