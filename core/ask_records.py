"""The records of asking a model beside classes: what a task takes and gives, and an answer with what belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.catalog import ModelCard, Task
from core.errors import Problem

Output = Literal["labels", "text", "spans", "boxes", "masks", "picture"]
# Okabe and Ito's colours for every kind of eyes. They come round again: what is drawn is numbered too.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#6B7280")


def colour_of(number: int) -> str:
    """The colour of the thing or part of a picture with a number, from 1 on."""
    return COLOURS[(number - 1) % len(COLOURS)]


@dataclass(frozen=True)
class InputField:
    """Something a task is asked with. `kind` says what it is; `most` bounds it (characters, MB); examples by language.

    A picture comes as a decoded PIL image, a sound as `core.data.sounds.Sound`, labels as a list of texts.
    """

    name: str
    kind: Literal["text", "long_text", "labels", "picture", "sound"]
    label: str
    most: int = 5000
    least: int = 2  # labels at least
    examples: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Option:
    """A number or switch for those who know: its range and default. A default of True or False makes a switch."""

    name: str
    label: str
    help: str
    default: float | bool
    least: float = 0
    most: float = 1
    step: float = 1


@dataclass(frozen=True)
class Recommended:
    """A model that does a task well for its size. `size_mb` (2**20 bytes) is what fetching it takes, as published."""

    id: str
    languages: tuple[str, ...]
    size_mb: float
    extra: str = ""  # a package it needs beside Graft's own


@dataclass(frozen=True)
class TaskCard:
    """One row of the table. `task` is the name that cards and the hub use; `id` differs where one name is two rows."""

    id: str
    task: Task
    group: Literal["texts", "pictures", "sounds", "making"]
    name: str
    does: str
    inputs: tuple[InputField, ...]
    output: Output
    models: tuple[Recommended, ...]
    options: tuple[Option, ...] = ()
    direction: str = ""  # of a translation: "zh-en"
    extra: str = ""  # a package without which no model of the row answers

    def fits(self, card: ModelCard) -> bool:
        """Whether a model does this task; a translation's direction stands in the model's name."""
        return card.can(self.task) and self.direction in card.id.lower()


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
class AnswerReport:
    """What a model answered, how long it took (all but loading and decoding), and what has to be told with it."""

    task: str
    model: str
    output: Output
    text: str = ""
    labels: tuple[Scored, ...] = ()  # the likeliest first
    spans: tuple[Span, ...] = ()
    boxes: tuple[Box, ...] = ()
    segments: tuple[Segment, ...] = ()  # the largest first
    mask: NDArray[np.uint16] | None = None  # [H, W], of the picture scaled to at most 1024 px; 0: no segment
    picture: Any = None  # a PIL image
    latency_ms: float = 0.0
    notes: tuple[Problem, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values; mask and picture are files of their own, and are left out."""
        lists = {name: [asdict(part) for part in getattr(self, name)] for name in _LISTS[self.output]}
        text = {"text": self.text} if self.output in ("text", "spans") else {}
        kept = {"task": self.task, "model": self.model, "latency_ms": self.latency_ms}
        return {**kept, **text, **lists, "notes": [note.as_dict() for note in self.notes]}


_LISTS: dict[Output, tuple[str, ...]] = {
    "labels": ("labels",), "text": (), "spans": ("spans",), "boxes": ("boxes",), "masks": ("segments",), "picture": (),
}  # fmt: skip
