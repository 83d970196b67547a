"""How a training learns where the user says nothing: the learning rate that suits the method and the network."""

from __future__ import annotations

from core import catalog
from core.registry.methods import METHODS
from core.specs import FinetuneSpec, ModelRef


def learning_rate(spec: FinetuneSpec) -> float:
    """The learning rate in force. Raises `NotFoundError` where none is given and nobody knows the model."""
    return usual_rate(spec.model, spec.method) if spec.lr is None else spec.lr


def usual_rate(model: ModelRef, method: str) -> float:
    """The rate where none is given: by method, by whether the model reads texts, and by whether it knows anything."""
    is_text = catalog.get_model(model.id).is_text
    return METHODS[method].rates.at(is_text=is_text, is_random=model.weights == "random")
