"""What a test says, with its uncertainty: one model's report, and whether one model beats another.

No torch here: everything is computed from targets, predictions and probabilities as numpy arrays. scipy and
pandas are imported where they are used: a run begins a second earlier without them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

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


class Comparison(TypedDict):
    """Whether one of two models is better on the same rows; `interval` is that of the difference a - b at 95%."""

    n: int
    a_accuracy: float
    b_accuracy: float
    difference: float
    interval: list[float]
    p: float
    better: Literal["a", "b"] | None


def wilson(right: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a share (Wilson 1927): honest near 0 and 1 and for few items.

    >>> low, high = wilson(10, 10)
    >>> round(low, 4), round(high, 4)
    (0.7225, 1.0)
    """
    from scipy.stats import binomtest

    interval = binomtest(right, n).proportion_ci(confidence_level=level, method="wilson")
    return float(interval.low), float(interval.high)


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


def write_predictions(path: Path, rows: Ints, targets: Ints, probabilities: Floats) -> None:
    """Keep what was predicted for every test row, so that two models can be compared on the same rows."""
    import pandas as pd

    columns = {
        "row": rows,
        "target": targets,
        "predicted": probabilities.argmax(1),
        "confidence": probabilities.max(1).astype(np.float32),
    }
    pd.DataFrame(columns).to_parquet(path, index=False)


def compare_paired(a: Path, b: Path) -> Comparison:
    """Whether model a or b is better on the rows both were tested on, by `paired_test`.

    Raises ValueError when no row is shared or the targets differ: then the two were not tested on the same data.
    """
    import pandas as pd

    columns = ["row", "target", "predicted"]
    both = pd.read_parquet(a, columns=columns).merge(pd.read_parquet(b, columns=columns), on="row")
    if both.empty or (both["target_x"] != both["target_y"]).any():
        raise ValueError("not tested on the same rows")
    right_a = (both["predicted_x"] == both["target_x"]).to_numpy()
    right_b = (both["predicted_y"] == both["target_y"]).to_numpy()
    return paired_test(right_a, right_b)


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
    from scipy.stats import binomtest, norm

    n, only_a, only_b = len(right_a), int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())
    p = float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    wider = n + 2
    shift = (only_a - only_b) / wider
    spread = np.sqrt((only_a + only_b + 1) / wider - shift**2) / np.sqrt(wider) * norm.ppf(0.975)
    return _tested(right_a, right_b, (only_a - only_b) / n, shift, float(spread), p)


def crossed_test(right_a: Bools, right_b: Bools, seed_variance: tuple[float, int] | None = None) -> Comparison:
    """Whether method a or b is better, from several trainings of each: [S, N], seeds by the same test items.

    The items are the same for all seeds, so McNemar's counts may not be added up over them: an item that is
    hard for one method counts once, however often it was asked. The differences a - b are taken apart into
    seeds x items, both random (Cornfield & Tukey 1956): the variance of their mean is (MS_seeds + MS_items -
    MS_error) / (S N), and never less than seeds or items alone give. The degrees of freedom are Satterthwaite's
    (1946); the 95% interval and p are those of a t distribution. `better` is "a" or "b" when p < 0.05, else None.

    With two seeds a single degree of freedom tells how seeds differ, and by chance that is often nearly nothing.
    `seed_variance` brings what like comparisons showed (this one counted in): the variance of the difference
    from seed to seed and its degrees of freedom. The larger variance is taken.
    """
    from scipy.stats import t

    apart = right_a.astype(np.float64) - right_b
    seeds, n = apart.shape
    mean, by_seed, by_item = float(apart.mean()), apart.mean(1), apart.mean(0)
    of_seeds, freedom = n * float(by_seed.var(ddof=1)), float(seeds - 1)
    if seed_variance is not None:
        of_seeds, freedom = max(of_seeds, n * seed_variance[0]), max(freedom, float(seed_variance[1]))
    of_items = seeds * float(by_item.var(ddof=1)) if n > 1 else 0.0
    rest = float(((apart - by_seed[:, None] - by_item + mean) ** 2).sum())
    of_error = rest / ((seeds - 1) * (n - 1)) if n > 1 else 0.0
    total = of_seeds + of_items - of_error
    if max(of_seeds, of_items) < 1e-12:  # every seed says the same of every item: they say what one says
        return paired_test(right_a[0], right_b[0])
    if total > max(of_seeds, of_items):
        parts = of_seeds**2 / freedom + of_items**2 / (n - 1) + of_error**2 / ((seeds - 1) * (n - 1))
        freedom = max(1.0, total**2 / parts)
    else:
        total = max(of_seeds, of_items)
        freedom = freedom if of_seeds > of_items else n - 1.0
    error = float(np.sqrt(total / (seeds * n)))
    p = float(2 * t.sf(abs(mean) / error, freedom))
    return _tested(right_a, right_b, mean, mean, float(t.ppf(0.975, freedom)) * error, p)


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
