"""What is in a data set, before anything is trained on it: counts, examples, sizes, and everything odd."""

from __future__ import annotations

import base64
import io
import time

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from core.data.checks import check_collection, nothing_to_tell_apart, odd_problems, split_problems, unreadable_problems
from core.data.collection import Collection
from core.data.copies import alike_texts, copy_problems
from core.data.headers import Facts
from core.data.open import open_collection
from core.data.picture import open_image
from core.data.showing import open_header
from core.data.splits import make_split, stratified_order
from core.data.text_collection import texts_of
from core.data.token_lengths import MODEL, SAMPLE, TokenUse, measure_tokens
from core.errors import GraftError, StoppedError
from core.problems import Problem
from core.progress import Reporter
from core.spec import DataRef

Ints = NDArray[np.int64]

PREVIEWS = 24
_PREVIEW_PX = 96
_PREVIEW_PIXELS = 400_000_000  # that are decoded for them together
_PREVIEW_CHARS = 300
_MANY_UNKNOWN = 0.1
# More pictures than this, or more seconds, and the check is a sample: it says so.
_CHECKED_AT_MOST = 20_000
_CHECK_S = 60.0


class DataReport(BaseModel):
    """Everything the Data page shows; plain values only."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    fingerprint: str
    task: str = "image-classification"
    labels: list[str]
    num_images: int
    counts: dict[str, list[int]]  # pictures of each class, by split
    planned: dict[str, int]  # rows a run on everything would train on, validate and test with
    checked: int  # pictures that were opened
    problems: list[Problem]
    sizes: dict[str, list[int]]  # width and height: smallest, median, largest
    modes: dict[str, int]  # of the preview's pictures
    bytes: int
    preview: list[dict[str, str]]  # {"label", "name", "picture": data URI} or {"label", "name", "text"}
    columns: list[str] = Field(default_factory=list)  # of texts: where texts and labels were found
    all_columns: list[str] = Field(default_factory=list)  # of a table: what there is to choose from
    characters: list[int] = Field(default_factory=list)  # of texts: median, 90%, longest
    tokens: TokenUse | None = None  # of texts, by the bundled tokenizer


def describe_data(ref: DataRef, reporter: Reporter) -> DataReport:
    """Read a data set and describe it. Raises `DataError` only where nothing can be shown at all."""
    collection = open_collection(ref)
    if collection.kind == "text":
        return _describe_texts(collection)
    rows = np.concatenate(list(collection.splits.values())) if collection.splits else np.zeros(0, dtype=np.int64)
    order = stratified_order(collection.targets, rows, 0)[:_CHECKED_AT_MOST]
    facts = Facts(collection)
    checked = _look(facts, order, reporter)
    # In their random order: the first files of a folder are often frames of one scene.
    preview, modes, damaged = _preview(collection, facts, checked[facts.is_fine(checked)])
    facts.mark_unreadable(damaged)  # a header may be fine and the body not
    unusable, good = facts.unusable(checked), checked[facts.is_fine(checked)]
    usable = {name: members[~np.isin(members, unusable)] for name, members in collection.splits.items()}
    problems = check_collection(collection, usable)
    problems += unreadable_problems(collection, facts, unusable) + odd_problems(collection, facts, good)
    alike = facts.alike(checked)
    problems += copy_problems(collection, alike, good)
    planned = _plan(collection, alike, problems, unusable)
    return DataReport(
        id=ref.id,
        name=collection.name,
        fingerprint=collection.fingerprint,
        labels=collection.labels,
        num_images=len(rows),
        counts=_counts(collection),
        planned=planned,
        checked=len(checked),
        problems=problems,
        sizes=_sizes(facts, good),
        modes=modes,
        bytes=collection.num_bytes,
        preview=preview,
    )


def _describe_texts(collection: Collection) -> DataReport:
    texts = texts_of(collection)
    rows = np.concatenate(list(collection.splits.values())) if collection.splits else np.zeros(0, dtype=np.int64)
    order = stratified_order(collection.targets, rows, 0)
    problems = check_collection(collection, collection.splits)
    alike = alike_texts(texts)
    problems += copy_problems(collection, alike, rows)
    planned = _plan(collection, alike, problems)
    tokens = measure_tokens([texts[row] for row in order[:SAMPLE]])
    if tokens is not None and tokens.share_unknown > _MANY_UNKNOWN:
        share = f"{tokens.share_unknown:.0%}"
        problems.append(Problem("data.unknown_tokens", "warning", "data", {"model": MODEL, "share": share}))
    lengths = np.array([len(texts[row]) for row in rows] or [0])
    return DataReport(
        id=collection.id,
        name=collection.name,
        fingerprint=collection.fingerprint,
        task="text-classification",
        labels=collection.labels,
        num_images=len(rows),
        counts=_counts(collection),
        planned=planned,
        checked=len(rows),
        problems=problems,
        sizes={},
        modes={},
        bytes=collection.num_bytes,
        preview=[
            {
                "label": collection.labels[collection.targets[row]],
                "name": collection.items.name(int(row)),
                "text": texts[row][:_PREVIEW_CHARS],
            }
            for row in order[:PREVIEWS]
        ],
        columns=list(collection.columns or ()),
        all_columns=list(collection.all_columns),
        characters=[int(value) for value in np.quantile(lengths, [0.5, 0.9, 1.0])],
        tokens=tokens,
    )


def _plan(collection: Collection, alike: Ints, problems: list[Problem], unusable: Ints | None = None) -> dict[str, int]:
    """How many rows a training on everything would learn from, choose by and test on; what is odd is told as well.

    Nothing where something speaks against a training.
    """
    if any(problem.severity == "error" for problem in problems):
        return {}
    split = make_split(
        collection.targets,
        collection.splits,
        train_size=None,
        test_size=None,
        seed=0,
        unusable=unusable,
        alike=alike,
    )
    blocking = nothing_to_tell_apart(collection, split)
    problems += blocking + split_problems(collection, alike, split)
    if blocking:
        return {}
    return {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)}


def _look(facts: Facts, order: Ints, reporter: Reporter) -> Ints:
    """Open pictures in this order until all are seen or time is over; returns those seen."""
    began = time.monotonic()
    for start in range(0, len(order), 1000):
        reporter.progress(start, len(order))
        facts.look(order[start : start + 1000], reporter)
        if reporter.should_stop():
            raise StoppedError()
        if time.monotonic() - began > _CHECK_S:
            return order[: start + 1000]
    return order


def _counts(collection: Collection) -> dict[str, list[int]]:
    """Rows of each class, by split."""
    classes = len(collection.labels)
    return {
        name: np.bincount(collection.targets[rows], minlength=classes).tolist()
        for name, rows in collection.splits.items()
    }


def _sizes(facts: Facts, rows: Ints) -> dict[str, list[int]]:
    if not len(rows):
        return {}
    sizes = facts.sizes(rows)
    return {
        name: [int(np.quantile(column, q, method="nearest")) for q in (0, 0.5, 1)]
        for name, column in (("width", sizes[:, 0]), ("height", sizes[:, 1]))
    }


def _preview(collection: Collection, facts: Facts, rows: Ints) -> tuple[list[dict[str, str]], dict[str, int], Ints]:
    """Thumbnails spread over the classes, the modes seen, and the rows whose body is damaged."""
    shown: dict[int, dict[str, str]] = {}
    modes: dict[str, int] = {}
    damaged: list[int] = []
    chosen = _within_reach(facts, _spread(collection, rows))
    for row, raw in collection.items.read_many(chosen):
        try:
            image = Image.fromarray(raw) if isinstance(raw, np.ndarray) else open_image(raw or b"")
            mode = "RGB" if isinstance(raw, np.ndarray) else open_header(raw or b"").mode
        except (GraftError, OSError):
            damaged.append(row)
            continue
        modes[mode] = modes.get(mode, 0) + 1
        label = collection.labels[int(collection.targets[row])]
        shown[row] = {"label": label, "name": collection.items.name(row), "picture": thumbnail(image)}
    return [shown[row] for row in chosen.tolist() if row in shown], modes, np.array(damaged, dtype=np.int64)


def _within_reach(facts: Facts, rows: Ints) -> Ints:
    """The first of these pictures, as many as are decoded in a few seconds whatever their sizes."""
    pixels = np.cumsum(facts.sizes(rows).prod(axis=1))
    return np.asarray(rows[(pixels <= _PREVIEW_PIXELS) | (np.arange(len(rows)) == 0)])


def _spread(collection: Collection, rows: Ints) -> Ints:
    """Some rows of every class in turn, so that each is seen before any is seen twice."""
    by_class = [rows[collection.targets[rows] == c] for c in range(len(collection.labels))]
    turns = [part[k] for k in range(PREVIEWS) for part in by_class if k < len(part)]
    return np.array(turns[:PREVIEWS], dtype=np.int64)


def thumbnail(image: Image.Image) -> str:
    """A small upright picture as a data URI."""
    if max(image.size) < _PREVIEW_PX // 2:  # tiny pictures keep their squares
        factor = _PREVIEW_PX // max(image.size)
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    image.thumbnail((_PREVIEW_PX, _PREVIEW_PX))
    content = io.BytesIO()
    image.save(content, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(content.getvalue()).decode()
