"""The records of asking a model beside classes: what it is given, and an answer with what belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from numpy.typing import NDArray

from core.problems import Problem
from core.registry.task_rows import Output

if TYPE_CHECKING:
    from PIL.Image import Image

    from core.data.sound import Sound


# Okabe and Ito's colours for every kind of eyes. They come round again: what is drawn is numbered too.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#6B7280")


def colour_of(number: int) -> str:
    """The colour of the thing or part of a picture with a number, from 1 on."""
    return COLOURS[(number - 1) % len(COLOURS)]


class TaskValues(TypedDict, total=False):
    """What a task is asked with, by the names of its inputs and options in `core.registry.tasks`."""

    text: str
    context: str
    question: str
    labels: Sequence[str]
    picture: Image
    sound: Sound
    several: bool
    sentence: bool
    top: float
    max_new_tokens: float
    temperature: float
    top_p: float
    seed: float
    threshold: float
    steps: float


@dataclass(frozen=True)
class Scored:
    """A label with its score; `cosine` beside it where picture and text were compared."""

    label: str
    score: float
    cosine: float | None = None


@dataclass(frozen=True)
class Span:
    """A passage of the text that was given, by its characters [start, end)."""

    start: int
    end: int
    text: str
    score: float


@dataclass(frozen=True)
class Box:
    """A thing in a picture, in px of that picture: left, top, right, bottom."""

    label: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Segment:
    """A part of a picture: its number in the mask and its share of the area."""

    number: int
    label: str
    share: float
    score: float | None = None


@dataclass(frozen=True)
class Answer:
    """What a model answered, in the parts that its task's kind of answer has."""

    text: str = ""
    labels: tuple[Scored, ...] = ()  # the likeliest first
    spans: tuple[Span, ...] = ()
    boxes: tuple[Box, ...] = ()
    segments: tuple[Segment, ...] = ()  # the largest first
    mask: NDArray[np.uint16] | None = None  # [H, W], of the picture scaled to at most 1024 px; 0: no segment
    picture: Image | None = None


@dataclass(frozen=True, kw_only=True)
class AnswerReport(Answer):
    """An answer with who gave it, how long it took (all but loading and decoding), and what has to be told with it."""

    task: str
    model: str
    output: Output
    latency_ms: float
    notes: tuple[Problem, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Plain values; mask and picture are files of their own, and are left out."""
        lists = {name: [asdict(part) for part in getattr(self, name)] for name in _LISTS[self.output]}
        text = {"text": self.text} if self.output in ("text", "spans") else {}
        kept = {"task": self.task, "model": self.model, "latency_ms": self.latency_ms}
        return {**kept, **text, **lists, "notes": [note.as_dict() for note in self.notes]}


_LISTS: dict[Output, tuple[str, ...]] = {
    "labels": ("labels",), "text": (), "spans": ("spans",), "boxes": ("boxes",), "masks": ("segments",), "picture": (),
}  # fmt: skip
