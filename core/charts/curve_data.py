"""What a run measured, as curves: read from the store piece by piece, thinned where there are too many points."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.store import Store

MOST_POINTS = 2000
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """One measurement over epochs; `x` [N] is the epoch (the step where no epoch is known), `y` [N] the value."""

    name: str
    x: Floats
    y: Floats

    @property
    def last(self) -> float | None:
        return float(self.y[-1]) if len(self.y) else None


class CurveBuffer:
    """All measurements of one run so far. Safe to share between threads."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._after = 0
        self._points: dict[str, dict[int, tuple[float, float]]] = {}
        self._thinned: dict[str, Curve] = {}
        self._lock = threading.Lock()

    def refresh(self, store: Store) -> bool:
        """Read what was written since the last time. Returns whether there was anything."""
        with self._lock:
            news = store.read_metrics(self.run_id, after=self._after)
            last: dict[str, int] = {}  # the largest step of each name
            unsorted = set()
            for new, name, step, epoch, value, _ in news:
                points = self._points.setdefault(name, {})
                if step < last.setdefault(name, next(reversed(points), step)):
                    unsorted.add(name)  # a resumed run goes back to its checkpoint
                else:
                    last[name] = step
                points[step] = (step if epoch is None else epoch, value)
                self._after = new
            for name in unsorted:
                self._points[name] = dict(sorted(self._points[name].items()))
            for name in last:
                self._thinned.pop(name, None)
            return bool(news)

    def curve(self, name: str) -> Curve:
        """A measurement, thinned to `MOST_POINTS`; empty when the run has none of this name."""
        with self._lock:
            if name not in self._thinned:
                points = np.array(list(self._points.get(name, {}).values()), dtype=np.float64).reshape(-1, 2)
                self._thinned[name] = Curve(name, *thin(points[:, 0], points[:, 1]))
            return self._thinned[name]


def read_curves(store: Store, run_id: str, names: Iterable[str]) -> dict[str, Curve]:
    """A few measurements of a run that has many, by name; empty where nothing was measured."""
    points: dict[str, dict[int, tuple[float, float]]] = {name: {} for name in names}
    for metric in store.read_metrics(run_id, names=points):
        points[metric.name][metric.step] = (float(metric.step) if metric.epoch is None else metric.epoch, metric.value)
    curves = {}
    for name, steps in points.items():
        rows = np.array([steps[step] for step in sorted(steps)], dtype=np.float64).reshape(-1, 2)
        curves[name] = Curve(name, *thin(rows[:, 0], rows[:, 1]))
    return curves


def thin(x: Floats, y: Floats, most: int = MOST_POINTS) -> tuple[Floats, Floats]:
    """At most `most` points: the lowest and the highest of each stretch, so that no spike is lost.

    >>> steps = np.arange(1000.0)
    >>> x, y = thin(steps, np.where(steps == 500, 9.0, 0.0), most=20)
    >>> len(x) <= 20, float(y.max())
    (True, 9.0)
    """
    if len(x) <= most:
        return x, y
    stretches = np.array_split(np.arange(len(x)), most // 2 - 1)
    kept = {0, len(x) - 1}
    for rows in stretches:
        kept |= {int(rows[y[rows].argmin()]), int(rows[y[rows].argmax()])}
    order = np.array(sorted(kept))
    return x[order], y[order]
