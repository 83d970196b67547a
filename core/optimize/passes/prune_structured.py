"""Structured pruning: whole channels are taken out, so that the network is smaller and faster everywhere.

In convolutional networks torch-pruning finds which layers hang together (Fang et al. 2023); in transformers the
hidden values of the feed-forward layers are taken out, as what lies between the layers has to keep its width.
"""

from __future__ import annotations

import torch
from torch import nn

from core.errors import GraftError, InputError, first_line
from core.networks.exportable import Network, exportable
from core.networks.heads import count_parameters
from core.networks.image import ImageClassifier
from core.networks.text import TextClassifier
from core.optimize.passes.base import NetworkResult, PassContext
from core.optimize.retrain import check_labels, copy_of, retrain
from core.optimize.rows import PassFacts
from core.optimize.teacher import ask_teacher
from core.problems import Problem

LR, TEXT_LR = 1e-3, 1e-4
TEACHER_WEIGHT, HEAT = 0.7, 2.0
# Widths stay a multiple of this: vector units compute so many values at once.
ROUND_TO = 8


def run(context: PassContext) -> NetworkResult:
    """The network without the share `channel_ratio` of its channels.

    Raises `InputError` for other labels and for networks whose channels cannot be told apart.
    """
    check_labels(context)
    network = copy_of(context.network)
    parameters_before, gmacs_before = _measure(context, network)
    ratio, card = context.spec.channel_ratio, context.trained.card
    try:
        if isinstance(network, TextClassifier) or card.has_attention:
            _thin_feed_forwards(network, ratio)
        else:
            _thin_convolutions(context, network, ratio)
        parameters, gmacs = _measure(context, network)
        if parameters >= parameters_before:
            raise ValueError("no channels that could be taken out were found")
    except (GraftError, MemoryError):
        raise
    except Exception as error:  # tracing a network fails in as many ways as there are networks
        detail = first_line(f"{type(error).__name__}: {error}")
        values = {"model": card.name, "detail": detail}
        raise InputError([Problem("optimize.cannot_prune_channels", field="passes", values=values)]) from error
    if isinstance(network, ImageClassifier):
        # Statistics of channels whose inputs have changed are wrong: they are learned anew.
        network.freeze_batchnorm = False
    # What is left learns back sooner from the whole network than from labels alone.
    teacher = ask_teacher(context, None)
    lr = TEXT_LR if card.is_text else LR
    learned = retrain(context, network, lr=lr, teacher=teacher, weight=TEACHER_WEIGHT, heat=HEAT)
    facts: PassFacts = {
        "parameters_before": parameters_before,
        "parameters": parameters,
        "gmacs_before": gmacs_before,
        "gmacs": gmacs,
        "channel_ratio": ratio,
        "teacher": context.trained.card.id,
    }
    return NetworkResult(network=network, facts={**facts, **learned})


def _measure(context: PassContext, network: Network) -> tuple[int, float]:
    """Parameters, and billions of multiply-adds for one example."""
    import torch_pruning

    inputs = _example(context, 1)
    gmacs = torch_pruning.utils.count_ops_and_params(exportable(network), inputs)[0] / 1e9
    return count_parameters(network)[0], float(gmacs)


def _example(context: PassContext, n: int) -> tuple[torch.Tensor, ...]:
    trained = context.trained
    inputs = trained.inputs(trained.data.train[:n])
    return tuple(torch.from_numpy(inputs[name]) for name in trained.input_names)


def _thin_convolutions(context: PassContext, network: Network, ratio: float) -> None:
    """In place: the stages of a network go on holding the same modules."""
    import torch_pruning

    # The head's last layer answers: its outputs are the classes.
    kinds = (nn.Linear, nn.modules.conv._ConvNd)
    answering = [module for module in network.head.modules() if isinstance(module, kinds)][-1:]
    pixels = _example(context, 2)[0]
    network.requires_grad_(True)
    pruner = torch_pruning.pruner.BasePruner(
        network,
        pixels,
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=ratio,
        ignored_layers=answering,
        round_to=ROUND_TO,
    )
    pruner.step()
    network.zero_grad(set_to_none=True)
    with torch.inference_mode():
        classes = network.eval()(pixels).shape[1]
    if classes != len(network.labels):
        raise ValueError(f"{classes} classes were left")


# -- transformers ----------------------------------------------------------------------------------------


def _thin_feed_forwards(network: nn.Module, ratio: float) -> None:
    """Take out the hidden values of each feed-forward layer that weigh least, the share `ratio` of them, in place.

    Raises ValueError where no feed-forward layers are found.
    """
    pairs = _feed_forwards(network)
    if not pairs:
        raise ValueError("no feed-forward layers of two linear layers were found")
    for ups, down in pairs:
        sizes = down.weight.detach().norm(dim=0)
        for up in ups:
            sizes = sizes * up.weight.detach().norm(dim=1)
        wanted = round(len(sizes) * (1 - ratio) / ROUND_TO) * ROUND_TO
        kept = sizes.topk(min(len(sizes), max(ROUND_TO, wanted))).indices.sort().values
        for up in ups:
            up.weight = nn.Parameter(up.weight.detach()[kept].contiguous())
            if up.bias is not None:
                up.bias = nn.Parameter(up.bias.detach()[kept].contiguous())
            up.out_features = len(kept)
        down.weight = nn.Parameter(down.weight.detach()[:, kept].contiguous())
        down.in_features = len(kept)


def _feed_forwards(network: nn.Module) -> list[tuple[list[nn.Linear], nn.Linear]]:
    """Linear layers that widen (two, where one gates the other) with the one behind them that leads back."""
    pairs: list[tuple[list[nn.Linear], nn.Linear]] = []
    ups: list[nn.Linear] = []
    for module in network.modules():
        if not isinstance(module, nn.Linear):
            continue
        width = (module.out_features, module.in_features)
        if ups and width == (ups[-1].in_features, ups[-1].out_features) and width[0] != width[1]:
            pairs.append((ups, module))
            ups = []
        elif ups and width == (ups[-1].out_features, ups[-1].in_features):
            ups = [*ups, module]
        else:
            ups = [module]
    return pairs
