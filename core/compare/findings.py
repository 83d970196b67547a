"""What a comparison of training from scratch with pretrained weights shows, from the trainings that are done.

The curves with their bands, which of two is better at each size, how many examples from scratch equal a pretrained
network, and what may be concluded from it. All of them were tested on the same items; from seed to seed other
training examples are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from core.compare.conclusions import conclude
from core.compare.grid import SCRATCH
from core.compare.pairs import Curves, Point, Result, curves_of, pairs_of
from core.compare.records import (
    EquivalentKind,
    EquivalentRow,
    FamilyRow,
    Findings,
    LawPoint,
    LawRow,
    PairRow,
    SizeRow,
    times_as_long,
)
from core.compare.scaling_law import SizeLaw, fit_law
from core.evaluate import wilson
from core.problems import Problem
from core.values import Finding

# So many times the largest measured size is as far as the law may reach.
REACH = 3
CURVE_POINTS = 40


def find(results: Sequence[Result], families: Sequence[str], planned: int | None = None) -> Findings:
    """The parts `families`, `pairs`, `equivalents` and `conclusions` of a comparison's report.

    `families` is the order of the curves; `planned` the number of trainings, when some are still to come. Raises
    ValueError when the results were not tested on equally many items.
    """
    if len({len(result.right) for result in results}) > 1:
        raise ValueError("not tested on the same items")
    curves = curves_of(results, families)
    errors = {family: _errors(points) for family, points in curves.items()}
    laws = {
        family: fit_law(list(points), [point.accuracy for point in points.values()], list(errors[family].values()))
        for family, points in curves.items()
    }
    pairs, ahead_of_end = pairs_of(curves)
    rows = [_family(family, curves[family], laws[family], pairs) for family in curves]
    equivalents = _equivalents(curves, laws, errors, ahead_of_end)
    conclusions = conclude(rows, pairs, equivalents, len(results), planned)
    return {"families": rows, "pairs": pairs, "equivalents": equivalents, "conclusions": conclusions}


# -- curves ----------------------------------------------------------------------------------------------


def _family(family: str, points: dict[int, Point], law: SizeLaw | Problem, pairs: Sequence[PairRow]) -> FamilyRow:
    first = next(iter(points.values())).results[0]
    sizes = [_size(size, points, _dominated_by(family, size, pairs)) for size in points]
    return {
        "family": family,
        "start": first.start,
        "method": first.method,
        "sizes": sizes,
        "law": _law(law, min(points), max(points)) if isinstance(law, SizeLaw) else None,
        "law_refused": _reason(law) if isinstance(law, Problem) else None,
    }


def _size(size: int, points: dict[int, Point], dominated_by: str | None) -> SizeRow:
    point = points[size]
    low, high, band = _band(point, points)
    memory = [result.peak_memory_mb for result in point.results if result.peak_memory_mb is not None]
    return {
        "size": size,
        "seeds": len(point.results),
        "accuracy": point.accuracy,
        "low": low,
        "high": high,
        "band": band,
        "seconds": float(np.mean(point.seconds)),
        "seconds_low": min(point.seconds),
        "seconds_high": max(point.seconds),
        "peak_memory_mb": max(memory, default=None),
        "trainable_parameters": point.results[0].trainable_parameters,
        "unconverged": point.unconverged,
        "dominated_by": dominated_by,
    }


def _band(point: Point, points: dict[int, Point]) -> tuple[float, float, Literal["seeds", "test"]]:
    """The 95% interval of the mean over the seeds; with one seed that of the test items."""
    from scipy.stats import t

    seeds = len(point.results)
    if seeds == 1:
        right = point.results[0].right
        return *wilson(int(right.sum()), len(right)), "test"
    # A few seeds say little of their spread, and may agree by chance: what the other sizes show is taken in.
    pooled, freedom = _pooled(points)
    variance = max(pooled, float(np.var(point.accuracies, ddof=1)))
    half = float(t.ppf(0.975, freedom)) * (variance / seeds) ** 0.5
    return max(0.0, point.accuracy - half), min(1.0, point.accuracy + half), "seeds"


def _pooled(points: dict[int, Point]) -> tuple[float, int]:
    """The variance from seed to seed within a size, over all sizes, and its degrees of freedom (0: one seed each)."""
    several = [point.accuracies for point in points.values() if len(point.results) > 1]
    freedom = sum(len(accuracies) - 1 for accuracies in several)
    squares = sum(float(np.var(accuracies)) * len(accuracies) for accuracies in several)
    return squares / max(1, freedom), freedom


def _errors(points: dict[int, Point]) -> dict[int, float]:
    """The standard error of each size's mean: from the seeds, or of the test items where there is one seed."""
    pooled, _ = _pooled(points)
    errors = {}
    for size, point in points.items():
        seeds, accuracy = len(point.results), point.accuracy
        if seeds == 1:
            n = len(point.results[0].right)
            variance = max(accuracy * (1 - accuracy), 1 / (n + 1)) / n
        else:
            # A few seeds may agree by chance: half is what the sizes show together.
            variance = (pooled + (float(np.var(point.accuracies, ddof=1)) if seeds > 2 else pooled)) / 2 / seeds
        errors[size] = float(variance**0.5)
    return errors


