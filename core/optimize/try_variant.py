"""Ask a variant of an optimization about pictures or texts: its file in its own runtime, read as its bundle reads.

No torch where the file's runtime needs none.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.special import softmax

from core.errors import NotFoundError
from core.measurement.runtimes import open_file
from core.optimize.bundle.write import load_reader
from core.optimize.outside import check_outside
from core.optimize.rows import Conditions, OptimizeReport
from core.predict.answers import TextAnswer
from core.store import open_store

Shares = list[tuple[str, float]]


class Variant:
    """A file ready to answer. Safe to share between threads: one asks at a time."""

    def __init__(self, artifacts: Path, name: str, file: str, format: str, conditions: Conditions) -> None:
        self.name, self.labels = name, list(conditions["labels"])
        path, device = artifacts / file, conditions.get("device", "cpu")
        self._session = open_file(str(path), format, threads=conditions["threads"], device=device)
        self._read = load_reader(artifacts / "variants" / self.name)
        self._lock = threading.Lock()

    def predict(self, images: Sequence[Image.Image]) -> list[Shares]:
        """For each picture all labels with their probabilities, the likeliest first."""
        return self._shares(list(images))

    def answer(self, texts: Sequence[str]) -> list[TextAnswer]:
        """A class for each text."""
        return [TextAnswer(shares[0][0], dict(shares), self.name) for shares in self._shares(list(texts))]

    def _shares(self, given: list[Any]) -> list[Shares]:
        if not given:
            return []
        with self._lock:
            logits = self._session.run(self._read(given))
        probabilities = softmax(logits.astype(np.float64), axis=1)
        return [[(self.labels[c], float(row[c])) for c in np.argsort(-row, kind="stable")] for row in probabilities]


def load_variant(run_id: str, name: str) -> Variant:
    """A variant that a run offers.

    Raises `NotFoundError` when there is none of this name, `GraftError` when an imported one may not be opened.
    """
    run = open_store().get_run(run_id)
    artifacts = run.folder / "artifacts"
    report = OptimizeReport.from_dict(json.loads((artifacts / "report.json").read_text(encoding="utf-8")))
    row = report.row(name)
    if row is None or not row.offered or row.file is None or row.format is None:
        known = ", ".join(one.name for one in report.variants if one.offered)
        raise NotFoundError("optimize.no_variant", name=name, known=known or "–")
    check_outside(run, row)
    return Variant(artifacts, row.name, row.file, row.format, report.conditions)
