"""Measures against values computed by hand, by formula, and by scikit-learn and scipy."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, binomtest, t, ttest_1samp
from sklearn.metrics import confusion_matrix, f1_score, log_loss, precision_recall_fscore_support

from core.evaluate import (
    calibration_error,
    compare_paired,
    crossed_test,
    paired_test,
    report_classification,
    wilson,
    write_predictions,
)

LABELS = ["a", "b", "c"]


def _one_hot(predicted: list[int], confidence: float = 0.8, num_classes: int = 3) -> np.ndarray:
    rest = (1 - confidence) / (num_classes - 1)
    out = np.full((len(predicted), num_classes), rest)
    out[np.arange(len(predicted)), predicted] = confidence
    return out


@pytest.mark.parametrize(("right", "n"), [(0, 10), (10, 10), (7, 10), (850, 1000), (1, 1)])
def test_wilson_is_what_scipy_says(right: int, n: int) -> None:
    wanted = binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right, n) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


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


def test_rows_that_either_model_is_trained_on_are_left_out_of_a_pair(tmp_path: Path) -> None:
    right = np.arange(20) < 15
    leaked_a, leaked_b = np.arange(20) < 8, np.arange(20) >= 18
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path, hits, leaked in zip(paths, [right, np.arange(20) < 2], [leaked_a, leaked_b], strict=True):
        write_predictions(path, np.arange(20), np.zeros(20, dtype=np.int64), np.eye(2)[1 - hits], leaked)
    found = compare_paired(*paths)
    assert found is not None
    assert (found["n"], found["left_out"], found["a_accuracy"], found["b_accuracy"]) == (10, 10, 0.7, 0.0)
    write_predictions(
        paths[1], np.arange(20), np.zeros(20, dtype=np.int64), np.eye(2)[np.zeros(20, dtype=int)], ~leaked_a
    )
    assert compare_paired(*paths) is None


def test_predictions_of_an_older_version_are_compared_whole(tmp_path: Path) -> None:
    a, b = (_write(tmp_path / name, [True, False]) for name in ("a.parquet", "b.parquet"))
    pd.read_parquet(a).drop(columns="leaked").to_parquet(a)
    found = compare_paired(a, b)
    assert (found["n"], found["left_out"]) == (2, 0)


# -- two methods on the same rows, trained several times ---------------------------------------------------

KEYS = {"n", "a_accuracy", "b_accuracy", "difference", "interval", "p", "better"}


def _trained(
    rng: np.random.Generator, seeds: int, n: int = 400, *, by_seed: float = 0.1, taste: float = 0.5, ahead: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """What two methods are right on [S, N]: items are hard for both, each method has its own taste and its luck."""
    hard, liking = rng.normal(0, 1.5, n), rng.normal(0, taste, n) / 2
    a, b = (
        hard + sign * (liking + ahead / 2) + rng.normal(0, by_seed, (seeds, 1)) + rng.normal(0, 0.5, (seeds, n)) > 0
        for sign in (1, -1)
    )
    return a, b


def test_paired_test_is_what_two_files_of_predictions_are_compared_by(tmp_path: Path) -> None:
    a, b = [True] * 75 + [False] * 25, [True] * 60 + [False] * 15 + [True] * 3 + [False] * 22
    files = compare_paired(_write(tmp_path / "a.parquet", a), _write(tmp_path / "b.parquet", b))
    assert {**paired_test(np.array(a), np.array(b)), "left_out": 0} == files
    assert set(files) == {*KEYS, "left_out"}


def test_crossed_test_is_the_analysis_of_seeds_by_items_computed_by_hand() -> None:
    a, b = np.ones((3, 8), dtype=bool), np.zeros((3, 8), dtype=bool)
    a[0, [2, 3]] = a[1, [2, 6]] = a[2, 1] = False
    b[0, [2, 6, 7]] = b[1, [1, 2, 3, 4, 5, 7]] = b[2, 3] = True
    apart = a.astype(float) - b
    s, n = apart.shape
    mean, rows, columns = apart.mean(), apart.mean(1), apart.mean(0)
    ms_seeds = n * ((rows - mean) ** 2).sum() / (s - 1)
    ms_items = s * ((columns - mean) ** 2).sum() / (n - 1)
    ms_error = sum((apart[i, j] - rows[i] - columns[j] + mean) ** 2 for i in range(s) for j in range(n)) / 14
    assert ms_items > ms_error, "else this would not try the sum"

    def reach(level: float) -> float:
        of_seeds, of_items = ms_seeds / (s * n), (ms_items - ms_error) / (s * n)
        return (of_seeds * t.isf(level / 2, s - 1) ** 2 + of_items * t.isf(level / 2, n - 1) ** 2) ** 0.5

    found = crossed_test(a, b)
    assert found["difference"] == pytest.approx(mean)
    assert (found["a_accuracy"], found["b_accuracy"], found["n"]) == (a.mean(), b.mean(), 8)
    spread = reach(0.05)
    assert found["interval"] == pytest.approx([max(-1, mean - spread), min(1, mean + spread)])
    assert reach(found["p"]) == pytest.approx(mean)
    assert set(found) == KEYS


def test_crossed_test_is_a_t_test_over_items_when_seeds_agree() -> None:
    a, b = _trained(np.random.default_rng(0), 1, ahead=0.3)
    found = crossed_test(np.repeat(a, 3, axis=0), np.repeat(b, 3, axis=0))
    wanted = ttest_1samp(a[0].astype(float) - b[0], 0)
    assert found["p"] == pytest.approx(wanted.pvalue)
    assert found["interval"] == pytest.approx(list(wanted.confidence_interval()))


def test_crossed_test_is_a_t_test_over_seeds_when_they_differ_by_far_the_most() -> None:
    a = np.arange(4000)[None] < np.array([[3400], [2600], [3000]])
    b = np.arange(4000)[None] < np.array([[2000], [2400], [2100]])
    rng = np.random.default_rng(0)
    a, b = (np.stack([row[rng.permutation(4000)] for row in rows]) for rows in (a, b))
    found = crossed_test(a, b)
    wanted = ttest_1samp(a.mean(1) - b.mean(1), 0)
    assert found["p"] == pytest.approx(wanted.pvalue, rel=0.05)
    assert found["interval"] == pytest.approx(list(wanted.confidence_interval()), abs=0.02)


def test_more_seeds_are_no_more_items() -> None:
    """Asking the same items again must not make the test surer than asking many items once."""
    a, b = _trained(np.random.default_rng(2), 1, ahead=0.5)
    once = paired_test(a[0], b[0])
    again = crossed_test(np.repeat(a, 10, axis=0), np.repeat(b, 10, axis=0))
    assert again["p"] == pytest.approx(once["p"], rel=0.5)
    pooled = paired_test(np.tile(a[0], 10), np.tile(b[0], 10))
    assert pooled["p"] < once["p"] / 5


@pytest.mark.parametrize("always", ["same", "a", "b"])
def test_crossed_test_says_what_one_seed_says_when_nothing_varies(always: str) -> None:
    right = np.ones((3, 20), dtype=bool)
    a, b = right & (always != "b"), right & (always != "a")
    found = crossed_test(a, b)
    assert found == paired_test(a[0], b[0])
    assert found["better"] == {"same": None}.get(always, always)
    low, high = found["interval"]
    assert low < high, "nothing is certain after twenty items"


def test_crossed_test_turns_round_with_its_sides() -> None:
    a, b = _trained(np.random.default_rng(1), 3, ahead=1.0)
    one, other = crossed_test(a, b), crossed_test(b, a)
    assert (one["better"], other["better"]) == ("a", "b")
    assert one["p"] == pytest.approx(other["p"])
    assert one["difference"] == pytest.approx(-other["difference"])
    assert one["interval"] == pytest.approx([-value for value in reversed(other["interval"])])


@pytest.mark.parametrize("by_seed", [0.0, 0.1, 0.2])
def test_crossed_test_seldom_sees_what_is_not_there(by_seed: float) -> None:
    """Adding McNemar's counts up over the seeds sees it far too often."""
    rng = np.random.default_rng(7)
    tries = [_trained(rng, 3, by_seed=by_seed) for _ in range(200)]
    crossed = np.mean([crossed_test(a, b)["better"] is not None for a, b in tries])
    pooled = np.mean([paired_test(a.ravel(), b.ravel())["better"] is not None for a, b in tries])
    assert crossed <= 0.05
    assert pooled > crossed
    if by_seed:
        assert pooled > 0.2


