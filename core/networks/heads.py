"""The last layer: a new one for one's own classes, and what the classes of a published one are called."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

IMAGENET = "ImageNet-1K"
# What a head of so many outputs tells apart (timm.data.imagenet_info). Heads of other widths are no classifiers:
# they map a picture to a vector that is compared with that of a text (CLIP and its kind).
CLASSES_OF = {
    1000: IMAGENET, 11221: "ImageNet-21K-P", 11821: "ImageNet-12K", 21841: "ImageNet-22K",
    21842: "ImageNet-22K (Microsoft)", 21843: "ImageNet-21K",
}  # fmt: skip


def class_names(num_classes: int) -> list[str]:
    """The names of the classes of an ImageNet, known by how many there are; empty for another number."""
    from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset({"num_classes": num_classes})
    return list(ImageNetInfo(subset).label_descriptions()) if subset else []


def new_head(num_features: int, num_classes: int, *, is_map: bool = False) -> nn.Sequential:
    """The new last layer: features are standardised first, so that one learning rate suits every network.

    `is_map`: the features are a map [n, F, h, w] that is averaged first.
    """
    parts: list[tuple[str, nn.Module]] = []
    if is_map:
        parts += [("pool", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten(1))]
    parts += [("norm", nn.BatchNorm1d(num_features, affine=False)), ("linear", nn.Linear(num_features, num_classes))]
    return nn.Sequential(OrderedDict(parts))


def is_linear_head(head: nn.Module) -> bool:
    """Whether a head is one of `new_head`: it standardises features and answers with a linear layer."""
    return isinstance(head, nn.Sequential) and hasattr(head, "norm") and hasattr(head, "linear")


def head_inputs(head: nn.Module, features: Tensor) -> Tensor:
    """What a head of `new_head` standardises: the features [n, F], of a map averaged."""
    for name, part in head.named_children():
        if name == "norm":
            break
        features = part(features)
    return features


def put_linear(head: nn.Module, mean: Tensor, variance: Tensor, weight: Tensor, bias: Tensor) -> None:
    """Make a head of `new_head` standardise by `mean` and `variance` [F] and answer with `weight` [C, F] and `bias`."""
    norm, linear = head.get_submodule("norm"), head.get_submodule("linear")
    with torch.no_grad():
        for own, value in (
            (norm.running_mean, mean),
            (norm.running_var, variance),
            (linear.weight, weight),
            (linear.bias, bias),
        ):
            assert isinstance(own, Tensor)
            own.copy_(value)


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """(all parameters, those that learn)."""
    counts = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(n for n, _ in counts), sum(n for n, learns in counts if learns)
