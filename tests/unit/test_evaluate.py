"""Measures against values computed by hand, by formula, and by scikit-learn and scipy."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn.metrics import confusion_matrix, f1_score, log_loss, precision_recall_fscore_support

from core.evaluate import calibration_error, compare_paired, report_classification, wilson, write_predictions

LABELS = ["a", "b", "c"]


def _one_hot(predicted: list[int], confidence: float = 0.8, num_classes: int = 3) -> np.ndarray:
    rest = (1 - confidence) / (num_classes - 1)
    out = np.full((len(predicted), num_classes), rest)
    out[np.arange(len(predicted)), predicted] = confidence
    return out


@pytest.mark.parametrize(("right", "n"), [(0, 10), (10, 10), (7, 10), (850, 1000), (1, 1)])
def test_wilson_is_the_published_formula(right: int, n: int) -> None:
    z, p = 1.959963984540054, right / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert wilson(right, n) == pytest.approx((max(0, centre - half), min(1, centre + half)), abs=1e-9)


def test_wilson_of_a_perfect_score_is_not_certain() -> None:
    low, high = wilson(10, 10)
    assert low == pytest.approx(0.7225, abs=1e-4)
    assert high == pytest.approx(1.0)


def test_calibration_error_is_the_mean_gap_of_the_bins() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    correct = np.array([True, True, True, False, True, False])
    # In ten bins: four at 0.95 with 0.75 right, two at 0.55 with 0.5 right.
    wanted = 4 / 6 * abs(0.95 - 0.75) + 2 / 6 * abs(0.55 - 0.5)
    assert calibration_error(confidence, correct, bins=10) == pytest.approx(wanted)


def test_calibration_error_counts_full_confidence_in_the_last_bin() -> None:
    assert calibration_error(np.ones(4), np.array([True] * 4)) == 0.0
    assert calibration_error(np.ones(4), np.array([False] * 4)) == 1.0


def test_report_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 200)
    probabilities = rng.dirichlet([1, 1, 1], 200)
    predicted = probabilities.argmax(1)
    report = report_classification(targets, probabilities, LABELS)
    assert report["n"] == 200
    assert report["accuracy"] == pytest.approx((predicted == targets).mean())
    assert report["interval"] == pytest.approx(wilson(int((predicted == targets).sum()), 200))
    assert report["macro_f1"] == pytest.approx(f1_score(targets, predicted, average="macro"))
    assert report["loss"] == pytest.approx(log_loss(targets, probabilities))
    assert report["confusion"] == confusion_matrix(targets, predicted).tolist()
    wanted = precision_recall_fscore_support(targets, predicted)
    for name, values in zip(("precision", "recall", "f1", "n"), wanted, strict=True):
        assert [row[name] for row in report["per_class"]] == pytest.approx(list(values))


def test_report_counts_by_hand() -> None:
    targets = np.array([0, 0, 0, 1, 1, 2])
    report = report_classification(targets, _one_hot([0, 0, 1, 1, 0, 2]), LABELS)
    assert report["confusion"] == [[2, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert report["accuracy"] == pytest.approx(4 / 6)
    assert [row["recall"] for row in report["per_class"]] == pytest.approx([2 / 3, 1 / 2, 1])
    assert [row["precision"] for row in report["per_class"]] == pytest.approx([2 / 3, 1 / 2, 1])
    assert report["loss"] == pytest.approx(-(4 * math.log(0.8) + 2 * math.log(0.1)) / 6)


def test_report_leaves_out_a_class_without_test_rows() -> None:
    report = report_classification(np.array([0, 0, 1]), _one_hot([0, 2, 1]), LABELS)
    absent = report["per_class"][2]
    assert (absent["n"], absent["recall"], absent["f1"], absent["precision"]) == (0, None, None, 0.0)
    assert report["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)


def test_report_says_no_precision_for_a_class_that_was_never_predicted() -> None:
    report = report_classification(np.array([0, 1, 2]), _one_hot([0, 0, 0]), LABELS)
    assert report["per_class"][1] == {"label": "b", "precision": None, "recall": 0.0, "f1": 0.0, "n": 1}


def test_loss_stays_finite_when_the_truth_got_no_chance() -> None:
    report = report_classification(np.array([0]), np.array([[0.0, 1.0, 0.0]]), LABELS)
    assert report["loss"] == pytest.approx(-math.log(1e-12))


# -- two models on the same rows --------------------------------------------------------------------------


def _write(path: Path, right: list[bool], rows: list[int] | None = None, target: int = 0) -> Path:
    numbers = np.array(rows if rows is not None else range(len(right)), dtype=np.int64)
    predicted = [target if ok else (target + 1) % 3 for ok in right]
    write_predictions(path, numbers, np.full(len(right), target), _one_hot(predicted))
    return path


def _pair(tmp_path: Path, both: int, only_a: int, only_b: int, none: int) -> dict[str, object]:
    a = [True] * (both + only_a) + [False] * (only_b + none)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * none
    return compare_paired(_write(tmp_path / "a.parquet", a), _write(tmp_path / "b.parquet", b))


def test_predictions_are_kept_for_every_row(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write_predictions(path, np.array([7, 3]), np.array([0, 1]), np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]]))
    table = pd.read_parquet(path)
    assert table[["row", "target", "predicted"]].to_numpy().tolist() == [[7, 0, 0], [3, 1, 2]]
    assert table["confidence"].tolist() == pytest.approx([0.9, 0.5])


@pytest.mark.parametrize(
    ("only_a", "only_b", "better"), [(15, 3, "a"), (3, 15, "b"), (8, 5, None), (5, 0, None), (6, 0, "a")]
)
def test_paired_test_is_the_exact_one_of_mcnemar(only_a: int, only_b: int, better: str | None, tmp_path: Path) -> None:
    found = _pair(tmp_path, 60, only_a, only_b, 10)
    wanted = min(1.0, 2 * binom.cdf(min(only_a, only_b), only_a + only_b, 0.5))
    n = 70 + only_a + only_b
    assert found["p"] == pytest.approx(wanted)
    assert found["better"] == better
    assert found["n"] == n
    assert found["a_accuracy"] == pytest.approx((60 + only_a) / n)
    assert found["b_accuracy"] == pytest.approx((60 + only_b) / n)
    assert found["difference"] == pytest.approx((only_a - only_b) / n)


def test_interval_of_a_difference_adds_half_a_row_to_each_cell(tmp_path: Path) -> None:
    found = _pair(tmp_path, 60, 15, 3, 22)
    n, b, c = 102, 15.5, 3.5  # 100 rows and four halves
    difference = (b - c) / n
    spread = 1.959963984540054 * math.sqrt((b + c) - (b - c) ** 2 / n) / n
    assert found["interval"] == pytest.approx([difference - spread, difference + spread])


def test_paired_test_shows_nothing_when_both_are_right_on_the_same_rows(tmp_path: Path) -> None:
    found = _pair(tmp_path, 5, 0, 0, 5)
    assert (found["p"], found["better"], found["difference"]) == (1.0, None, 0.0)
    low, high = found["interval"]  # type: ignore[misc]
    assert low < 0 < high


def test_pair_is_joined_by_row_whatever_the_order(tmp_path: Path) -> None:
    a = _write(tmp_path / "a.parquet", [True, False, True], rows=[1, 2, 3])
    b = _write(tmp_path / "b.parquet", [False, True], rows=[2, 1])
    found = compare_paired(a, b)
    assert (found["n"], found["difference"]) == (2, 0.0)


def test_pair_is_refused_when_no_row_is_shared_or_targets_differ(tmp_path: Path) -> None:
    a = _write(tmp_path / "a.parquet", [True, True], rows=[1, 2])
    with pytest.raises(ValueError, match="same rows"):
        compare_paired(a, _write(tmp_path / "b.parquet", [True], rows=[3]))
    with pytest.raises(ValueError, match="same rows"):
        compare_paired(a, _write(tmp_path / "c.parquet", [True, True], rows=[1, 2], target=1))
