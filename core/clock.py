"""Where the time of a run goes and how much of its work is done."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from core.errors import StoppedError
from core.events import Reporter


class PhaseClock:
    """A reporter that passes everything on, sums the seconds of each phase and counts work.

    Work is counted in passes of one picture through the whole network, so that a training step, a pass
    through the frozen part and a prediction add up on one scale.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self.seconds: dict[str, float] = {}
        self._code, self._since = "", time.perf_counter()
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
        now = time.perf_counter()
        if self._code:
            self.seconds[self._code] = self.seconds.get(self._code, 0.0) + now - self._since
        self._since = now

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
