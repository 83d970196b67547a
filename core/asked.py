"""What the command line's `predict` tells: the answers to some texts or pictures, as plain values and as lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.answers import picture_row
from core.data.pictures import open_image
from core.errors import InputError, Problem
from core.messages import explain
from core.predict import Predictor, load_predictor

_AT_ONCE = 16  # pictures that are held decoded


@dataclass
class Told:
    """One document for `--json`, the same in lines, and the rows of a csv."""

    values: dict[str, Any]
    lines: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)


def ask_texts(model_id: str, texts: Sequence[str], top: int) -> Told:
    """The `top` likeliest classes of each text. Raises as `load_predictor`, and `InputError` for another model."""
    predictor = load_predictor(model_id)
    if isinstance(predictor, Predictor):
        raise InputError("model.not_for_texts", id=model_id)
    told = Told({"model": model_id, "predictions": []})
    for text, found in zip(texts, predictor.answer(texts), strict=True):
        shares = dict(list(found.probabilities.items())[:top])
        reason = {"reason": found.reason, "sentence": explain(Problem(found.reason))} if found.reason else {}
        told.values["predictions"].append(
            {"text": text, "label": found.label, "probabilities": shares, "model": found.model, **reason}
        )
        more = _spell(shares.items()) or reason.get("sentence", "")
        told.lines.append(f"{text}: {found.label} ({more})")
        told.rows.append({"text": text, "label": found.label, "confidence": found.confidence, "model": found.model})
    told.values["latency_ms"] = predictor.latency_ms
    return told


def ask_pictures(model_id: str, paths: Sequence[Path], top: int) -> Told:
    """The `top` likeliest classes of each picture file. Raises as `load_predictor`, and `InputError`, `DataError`."""
    missing = [Problem("data.path_missing", values={"path": str(path)}) for path in paths if not path.is_file()]
    if missing:
        raise InputError(missing)
    predictor = load_predictor(model_id)
    if not isinstance(predictor, Predictor):
        raise InputError("model.not_for_pictures", id=model_id)
    told = Told({"model": model_id, "predictions": []})
    spent_ms = 0.0
    for start in range(0, len(paths), _AT_ONCE):
        part = paths[start : start + _AT_ONCE]
        answers = predictor.answer_seen([predictor.see(open_image(path)) for path in part])
        spent_ms += (predictor.latency_ms or 0.0) * len(part)
        for path, answer in zip(part, answers, strict=True):
            told.values["predictions"].append(
                {"file": str(path), "answers": [{"label": label, "probability": p} for label, p in answer[:top]]}
            )
            told.lines.append(f"{path}: {_spell(answer[:top])}")
            told.rows.append(picture_row(str(path), answer))
    told.values["latency_ms"] = spent_ms / len(paths)
    return told


def _spell(shares: Any) -> str:
    return ", ".join(f"{label} {share:.1%}" for label, share in shares)
