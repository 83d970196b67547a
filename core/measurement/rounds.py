"""Rounds of a timing: what they say together, and whether other work disturbed them.

What is told of several rounds is their median: one hiccup moves a mean as far as it likes, and a median not at all. Its
95% interval is read off the ordered rounds (a rank interval), so that it asks nothing of how times are spread. Rounds
that follow each other are alike (heat, caches, what else runs), and so tell less than as many independent ones: the
interval is as wide as holds where each resembles the one before by 0.3 (`python -m bench nulls`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psutil

# So many processors kept busy by other work spoil a timing.
BUSY = 0.3
# Of independent rounds the interval would leave the median out this often.
_OUTSIDE = 0.008
# Below this even the least and the greatest round leave it out more often.
_LEAST_RANKED = 8


@dataclass(frozen=True)
class Round:
    """One turn: a ratio or a time, and how many processors other work kept busy meanwhile."""

    value: float
    others: float

    @property
    def is_quiet(self) -> bool:
        """Whether the machine was left to what is timed."""
        return self.others <= BUSY


@dataclass(frozen=True)
class Median:
    """What rounds say together, with the 95% interval, and the processors that other work kept busy meanwhile."""

    middle: float
    low: float
    high: float
    rounds: int
    others: float

    @property
    def is_disturbed(self) -> bool:
        """Whether rounds count during which other work was done: there were not enough without."""
        return self.others > BUSY

    @property
    def spread(self) -> float:
        """Half of the interval, as a share."""
        return math.log(self.high / self.low) / 2

    @property
    def span(self) -> list[float]:
        """As reports keep it: [middle, low, high]."""
        return [self.middle, self.low, self.high]


def median_of(rounds: Sequence[Round], fewest: int) -> Median:
    """The median of the quiet rounds; of all, where fewer than `fewest` were quiet."""
    quiet = [one for one in rounds if one.is_quiet]
    counted = quiet if len(quiet) >= fewest else rounds
    disturbed = [one.others for one in counted if not one.is_quiet]
    others = float(np.mean(disturbed or [one.others for one in counted]))
    return Median(*median_interval([one.value for one in counted]), len(counted), others)


def median_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """(median, low, high) of positive numbers: the 95% rank interval, never less than it is.

    Of fewer than eight the outermost are not enough: then it is at least as wide as a t interval of their logarithms.
    One alone has no interval: both ends are itself.

    >>> median_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 70.0])
    (5.0, 1.0, 70.0)
    """
    from scipy.stats import binom, t

    ordered, n = sorted(values), len(values)
    middle = float(np.median(ordered))
    if n < 2:
        return middle, middle, middle
    if n >= _LEAST_RANKED:
        place = 0  # so many may be left out at either end
        while 2 * binom.cdf(place, n, 0.5) <= _OUTSIDE:
            place += 1
        return middle, ordered[place - 1], ordered[n - place]
    logs = np.log(ordered)
    half = float(t.ppf(0.975, n - 1) * logs.std(ddof=1)) / math.sqrt(n)
    centre = float(logs.mean())
    return middle, min(ordered[0], math.exp(centre - half)), max(ordered[-1], math.exp(centre + half))


class Load:
    """How many processors are kept busy by whatever is not timed here: not by these processes and their children."""

    def __init__(self, *pids: int) -> None:
        self._timed = [psutil.Process(pid) for pid in pids]
        self._wall, self._busy = self._now()

    def take(self) -> float:
        """Processors that other work kept busy since the last time this was asked."""
        wall, busy = self._now()
        others = (busy - self._busy) / max(1e-9, wall - self._wall)
        self._wall, self._busy = wall, busy
        return max(0.0, others)

    def _now(self) -> tuple[float, float]:
        """(seconds of the clock, seconds of processors spent by others)."""
        spent = psutil.cpu_times()
        whole = sum(getattr(spent, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq", "steal"))
        mine = 0.0
        for process in self._timed:
            times = process.cpu_times()
            mine += times.user + times.system
            mine += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
        return time.perf_counter(), whole - mine
