"""The fitted head that a training of more than the head begins from, as its rival on the same test rows.

Linear probe, then fine-tune: features that a head was fitted to first are spoiled less (Kumar et al. 2022).
Where the training does not beat the head it began from, the head alone is the better buy, and the run says so.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from core.evaluate import Bools, Floats, Ints, write_predictions
from core.files import replacing, to_json, write_atomically
from core.finetune.records import ProbeReport, StartFacts
from core.finetune.rivals import better_of, lead_over, score_rival

_FACTS, _ANSWERS = "probe.json", "probe.parquet"


def keep_probe(folder: Path, facts: StartFacts, rows: Ints, targets: Ints, shares: Floats, leaked: Bools) -> None:
    """Keep the head's answers for the test rows, shares [N, C], until the training is done; nobody looks before."""
    with replacing(folder / _ANSWERS) as unfinished:
        write_predictions(unfinished, rows, targets, shares, leaked)
    write_atomically(folder / _FACTS, to_json({**facts, **score_rival(targets, shares, leaked)}))


def report_probe(folder: Path) -> ProbeReport | None:
    """Whether the training beats the head it began from; None where it began from none."""
    if not (folder / _FACTS).exists():
        return None
    kept = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    lead = lead_over(folder / "predictions.parquet", folder / _ANSWERS)
    is_better = better_of(lead)
    better = None if is_better is None else "model" if is_better else "probe"
    return cast(ProbeReport, {**kept, **lead, "better": better})
