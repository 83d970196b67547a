"""A picture classifier that answers one picture or many."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from core.data.picture import fit_image
from core.models.card import Preprocessing
from core.networks.folding import fold
from core.networks.image import ImageClassifier
from core.networks.transforms import Batcher


class Predictor:
    """A model ready to answer. Safe to share between threads: one asks at a time."""

    def __init__(self, model: ImageClassifier, image_size: int) -> None:
        self.model = model.eval().to(memory_format=torch.channels_last)
        self.image_size = image_size
        self.labels: list[str] = list(model.labels)
        self.latency_ms: float | None = None
        self._batcher = Batcher(model.preprocessing, image_size, torch.device("cpu"))
        self.lock = threading.Lock()  # held while the network computes
        self._features: Callable[[Tensor], Tensor] | None = None

    @property
    def seen(self) -> Preprocessing:
        """How a picture becomes the square that the model is shown."""
        return self.model.preprocessing.at(self.image_size)

    def hasten(self) -> None:
        """Compute from now on with norms and activations within convolutions, where these give the same.

        For many pictures: it takes some 0.2 s, and the memory of a copy.
        """
        self._features = fold(self.model, self.model.num_blocks, "fp32", torch.device("cpu"))

    def see(self, image: Image.Image) -> NDArray[np.uint8]:
        """The square [size, size, 3] of a picture that the model is shown."""
        return fit_image(image, self.seen)

    def prepare(self, squares: Sequence[NDArray[np.uint8]]) -> Tensor:
        """What `see` gave as the network takes it: float [n, 3, size, size], normalised."""
        return self._batcher(np.stack(squares))

    def predict(self, images: Sequence[Image.Image]) -> list[list[tuple[str, float]]]:
        """For each picture all labels with their probabilities, the likeliest first.

        `latency_ms` is then the time of this call per picture, decoding left out.
        """
        return self.answer_seen([self.see(image) for image in images])

    def answer_seen(
        self, squares: Sequence[NDArray[np.uint8]], top: int | None = None
    ) -> list[list[tuple[str, float]]]:
        """The same for pictures as `see` gives them; with `top` so many labels of each."""
        with self.lock, torch.inference_mode():
            start = time.perf_counter()
            x = self.prepare(squares)
            logits = self.model(x) if self._features is None else self.model.head(self._features(x))
            shares, places = logits.softmax(1).sort(1, descending=True)
            self.latency_ms = (time.perf_counter() - start) * 1000 / len(squares)
        return [
            [(self.labels[place], share) for place, share in zip(row[:top], best[:top], strict=True)]
            for row, best in zip(places.tolist(), shares.tolist(), strict=True)
        ]
