"""Asks an optimized model: its ONNX file with the preprocessing that lies beside it. No torch."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.answers import TextAnswer
from core.data import clean_texts, fit_image
from core.errors import InputError, NotFoundError
from core.hardware import usable_threads
from core.store import open_store

FILE = "model.onnx"
_MULTIPLE = 8  # texts are padded to it, as in training


class _Variant:
    """An ONNX file ready to answer. Safe to share between threads: one asks at a time."""

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = usable_threads()
        options.log_severity_level = 3
        path = str(folder / FILE)
        self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        inputs = self._session.get_inputs()
        self._inputs = {item.name: np.float16 if "float16" in item.type else None for item in inputs}
        self._lock = threading.Lock()
        self.labels: list[str] = list(facts["labels"])
        self.latency_ms: float | None = None

    def _probabilities(self, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Probabilities [n, C] by the file's logits."""
        given = {name: inputs[name].astype(kind or inputs[name].dtype) for name, kind in self._inputs.items()}
        logits = np.asarray(self._session.run(None, given)[0], dtype=np.float64)
        odds = np.exp(logits - logits.max(1, keepdims=True))
        found: NDArray[np.float64] = odds / odds.sum(1, keepdims=True)
        return found


class PictureVariant(_Variant):
    """Answers pictures as `core.predict.Predictor` does."""

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        super().__init__(folder, facts)
        self._how = facts
        self._mean, self._std = (np.array(facts[name], dtype=np.float32) * 255 for name in ("mean", "std"))

    def predict(self, images: Sequence[Image.Image]) -> list[list[tuple[str, float]]]:
        """For each picture all labels with their probabilities, the likeliest first.

        `latency_ms` is then the time of this call per picture, decoding left out.
        """
        size, resize, how = self._how["image_size"], self._how["resize_size"], self._how["interpolation"]
        pixels = np.stack([fit_image(image, size, resize, how) for image in images])
        with self._lock:
            began = time.perf_counter()
            values = ((pixels.astype(np.float32) - self._mean) / self._std).transpose(0, 3, 1, 2)
            found = self._probabilities({next(iter(self._inputs)): np.ascontiguousarray(values)})
            self.latency_ms = (time.perf_counter() - began) * 1000 / max(1, len(images))
        order = np.argsort(-found, 1, kind="stable")
        return [
            [(self.labels[int(c)], float(row[c])) for c in places] for row, places in zip(found, order, strict=True)
        ]


class TextVariant(_Variant):
    """Answers texts as `core.predict.TextPredictor` does."""

    def __init__(self, folder: Path, facts: dict[str, Any], name: str) -> None:
        from tokenizers import Tokenizer

        super().__init__(folder, facts)
        self._name, self._longest, self._pad = name, int(facts["max_length"]), int(facts.get("pad_id") or 0)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self._longest)

    def answer(self, texts: Sequence[str]) -> list[TextAnswer]:
        """A class for each text. `latency_ms` is then the time of this call per text, all included."""
        if not texts:
            return []
        with self._lock:
            began = time.perf_counter()
            encoded = [one.ids or [self._pad] for one in self._tokenizer.encode_batch(clean_texts(texts).texts)]
            longest = max(map(len, encoded))
            width = max(longest, min(self._longest, -(-longest // _MULTIPLE) * _MULTIPLE))
            ids = np.full((len(encoded), width), self._pad, dtype=np.int64)
            for place, row in enumerate(encoded):
                ids[place, : len(row)] = row
            mask = (np.arange(width) < np.array([len(row) for row in encoded])[:, None]).astype(np.int64)
            found = self._probabilities({"input_ids": ids, "attention_mask": mask})
            self.latency_ms = (time.perf_counter() - began) * 1000 / len(texts)
        answers = []
        for row in found:
            shares = {self.labels[c]: float(row[c]) for c in np.argsort(-row, kind="stable")}
            answers.append(TextAnswer(next(iter(shares)), shares, self._name))
        return answers


def load_variant(run_id: str, name: str) -> PictureVariant | TextVariant:
    """The variant `name` that an optimization made.

    Raises `NotFoundError` when the run has no such variant, and `InputError` when it is no ONNX file.
    """
    made = open_store().get_run(run_id).folder / "artifacts" / "variants"
    known = sorted(path.name for path in made.iterdir() if path.is_dir()) if made.is_dir() else []
    if name not in known:
        raise NotFoundError("optimize.variant_unknown", id=run_id, name=name, known=", ".join(known) or "–")
    folder = made / name
    if not (folder / FILE).is_file():
        formats = sorted({path.suffix.lstrip(".") for path in folder.iterdir() if path.suffix not in ("", ".json")})
        raise InputError("optimize.not_answering", name=name, format=", ".join(formats) or "–")
    facts = json.loads((folder / "preprocessing.json").read_text(encoding="utf-8"))
    if facts["task"] == "text-classification":
        return TextVariant(folder, facts, name)
    return PictureVariant(folder, facts)
