"""How the error of a training falls with the number of its examples, as far as the measured sizes show it.

error(n) = a + b * n^(-c): a power law above a floor, which learning curves follow over wide ranges (Hestness et
al. 2017). It answers what was not measured: how many examples an accuracy would take. Where the points do not
support it, there is no law but a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.problems import Problem

Floats = NDArray[np.float64]

SIZES_NEEDED = 4  # three numbers are fitted; a fourth point can contradict them
SLOWEST, FASTEST = 0.05, 2.0
# A law that is half a point off is still a good one: no point counts for more than this error allows.
LEAST_ERROR = 0.005
REFITS = 400


@dataclass(frozen=True)
class SizeLaw:
    """error(n) = a + b * n^(-c). `misfit` is the reduced chi-square: about 1 when only chance is left."""

    a: float
    b: float
    c: float
    misfit: float
    draws: Floats  # [REFITS, 3]: a, b and c of data that chance could as well have shown

    def accuracy(self, n: float) -> tuple[float, float, float]:
        """The accuracy with n examples, and its 95% band (low, high)."""
        a, b, c = self.draws.T
        low, high = np.quantile(1 - a - b * n**-c, [0.025, 0.975])
        return _share(1 - self.a - self.b * n**-self.c), _share(low), _share(high)

    def size_for(self, accuracy: float, error: float = 0.0) -> tuple[float | None, float | None, float | None]:
        """How many examples an accuracy takes, and the 95% interval (low, high); None: no number suffices.

        `error` is the standard error of the accuracy itself.
        """
        wanted = accuracy + error * np.random.default_rng(1).standard_normal(len(self.draws))
        drawn = _sizes(self.draws, wanted)
        # An interval of such numbers may end at infinity: no interpolation.
        low, high = np.quantile(drawn, [0.025, 0.975], method="nearest")
        (estimate,) = _sizes(np.array([[self.a, self.b, self.c]]), np.array([accuracy]))
        return _finite(estimate), _finite(low), _finite(high)


def fit_law(sizes: Sequence[int], accuracies: Sequence[float], errors: Sequence[float]) -> SizeLaw | Problem:
    """The law of these points, or why there is none.

    Weighted least squares with 0 <= a, 0 < b and c between `SLOWEST` and `FASTEST`; `errors` are the standard errors
    of the accuracies. The uncertainty is that of a parametric bootstrap (Efron 1979): the law is fitted again to
    points drawn around it.
    """
    if len(set(sizes)) < SIZES_NEEDED:
        return Problem("compare.law_few_sizes", values={"n": len(set(sizes)), "needed": SIZES_NEEDED})
    order = np.argsort(sizes)
    size, wrong = np.array(sizes, dtype=np.float64)[order], 1 - np.array(accuracies, dtype=np.float64)[order]
    error = np.maximum(np.array(errors, dtype=np.float64)[order], LEAST_ERROR)
    if not _falls(size, wrong, error):
        values = {"first_accuracy": float(1 - wrong[0]), "last_accuracy": float(1 - wrong[-1])}
        values |= {"smallest": int(size[0]), "largest": int(size[-1])}
        return Problem("compare.law_flat", values=values)
    middle = float(np.exp(np.log(size).mean()))  # sizes are counted in it: a and b stay of one magnitude
    (best,) = _fit(size / middle, wrong[None], error)
    fitted = best[0] + best[1] * (size / middle) ** -best[2]
    squares = ((wrong - fitted) / error) ** 2
    p, misfit = _chance(float(squares.sum()), best, len(size))
    if p < 0.01:
        worst = int(squares.argmax())
        missed = float(abs(wrong - fitted)[worst])
        return Problem("compare.law_misses", values={"missed_size": int(size[worst]), "missed": missed, "p": p})
    noise = np.random.default_rng(0).standard_normal((REFITS, len(size)))
    draws = _fit(size / middle, fitted + error * noise, error)
    a, b, c = best
    draws[:, 1] *= middle ** draws[:, 2]
    return SizeLaw(float(a), float(b * middle**c), float(c), misfit, draws)


def _falls(size: Floats, wrong: Floats, error: Floats) -> bool:
    """Whether the error falls with the size beyond noise: the weighted slope over log(size), one-sided at 5%."""
    weight, x = error**-2, np.log(size)
    x = x - (weight * x).sum() / weight.sum()
    slope, spread = (weight * x * wrong).sum() / (weight * x * x).sum(), (weight * x * x).sum() ** -0.5
    return bool(slope < -1.645 * spread)


def _chance(squares: float, law: Floats, num_points: int) -> tuple[float, float]:
    """How likely chance alone misses the points by so much, and the reduced chi-square."""
    from scipy.stats import chi2

    # A number that its bound holds is not fitted to the points.
    free = 1 + int(law[0] > 0) + int(SLOWEST + 1e-6 < law[2] < FASTEST - 1e-6)
    freedom = num_points - free
    return float(chi2.sf(squares, freedom)), squares / freedom


def _fit(size: Floats, wrong: Floats, error: Floats) -> Floats:
    """a, b and c [B, 3] of the best law of each row of wrong [B, K].

    For a given c the best a and b are known at once, so that only c is searched for (variable projection, Golub &
    Pereyra 1973), for all rows together: the whole range first, then closer and closer around the best.
    """
    rows = np.arange(len(wrong))
    tried = np.broadcast_to(np.linspace(SLOWEST, FASTEST, 79), (len(wrong), 79))
    for _ in range(4):
        a, b, squares = _levels(size, wrong, error, tried)
        best = squares.argmin(1)
        laws = np.stack([a[rows, best], b[rows, best], tried[rows, best]], 1)
        step = (tried[:, 1] - tried[:, 0])[:, None]
        around = laws[:, 2:] + step * np.linspace(-1, 1, 21)
        # Kept evenly spaced at the ends of the range: shifted, not cut.
        around += np.maximum(0, SLOWEST - around[:, :1]) + np.minimum(0, FASTEST - around[:, -1:])
        tried = around
    return laws


def _levels(size: Floats, wrong: Floats, error: Floats, c: Floats) -> tuple[Floats, Floats, Floats]:
    """The best a >= 0 and b > 0 [B, G] for every c [B, G], and the weighted squares they leave."""
    weight = error**-2 / (error**-2).sum()
    x = size ** -c[..., None]
    y = np.broadcast_to(wrong[:, None], x.shape)
    mean_x, mean_y = x @ weight, y @ weight
    squares_x, product = (x * x) @ weight, (x * y) @ weight
    b = (product - mean_x * mean_y) / (squares_x - mean_x**2)
    b = np.where(b * mean_x > mean_y, product / squares_x, b)  # a would be negative: it is 0
    b = np.maximum(b, 1e-9)
    a = np.maximum(0, mean_y - b * mean_x)
    squares = ((y - a[..., None] - b[..., None] * x) ** 2) @ weight
    return a, b, squares


def _sizes(laws: Floats, accuracy: Floats) -> Floats:
    """How many examples each accuracy [B] takes by each law [B, 3]; infinite above its ceiling."""
    a, b, c = laws.T
    above = 1 - accuracy - a
    with np.errstate(over="ignore"):
        needed = (b / np.where(above > 0, above, 1)) ** (1 / c)
    return np.where(above > 0, needed, np.inf)


def _share(value: float) -> float:
    return float(min(1.0, max(0.0, value)))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
