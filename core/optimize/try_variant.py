"""Ask a variant of an optimization about pictures or texts: its file in its own runtime, read as its bundle reads.

No torch where the file's runtime needs none.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.special import softmax

from core.data import showing
from core.data.text_cleaning import clean_texts
from core.data.token_lengths import split_by_length
from core.measurement.runtimes import InputArrays, open_file
from core.models.card import Preprocessing
from core.optimize.bundle.write import load_reader
from core.optimize.checks import find_offered
from core.optimize.outside import check_outside
from core.optimize.rows import Conditions
from core.predict.answers import TextAnswer

Shares = list[tuple[str, float]]


class Variant:
    """A file ready to answer. Safe to share between threads: one asks at a time."""

    def __init__(self, artifacts: Path, name: str, file: str, format: str, conditions: Conditions) -> None:
        self.name, self.labels = name, list(conditions["labels"])
        path, device = artifacts / file, conditions.get("device", "cpu")
        self._session = open_file(str(path), format, threads=conditions["threads"], device=device)
        folder = artifacts / "variants" / self.name
        self._facts = json.loads((folder / "preprocessing.json").read_text(encoding="utf-8"))
        self._read = load_reader(folder)
        self._lock = threading.Lock()

    @property
    def seen(self) -> Preprocessing:
        """How a picture becomes the square that it is shown."""
        return Preprocessing.model_validate(self._facts)

    def predict(self, images: Sequence[Image.Image]) -> list[Shares]:
        """For each picture all labels with their probabilities, the likeliest first."""
        return self._shares(self._read(list(images))) if images else []

    def answer_seen(self, squares: Sequence[NDArray[np.uint8]], top: int) -> list[Shares]:
        """So many labels of each square [size, size, 3] that `seen` tells of."""
        whole = {**self._facts, "resize_size": self._facts["image_size"]}
        pixels = [showing.read_picture(Image.fromarray(square), whole) for square in squares]
        return self._shares({"pixels": np.stack(pixels)}, top) if squares else []

    def answer(self, texts: Sequence[str]) -> list[TextAnswer]:
        """A class for each text; those of about one length are computed together."""
        cleaned = clean_texts(texts).texts
        answers = [TextAnswer("", reason="predict.nothing_to_read")] * len(cleaned)
        there = np.flatnonzero([bool(text) for text in cleaned])
        if not len(there):
            return answers
        lengths = self._read([cleaned[row] for row in there])["attention_mask"].sum(1)
        for places in split_by_length(lengths):
            rows = there[places].tolist()
            for row, shares in zip(rows, self._shares(self._read([cleaned[row] for row in rows])), strict=True):
                answers[row] = TextAnswer(shares[0][0], dict(shares), self.name)
        return answers

    def _shares(self, inputs: InputArrays, top: int | None = None) -> list[Shares]:
        with self._lock:
            logits = self._session.run(inputs)
        probabilities = softmax(logits.astype(np.float64), axis=1)
        places = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
        best = np.take_along_axis(probabilities, places, 1)
        return [
            [(self.labels[place], share) for place, share in zip(row, shares, strict=True)]
            for row, shares in zip(places.tolist(), best.tolist(), strict=True)
        ]


def load_variant(run_id: str, name: str) -> Variant:
    """A variant that a run offers.

    Raises `NotFoundError` when there is none of this name, `GraftError` when an imported one may not be opened.
    """
    run, report, row = find_offered(run_id, name)
    artifacts = run.folder / "artifacts"
    assert row.file is not None
    assert row.format is not None
    check_outside(run, row)
    return Variant(artifacts, row.name, row.file, row.format, report.conditions)
