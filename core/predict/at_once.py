"""The command line's `predict`: the answers to some texts or pictures, as plain values and as lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

from core.data.picture import open_image
from core.errors import InputError
from core.messages import explain
from core.predict.answer_tables import picture_row
from core.predict.answers import Cell
from core.predict.load import load_predictor
from core.predict.pictures import Predictor
from core.problems import Problem

_AT_ONCE = 16  # pictures that are held decoded


class TextPrediction(TypedDict):
    """One text's answer; a reason and its sentence where no model could answer."""

    text: str
    label: str
    probabilities: dict[str, float]
    model: str
    reason: NotRequired[str]
    sentence: NotRequired[str]


class ClassShare(TypedDict):
    """A class with its probability."""

    label: str
    probability: float


class PicturePrediction(TypedDict):
    """One picture's likeliest classes."""

    file: str
    answers: list[ClassShare]


class PredictionsDocument(TypedDict):
    """What `--json` prints."""

    model: str
    predictions: list[TextPrediction] | list[PicturePrediction]
    latency_ms: float | None


@dataclass(frozen=True)
class Predictions:
    """One document for `--json`, the same in lines, and the rows of a csv."""

    values: PredictionsDocument
    lines: list[str]
    rows: list[dict[str, Cell]]


def ask_texts(model_id: str, texts: Sequence[str], top: int) -> Predictions:
    """The `top` likeliest classes of each text. Raises as `load_predictor`, and `InputError` for another model."""
    predictor = load_predictor(model_id)
    if isinstance(predictor, Predictor):
        raise InputError("model.not_for_texts", id=model_id)
    predictions: list[TextPrediction] = []
    lines: list[str] = []
    rows: list[dict[str, Cell]] = []
    for text, answer in zip(texts, predictor.answer(texts), strict=True):
        shares = dict(list(answer.probabilities.items())[:top])
        prediction: TextPrediction = {
            "text": text,
            "label": answer.label,
            "probabilities": shares,
            "model": answer.model,
        }
        sentence = explain(Problem(answer.reason)) if answer.reason else ""
        if answer.reason:
            prediction |= {"reason": answer.reason, "sentence": sentence}
        predictions.append(prediction)
        lines.append(f"{text}: {answer.label} ({_spell(shares.items()) or sentence})")
        rows.append({"text": text, "label": answer.label, "confidence": answer.confidence, "model": answer.model})
        if answer.reason:
            rows[-1]["not answered because"] = sentence
    return Predictions({"model": model_id, "predictions": predictions, "latency_ms": predictor.latency_ms}, lines, rows)


def ask_pictures(model_id: str, paths: Sequence[Path], top: int) -> Predictions:
    """The `top` likeliest classes of each picture file. Raises as `load_predictor`, and `InputError`, `DataError`."""
    missing = [Problem("data.path_missing", values={"path": str(path)}) for path in paths if not path.is_file()]
    if missing:
        raise InputError(missing)
    predictor = load_predictor(model_id)
    if not isinstance(predictor, Predictor):
        raise InputError("model.not_for_pictures", id=model_id)
    predictions: list[PicturePrediction] = []
    lines: list[str] = []
    rows: list[dict[str, Cell]] = []
    spent_ms = 0.0
    for start in range(0, len(paths), _AT_ONCE):
        part = paths[start : start + _AT_ONCE]
        answers = predictor.answer_seen([predictor.see(open_image(path)) for path in part])
        spent_ms += (predictor.latency_ms or 0.0) * len(part)
        for path, answer in zip(part, answers, strict=True):
            predictions.append(
                {"file": str(path), "answers": [{"label": label, "probability": p} for label, p in answer[:top]]}
            )
            lines.append(f"{path}: {_spell(answer[:top])}")
            rows.append(picture_row(str(path), answer))
    return Predictions(
        {"model": model_id, "predictions": predictions, "latency_ms": spent_ms / len(paths)}, lines, rows
    )


def _spell(shares: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{label} {share:.1%}" for label, share in shares)
