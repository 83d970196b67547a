"""Answer every text of a table, part by part: what is answered is kept, so that a stopped run goes on from there."""

from __future__ import annotations

import csv
import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.answers import TextAnswer, plain_cell
from core.data.questions import Questions, read_questions
from core.errors import InputError, StoppedError
from core.events import Reporter
from core.predict import Predictor, load_predictor
from core.specs import PredictSpec
from core.store import to_json, write_atomically

# Texts of one part: enough to sort them by length, little enough to show progress and lose little.
PART = 1000
SHOWN = 500


def answer_file(spec: PredictSpec, folder: Path, reporter: Reporter, resume: bool) -> dict[str, Any]:
    """Write `artifacts/answers.csv`: the table with the answer, its probabilities and what answered.

    Returns the summary. Raises `DataError` for a file that cannot be read.
    """
    reporter.phase("data")
    questions = read_questions(Path(spec.file), spec.text_column)
    for problem in questions.problems:
        reporter.log(f"{problem.code} {dict(problem.values)}")
    reporter.phase("model")
    predictor = load_predictor(spec.model)
    if isinstance(predictor, Predictor):
        raise InputError("model.not_for_texts", id=spec.model)
    labels, texts = list(predictor.labels), questions.texts
    parts = folder / "checkpoint"
    parts.mkdir(exist_ok=True)
    seconds = 0.0
    done = 0
    for number, first in enumerate(range(0, len(texts), PART)):
        path = parts / f"{number:06}.json"
        if not (resume and path.is_file()):
            if reporter.should_stop():
                raise StoppedError()
            reporter.phase("answer", done=first, total=len(texts))
            began = time.perf_counter()
            answers = predictor.answer(["" if text is None else str(text) for text in texts[first : first + PART]])
            seconds += time.perf_counter() - began
            done += len(answers)
            write_atomically(path, to_json([_row(answer) for answer in answers]))
        reporter.progress(min(first + PART, len(texts)), len(texts))
    reporter.phase("save")
    counts = _write(questions, parts, labels, folder / "artifacts")
    shutil.rmtree(parts)
    return {
        "rows": len(texts),
        "column": questions.column,
        "answered_by": sorted({name for name in counts["models"] if name}),
        "counts": counts["labels"],
        "seconds": seconds,
        "texts_per_s": done / seconds if seconds else None,
        "problems": [problem.as_dict() for problem in questions.problems],
    }


def _row(answer: TextAnswer) -> list[Any]:
    return [answer.label, answer.probabilities, answer.model]


def _read_parts(parts: Path) -> Iterator[list[Any]]:
    for path in sorted(parts.glob("*.json")):
        yield from json.loads(path.read_text(encoding="utf-8"))


def _write(questions: Questions, parts: Path, labels: list[str], folder: Path) -> dict[str, dict[str, int]]:
    """The table with its answers, and what was counted."""
    folder.mkdir(exist_ok=True)
    header = list(questions.table)
    added = ["answer", "confidence", *(f"p {label}" for label in labels), "answered by"]
    names = [*header, *(_free(name, header) for name in added)]
    by_label: Counter[str] = Counter()
    by_model: Counter[str] = Counter()
    first: list[dict[str, Any]] = []
    unfinished = folder / "answers.csv.tmp"
    # With its mark, as spreadsheets take a csv without one for something else than UTF-8.
    with unfinished.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([plain_cell(name) for name in names])
        columns = [questions.table[name] for name in header]
        for row, (label, probabilities, model) in enumerate(_read_parts(parts)):
            by_label[label] += 1
            by_model[model] += 1
            shares = [probabilities.get(name) for name in labels]
            best = max(probabilities.values(), default=None)
            numbers = ["" if value is None else f"{value:.4f}" for value in (best, *shares)]
            cells = [plain_cell(column[row]) for column in columns]
            writer.writerow([*cells, plain_cell(label), *numbers, model])
            if row < SHOWN:
                text = questions.texts[row]
                shown = "" if text is None else str(text)[:500]
                first.append({"text": shown, "label": label, "confidence": best, "model": model})
    unfinished.replace(folder / "answers.csv")
    write_atomically(folder / "report.json", to_json({"rows": first, "labels": labels}))
    return {"labels": dict(by_label.most_common()), "models": dict(by_model)}


def _free(name: str, taken: list[str]) -> str:
    """A column's name that the table does not have yet."""
    number, free = 2, name
    while free in taken:
        free, number = f"{name} {number}", number + 1
    return free
