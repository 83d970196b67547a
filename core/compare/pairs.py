"""The trainings of a comparison as curves, and every two of them tested against each other at every size.

All were tested on the same items; from seed to seed other training examples are drawn. How the seeds vary is pooled
over the sizes, and what counts as shown is corrected for how many differences are looked at.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from core.compare.grid import SCRATCH, Start
from core.compare.records import PairRow
from core.evaluate import Bools, crossed_test, holm, paired_test

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Result:
    """A training that is done: which one, which test items it is right on, and what it took."""

    family: str
    start: Start
    method: str
    size: int
    seed: int
    right: Bools  # [N]
    train_seconds: float
    peak_memory_mb: float | None
    trainable_parameters: int
    converged: bool


@dataclass(frozen=True)
class Point:
    """The trainings of one family at one size, by seed."""

    results: tuple[Result, ...]

    @property
    def accuracies(self) -> list[float]:
        return [float(result.right.mean()) for result in self.results]

    @property
    def accuracy(self) -> float:
        return float(np.mean(self.accuracies))

    @property
    def seconds(self) -> list[float]:
        return [result.train_seconds for result in self.results]

    @property
    def unconverged(self) -> int:
        return sum(not result.converged for result in self.results)


Curves = dict[str, dict[int, Point]]  # by family and size


def curves_of(results: Sequence[Result], families: Sequence[str]) -> Curves:
    """The done trainings by family and size, in order."""
    grouped: dict[tuple[str, int], list[Result]] = defaultdict(list)
    for result in sorted(results, key=lambda result: (result.size, result.seed)):
        grouped[result.family, result.size].append(result)
    order = [*families, *sorted({result.family for result in results} - set(families))]
    curves = {
        family: {size: Point(tuple(group)) for (name, size), group in grouped.items() if name == family}
        for family in order
    }
    return {family: points for family, points in curves.items() if points}


# -- pairs -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Both:
    """Two points, for the seeds both have: which items each is right on, [S, N], and how long each trained, [S]."""

    a: Bools
    b: Bools
    seconds_a: Floats
    seconds_b: Floats

    @property
    def apart(self) -> Floats:
        return np.asarray(self.a.mean(1) - self.b.mean(1))

    @property
    def times(self) -> Floats:
        """Logarithms of how many times as long b trained."""
        return np.asarray(np.log(self.seconds_b / self.seconds_a))

    @property
    def is_timed(self) -> bool:
        return bool((self.seconds_a > 0).all() and (self.seconds_b > 0).all())


_Tested = tuple[str, int, str, int]  # a family and a size, and what it is tested against


def pairs_of(curves: Curves) -> tuple[list[PairRow], dict[tuple[str, int], bool]]:
    """(every two families at every size both have, whether a point is shown to be ahead of the largest from scratch).

    Of a pair `a` is the later family. `better` is told where the difference holds among all that are tested (Holm).
    """
    rows: dict[_Tested, PairRow] = {}
    for b, a in combinations(curves, 2):
        rows |= _tested(curves, a, b, [(size, size) for size in curves[a] if size in curves[b]])
    to_end: dict[_Tested, PairRow] = {}
    if SCRATCH in curves:
        largest = max(curves[SCRATCH])
        for family in (name for name in curves if name != SCRATCH):
            to_end |= _tested(curves, family, SCRATCH, [(size, largest) for size in curves[family] if size != largest])
    everything = [*rows.values(), *to_end.values()]
    for row, corrected in zip(everything, holm([row["p"] for row in everything]), strict=True):
        row["corrected_p"], row["of"] = corrected, len(everything)
        row["better"] = (
            None if corrected >= 0.05 or not row["difference"] else row["a" if row["difference"] > 0 else "b"]
        )
    order = list(curves)
    pairs = sorted(rows.values(), key=lambda row: (row["size"], order.index(row["b"]), order.index(row["a"])))
    ahead = {(row["a"], row["size"]): row["better"] == row["a"] for row in to_end.values()}
    ends = [row for row in pairs if SCRATCH in curves and row["b"] == SCRATCH and row["size"] == largest]
    return pairs, ahead | {(row["a"], row["size"]): row["better"] == row["a"] for row in ends}


def _tested(curves: Curves, a: str, b: str, sizes: list[tuple[int, int]]) -> dict[_Tested, PairRow]:
    """Two families at sizes of each; the seeds' variance is pooled over these."""
    found = {(size, other): _both(curves[a][size], curves[b][other]) for size, other in sizes}
    both = {sizes: one for sizes, one in found.items() if one is not None}
    variance = _pooled([one.apart for one in both.values()])
    of_times = _pooled([one.times for one in both.values() if one.is_timed])
    return {
        (a, size, b, other): _pair(size, a, b, one, variance, of_times) for (size, other), one in both.items()
    }  # fmt: skip


def _both(a: Point, b: Point) -> _Both | None:
    mine, other = ({result.seed: result for result in point.results} for point in (a, b))
    seeds = [seed for seed in mine if seed in other]
    if not seeds:
        return None
    rights = [np.stack([side[seed].right for seed in seeds]) for side in (mine, other)]
    seconds = [np.array([side[seed].train_seconds for seed in seeds]) for side in (mine, other)]
    return _Both(rights[0], rights[1], seconds[0], seconds[1])


def _pooled(groups: Sequence[Floats]) -> tuple[float, int] | None:
    """The variance from seed to seed within a size, over the sizes, and its degrees of freedom."""
    several = [group for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in several)
    squares = sum(float(group.var()) * len(group) for group in several)
    return (squares / freedom, freedom) if freedom else None


def _pair(
    size: int, a: str, b: str, both: _Both, variance: tuple[float, int] | None, of_times: tuple[float, int] | None
) -> PairRow:
    """What the test of the two alone says; `pairs_of` corrects it for the others."""
    seeds = len(both.a)
    tested = paired_test(both.a[0], both.b[0]) if seeds == 1 else crossed_test(both.a, both.b, variance)
    return {
        "size": size,
        "a": a,
        "b": b,
        "difference": tested["difference"],
        "interval": tested["interval"],
        "p": tested["p"],
        "n": tested["n"],
        "better": None,
        "seeds": seeds,
        "test": "mcnemar" if seeds == 1 else "crossed",
        "times": _times(both, of_times) if both.is_timed else None,
    }


def _times(both: _Both, variance: tuple[float, int] | None) -> list[float]:
    """How many times as long b trained, with the 95% interval; one training each has none: the ratio alone."""
    from scipy.stats import t

    middle, seeds = float(both.times.mean()), len(both.times)
    if variance is None or seeds < 2:
        return [math.exp(middle)]
    half = float(t.ppf(0.975, variance[1])) * math.sqrt(variance[0] / seeds)
    return [math.exp(middle), math.exp(middle - half), math.exp(middle + half)]
