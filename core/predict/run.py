"""Answer every text of a table, or every picture of a folder or zip, part by part.

What is answered is kept, so that a stopped run goes on from there. Torch is loaded when the file was read: pictures are
decoded meanwhile.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, starmap
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from core.errors import DataError, InputError, StoppedError
from core.files import from_sealed_json, replacing, to_json, to_sealed_json, write_atomically
from core.markdown import plain_cell
from core.messages import explain
from core.models.card import Preprocessing
from core.models.catalog import get_model
from core.predict.answer_tables import TOP, picture_row
from core.predict.answers import AnsweredRow, AnswersSummary, Ranking, TextAnswer, not_answered
from core.predict.picture_files import Seen, Squares, open_album
from core.predict.spec import SENTIMENT, PredictSpec
from core.predict.text_files import Questions, read_questions
from core.problems import Problem, told
from core.progress import Reporter

# Texts of one part: enough to sort them by length, little enough to show progress and lose little.
PART = 1000
# Pictures of one part, which are decoded together, and of one call.
PICTURES_PART, PICTURES_AT_ONCE = 64, 16
SHOWN = 500


class TextPart(NamedTuple):
    """A text's answer, as a part keeps it."""

    label: str
    probabilities: dict[str, float]
    model: str
    reason: str = ""


class PicturePart(NamedTuple):
    """A picture's likeliest classes, as a part keeps them; none for what cannot be read."""

    name: str
    answers: Ranking
    odd: Sequence[str] = ()  # codes of what is odd about it


class Sees(Protocol):
    """What answers pictures."""

    @property
    def seen(self) -> Preprocessing:
        """How a picture becomes the square that it is shown."""

    def answer_seen(self, squares: Sequence[NDArray[np.uint8]], top: int) -> list[list[tuple[str, float]]]:
        """For each square so many labels with their probabilities, the likeliest first."""


class Reads(Protocol):
    """What answers texts."""

    labels: list[str]

    def answer(self, texts: Sequence[str]) -> list[TextAnswer]:
        """A class for each text."""


# The file that a person chose instead of the model, opened; it both sees and reads, as its name promises.
OpenVariant = Callable[[], Any]


def answer_file(
    spec: PredictSpec, folder: Path, reporter: Reporter, resume: bool, open_variant: OpenVariant | None = None
) -> AnswersSummary:
    """Write `artifacts/answers.csv`: the table with the answer, its probabilities and what answered.

    For a model that sees pictures: a row for each, with its likeliest classes. Returns the summary. Raises
    `DataError` for a file that cannot be read.
    """
    reporter.phase("data")
    if spec.model != SENTIMENT and not get_model(spec.model).is_text:
        return _answer_album(spec, folder, reporter, resume, open_variant or (lambda: _load_seer(spec.model)))
    return _answer_table(spec, folder, reporter, resume, open_variant or (lambda: _load_reader(spec.model)))


def _answer_table(
    spec: PredictSpec, folder: Path, reporter: Reporter, resume: bool, load: Callable[[], Reads]
) -> AnswersSummary:
    questions = read_questions(Path(spec.file), spec.text_column)
    for problem in questions.problems:
        reporter.log(f"{problem.code} {dict(problem.values)}")
    reporter.phase("model")
    predictor = load()
    labels, texts = list(predictor.labels), questions.texts

    def answer(first: int, stop: int) -> list[TextPart]:
        part = ["" if text is None else str(text) for text in texts[first:stop]]
        return [
            TextPart(answer.label, answer.probabilities, answer.model, answer.reason)
            for answer in predictor.answer(part)
        ]

    parts = folder / "checkpoint"
    rate, seconds = _answer_parts(
        answer, len(texts), PART, parts, reporter, asked=_digest(map(str, texts)), resume=resume
    )
    reporter.phase("save")
    reasons = Counter(part.reason for part in starmap(TextPart, _read_parts(parts)) if part.reason)
    by_label, by_model = _write(questions, parts, labels, folder / "artifacts", with_reasons=bool(reasons))
    shutil.rmtree(parts)
    return {
        "kind": "texts",
        "rows": len(texts),
        "column": questions.column,
        "answered_by": sorted({name for name in by_model if name}),
        "counts": by_label,
        "seconds": seconds,
        "texts_per_s": rate,
        "problems": [problem.as_dict() for problem in [*questions.problems, *not_answered(reasons, len(texts))]],
    }


