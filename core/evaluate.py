"""What a test says, with its uncertainty: one model's report, and whether one model beats another.

No torch here: everything is computed from targets, predictions and probabilities as numpy arrays. scipy and
pandas are imported where they are used: a run begins a second earlier without them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NotRequired

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class ClassScores(TypedDict):
    """One class of a test; a class without rows or answers has no recall or no precision."""

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    n: int


class ClassificationReport(TypedDict):
    """What a test says of a classifier; `confusion` has the truth in its rows, `interval` is Wilson's at 95%."""

    labels: list[str]
    n: int
    accuracy: float
    interval: list[float]
    macro_f1: float
    loss: float
    ece: float
    confusion: list[list[int]]
    per_class: list[ClassScores]


class Accuracy(TypedDict):
    """The share of test rows that are answered right, with Wilson's interval at 95%."""

    accuracy: float
    interval: list[float]
    n: int


class CleanScores(Accuracy):
    """A test on the rows alone that are not trained on too."""

    macro_f1: NotRequired[float]


class Comparison(TypedDict):
    """Whether one of two models is better on the same rows; `interval` is that of the difference a - b at 95%."""

    n: int
    a_accuracy: float
    b_accuracy: float
    difference: float
    interval: list[float]
    p: float
    better: Literal["a", "b"] | None


class CleanComparison(Comparison):
    """The same on the rows that neither model is trained on."""

    left_out: int


def wilson(right: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a share (Wilson 1927): honest near 0 and 1 and for few items.

    >>> low, high = wilson(10, 10)
    >>> round(low, 4), round(high, 4)
    (0.7225, 1.0)
    """
    from scipy.special import ndtri  # not scipy.stats, whose import takes longer than many a training

    z = float(ndtri((1 + level) / 2))
    centre, half = right + z**2 / 2, z * float(np.sqrt(right * (n - right) / n + z**2 / 4))
    low, high = (centre - half) / (n + z**2), (centre + half) / (n + z**2)
    return (low if right else 0.0), (high if right < n else 1.0)


def share_right(hits: Bools) -> Accuracy | None:
    """The accuracy of rows [N] by whether each is answered right; None of no rows."""
    if not len(hits):
        return None
    right_ones = int(hits.sum())
    return {"accuracy": right_ones / len(hits), "interval": list(wilson(right_ones, len(hits))), "n": len(hits)}


def calibration_error(confidence: Floats, correct: NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error (Naeini et al. 2015): the mean gap between confidence and accuracy.

    >>> gap = calibration_error(np.full(4, 0.9), np.array([True, True, True, False]))
    >>> round(gap, 2)
    0.15
    """
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[index == b].mean() - correct[index == b].mean()) * (index == b).mean()
        for b in range(bins)
        if (index == b).any()
    ]
    return float(sum(gaps))


def report_classification(targets: Ints, probabilities: Floats, labels: list[str]) -> ClassificationReport:
    """Accuracy with its 95% interval, macro-F1, per class, confusion matrix (rows: truth), calibration.

    targets [N]; probabilities [N, C]. A class without test rows has no recall and is left out of macro-F1.
    """
    num_classes, n = len(labels), len(targets)
    predicted = probabilities.argmax(1)
    confusion = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(confusion, (targets, predicted), 1)
    hits, truths, guesses = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    per_class: list[ClassScores] = []
    for c, label in enumerate(labels):
        precision = float(hits[c] / guesses[c]) if guesses[c] else None
        recall = float(hits[c] / truths[c]) if truths[c] else None
        f1 = float(2 * hits[c] / (truths[c] + guesses[c])) if truths[c] else None
        per_class.append({"label": label, "precision": precision, "recall": recall, "f1": f1, "n": int(truths[c])})
    correct = predicted == targets
    f1s = [row["f1"] for row in per_class if row["f1"] is not None]
    loss = -np.log(np.clip(probabilities[np.arange(n), targets], 1e-12, None)).mean()
    return {
        "labels": labels,
        "n": n,
        "accuracy": float(correct.mean()),
        "interval": list(wilson(int(correct.sum()), n)),
        "macro_f1": float(np.mean(f1s)),
        "loss": float(loss),
        "ece": calibration_error(probabilities.max(1), correct),
        "confusion": confusion.tolist(),
        "per_class": per_class,
    }


