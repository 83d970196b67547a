"""Ask a finished or a published model about pictures or texts."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from core.batches import Batcher
from core.catalog import get_model, model_folder
from core.data import clean_texts, fit_image
from core.encoders import TextClassifier, build_text_classifier, load_text_classifier, probabilities
from core.models import ImageClassifier, build_classifier, load_classifier
from core.specs import ModelRef
from core.tokenized import Tokens

_TEXTS_AT_ONCE = 32


class Predictor:
    """A model ready to answer. Safe to share between threads: one asks at a time."""

    def __init__(self, model: ImageClassifier, image_size: int) -> None:
        self.model = model.eval().to(memory_format=torch.channels_last)
        self.image_size = image_size
        self.labels: list[str] = list(model.labels)
        self.latency_ms: float | None = None
        self._batcher = Batcher(model.preprocessing, image_size, torch.device("cpu"))
        self._lock = threading.Lock()

    def predict(self, images: Sequence[Image.Image]) -> list[list[tuple[str, float]]]:
        """For each picture all labels with their probabilities, the likeliest first.

        `latency_ms` is then the time of this call per picture, decoding left out.
        """
        how = self.model.preprocessing
        resize = round(how.resize_size * self.image_size / how.image_size)
        pixels = np.stack([fit_image(image, self.image_size, resize, how.interpolation) for image in images])
        with self._lock, torch.inference_mode():
            start = time.perf_counter()
            probabilities = self.model(self._batcher(pixels)).softmax(1)
            self.latency_ms = (time.perf_counter() - start) * 1000 / len(images)
        order = probabilities.argsort(1, descending=True)
        return [
            [(self.labels[int(c)], float(row[c])) for c in places]
            for row, places in zip(probabilities, order, strict=True)
        ]


class TextPredictor:
    """A text model ready to answer. Safe to share between threads: one asks at a time."""

    def __init__(self, model: TextClassifier, max_length: int) -> None:
        self.model, self.max_length = model.eval(), max_length
        self.labels: list[str] = list(model.labels)
        self.latency_ms: float | None = None
        self._lock = threading.Lock()

    def predict(self, texts: Sequence[str]) -> list[list[tuple[str, float]]]:
        """For each text all labels with their probabilities, the likeliest first."""
        found = self.probabilities(texts)
        order = np.argsort(-found, 1, kind="stable")
        return [
            [(self.labels[c], float(row[c])) for c in places] for row, places in zip(found, order.tolist(), strict=True)
        ]

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities [N, C]. `latency_ms` is then the time of this call per text, splitting into tokens included."""
        if not texts:
            return np.zeros((0, len(self.labels)))
        with self._lock, torch.inference_mode():
            start = time.perf_counter()
            cleaned = clean_texts(texts).texts
            tokens = Tokens(cleaned, np.arange(len(cleaned)), self.model.tokenizer, self.max_length, None)
            order = np.argsort(tokens.lengths, kind="stable")
            found = np.zeros((len(cleaned), len(self.labels)))
            for first in range(0, len(order), _TEXTS_AT_ONCE):
                rows = order[first : first + _TEXTS_AT_ONCE]
                found[rows] = probabilities(self.model, tokens(rows)).numpy()
            self.latency_ms = (time.perf_counter() - start) * 1000 / len(texts)
        return found


def load_predictor(model_id: str) -> Predictor | TextPredictor:
    """The predictor of a model id: published weights with their own labels, or what a run made.

    Raises `NotFoundError` for an unknown id and `WeightsError` when its weights are not here.
    """
    card = get_model(model_id)
    if card.is_text:
        if card.source == "run":
            facts = json.loads((model_folder(card) / "model.json").read_text(encoding="utf-8"))
            return TextPredictor(load_text_classifier(model_folder(card)), int(facts["max_length"]))
        whole = build_text_classifier(ModelRef(id=model_id), None, seed=0)
        return TextPredictor(whole, min(128, card.reading.max_length))
    if card.source == "run":
        model = load_classifier(model_folder(card))
    else:
        model = build_classifier(ModelRef(id=model_id), None, seed=0)
    return Predictor(model, card.vision.image_size)