def _load_reader(model_id: str) -> Reads:
    from core.predict.load import load_predictor
    from core.predict.pictures import Predictor

    predictor = load_predictor(model_id)
    if isinstance(predictor, Predictor):
        raise InputError("model.not_for_texts", id=model_id)
    return predictor


def _answer_parts(
    answer: Callable[[int, int], Sequence[TextPart | PicturePart]],
    total: int,
    size: int,
    parts: Path,
    reporter: Reporter,
    *,
    asked: str,
    resume: bool,
) -> tuple[float | None, float]:
    """Answer part by part, each kept as a file; returns (answers each second, seconds) of what was answered now.

    `asked` tells what is answered from anything else. Raises `DataError` when other parts were answered before.
    """
    parts.mkdir(exist_ok=True)
    kept = parts / "asked"
    if resume and kept.is_file() and kept.read_text(encoding="utf-8") != asked:
        raise DataError("run.file_changed", run=parts.parent.name)
    write_atomically(kept, asked)
    seconds, done = 0.0, 0
    for number, first in enumerate(range(0, total, size)):
        path = parts / f"{number:06}.json"
        if not (resume and _is_kept(path, reporter)):
            if reporter.should_stop():
                raise StoppedError()
            reporter.phase("answer", done=first, total=total)
            began = time.perf_counter()
            answers = answer(first, first + size)
            seconds += time.perf_counter() - began
            done += len(answers)
            write_atomically(path, to_sealed_json({"answers": answers}))
        reporter.progress(min(first + size, total), total)
    return (done / seconds if seconds else None), seconds


def _read_part(path: Path) -> list[Any]:
    """The answers of a part. Raises `ValueError` for one that is damaged."""
    text = path.read_text(encoding="utf-8")
    # Earlier versions kept the answers alone.
    answers = json.loads(text) if text.startswith("[") else from_sealed_json(text)["answers"]
    return cast(list[Any], answers)


def _is_kept(path: Path, reporter: Reporter) -> bool:
    """Whether a part is there as it was written; a damaged one is answered again."""
    try:
        _read_part(path)
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError) as error:
        reporter.log(f"{path.name} is damaged and is answered again: {error}")
        return False
    return True


def _digest(pieces: Iterable[str]) -> str:
    total = hashlib.blake2b(digest_size=12)
    for piece in pieces:
        total.update(piece.encode("utf-8", "surrogatepass") + b"\0")
    return total.hexdigest()


# -- pictures ----------------------------------------------------------------------------------------------


def _answer_album(
    spec: PredictSpec, folder: Path, reporter: Reporter, resume: bool, load: Callable[[], Sees]
) -> AnswersSummary:
    album = open_album(Path(spec.file))
    for problem in album.problems:
        reporter.log(f"{problem.code} {dict(problem.values)}")
    reporter.phase("model")
    parts = folder / "checkpoint"
    with Squares(album, get_model(spec.model).vision) as squares:
        if not resume:
            squares.begin()
        predictor = load()
        squares.be_shown_as(predictor.seen)
        rate, seconds = _answer_parts(
            lambda first, stop: _look(squares.take(first, stop), predictor),
            len(album), PICTURES_PART, parts, reporter, asked=_digest(album.stamps), resume=resume,
        )  # fmt: skip
    reporter.phase("save")
    counts, problems = _write_pictures(parts, folder / "artifacts")
    shutil.rmtree(parts)
    if set(counts) == {""}:
        raise DataError([Problem("predict.none_readable", values={"n": len(album)}), *problems])
    return {
        "kind": "pictures",
        "rows": len(album),
        "answered_by": [spec.variant or spec.model],
        "counts": counts,
        "seconds": seconds,
        "pictures_per_s": rate,
        "problems": [problem.as_dict() for problem in album.problems + problems],
    }


def _load_seer(model_id: str) -> Sees:
    from core.predict.load import load_predictor
    from core.predict.pictures import Predictor

    predictor = load_predictor(model_id)
    if not isinstance(predictor, Predictor):
        raise InputError("model.not_for_pictures", id=model_id)
    predictor.hasten()
    return predictor


