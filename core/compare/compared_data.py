"""The data of a comparison: read once for the largest size, and the same for every training."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from core.compare.records import CellResult
from core.compare.spec import CompareSpec
from core.data.images import ImageData, load_images
from core.data.texts import TextData, load_texts
from core.errors import DataError
from core.models.catalog import get_model
from core.problems import Problem
from core.progress import Reporter


def check_done(done: Iterable[CellResult], data: ImageData | TextData, folder: Path) -> None:
    """Raises `DataError` when trainings that are done, of an older Graft too, saw other data or another test."""
    seen = {(row["data"]["fingerprint"], row["n"]) for row in done}
    if seen - {(data.fingerprint, len(data.test))}:
        raise DataError("run.data_changed", id=data.id, run=folder.name)


def load_compared(spec: CompareSpec, reporter: Reporter, *, as_in_0_1: bool) -> ImageData | TextData:
    """The data, read for the largest size; `as_in_0_1`: as `make_split` takes it.

    Raises `DataError` when a size asks for more than can be trained on.
    """
    card, largest = get_model(spec.model.id), max(spec.sizes)
    data: ImageData | TextData
    if card.is_text:
        data = load_texts(spec.data, train_size=largest, test_size=spec.test_size, seed=spec.seed, as_in_0_1=as_in_0_1)
    else:
        seen = card.vision.at(spec.image_size or card.vision.image_size)
        data = load_images(
            spec.data, seen, train_size=largest, test_size=spec.test_size, seed=spec.seed, reporter=reporter,
            as_in_0_1=as_in_0_1,
        )  # fmt: skip
    there = len(data.train)  # fewer than were asked for when there are no more
    beyond = [size for size in spec.sizes if size > there]
    if beyond:
        sizes = ", ".join(f"{size:,}" for size in beyond)
        raise DataError([Problem("compare.size_too_large", field="sizes", values={"sizes": sizes, "n": there})])
    data.problems = _told_of_all(data)
    return data


def _told_of_all(data: ImageData | TextData) -> list[Problem]:
    """What is odd about the data, with every leak: other sizes and seeds train on other rows."""
    code = "data.text_leak" if isinstance(data, TextData) else "data.leak"
    others = [problem for problem in data.problems if problem.code != code]
    n = int(data.copied.sum())
    leak = Problem(code, "warning", "data", {"n": n, "total": len(data.copied)})
    return [*others, leak] if n else others