def test_two_seeds_borrow_the_chance_of_like_comparisons() -> None:
    rng = np.random.default_rng(5)
    tries = [_trained(rng, 2, by_seed=0.15) for _ in range(200)]
    apart = np.array([a.mean(1) - b.mean(1) for a, b in tries])
    for group in np.split(np.arange(200), 50):  # four sizes of a comparison
        variance = (float(apart[group].var(1, ddof=1).mean()), 4)
        for i in group:
            alone, borrowed = crossed_test(*tries[i]), crossed_test(*tries[i], seed_variance=variance)
            tries[i] = (*tries[i], alone["better"] is not None, borrowed["better"] is not None)
    alone, borrowed = (np.mean([one[which] for one in tries]) for which in (2, 3))
    assert (borrowed <= 0.05, alone <= 0.07) == (True, True), "of 200 tries 5% are 7 to 13"
    narrow = [crossed_test(*one[:2], seed_variance=(0.0, 40))["interval"] for one in tries]
    wide = [crossed_test(*one[:2])["interval"] for one in tries]
    assert np.mean(np.diff(narrow)) < 0.7 * np.mean(np.diff(wide)), "what is borrowed makes it surer"


def test_difference_that_is_there_is_seen() -> None:
    rng = np.random.default_rng(3)
    seen = [crossed_test(*_trained(rng, 3, by_seed=0.05, ahead=0.6))["better"] == "a" for _ in range(50)]
    assert np.mean(seen) > 0.9
