"""What a test says, with its uncertainty: one model's report, and whether one model beats another.

No torch here: everything is computed from targets, predictions and probabilities as numpy arrays. scipy and
pandas are imported where they are used: a run begins a second earlier without them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def wilson(right: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a share (Wilson 1927): honest near 0 and 1 and for few items."""
    from scipy.stats import binomtest

    interval = binomtest(right, n).proportion_ci(confidence_level=level, method="wilson")
    return float(interval.low), float(interval.high)


def calibration_error(confidence: Floats, correct: NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error (Naeini et al. 2015): the mean gap between confidence and accuracy."""
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[index == b].mean() - correct[index == b].mean()) * (index == b).mean()
        for b in range(bins)
        if (index == b).any()
    ]
    return float(sum(gaps))


def report_classification(targets: Ints, probabilities: Floats, labels: list[str]) -> dict[str, Any]:
    """Accuracy with its 95% interval, macro-F1, per class, confusion matrix (rows: truth), calibration.

    targets [N]; probabilities [N, C]. A class without test rows has no recall and is left out of macro-F1.
    """
    num_classes, n = len(labels), len(targets)
    predicted = probabilities.argmax(1)
    confusion = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(confusion, (targets, predicted), 1)
    hits, truths, guesses = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    per_class: list[dict[str, Any]] = []
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


def compare_paired(a: Path, b: Path) -> dict[str, Any]:
    """Whether model a or b is better on the rows both were tested on.

    Exact McNemar test on the rows where only one of them is right (McNemar 1947) and the 95% interval of
    the difference of accuracies a - b for paired shares (Agresti & Min 2005: half a row is added to each of
    the four cells). `better` is "a" or "b" when p < 0.05, else None. Raises ValueError when no row is
    shared or the targets differ: then the two were not tested on the same data.
    """
    import pandas as pd
    from scipy.stats import binomtest, norm

    columns = ["row", "target", "predicted"]
    both = pd.read_parquet(a, columns=columns).merge(pd.read_parquet(b, columns=columns), on="row")
    if both.empty or (both["target_x"] != both["target_y"]).any():
        raise ValueError("not tested on the same rows")
    right_a = (both["predicted_x"] == both["target_x"]).to_numpy()
    right_b = (both["predicted_y"] == both["target_y"]).to_numpy()
    n, only_a, only_b = len(both), int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())
    p = float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    wider = n + 2
    shift = (only_a - only_b) / wider
    spread = np.sqrt((only_a + only_b + 1) / wider - shift**2) / np.sqrt(wider) * norm.ppf(0.975)
    better = ("a" if only_a > only_b else "b") if p < 0.05 else None
    return {
        "n": n,
        "a_accuracy": float(right_a.mean()),
        "b_accuracy": float(right_b.mean()),
        "difference": (only_a - only_b) / n,
        "interval": [float(max(-1.0, shift - spread)), float(min(1.0, shift + spread))],
        "p": p,
        "better": better,
    }
