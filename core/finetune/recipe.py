"""What a training takes where its spec leaves it open: the learning rate."""

from __future__ import annotations

from core.finetune.spec import FinetuneSpec
from core.models import catalog
from core.registry.methods import METHODS
from core.spec import ModelRef


def learning_rate(spec: FinetuneSpec) -> float:
    """The learning rate in force. Raises `NotFoundError` where none is given and nobody knows the model."""
    return usual_rate(spec.model, spec.method) if spec.lr is None else spec.lr


def usual_rate(model: ModelRef, method: str) -> float:
    """The rate where none is given: by method, by whether the model reads texts, and by whether it knows anything."""
    is_text = catalog.get_model(model.id).is_text
    return METHODS[method].rates.at(is_text=is_text, is_random=model.weights == "random")
