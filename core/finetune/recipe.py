"""What a training takes where its spec leaves it open: the learning rate, and how it was filled in before."""

from __future__ import annotations

from core.finetune.spec import FinetuneSpec
from core.models import catalog
from core.registry.methods import METHODS
from core.spec import ModelRef

# What version 0.1 took: a run that it began goes on with that.
_LENGTH_IN_0_1 = 128
_WEIGHT_DECAY_IN_0_1 = 1e-4


def learning_rate(spec: FinetuneSpec) -> float:
    """The learning rate in force. Raises `NotFoundError` where none is given and nobody knows the model."""
    return usual_rate(spec.model, spec.method) if spec.lr is None else spec.lr


def usual_rate(model: ModelRef, method: str) -> float:
    """The rate where none is given: by method, by whether the model reads texts, and by whether it knows anything.

    Not by the batch: what a large one lacks on few examples are steps, and longer ones cannot stand in for them
    (docs/decisions/0009-what-a-test-measures.md).
    """
    is_text = catalog.get_model(model.id).is_text
    return METHODS[method].rates.at(is_text=is_text, is_random=model.weights == "random")


def as_in_0_1(spec: FinetuneSpec) -> FinetuneSpec:
    """The spec with what it leaves open filled in as version 0.1 did: for a run that it began."""
    return spec.model_copy(update={"max_length": spec.max_length or _LENGTH_IN_0_1})


def cell_as_in_0_1(spec: FinetuneSpec) -> FinetuneSpec:
    """The same for a training of a comparison, whose record does not say how strongly weights decay."""
    return as_in_0_1(spec).model_copy(update={"weight_decay": _WEIGHT_DECAY_IN_0_1})
