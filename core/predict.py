"""Ask a finished or a published model about pictures or texts."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from core.answers import Piece, TextAnswer, split_pieces
from core.batches import Batcher
from core.catalog import get_model, model_folder
from core.data.pictures import fit_image
from core.data.texts import clean_texts
from core.encoders import TextClassifier, build_text_classifier, load_text_classifier
from core.engine import Engine, autocast, has_fast_bf16
from core.errors import InputError
from core.models import ImageClassifier, build_classifier, load_classifier
from core.sentiment import Sentiment
from core.specs import ModelRef
from core.tokenized import DEFAULT_LENGTH, Tokens

_TEXTS_AT_ONCE = 32


class Predictor:
    """A model ready to answer. Safe to share between threads: one asks at a time."""

    def __init__(self, model: ImageClassifier, image_size: int) -> None:
        self.model = model.eval().to(memory_format=torch.channels_last)
        self.image_size = image_size
        self.labels: list[str] = list(model.labels)
        self.latency_ms: float | None = None
        self._batcher = Batcher(model.preprocessing, image_size, torch.device("cpu"))
        self.lock = threading.Lock()  # held while the network computes

    def see(self, image: Image.Image) -> NDArray[np.uint8]:
        """The square [size, size, 3] of a picture that the model is shown: scaled, and its middle cut out."""
        how = self.model.preprocessing
        resize = round(how.resize_size * self.image_size / how.image_size)
        return fit_image(image, self.image_size, resize, how.interpolation)

    def prepare(self, squares: Sequence[NDArray[np.uint8]]) -> Tensor:
        """What `see` gave as the network takes it: float [n, 3, size, size], normalised."""
        return self._batcher(np.stack(squares))

    def predict(self, images: Sequence[Image.Image]) -> list[list[tuple[str, float]]]:
        """For each picture all labels with their probabilities, the likeliest first.

        `latency_ms` is then the time of this call per picture, decoding left out.
        """
        return self.answer_seen([self.see(image) for image in images])

    def answer_seen(self, squares: Sequence[NDArray[np.uint8]]) -> list[list[tuple[str, float]]]:
        """The same for pictures as `see` gives them."""
        with self.lock, torch.inference_mode():
            start = time.perf_counter()
            probabilities = self.model(self.prepare(squares)).softmax(1)
            self.latency_ms = (time.perf_counter() - start) * 1000 / len(squares)
        order = probabilities.argsort(1, descending=True)
        return [
            [(self.labels[int(c)], float(row[c])) for c in places]
            for row, places in zip(probabilities, order, strict=True)
        ]


class TextPredictor:
    """A text model ready to answer. Safe to share between threads: one asks at a time."""

    def __init__(self, model: TextClassifier, max_length: int, model_id: str) -> None:
        self.model, self.max_length, self.id = model.eval(), max_length, model_id
        self.labels: list[str] = list(model.labels)
        self.latency_ms: float | None = None
        self._cpu = torch.device("cpu")
        self._in_bulk = Engine(precision="bf16" if has_fast_bf16(self._cpu) else "fp32")
        self._lock = threading.Lock()

    def answer(self, texts: Sequence[str]) -> list[TextAnswer]:
        """A class for each text. `latency_ms` is then the time of this call per text, all included."""
        began = time.perf_counter()
        shares = self.probabilities(texts)
        order = np.argsort(-shares, 1, kind="stable")
        answers = []
        for text, row, places in zip(texts, shares, order.tolist(), strict=True):
            ordered = {self.labels[place]: float(row[place]) for place in places}
            answers.append(TextAnswer(self.labels[places[0]], ordered, self.id) if text.strip() else TextAnswer(""))
        self.latency_ms = (time.perf_counter() - began) * 1000 / max(1, len(texts))
        return answers

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities [N, C]."""
        return self._run(texts, lambda logits: logits.softmax(1), len(self.labels))

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The log-odds of the second of two classes [N]."""
        return self._run(texts, lambda logits: logits[:, 1:2] - logits[:, 0:1], 1)[:, 0]

    def _run(self, texts: Sequence[str], read: Callable[[Tensor], Tensor], width: int) -> NDArray[np.float64]:
        """Texts of about one length together, so that little is padded; many texts in bf16 where that is native."""
        values = np.zeros((len(texts), width))
        if not texts:
            return values
        with self._lock, torch.inference_mode():
            cleaned = clean_texts(texts).texts
            tokens = Tokens(cleaned, np.arange(len(cleaned)), self.model.tokenizer, self.max_length, None)
            order = np.argsort(tokens.lengths, kind="stable")
            engine = self._in_bulk if len(texts) > _TEXTS_AT_ONCE else Engine(precision="fp32")
            for first in range(0, len(order), _TEXTS_AT_ONCE):
                rows = order[first : first + _TEXTS_AT_ONCE]
                with autocast(engine, self._cpu):
                    logits = self.model(tokens(rows))
                values[rows] = read(logits.double()).numpy()
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


def load_predictor(model_id: str) -> Predictor | TextPredictor | Sentiment:
    """The predictor of a model id: `sentiment`, published weights with their own labels, or what a run made.

    Raises `NotFoundError` for an unknown id and `WeightsError` when its weights are not here.
    """
    if model_id == Sentiment.id:
        return Sentiment()
    card = get_model(model_id)
    if not card.is_trainable:  # what a pipeline of its own answers
        raise InputError("model.other_task", id=card.name, task=card.task)
    if card.is_text:
        if card.source == "run":
            facts = json.loads((model_folder(card) / "model.json").read_text(encoding="utf-8"))
            return TextPredictor(load_text_classifier(model_folder(card)), int(facts["max_length"]), model_id)
        whole = build_text_classifier(ModelRef(id=model_id), None, seed=0)
        return TextPredictor(whole, min(DEFAULT_LENGTH, card.reading.max_length), model_id)
    if card.source == "run":
        model = load_classifier(model_folder(card))
    else:
        model = build_classifier(ModelRef(id=model_id), None, seed=0)
    return Predictor(model, card.vision.image_size)
