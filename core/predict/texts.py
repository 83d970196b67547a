"""Ask a finished or a published model about pictures or texts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.data.text_cleaning import clean_texts
from core.data.token_lengths import split_by_length
from core.networks.text import TextClassifier
from core.networks.tokens import Tokens
from core.predict.answers import Piece, TextAnswer, split_pieces


class TextPredictor:
    """A text model ready to answer. Safe to share between threads: one asks at a time."""

    def __init__(self, model: TextClassifier, max_length: int, model_id: str) -> None:
        self.model, self.max_length, self.id = model.eval(), max_length, model_id
        self.labels: list[str] = list(model.labels)
        self.latency_ms: float | None = None
        self._lock = threading.Lock()

    def answer(self, texts: Sequence[str]) -> list[TextAnswer]:
        """A class for each text. `latency_ms` is then the time of this call per text, all included."""
        began = time.perf_counter()
        cleaned = clean_texts(texts).texts
        shares = self.probabilities(cleaned)
        order = np.argsort(-shares, 1, kind="stable")
        answers = []
        for text, row, places in zip(cleaned, shares, order.tolist(), strict=True):
            if not text:
                answers.append(TextAnswer("", reason="predict.nothing_to_read"))
                continue
            ordered = {self.labels[place]: float(row[place]) for place in places}
            answers.append(TextAnswer(self.labels[places[0]], ordered, self.id))
        self.latency_ms = (time.perf_counter() - began) * 1000 / max(1, len(texts))
        return answers

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities [N, C]."""
        return self._run(texts, lambda logits: logits.softmax(1), len(self.labels))

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The log-odds of the second of two classes [N]."""
        return self._run(texts, lambda logits: logits[:, 1:2] - logits[:, 0:1], 1)[:, 0]

    def _run(self, texts: Sequence[str], read: Callable[[Tensor], Tensor], width: int) -> NDArray[np.float64]:
        """Texts of about one length together, so that little is padded.

        In fp32 however many they are: a table's answers are those that were tested, and those of each text alone.
        """
        values = np.zeros((len(texts), width))
        if not texts:
            return values
        with self._lock, torch.inference_mode():
            cleaned = clean_texts(texts).texts
            tokens = Tokens(cleaned, np.arange(len(cleaned)), self.model.tokenizer, self.max_length, None)
            for rows in split_by_length(tokens.lengths):
                values[rows] = read(self.model(tokens(rows)).double()).numpy()
        return values

    def explain(self, text: str, label: str | None = None) -> tuple[str, list[Piece]]:
        """(class, how much each part of the text spoke for it): what its log-odds lose when the part is left out.

        Occlusion (Zeiler & Fergus 2014; Li et al. 2016). Without `label`: for the class it answers.
        """
        parts = split_pieces(text)
        words = [place for place, (_, is_word) in enumerate(parts) if is_word]
        without = ["".join(part for place, (part, _) in enumerate(parts) if place != word) for word in words]
        shares = np.clip(self.probabilities([text, *without]), 1e-9, 1 - 1e-9)
        column = int(shares[0].argmax()) if label is None else self.labels.index(label)
        odds = np.log(shares[:, column] / (1 - shares[:, column]))
        weights = dict(zip(words, (odds[0] - odds[1:]).tolist(), strict=True))
        pieces = [Piece(part, weights.get(place, 0.0)) for place, (part, _) in enumerate(parts)]
        return self.labels[column], pieces