def clean_scores(targets: Ints, probabilities: Floats, leaked: Bools) -> CleanScores | None:
    """What a test says of the rows that are not `leaked` [N]; None where there are none."""
    if leaked.all():
        return None
    labels = [str(label) for label in range(probabilities.shape[1])]
    found = report_classification(targets[~leaked], probabilities[~leaked], labels)
    return {
        "accuracy": found["accuracy"],
        "interval": found["interval"],
        "n": found["n"],
        "macro_f1": found["macro_f1"],
    }


def write_predictions(
    path: Path, rows: Ints, targets: Ints, probabilities: Floats, leaked: Bools | None = None
) -> None:
    """Keep what was predicted for every test row, so that two models can be compared on the same rows.

    `leaked` tells which of them are trained on too; where nothing is said, none.
    """
    import pandas as pd

    columns = {
        "row": rows,
        "target": targets,
        "predicted": probabilities.argmax(1),
        "confidence": probabilities.max(1).astype(np.float32),
        "leaked": np.zeros(len(rows), dtype=bool) if leaked is None else leaked,
    }
    pd.DataFrame(columns).to_parquet(path, index=False)


def compare_paired(a: Path, b: Path) -> CleanComparison | None:
    """Whether model a or b is better on the rows both were tested on and neither trained on, by `paired_test`.

    None where one of them was trained on every such row. Raises ValueError when no row is shared or the targets
    differ: then the two were not tested on the same data.
    """
    both = _read_predictions(a).merge(_read_predictions(b), on="row")
    if both.empty or (both["target_x"] != both["target_y"]).any():
        raise ValueError("not tested on the same rows")
    rows = len(both)
    both = both[~(both["leaked_x"] | both["leaked_y"])]
    if both.empty:
        return None
    right_a = (both["predicted_x"] == both["target_x"]).to_numpy()
    right_b = (both["predicted_y"] == both["target_y"]).to_numpy()
    return {**paired_test(right_a, right_b), "left_out": rows - len(both)}


def _read_predictions(path: Path) -> pd.DataFrame:
    import pandas as pd

    found = pd.read_parquet(path)
    if "leaked" not in found:  # of an older version
        found["leaked"] = False
    return found[["row", "target", "predicted", "leaked"]]


def paired_test(right_a: Bools, right_b: Bools) -> Comparison:
    """Whether model a or b is better, from which items [N] each is right on.

    Exact McNemar test on the items where only one of them is right (McNemar 1947) and the 95% interval of
    the difference of accuracies a - b for paired shares (Agresti & Min 2005: half an item is added to each of
    the four cells). `better` is "a" or "b" when p < 0.05, else None.

    >>> right_a, right_b = np.ones(20, dtype=bool), np.arange(20) >= 8
    >>> found = paired_test(right_a, right_b)
    >>> found["difference"], round(found["p"], 4), found["better"]
    (0.4, 0.0078, 'a')
    """
    from scipy.special import bdtr, ndtri

    n, only_a, only_b = len(right_a), int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())
    p = min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))
    wider = n + 2
    shift = (only_a - only_b) / wider
    spread = np.sqrt((only_a + only_b + 1) / wider - shift**2) / np.sqrt(wider) * ndtri(0.975)
    return _tested(right_a, right_b, (only_a - only_b) / n, shift, float(spread), p)


