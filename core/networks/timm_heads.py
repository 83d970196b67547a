"""The end of timm's networks: what turns their last map or tokens into features, and their classifier as one module."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from timm.layers.classifier import ClassifierHead, ClNormMlpClassifierHead, NormMlpClassifierHead
from torch import Tensor, nn


def tail_of(net: Any) -> Callable[[Any], Tensor]:
    """What turns the output of `forward_features` into the features [n, F] that the classifier takes."""
    kind = type(net).__name__
    if kind == "VGG":  # its fully connected layers are a block of their own
        return partial(net.head, pre_logits=True)
    if kind == "VOLO":
        return _as_map
    has_two_tokens = kind == "PoolingVisionTransformer" and net.head_dist is not None
    if kind == "VisionTransformerDistilled" or has_two_tokens:
        return _both_tokens
    return partial(net.forward_head, pre_logits=True)


def _both_tokens(x: Tensor) -> Tensor:
    """Class and distillation token side by side (Touvron et al. 2021): each has a classifier of its own."""
    return x[:, :2].flatten(1)


def _as_map(x: Tensor) -> Tensor:
    """Tokens [n, T, F] as a map [n, F, T, 1]: VOLO's classifiers look at all of them."""
    return x.transpose(1, 2).unsqueeze(-1)


class JoinedHead(nn.Module):
    """Several published classifiers made one module here: the network's own way of answering does not know it."""

    is_joined = True


class _Together(JoinedHead):
    """Classifiers that answer together, by their mean or by learned weights; with `sizes` each of its own features."""

    def __init__(
        self, heads: Iterable[nn.Module], sizes: list[int] | None = None, weights: nn.Parameter | None = None
    ) -> None:
        super().__init__()
        self.heads, self.sizes, self.weights = nn.ModuleList(heads), sizes, weights

    def forward(self, x: Tensor) -> Tensor:
        parts = x.split(self.sizes, 1) if self.sizes else [x] * len(self.heads)  # type: ignore[no-untyped-call]
        answers = torch.stack([head(part) for head, part in zip(self.heads, parts, strict=True)])
        if self.weights is None:
            return answers.mean(0)
        return (answers * self.weights.softmax(-1).view(-1, 1, 1)).sum(0)


class _OfTokens(JoinedHead):
    """VOLO's answer: the class token's, and half of the largest of all the others' (Yuan et al. 2021)."""

    def __init__(self, head: nn.Module, others: nn.Module) -> None:
        super().__init__()
        self.head, self.others = head, others

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.squeeze(-1).transpose(1, 2)
        answer: Tensor = self.head(tokens[:, 0]) + 0.5 * self.others(tokens[:, 1:]).max(1)[0]
        return answer


def find_classifier(net: Any) -> str:
    """The dotted name of the module from features to logits; "" for weights without one.

    Where that is not one module of the network, it is made and put there as `answer`.
    """
    classifier = net.get_classifier() if hasattr(net, "get_classifier") else None
    kind = type(net).__name__
    if classifier is None or not net.num_classes or isinstance(classifier, nn.Identity):
        return ""
    if kind.startswith("EfficientViM"):
        return _put(net, _weighted_heads(net), "heads", "heads_dist")
    if kind == "CrossVit":
        return _put(net, _Together(classifier, [head.in_features for head in classifier]), "head")
    if isinstance(classifier, tuple):
        sizes = [head.in_features for head in classifier] if tail_of(net) is _both_tokens else None
        return _put(net, _Together(classifier, sizes), "head", "head_dist")
    if kind == "VOLO" and net.aux_head is not None:
        return _put(net, _OfTokens(classifier, net.aux_head), "head", "aux_head")
    name: str = next(name for name, module in net.named_modules() if module is classifier)
    if isinstance(
        classifier, ClassifierHead | NormMlpClassifierHead | ClNormMlpClassifierHead
    ):  # with pooling and norm
        classifier, name = classifier.fc, f"{name}.fc"
    parent = net.get_submodule(name.rpartition(".")[0])
    if type(parent).__name__ == "NormLinear":  # the norm before the linear layer belongs to it
        return str(name.rpartition(".")[0])
    if isinstance(classifier, nn.Conv2d):
        flat = nn.Sequential(nn.Unflatten(1, (classifier.in_channels, 1, 1)), classifier, nn.Flatten(1))
        return _put(net, flat, name)
    return name


def _put(net: nn.Module, answer: nn.Module, *names: str) -> str:
    for name in names:
        parent, _, own = name.rpartition(".")
        if hasattr(net.get_submodule(parent), own):
            setattr(net.get_submodule(parent), own, nn.Identity())
    net.add_module("answer", answer)
    return "answer"


def _weighted_heads(net: Any) -> nn.Module:
    """EfficientViM asks the features of each of its stages, and weighs the answers."""
    together = []
    for heads, name in ((net.heads, "weights"), (getattr(net, "heads_dist", None), "weights_dist")):
        if heads is not None:
            weights = getattr(net, name)
            delattr(net, name)
            together.append(_Together(heads, [_width(head) for head in heads], weights))
    return together[0] if len(together) == 1 else _Together(together)


def count_features(net: Any, answer: nn.Module | None) -> int:
    if answer is None:
        return int(getattr(net, "head_hidden_size", net.num_features))
    if isinstance(answer, _Together):
        inner = [count_features(net, head) for head in answer.heads]
        return sum(inner) if answer.sizes else inner[0]
    return _width(answer)


def _width(head: nn.Module) -> int:
    """How many values a classifier takes."""
    for module in head.modules():
        if isinstance(module, nn.Linear):
            return module.in_features
        if isinstance(module, nn.Conv2d):
            return module.in_channels
    raise ValueError("a head without a layer")
