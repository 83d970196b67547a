"""What holds of every interval and every test of two models, whatever was counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evaluate import Comparison, calibration_error, crossed_test, paired_test, report_classification, wilson

COUNTS = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=200).map(np.array)
TRAININGS = st.tuples(st.integers(2, 4), st.integers(2, 40), st.integers(0, 2**32 - 1))


@given(COUNTS)
def test_wilson_holds_the_share_between_nothing_and_all_and_mirrors_it(counted: tuple[int, int]) -> None:
    right, n = counted
    low, high = wilson(right, n)
    assert 0 <= low <= right / n + 1e-12
    assert right / n - 1e-12 <= high <= 1
    assert low < high
    assert (1 - high, 1 - low) == pytest.approx(wilson(n - right, n), abs=1e-9)


@given(COUNTS, st.integers(2, 20))
def test_wilson_is_narrower_for_more_items_and_wider_for_a_higher_level(counted: tuple[int, int], times: int) -> None:
    def width(right: int, n: int, level: float = 0.95) -> float:
        low, high = wilson(right, n, level)
        return high - low

    right, n = counted
    assert width(right * times, n * times) < width(right, n) < width(right, n, 0.99)


def _check(found: Comparison, right_a: np.ndarray, right_b: np.ndarray) -> None:
    low, high = found["interval"]
    assert -1 <= low <= high <= 1
    assert 0 <= found["p"] <= 1 + 1e-12
    assert found["difference"] == pytest.approx(right_a.mean() - right_b.mean(), abs=1e-9)
    assert low - 1e-9 <= found["difference"] <= high + 1e-9
    assert (found["better"] is not None) == (found["p"] < 0.05)
    assert found["better"] in (None, "a" if found["difference"] > 0 else "b")


def _check_mirrored(found: Comparison, other: Comparison) -> None:
    low, high = found["interval"]
    assert other["p"] == pytest.approx(found["p"], abs=1e-9)
    assert other["difference"] == pytest.approx(-found["difference"], abs=1e-9)
    assert other["interval"] == pytest.approx([-high, -low], abs=1e-9)
    assert other["better"] == {"a": "b", "b": "a", None: None}[found["better"]]


@given(PAIRS)
def test_paired_test_holds_its_difference_and_mirrors_it(pairs: np.ndarray) -> None:
    a, b = pairs[:, 0], pairs[:, 1]
    found = paired_test(a, b)
    _check(found, a, b)
    _check_mirrored(found, paired_test(b, a))


@given(PAIRS)
def test_a_model_is_never_better_than_itself(pairs: np.ndarray) -> None:
    found = paired_test(pairs[:, 0], pairs[:, 0])
    assert (found["difference"], found["p"], found["better"]) == (0.0, 1.0, None)


@given(TRAININGS)
def test_crossed_test_holds_its_difference_and_mirrors_it(shape: tuple[int, int, int]) -> None:
    seeds, n, draw = shape
    a, b = np.random.default_rng(draw).random((2, seeds, n)) < np.array([0.8, 0.5])[:, None, None]
    found = crossed_test(a, b)
    _check(found, a, b)
    _check_mirrored(found, crossed_test(b, a))


@given(TRAININGS)
def test_a_report_adds_up_and_holds_its_accuracy(shape: tuple[int, int, int]) -> None:
    classes, n, draw = shape
    random = np.random.default_rng(draw)
    targets, probabilities = random.integers(0, classes, n), random.dirichlet(np.ones(classes), n)
    found = report_classification(targets, probabilities, [str(label) for label in range(classes)])
    low, high = found["interval"]
    assert 0 <= low <= found["accuracy"] <= high <= 1
    assert np.sum(found["confusion"]) == n == sum(row["n"] for row in found["per_class"])
    assert np.trace(found["confusion"]) == round(found["accuracy"] * n)
    assert 0 <= found["macro_f1"] <= 1
    assert 0 <= found["ece"] <= 1
    assert found["loss"] >= 0


@given(PAIRS, st.integers(2, 30))
def test_calibration_error_is_none_for_what_is_sure_and_right(pairs: np.ndarray, bins: int) -> None:
    correct = pairs[:, 0]
    assert calibration_error(correct.astype(np.float64), correct, bins) == 0.0
    assert calibration_error(1.0 - correct, correct, bins) == pytest.approx(1.0)
