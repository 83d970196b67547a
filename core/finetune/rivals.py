"""A simple rival of a training on the same test rows: its scores, and which of the two is better.

Test rows that are trained on too tell which of them remembers more: the numbers without them stand beside, and which
is better is asked on the others alone.
"""

from __future__ import annotations

from pathlib import Path

from core.evaluate import Bools, Floats, Ints, clean_scores, compare_paired, report_classification
from core.finetune.records import Lead, RivalScores


def score_rival(targets: Ints, probabilities: Floats, leaked: Bools) -> RivalScores:
    """What the test says of a rival's answers [N, C]; `leaked` [N] are the rows that are trained on too."""
    found = report_classification(targets, probabilities, [str(label) for label in range(probabilities.shape[1])])
    scores: RivalScores = {
        "accuracy": found["accuracy"],
        "interval": found["interval"],
        "macro_f1": found["macro_f1"],
        "ece": found["ece"],
    }
    if leaked.any():
        scores["without_leaks"] = clean_scores(targets, probabilities, leaked)
    return scores


def lead_over(training: Path, rival: Path) -> Lead:
    """How far a training is ahead of its rival, from the predictions of both; empty where no test row is new."""
    tested = compare_paired(training, rival)
    if tested is None:
        return {}
    return {
        "difference": tested["difference"],
        "difference_interval": tested["interval"],
        "p": tested["p"],
        "tested_on": tested["n"],
    }


def better_of(lead: Lead) -> bool | None:
    """Whether the training is better, or its rival is; None where no difference is shown."""
    return lead["difference"] > 0 if lead and lead["p"] < 0.05 else None