def _look(pictures: Sequence[Seen], predictor: Sees) -> list[PicturePart]:
    """The likeliest classes of some pictures; no classes for what cannot be read."""
    squares = [one.square for one in pictures if one.square is not None]
    groups = [squares[start : start + PICTURES_AT_ONCE] for start in range(0, len(squares), PICTURES_AT_ONCE)]
    answers = chain.from_iterable(predictor.answer_seen(group, TOP) for group in groups)
    return [PicturePart(name, [] if square is None else next(answers), odd) for name, square, odd in pictures]


def _write_pictures(parts: Path, folder: Path) -> tuple[dict[str, int], list[Problem]]:
    """The table of pictures with their answers; how often each class was answered, and what has to be told."""
    folder.mkdir(exist_ok=True)
    counts: Counter[str] = Counter()
    odd_names: dict[str, list[str]] = {}  # by the code of what is told of them
    first: list[AnsweredRow] = []
    with (
        replacing(folder / "answers.csv") as unfinished,
        unfinished.open("w", encoding="utf-8-sig", newline="") as file,
    ):
        writer = csv.DictWriter(file, list(picture_row("", [])))
        writer.writeheader()
        for name, answers, odd in starmap(PicturePart, _read_parts(parts)):
            row = picture_row(name, answers)
            writer.writerow({column: plain_cell(value) for column, value in row.items()})
            label, share = answers[0] if answers else ("", None)
            counts[label] += 1
            for code in odd if answers else ["predict.unreadable_pictures"]:
                odd_names.setdefault(code, []).append(name)
            if len(first) < SHOWN:
                first.append({"file": name, "label": label, "confidence": None if share is None else round(share, 4)})
    write_atomically(folder / "report.json", to_json({"rows": first}))
    return dict(counts.most_common()), [one for code, names in odd_names.items() for one in told(code, names)]


# -- texts -------------------------------------------------------------------------------------------------


def _read_parts(parts: Path) -> Iterator[list[Any]]:
    for path in sorted(parts.glob("*.json")):
        yield from _read_part(path)


def _write(
    questions: Questions, parts: Path, labels: list[str], folder: Path, *, with_reasons: bool
) -> tuple[dict[str, int], dict[str, int]]:
    """The table with its answers; how often each label was given, and each model answered."""
    folder.mkdir(exist_ok=True)
    header = list(questions.table)
    added = ["answer", "confidence", *(f"p {label}" for label in labels), "answered by"]
    added += ["not answered because"] * with_reasons
    names = [*header, *(_free(name, header) for name in added)]
    by_label: Counter[str] = Counter()
    by_model: Counter[str] = Counter()
    first: list[AnsweredRow] = []
    # With its mark, as spreadsheets take a csv without one for something else than UTF-8.
    with (
        replacing(folder / "answers.csv") as unfinished,
        unfinished.open("w", encoding="utf-8-sig", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow([plain_cell(name) for name in names])
        columns = [questions.table[name] for name in header]
        for row, (label, probabilities, model, reason) in enumerate(starmap(TextPart, _read_parts(parts))):
            by_label[label] += 1
            by_model[model] += 1
            shares = [probabilities.get(name) for name in labels]
            best = max(probabilities.values(), default=None)
            numbers = ["" if value is None else f"{value:.4f}" for value in (best, *shares)]
            cells = [plain_cell(column[row]) for column in columns]
            why = [explain(Problem(reason)) if reason else ""] * with_reasons
            writer.writerow([*cells, plain_cell(label), *numbers, model, *why])
            if row < SHOWN:
                text = questions.texts[row]
                shown = "" if text is None else str(text)[:500]
                first.append({"text": shown, "label": label, "confidence": best, "model": model})
                if reason:
                    first[-1]["reason"] = reason
    write_atomically(folder / "report.json", to_json({"rows": first, "labels": labels}))
    return dict(by_label.most_common()), dict(by_model)


def _free(name: str, taken: list[str]) -> str:
    """A column's name that the table does not have yet."""
    number, free = 2, name
    while free in taken:
        free, number = f"{name} {number}", number + 1
    return free
