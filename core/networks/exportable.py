"""A trained network in the form that exporters take: pixels or tokens in, logits out."""

from __future__ import annotations

from torch import Tensor, nn

from core.errors import InputError
from core.models.catalog import get_model
from core.networks.image import ImageClassifier, build_classifier
from core.networks.text import TextClassifier, TokenBatch, build_text_classifier
from core.spec import ModelRef

Network = ImageClassifier | TextClassifier


class _FromPixels(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.network(pixels)
        return logits


class _FromTokens(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits: Tensor = self.network(TokenBatch(input_ids, attention_mask))
        return logits


def build_network(model_id: str) -> Network:
    """The network of a model id with its own classes, fp32, on the CPU. Raises `InputError` where it has none."""
    card = get_model(model_id)
    if not card.num_classes:
        raise InputError("model.no_classifier", id=card.id)
    if card.is_text:
        return build_text_classifier(ModelRef(id=model_id), None, seed=0).eval()
    return build_classifier(ModelRef(id=model_id), None, seed=0).eval()


def exportable(network: nn.Module) -> nn.Module:
    """The network as a module from the tensors of an exported file's inputs, in order, to logits [n, C]."""
    is_text = isinstance(network, TextClassifier)
    return _FromTokens(network) if is_text else _FromPixels(network)
