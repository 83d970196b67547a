"""The command line's `predict`: the answers to some texts or pictures, as plain values and as lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from core.data.picture import open_told
from core.errors import DataError, InputError
from core.messages import explain
from core.paths import check_readable, path_problem
from core.predict.answer_tables import picture_row
from core.predict.answers import Cell
from core.predict.load import load_predictor
from core.predict.pictures import Predictor
from core.problems import Problem, ProblemRow

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
    """One picture's likeliest classes; none for what cannot be read."""

    file: str
    answers: list[ClassShare]


class PredictionsDocument(TypedDict):
    """What `--json` prints."""

    model: str
    predictions: list[TextPrediction] | list[PicturePrediction]
    latency_ms: float | None
    problems: NotRequired[list[ProblemRow]]  # of pictures that cannot be read, or not as they were meant


@dataclass(frozen=True)
class Predictions:
    """One document for `--json`, the same in lines, the rows of a csv, and what has to be told with them."""

    values: PredictionsDocument
    lines: list[str]
    rows: list[dict[str, Cell]]
    problems: list[Problem] = field(default_factory=list)


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
    """The `top` likeliest classes of each picture file; what cannot be read is told in `problems`, by name.

    Raises as `load_predictor`, and `InputError`, also where not one of them can be read.
    """
    against = [_against(path) for path in paths]
    if all(against):
        raise InputError([problem for problems in against for problem in problems])
    predictor = load_predictor(model_id)
    if not isinstance(predictor, Predictor):
        raise InputError("model.not_for_pictures", id=model_id)
    predictions: list[PicturePrediction] = []
    rows: list[dict[str, Cell]] = []
    problems: list[Problem] = []
    spent_ms, answered = 0.0, 0
    for start in range(0, len(paths), _AT_ONCE):
        part = paths[start : start + _AT_ONCE]
        seen = [_see(predictor, path, problems) for path in part]
        squares = [square for square in seen if square is not None]
        answers = iter(predictor.answer_seen(squares) if squares else [])
        spent_ms, answered = spent_ms + (predictor.latency_ms or 0.0) * len(squares), answered + len(squares)
        for path, square in zip(part, seen, strict=True):
            answer = [] if square is None else next(answers)
            shares: list[ClassShare] = [{"label": label, "probability": p} for label, p in answer[:top]]
            predictions.append({"file": str(path), "answers": shares})
            rows.append(picture_row(str(path), answer))
    if not answered:
        raise InputError(problems)
    values: PredictionsDocument = {
        "model": model_id,
        "predictions": predictions,
        "latency_ms": spent_ms / answered,
        "problems": [{**problem.as_dict(), "sentence": explain(problem)} for problem in problems],
    }
    lines = [f"{one['file']}: {_spell(_pairs(one['answers']))}" for one in predictions if one["answers"]]
    return Predictions(values, lines, rows, problems)


def _see(predictor: Predictor, path: Path, problems: list[Problem]) -> NDArray[np.uint8] | None:
    """What the model sees of a file; None for what cannot be read. What is wrong or odd is added to `problems`."""
    against = _against(path)  # first: a pipe would be waited for without end
    if against:
        problems += against
        return None
    try:
        picture, odd = open_told(path, path.name)
    except DataError as error:
        problems += error.problems
        return None
    except OSError as error:
        problems.append(path_problem(error, path))
        return None
    problems += odd
    return predictor.see(picture)


def _against(path: Path) -> list[Problem]:
    """What speaks against a path as a file: nothing there, no rights, a folder, a device."""
    problems = check_readable(path)
    return problems or ([Problem("path.is_folder", values={"path": str(path)})] if path.is_dir() else [])


def _pairs(shares: Sequence[ClassShare]) -> list[tuple[str, float]]:
    return [(one["label"], one["probability"]) for one in shares]


def _spell(shares: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{label} {share:.1%}" for label, share in shares)
