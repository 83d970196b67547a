"""What a comparison of training from scratch with pretrained weights shows, from the trainings that are done.

The curves with their bands, which of two is better at each size, how many examples from scratch equal a pretrained
network, and what may be concluded from it. All of them were tested on the same items; from seed to seed other
training examples are drawn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

import numpy as np

from core.compare.conclusions import conclude
from core.compare.grid import SCRATCH, Start
from core.compare.records import EquivalentKind, EquivalentRow, FamilyRow, Findings, LawPoint, LawRow, PairRow, SizeRow
from core.compare.scaling_law import SizeLaw, fit_law
from core.evaluate import Bools, crossed_test, paired_test, wilson
from core.problems import Problem
from core.values import Finding

# So many times the largest measured size is as far as the law may reach.
REACH = 3
CURVE_POINTS = 40


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
class _Point:
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


_Curves = dict[str, dict[int, _Point]]


def find(results: Sequence[Result], families: Sequence[str], planned: int | None = None) -> Findings:
    """The parts `families`, `pairs`, `equivalents` and `conclusions` of a comparison's report.

    `families` is the order of the curves; `planned` the number of trainings, when some are still to come. Raises
    ValueError when the results were not tested on equally many items.
    """
    if len({len(result.right) for result in results}) > 1:
        raise ValueError("not tested on the same items")
    curves = _curves(results, families)
    errors = {family: _errors(points) for family, points in curves.items()}
    laws = {
        family: fit_law(list(points), [point.accuracy for point in points.values()], list(errors[family].values()))
        for family, points in curves.items()
    }
    rows = [_family(family, curves, laws[family]) for family in curves]
    pairs, equivalents = _pairs(curves), _equivalents(curves, laws, errors)
    conclusions = conclude(rows, pairs, equivalents, len(results), planned)
    return {"families": rows, "pairs": pairs, "equivalents": equivalents, "conclusions": conclusions}


def _curves(results: Sequence[Result], families: Sequence[str]) -> _Curves:
    """The done trainings by family and size, in order."""
    grouped: dict[tuple[str, int], list[Result]] = defaultdict(list)
    for result in sorted(results, key=lambda result: (result.size, result.seed)):
        grouped[result.family, result.size].append(result)
    order = [*families, *sorted({result.family for result in results} - set(families))]
    curves = {
        family: {size: _Point(tuple(group)) for (name, size), group in grouped.items() if name == family}
        for family in order
    }
    return {family: points for family, points in curves.items() if points}


# -- curves ----------------------------------------------------------------------------------------------


def _family(family: str, curves: _Curves, law: SizeLaw | Problem) -> FamilyRow:
    points = curves[family]
    first = next(iter(points.values())).results[0]
    sizes = [
        _size(size, points, {name: curves[name].get(size) for name in curves if name != family}) for size in points
    ]
    return {
        "family": family,
        "start": first.start,
        "method": first.method,
        "sizes": sizes,
        "law": _law(law, min(points), max(points)) if isinstance(law, SizeLaw) else None,
        "law_refused": _reason(law) if isinstance(law, Problem) else None,
    }


def _size(size: int, points: dict[int, _Point], others: dict[str, _Point | None]) -> SizeRow:
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
        "dominated_by": _dominated_by(point, others),
    }


def _band(point: _Point, points: dict[int, _Point]) -> tuple[float, float, Literal["seeds", "test"]]:
    """The 95% interval of the mean over the seeds; with one seed that of the test items."""
    from scipy.stats import t

    seeds = len(point.results)
    if seeds == 1:
        right = point.results[0].right
        return *wilson(int(right.sum()), len(right)), "test"
    # Two seeds say next to nothing of their spread: what the other sizes show is taken in.
    variance, freedom = _pooled(points) if seeds == 2 else (float(np.var(point.accuracies, ddof=1)), seeds - 1)
    half = float(t.ppf(0.975, freedom)) * (variance / seeds) ** 0.5
    return max(0.0, point.accuracy - half), min(1.0, point.accuracy + half), "seeds"


def _pooled(points: dict[int, _Point]) -> tuple[float, int]:
    """The variance from seed to seed within a size, over all sizes, and its degrees of freedom (0: one seed each)."""
    several = [point.accuracies for point in points.values() if len(point.results) > 1]
    freedom = sum(len(accuracies) - 1 for accuracies in several)
    squares = sum(float(np.var(accuracies)) * len(accuracies) for accuracies in several)
    return squares / max(1, freedom), freedom


def _errors(points: dict[int, _Point]) -> dict[int, float]:
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


def _dominated_by(point: _Point, others: dict[str, _Point | None]) -> str | None:
    """The best of the families that are at least as accurate at this size and train faster, or as fast and better."""
    mine = (point.accuracy, -float(np.mean(point.seconds)))
    better = []
    for name, other in others.items():
        if other is not None:
            theirs = (other.accuracy, -float(np.mean(other.seconds)))
            if theirs != mine and theirs[0] >= mine[0] and theirs[1] >= mine[1]:
                better.append((theirs, name))
    return max(better, key=lambda pair: pair[0])[1] if better else None


def _law(law: SizeLaw, smallest: int, largest: int) -> LawRow:
    curve: list[LawPoint] = []
    for size in np.geomspace(smallest, largest, CURVE_POINTS):
        accuracy, low, high = law.accuracy(float(size))
        curve.append({"size": float(size), "accuracy": accuracy, "low": low, "high": high})
    return {"a": law.a, "b": law.b, "c": law.c, "misfit": law.misfit, "curve": curve}


def _reason(problem: Problem) -> Finding:
    return {"code": problem.code, "values": dict(problem.values)}


# -- pairs -----------------------------------------------------------------------------------------------


def _pairs(curves: _Curves) -> list[PairRow]:
    """Every two families at every size both have; `a` is the later one."""
    pairs: list[PairRow] = []
    for b, a in combinations(curves, 2):
        shared = [size for size in curves[a] if size in curves[b]]
        rows = {size: _rows(curves[a][size], curves[b][size]) for size in shared}
        variance = _seed_variance([both for both in rows.values() if both is not None])
        pairs += [_pair(size, a, b, both, variance) for size, both in rows.items() if both is not None]
    order = list(curves)
    return sorted(pairs, key=lambda pair: (pair["size"], order.index(pair["b"]), order.index(pair["a"])))


def _rows(a: _Point, b: _Point) -> tuple[Bools, Bools] | None:
    """What two points are right on, [S, N] each, for the seeds both have."""
    mine, other = ({result.seed: result.right for result in point.results} for point in (a, b))
    seeds = [seed for seed in mine if seed in other]
    return (np.stack([mine[s] for s in seeds]), np.stack([other[s] for s in seeds])) if seeds else None


def _seed_variance(compared: list[tuple[Bools, Bools]]) -> tuple[float, int] | None:
    """How the difference of two families varies from seed to seed, over the sizes, and its degrees of freedom."""
    apart = [a.mean(1) - b.mean(1) for a, b in compared if len(a) > 1]
    freedom = sum(len(differences) - 1 for differences in apart)
    squares = sum(float(differences.var()) * len(differences) for differences in apart)
    return (squares / freedom, freedom) if freedom else None


def _pair(size: int, a: str, b: str, both: tuple[Bools, Bools], variance: tuple[float, int] | None) -> PairRow:
    seeds = len(both[0])
    if seeds == 1:
        tested = paired_test(both[0][0], both[1][0])
    else:
        tested = crossed_test(*both, seed_variance=variance if seeds == 2 else None)
    return {
        "size": size,
        "a": a,
        "b": b,
        "difference": tested["difference"],
        "interval": tested["interval"],
        "p": tested["p"],
        "n": tested["n"],
        "better": {"a": a, "b": b}.get(tested["better"] or ""),
        "seeds": seeds,
        "test": "mcnemar" if seeds == 1 else "crossed",
    }


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
    curves: _Curves, laws: dict[str, SizeLaw | Problem], errors: dict[str, dict[int, float]]
) -> list[EquivalentRow]:
    """For every pretrained family and size: how many examples training from scratch takes for its accuracy."""
    scratch = curves.get(SCRATCH)
    if scratch is None:
        return []
    largest, law = max(scratch), laws[SCRATCH]
    rows = []
    for family in (name for name in curves if name != SCRATCH):
        to_end = [_rows(point, scratch[largest]) for point in curves[family].values()]
        variance = _seed_variance([both for both in to_end if both is not None])
        for (size, point), both in zip(curves[family].items(), to_end, strict=True):
            is_ahead = both is not None and _pair(size, family, SCRATCH, both, variance)["better"] == family
            equivalent = _equivalent(point.accuracy, errors[family][size], scratch, law, is_ahead=is_ahead)
            rows.append(equivalent.row(family, size, point.accuracy))
    return rows


def _equivalent(
    accuracy: float, error: float, scratch: dict[int, _Point], law: SizeLaw | Problem, *, is_ahead: bool
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


def _about(estimate: float, low: float | None, high: float | None, scratch: dict[int, _Point]) -> _Equivalent:
    """What the law says; an end of the interval beyond its reach is open."""
    smallest, largest = min(scratch), max(scratch)
    estimate = max(estimate, float(smallest))
    high = None if high is None or high > REACH * largest else max(high, estimate)
    near = {max(size for size in scratch if size <= estimate)}
    near |= {min((size for size in scratch if size >= estimate), default=largest)}
    if any(scratch[size].unconverged for size in near):
        return _Equivalent("at_most", estimate, None, high)
    return _Equivalent("about", estimate, min(max(low or 0.0, float(smallest)), estimate), high)
