"""The law of error over size: recovered where it holds, refused where the points do not show it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import least_squares

from core.compare.scaling_law import SizeLaw, fit_law
from core.i18n import LANGUAGES, translator
from core.messages import explain_finding
from core.problems import Problem

SIZES = [100, 300, 1000, 3000, 10_000]


def _law(a: float, b: float, c: float, noise: float = 0.0, seed: int = 0, sizes: list[int] = SIZES) -> SizeLaw:
    error = a + b * np.array(sizes, dtype=float) ** -c
    chance = noise * np.random.default_rng(seed).standard_normal(len(sizes))
    law = fit_law(sizes, list(1 - error + chance), [noise] * len(sizes))
    assert isinstance(law, SizeLaw)
    return law


@pytest.mark.parametrize(("a", "b", "c"), [(0.1, 3.0, 0.5), (0.0, 2.0, 0.3), (0.2, 40.0, 1.0), (0.0, 0.9, 0.1)])
def test_law_is_recovered_when_the_points_lie_on_it(a: float, b: float, c: float) -> None:
    law = _law(a, b, c)
    # The last digits of c are those of the search; a and b follow it.
    assert (law.a, law.c) == pytest.approx((a, c), abs=2e-3)
    assert law.b == pytest.approx(b, rel=2e-2)
    assert law.misfit == pytest.approx(0, abs=1e-3)
    for size in SIZES:
        assert law.accuracy(size)[0] == pytest.approx(1 - a - b * size**-c, abs=1e-4)


def test_order_of_the_points_does_not_matter() -> None:
    error = 0.1 + 3 * np.array(SIZES, dtype=float) ** -0.5
    law = fit_law(SIZES[::-1], list(1 - error[::-1]), [0.01] * 5)
    assert isinstance(law, SizeLaw)
    assert law.c == pytest.approx(0.5, abs=2e-3)


@pytest.mark.parametrize("seed", range(4))
def test_fit_leaves_no_more_than_scipy_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes, spread = np.array(SIZES, dtype=float), np.array([0.02, 0.015, 0.01, 0.008, 0.006])
    accuracies = 1 - 0.1 - 3 * sizes**-0.5 + spread * rng.standard_normal(5)
    law = fit_law(SIZES, list(accuracies), list(spread))
    assert isinstance(law, SizeLaw)

    def residuals(numbers: np.ndarray) -> np.ndarray:
        a, log_b, c = numbers
        return (1 - accuracies - a - np.exp(log_b) * (sizes / 1000) ** -c) / spread

    best = min(
        least_squares(residuals, (0.1, np.log(0.1), c), bounds=([0, -20, 0.05], [1, 5, 2])).cost for c in (0.2, 0.5, 1)
    )
    mine = 0.5 * (residuals(np.array([law.a, np.log(law.b) - law.c * np.log(1000), law.c])) ** 2).sum()
    assert mine <= best * 1.001 + 1e-9


def test_bounds_hold_when_the_points_ask_for_more() -> None:
    steep = fit_law([10, 20, 40, 80], [0.1, 0.95, 0.99, 0.99], [0.3] * 4)
    slow = fit_law([10, 20, 40, 80], [0.90, 0.905, 0.91, 0.95], [0.02] * 4)
    for law in (steep, slow):
        assert isinstance(law, SizeLaw)
        assert law.a >= 0
        assert law.b > 0
        assert 0.05 - 1e-9 <= law.c <= 2 + 1e-9


def test_band_holds_the_truth_about_as_often_as_it_says() -> None:
    sizes, rng = np.array(SIZES, dtype=float), np.random.default_rng(0)
    tries = [fit_law(SIZES, list(0.9 - 3 * sizes**-0.5 + 0.01 * rng.standard_normal(5)), [0.01] * 5) for _ in range(60)]
    bands = [law.accuracy(3000)[1:] for law in tries if isinstance(law, SizeLaw)]
    assert len(bands) >= 56, "one in a hundred is refused by chance"
    assert np.mean([low <= 0.9 - 3 * 3000**-0.5 <= high for low, high in bands]) >= 0.85


def test_band_is_wider_beyond_the_points_than_between_them() -> None:
    law = _law(0.1, 3.0, 0.5, noise=0.01)
    widths = [law.accuracy(size)[2] - law.accuracy(size)[1] for size in (1000, 30_000, 1_000_000)]
    assert all(inner < outer for inner, outer in pairwise(widths))


def test_size_for_is_the_law_turned_round() -> None:
    law = _law(0.1, 3.0, 0.5, noise=0.01)
    accuracy, *_ = law.accuracy(2000)
    estimate, low, high = law.size_for(accuracy)
    assert estimate == pytest.approx(2000, rel=1e-6)
    assert low is not None
    assert high is not None
    assert low < 2000 < high
    _, lower, higher = law.size_for(accuracy, error=0.02)
    assert lower is not None
    assert lower < low, "what is uncertain about the accuracy counts too"
    assert higher is None or higher > high


def test_no_number_of_examples_is_told_above_the_ceiling_of_the_law() -> None:
    law = _law(0.3, 3.0, 0.6)
    assert law.size_for(0.75) == (None, None, None)
    uncertain = _law(0.2, 3.0, 0.6, noise=0.01)
    estimate, _, high = uncertain.size_for(1 - uncertain.a - 0.003)
    assert estimate is not None
    assert high is None, "chance could as well have shown a lower ceiling"


def test_nothing_depends_on_chance_when_asked_twice() -> None:
    one, two = (_law(0.1, 3.0, 0.5, noise=0.01) for _ in range(2))
    assert one.accuracy(500) == two.accuracy(500)
    assert one.size_for(0.7, 0.01) == two.size_for(0.7, 0.01)


@pytest.mark.parametrize(
    ("code", "sizes", "accuracies"),
    [
        ("compare.law_few_sizes", [100, 300, 1000], [0.3, 0.5, 0.7]),
        ("compare.law_few_sizes", [100, 300, 1000, 1000], [0.3, 0.5, 0.7, 0.7]),
        ("compare.law_flat", SIZES, [0.5, 0.505, 0.495, 0.5, 0.502]),
        ("compare.law_flat", SIZES, [0.8, 0.7, 0.6, 0.5, 0.4]),
        ("compare.law_misses", SIZES, [0.2, 0.2, 0.2, 0.8, 0.82]),
    ],
)
def test_no_law_is_told_when_the_points_show_none(code: str, sizes: list[int], accuracies: list[float]) -> None:
    refused = fit_law(sizes, accuracies, [0.01] * len(sizes))
    assert isinstance(refused, Problem)
    assert refused.code == code
    for language in LANGUAGES:
        told = explain_finding({"code": code, "values": dict(refused.values)}, translator(language))
        assert "{" not in told
        assert "compare." not in told


def test_half_a_point_off_is_no_contradiction() -> None:
    error = 0.1 + 3 * np.array(SIZES, dtype=float) ** -0.5
    wobble = np.array([1, -1, 1, -1, 1]) * 0.004
    assert isinstance(fit_law(SIZES, list(1 - error + wobble), [1e-6] * 5), SizeLaw)
