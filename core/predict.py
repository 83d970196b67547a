"""Ask a finished or a published model about pictures, one or a few at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from core import settings
from core.batches import Batcher
from core.catalog import get_model
from core.data import fit_image
from core.models import ImageClassifier, build_classifier, load_classifier
from core.specs import ModelRef


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


def load_predictor(model_id: str) -> Predictor:
    """The predictor of a model id: published weights with their own labels, or what a run made.

    Raises `NotFoundError` for an unknown id and `WeightsError` when its weights are not here.
    """
    card = get_model(model_id)
    if card.source == "run":
        folder = settings.folder("runs") / model_id.partition("/")[2] / "artifacts" / "model"
        model = load_classifier(folder)
    else:
        model = build_classifier(ModelRef(id=model_id), None, seed=0)
    return Predictor(model, card.preprocessing.image_size)