def crossed_test(right_a: Bools, right_b: Bools, seed_variance: tuple[float, int] | None = None) -> Comparison:
    """Whether method a or b is better, from several trainings of each: [S, N], seeds by the same test items.

    The items are the same for all seeds, so McNemar's counts may not be added up over them: an item that is
    hard for one method counts once, however often it was asked. The differences a - b are taken apart into
    seeds x items, both random (Cornfield & Tukey 1956): the variance of their mean is (MS_seeds + MS_items -
    MS_error) / (S N). Seeds are few and items many, so each part keeps its own degrees of freedom: the squared 95% half
    width is the sum of both parts, each times its own squared quantile of t (as Graybill & Wang 1980 build theirs),
    and never less than items alone give. `better` is "a" or "b" when p < 0.05, else None.

    A few seeds differ by chance often by nearly nothing. `seed_variance` brings what like comparisons showed (this one
    counted in): the variance of the difference from seed to seed and its degrees of freedom. The larger variance is
    taken.
    """
    apart = right_a.astype(np.float64) - right_b
    seeds, n = apart.shape
    mean, by_seed, by_item = float(apart.mean()), apart.mean(1), apart.mean(0)
    of_seeds, freedom = n * float(by_seed.var(ddof=1)), float(seeds - 1)
    if seed_variance is not None:
        of_seeds, freedom = max(of_seeds, n * seed_variance[0]), max(freedom, float(seed_variance[1]))
    of_items = seeds * float(by_item.var(ddof=1)) if n > 1 else 0.0
    rest = float(((apart - by_seed[:, None] - by_item + mean) ** 2).sum())
    of_error = rest / ((seeds - 1) * (n - 1)) if n > 1 else 0.0
    if max(of_seeds, of_items) < 1e-12:  # every seed says the same of every item: they say what one says
        return paired_test(right_a[0], right_b[0])
    parts = [(of_seeds / (seeds * n), freedom), (max(0.0, of_items - of_error) / (seeds * n), max(1.0, n - 1.0))]
    items = [(of_items / (seeds * n), max(1.0, n - 1.0))]
    p = max(_p_of(mean, parts), _p_of(mean, items))
    return _tested(right_a, right_b, mean, mean, max(_half_width(0.05, parts), _half_width(0.05, items)), p)


_Parts = list[tuple[float, float]]  # variances with their degrees of freedom


def _half_width(level: float, parts: _Parts) -> float:
    """How far from 0 a mean lies with probability `level` at most, whose variance is the sum of these parts."""
    from scipy.special import stdtrit  # the quantile of t

    return float(np.sqrt(sum(variance * stdtrit(freedom, level / 2) ** 2 for variance, freedom in parts)))


def _p_of(mean: float, parts: _Parts) -> float:
    """The level whose half width reaches just to the mean."""
    from scipy.optimize import brentq

    least = -60.0  # logarithm of a p that nobody tells from 0
    if mean == 0:
        return 1.0
    if _half_width(np.exp(least), parts) < abs(mean):
        return float(np.exp(least))
    return float(np.exp(brentq(lambda level: _half_width(np.exp(level), parts) - abs(mean), least, 0.0)))


def holm(p_values: list[float]) -> list[float]:
    """p values corrected for how many were asked (Holm 1979): any below 0.05 is a false one in 5% of cases at most.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = least
    return corrected


def _tested(right_a: Bools, right_b: Bools, difference: float, middle: float, spread: float, p: float) -> Comparison:
    return {
        "n": right_a.shape[-1],
        "a_accuracy": float(right_a.mean()),
        "b_accuracy": float(right_b.mean()),
        "difference": difference,
        "interval": [max(-1.0, middle - spread), min(1.0, middle + spread)],
        "p": p,
        "better": ("a" if difference > 0 else "b") if p < 0.05 else None,
    }


def right(logits: Any, targets: Any) -> Bools:
    """Which rows [N] are answered right, from logits [N, C]."""
    hits: Bools = np.asarray(logits.argmax(1) == targets)
    return hits
