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
        self._points: dict[str, Floats] = {}  # [N, 3]: step, epoch and value, by step
        self._thinned: dict[str, Curve] = {}
        self._lock = threading.Lock()

    def refresh(self, store: Store) -> bool:
        """Read what was written since the last time. Returns whether there was anything."""
        with self._lock:
            self._after, news = store.read_points(self.run_id, after=self._after)
            for name, points in news.items():
                self._points[name] = _join(self._points.get(name, _NONE), np.array(points, dtype=np.float64))
                self._thinned.pop(name, None)
            return bool(news)

    def curve(self, name: str) -> Curve:
        """A measurement, thinned to `MOST_POINTS`; empty when the run has none of this name."""
        with self._lock:
            if name not in self._thinned:
                self._thinned[name] = _curve(name, self._points.get(name, _NONE))
            return self._thinned[name]


_NONE: Floats = np.zeros((0, 3))


def _join(old: Floats, new: Floats) -> Floats:
    """Both by step; a resumed run goes back to its checkpoint and measures the same steps again."""
    if len(old) and new[0, 0] <= old[-1, 0]:
        old = old[~np.isin(old[:, 0], new[:, 0])]
        both = np.concatenate([old, new])
        return both[both[:, 0].argsort()]
    return np.concatenate([old, new])


def _curve(name: str, points: Floats) -> Curve:
    return Curve(name, *thin(points[:, 1], points[:, 2]))


def read_curves(store: Store, run_id: str, names: Iterable[str]) -> dict[str, Curve]:
    """A few measurements of a run that has many, by name; empty where nothing was measured."""
    names = list(names)
    _, points = store.read_points(run_id, names=names)
    return {name: _curve(name, np.array(points[name]) if name in points else _NONE) for name in names}


def thin(x: Floats, y: Floats, most: int = MOST_POINTS) -> tuple[Floats, Floats]:
    """At most `most` points: the lowest and the highest of each stretch, so that no spike is lost.

    >>> steps = np.arange(1000.0)
    >>> x, y = thin(steps, np.where(steps == 500, 9.0, 0.0), most=20)
    >>> len(x) <= 20, float(y.max())
    (True, 9.0)
    """
    if len(x) <= most:
        return x, y
    stretches = most // 2 - 1
    short, longer = divmod(len(x), stretches)
    kept = [np.array([0, len(x) - 1])]
    for first, number, length in ((0, longer, short + 1), (longer * (short + 1), stretches - longer, short)):
        values = y[first : first + number * length].reshape(number, length)
        starts = first + length * np.arange(number)
        kept += [starts + values.argmin(1), starts + values.argmax(1)]
    order = np.unique(np.concatenate(kept))
    return x[order], y[order]
