"""The fitted head that a training of more than the head begins from, as its rival on the same test rows.

Linear probe, then fine-tune: features that a head was fitted to first are spoiled less (Kumar et al. 2022).
Where the training does not beat the head it began from, the head alone is the better buy, and the run says so.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from core.evaluate import compare_paired, report_classification, write_predictions
from core.files import replacing, to_json, write_atomically
from core.finetune.records import ProbeReport, StartFacts

_FACTS, _ANSWERS = "probe.json", "probe.parquet"


def keep_probe(
    folder: Path, facts: StartFacts, rows: NDArray[np.int64], targets: NDArray[np.int64], shares: NDArray[np.float64]
) -> None:
    """Keep the head's answers for the test rows, shares [N, C], until the training is done; nobody looks before."""
    with replacing(folder / _ANSWERS) as unfinished:
        write_predictions(unfinished, rows, targets, shares)
    scores = report_classification(targets, shares, [str(label) for label in range(shares.shape[1])])
    kept = {**facts, "accuracy": scores["accuracy"], "interval": scores["interval"], "macro_f1": scores["macro_f1"]}
    write_atomically(folder / _FACTS, to_json(kept))


def report_probe(folder: Path) -> ProbeReport | None:
    """Whether the training beats the head it began from; None where it began from none."""
    if not (folder / _FACTS).exists():
        return None
    kept = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    compared = compare_paired(folder / "predictions.parquet", folder / _ANSWERS)
    better = compared["better"]
    found = {
        **kept,
        "difference": compared["difference"],
        "difference_interval": compared["interval"],
        "p": compared["p"],
        "better": None if better is None else "model" if better == "a" else "probe",
    }
    return cast(ProbeReport, found)
