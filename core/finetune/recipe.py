"""What a training takes where its spec leaves it open: the learning rate, and how it was filled in before."""

from __future__ import annotations

from collections.abc import Iterable

from core.finetune.spec import FinetuneSpec
from core.models import catalog
from core.registry.methods import METHODS
from core.spec import ModelRef

ANY_ROWS = 10_000_000  # so many that the rate depends on them no more
# What version 0.1 took: a run that it began goes on with that.
_LENGTH_IN_0_1 = 128
_WEIGHT_DECAY_IN_0_1 = 1e-4


def learning_rate(spec: FinetuneSpec, rows: int) -> float:
    """The learning rate in force. Raises `NotFoundError` where none is given and nobody knows the model."""
    return usual_rate(spec.model, spec.method, rows) if spec.lr is None else spec.lr


def usual_rate(model: ModelRef, method: str, rows: int) -> float:
    """The rate where none is given: by method, by whether the model reads texts, and by whether it knows anything.

    With few training rows it is smaller for what begins from a fitted head (docs/decisions/0011-fitted-heads.md).
    Not by the batch: what a large one lacks on few examples are steps, and longer ones cannot stand in for them
    (docs/decisions/0009-what-a-test-measures.md).
    """
    is_text = catalog.get_model(model.id).is_text
    return METHODS[method].rates.at(rows, is_text=is_text, is_random=model.weights == "random")


def span_words(rates: Iterable[float]) -> str:
    """One rate, or the least and the largest.

    >>> span_words([0.001, 0.001]), span_words([0.0005, 0.0001, 0.0002])
    ('0.001', '0.0001–0.0005')
    """
    ends = dict.fromkeys(f"{rate:g}" for rate in sorted(rates))
    least, *more = ends
    return f"{least}–{more[-1]}" if more else least


def as_in_0_1(spec: FinetuneSpec) -> FinetuneSpec:
    """The spec with what it leaves open filled in as version 0.1 did: for a run that it began."""
    lr = learning_rate(spec, ANY_ROWS)
    return spec.model_copy(update={"max_length": spec.max_length or _LENGTH_IN_0_1, "lr": lr})


def cell_as_in_0_1(spec: FinetuneSpec) -> FinetuneSpec:
    """The same for a training of a comparison, whose record does not say how strongly weights decay."""
    return as_in_0_1(spec).model_copy(update={"weight_decay": _WEIGHT_DECAY_IN_0_1})
