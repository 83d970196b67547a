"""The layers of a network whose weights are pruned or quantized: convolutions and linear layers below the head.

The head stays out: its weights are smaller than the rest's, so that a threshold for all would take it out first. So
do norms, biases and embeddings, which are few or looked up.
"""

from __future__ import annotations

from torch import nn
from transformers.pytorch_utils import Conv1D

from core.networks.exportable import Network
from core.networks.text import TextClassifier

# GPT-2's own linear layer keeps its weight as [in, out]; torch's attention keeps three in one tensor.
_WEIGHTS: tuple[tuple[type[nn.Module], str], ...] = (
    (nn.modules.conv._ConvNd, "weight"),
    (nn.Linear, "weight"),
    (Conv1D, "weight"),
    (nn.MultiheadAttention, "in_proj_weight"),
)


def list_layers(network: Network) -> dict[str, nn.Module]:
    """Convolutions and linear layers below the head, by their names in the network, in its order."""
    root: nn.Module
    if isinstance(network, TextClassifier):
        # A published classifier holds its head inside: what lies in the layers is surely none of it.
        start, root = f"net.{network.layers_name}.", network.layers
    else:
        start, root = "net.", network.net
    kinds = tuple(kind for kind, _ in _WEIGHTS)
    return {f"{start}{name}": module for name, module in root.named_modules() if isinstance(module, kinds)}


def list_weights(network: Network) -> dict[str, nn.Parameter]:
    """The weight of each of these layers, by the layer's name."""
    weights = {}
    for name, module in list_layers(network).items():
        attribute = next(attribute for kind, attribute in _WEIGHTS if isinstance(module, kind))
        weight = getattr(module, attribute)
        if isinstance(weight, nn.Parameter):
            weights[name] = weight
    return weights
