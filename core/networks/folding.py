"""The frozen part of a convolutional network as a CPU computes it quickest: each norm within its convolution.

A batch norm that does not learn is a scaling of the convolution before it (Jacob et al. 2018, §3.2); without it a third
of all values are neither written nor read again, and weights that lie in bf16 need no cast for each batch (measured,
EfficientNet-Lite0 at 224 px: 204 pictures a second become 247 in bf16, 112 become 136 in fp32). Which module follows
which is guessed from their order, so that it is looked at whether the guess gives the same.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from core.networks.image import ImageClassifier
from core.networks.stages import Stage

_LOOKED_AT_PX, _LOOKED_AT = 64, 4  # pictures of noise that both ways are compared on
_SAME = 1e-4  # of the largest value: two ways of one sum in fp32, which are some 1e-6 apart
_MOST_BYTES = 200e6  # of weights that are copied
_AS_EXACT = 1.25  # times what autocast loses against fp32


def fold(model: ImageClassifier, cut: int, precision: str, device: torch.device) -> Callable[[Tensor], Tensor] | None:
    """The first `cut` stages in fp32 or bf16: pictures [n, 3, S, S] → float32, of the digits that these have.

    A copy, in eval mode; None where another device computes, where no norm can be folded or it gives something else,
    and for large networks, which are not copied.
    """
    stages = model.stages[:cut]
    num_bytes = sum(4 * parameter.numel() for stage in stages for parameter in stage.parameters())
    if precision not in ("fp32", "bf16") or device.type != "cpu" or num_bytes > _MOST_BYTES or not _pairs(stages):
        return None
    x = torch.randn(_LOOKED_AT, 3, _LOOKED_AT_PX, _LOOKED_AT_PX, generator=torch.Generator().manual_seed(0))
    x = x.contiguous(memory_format=torch.channels_last)
    try:
        with torch.inference_mode():
            wanted = _run(stages, x)
            folded = copy.deepcopy(stages)
            for convolution, norm in _pairs(folded):
                _join(convolution, norm)
            if float((_run(folded, x) - wanted).abs().max()) > _SAME * float(wanted.abs().max()):
                return None
            return partial(_run, folded) if precision == "fp32" else _in_bf16(stages, folded, x, wanted)
    except (RuntimeError, TypeError, ValueError):  # a size that it does not take, a step that cannot be copied
        return None


def _in_bf16(stages: list[Stage], folded: list[Stage], x: Tensor, wanted: Tensor) -> Callable[[Tensor], Tensor] | None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        usual = _run(stages, x)
    for stage in folded:
        for module in stage.modules:
            module.to(torch.bfloat16).to(memory_format=torch.channels_last)

    def run(x: Tensor) -> Tensor:
        return _run(folded, x.to(torch.bfloat16)).float()

    lost, lost_usually = (float((got - wanted).abs().mean()) for got in (run(x), usual.float()))
    return run if lost <= _AS_EXACT * lost_usually else None


def _run(stages: list[Stage], x: Tensor) -> Tensor:
    for stage in stages:
        x = stage.run(x)
    return x


def _pairs(stages: list[Stage]) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions with the norms that stand directly behind them."""
    rows: list[list[Any]] = [list(stage.steps) for stage in stages]
    rows += [list(part.children()) for stage in stages for module in stage.modules for part in module.modules()]
    found: dict[int, tuple[nn.Conv2d, nn.BatchNorm2d]] = {}
    for convolution, norm in (pair for row in rows for pair in pairwise(row)):
        are_both = isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        if are_both and convolution.out_channels == norm.num_features and norm.running_mean is not None:
            found[id(norm)] = convolution, norm
    return list(found.values())


def _join(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Let the convolution scale and shift as the norm did; what else that does (timm: an activation) it still does."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    weight, bias = fuse_conv_bn_weights(
        convolution.weight, convolution.bias, mean, variance, norm.eps, norm.weight, norm.bias
    )
    convolution.weight, convolution.bias = weight, bias
    norm.__class__ = _Joined


class _Joined(nn.BatchNorm2d):
    """A norm whose convolution does its work."""

    def forward(self, x: Tensor) -> Tensor:
        for name in ("drop", "act"):
            if isinstance(more := getattr(self, name, None), nn.Module):
                x = more(x)
        return x