def _dominated_by(family: str, size: int, pairs: Sequence[PairRow]) -> str | None:
    """The most accurate of the families that are shown to be better at this size and trained no longer."""
    beaten_by = [
        (abs(pair["difference"]), times_as_long(pair, family, pair["better"])[0], pair["better"])
        for pair in pairs
        if pair["size"] == size and family in (pair["a"], pair["b"]) and pair["better"] not in (None, family)
    ]
    return max((one for one in beaten_by if one[1] >= 1), default=(0.0, 0.0, None))[2]


def _law(law: SizeLaw, smallest: int, largest: int) -> LawRow:
    curve: list[LawPoint] = []
    for size in np.geomspace(smallest, largest, CURVE_POINTS):
        accuracy, low, high = law.accuracy(float(size))
        curve.append({"size": float(size), "accuracy": accuracy, "low": low, "high": high})
    return {"a": law.a, "b": law.b, "c": law.c, "misfit": law.misfit, "curve": curve}


def _reason(problem: Problem) -> Finding:
    return {"code": problem.code, "values": dict(problem.values)}


# -- how many examples from scratch are as good -----------------------------------------------------------


@dataclass(frozen=True)
class _Equivalent:
    """How many examples from scratch reach an accuracy, or why that cannot be told."""

    kind: EquivalentKind
    scratch_size: float | None = None
    low: float | None = None
    high: float | None = None
    reason: Problem | None = None

    def row(self, family: str, size: int, accuracy: float) -> EquivalentRow:
        reason = None if self.reason is None else _reason(self.reason)
        if reason is not None:  # a sentence of its own: it tells of what it speaks
            reason["values"] |= {"family": family, "size": size, "accuracy": accuracy}
        return {
            "family": family,
            "size": size,
            "accuracy": accuracy,
            "kind": self.kind,
            "scratch_size": _whole(self.scratch_size),
            "low": _whole(self.low),
            "high": _whole(self.high),
            "reason": reason,
        }


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _equivalents(
    curves: Curves,
    laws: dict[str, SizeLaw | Problem],
    errors: dict[str, dict[int, float]],
    ahead_of_end: dict[tuple[str, int], bool],
) -> list[EquivalentRow]:
    """For every pretrained family and size: how many examples training from scratch takes for its accuracy."""
    scratch = curves.get(SCRATCH)
    if scratch is None:
        return []
    rows = []
    for family in (name for name in curves if name != SCRATCH):
        for size, point in curves[family].items():
            is_ahead = ahead_of_end.get((family, size), False)
            equivalent = _equivalent(point.accuracy, errors[family][size], scratch, laws[SCRATCH], is_ahead=is_ahead)
            rows.append(equivalent.row(family, size, point.accuracy))
    return rows


def _equivalent(
    accuracy: float, error: float, scratch: dict[int, Point], law: SizeLaw | Problem, *, is_ahead: bool
) -> _Equivalent:
    """`is_ahead`: the accuracy is shown to be above what the largest size from scratch reaches."""
    sizes = list(scratch)
    smallest, largest = sizes[0], sizes[-1]
    if scratch[smallest].accuracy >= accuracy:
        saved = {"scratch_size": smallest, "scratch_accuracy": scratch[smallest].accuracy}
        return _Equivalent("refused", reason=Problem("compare.no_labels_saved", values=saved))
    if isinstance(law, SizeLaw):
        estimate, low, high = law.size_for(accuracy, error)
        if estimate is not None and estimate <= REACH * largest:
            return _about(estimate, low, high, scratch)
    for below, above in pairwise(sizes):
        if scratch[above].accuracy >= accuracy:
            if scratch[below].unconverged:  # trained longer, it might have got there
                return _Equivalent("at_most", above)
            return _Equivalent("between", None, below, above)
    end = {"scratch_size": largest, "scratch_accuracy": scratch[largest].accuracy}
    if is_ahead:
        # Trained longer, it might have got there: then the sentence says so.
        learning = Problem("compare.labels_still_learning", values=end) if scratch[largest].unconverged else None
        return _Equivalent("more_than", largest, reason=learning)
    return _Equivalent(
        "refused", reason=law if isinstance(law, Problem) else Problem("compare.labels_unclear", values=end)
    )


def _about(estimate: float, low: float | None, high: float | None, scratch: dict[int, Point]) -> _Equivalent:
    """What the law says; an end of the interval beyond its reach is open."""
    smallest, largest = min(scratch), max(scratch)
    estimate = max(estimate, float(smallest))
    high = None if high is None or high > REACH * largest else max(high, estimate)
    near = {max(size for size in scratch if size <= estimate)}
    near |= {min((size for size in scratch if size >= estimate), default=largest)}
    if any(scratch[size].unconverged for size in near):
        return _Equivalent("at_most", estimate, None, high)
    return _Equivalent("about", estimate, min(max(low or 0.0, float(smallest)), estimate), high)
