"""Norms within convolutions, as a CPU computes them quickest: of the frozen part, and of what learns.

A batch norm that keeps its statistics is a scaling of the convolution before it (Jacob et al. 2018, §3.2); without it a
third of all values are neither written nor read again. In the frozen part the convolution has other weights for good,
which need no cast for each batch where they lie in bf16 (measured, EfficientNet-Lite0 at 224 px: 204 pictures a second
become 247 in bf16, 112 become 136 in fp32). Where both learn, the weights are scaled anew for each batch, and the
gradients reach weight, scale and shift through that product of a few numbers. Which module follows which is guessed
from their order, so that it is looked at whether the guess gives the same. Of what is frozen, the convolution does what
follows the norm too, where it can (`core.networks.fused`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from core.networks.fused import NOTHING, FusedConv2d, can_fuse, fuse, is_fusable, then
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
    x = _noise()
    with torch.inference_mode():
        try:
            wanted = _run(stages, x)
        except (RuntimeError, TypeError, ValueError):  # a size that it does not take
            return None
        for fuses in (True, False) if can_fuse() else (False,):
            if folded := _folded(stages, x, wanted, precision, fuses=fuses):
                return folded
    return None


def _folded(
    stages: list[Stage], x: Tensor, wanted: Tensor, precision: str, *, fuses: bool
) -> Callable[[Tensor], Tensor] | None:
    """A copy whose convolutions do what their norms did, and with `fuses` what follows these; None if it differs."""
    try:
        folded = copy.deepcopy(stages)
        pairs = _pairs(folded)
        for convolution, norm in pairs:
            _part(convolution, norm)  # of what learns, they are together already
            _fuse(convolution, norm)
        if fuses:
            _fuse_activations(folded, pairs)
        if float((_run(folded, x) - wanted).abs().max()) > _SAME * float(wanted.abs().max()):
            return None
        return partial(_run, folded) if precision == "fp32" else _in_bf16(stages, folded, x, wanted)
    except (RuntimeError, TypeError, ValueError):  # a step that cannot be copied, or is computed otherwise here
        return None


def _in_bf16(stages: list[Stage], folded: list[Stage], x: Tensor, wanted: Tensor) -> Callable[[Tensor], Tensor] | None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        usual = _run(stages, x)
    for stage in folded:
        for module in stage.modules:
            module.to(torch.bfloat16).to(memory_format=torch.channels_last)
            for part in module.modules():
                if isinstance(part, FusedConv2d):
                    part.packed.clear()

    def run(x: Tensor) -> Tensor:
        return _run(folded, x.to(torch.bfloat16)).float()

    lost, lost_usually = (float((got - wanted).abs().mean()) for got in (run(x), usual.float()))
    return run if lost <= _AS_EXACT * lost_usually else None


def _noise() -> Tensor:
    """Pictures [n, 3, S, S] of noise, on which two ways of computing are compared."""
    x = torch.randn(_LOOKED_AT, 3, _LOOKED_AT_PX, _LOOKED_AT_PX, generator=torch.Generator().manual_seed(0))
    return x.contiguous(memory_format=torch.channels_last)


def _run(stages: list[Stage], x: Tensor) -> Tensor:
    """What the stages make of pictures, one after another."""
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


def _fuse(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Let the convolution scale and shift as the norm did; what else that does (timm: an activation) it still does."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    weight, bias = fuse_conv_bn_weights(
        convolution.weight, convolution.bias, mean, variance, norm.eps, norm.weight, norm.bias
    )
    convolution.weight, convolution.bias = weight, bias
    norm.__class__ = _Joined


def _fuse_activations(stages: list[Stage], pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]]) -> None:
    """Let convolutions do their activations too: those within the norm, and in a chain those behind it."""
    behind = {id(norm): (row, place) for row in _chains(stages) for place, norm in enumerate(row)}
    for convolution, norm in pairs:
        if not is_fusable(convolution) or not isinstance(getattr(norm, "drop", nn.Identity()), nn.Identity):
            continue
        following = None
        if hasattr(norm, "act"):
            if following := then(norm.act):
                norm.act = nn.Identity()
        elif id(norm) in behind:
            row, place = behind[id(norm)]
            if place + 1 < len(row) and (following := then(row[place + 1])):
                row[place + 1] = nn.Identity()
        fuse(convolution, following or NOTHING)


def _chains(stages: list[Stage]) -> list[nn.Sequential]:
    """Modules whose parts run one after another, and nothing else."""
    parts = [part for stage in stages for module in stage.modules for part in module.modules()]
    return [one for one in parts if isinstance(one, nn.Sequential) and type(one).forward is nn.Sequential.forward]


class _Joined(nn.BatchNorm2d):
    """A norm whose convolution does its work."""

    def forward(self, x: Tensor) -> Tensor:
        for name in ("drop", "act"):
            if isinstance(more := getattr(self, name, None), nn.Module):
                x = more(x)
        return x


# -- while it learns ---------------------------------------------------------------------------------------


@contextmanager
def learning_quickly(model: ImageClassifier) -> Iterator[None]:
    """Within: norms that keep their statistics are computed by the convolutions before them, where that is the same.

    Weights and statistics stay where they are and have the same names. Norms that learn their statistics stay as well,
    and all of them where another device computes.
    """
    keeps_statistics = model.freeze_batchnorm and next(model.parameters()).device.type == "cpu"
    if not keeps_statistics or not _pairs(model.stages) or not _is_same_within(model):
        yield
        return
    with norms_within(model):
        yield


@contextmanager
def norms_within(model: ImageClassifier) -> Iterator[None]:
    """Within: each norm is computed by the convolution that stands before it, whatever comes of it."""
    pairs = _pairs(model.stages)
    for convolution, norm in pairs:
        _join(convolution, norm)
    try:
        yield
    finally:
        for convolution, norm in pairs:
            _part(convolution, norm)


def _is_same_within(model: ImageClassifier) -> bool:
    was_training = {module: module.training for module in model.modules()}
    x = _noise()
    try:
        with torch.no_grad():
            wanted = _run(model.eval().stages, x)
            with norms_within(model):
                got = _run(model.stages, x)
        return float((got - wanted).abs().max()) <= _SAME * float(wanted.abs().max())
    except (RuntimeError, TypeError, ValueError):  # a size that it does not take
        return False
    finally:
        for module, mode in was_training.items():
            module.training = mode


class _NormWithin(nn.Conv2d):
    """A convolution that scales and shifts as the norm behind it does, with what both have learned so far."""

    norm_within: tuple[nn.BatchNorm2d, type]  # and what that was: in a tuple, as it is no part of the convolution

    def forward(self, x: Tensor) -> Tensor:
        norm, _ = self.norm_within
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = torch.rsqrt(norm.running_var + norm.eps)
        scale = scale if norm.weight is None else scale * norm.weight
        weight, bias = self._parameters["weight"], self._parameters["bias"]
        assert weight is not None
        shift = scale * (-norm.running_mean if bias is None else bias - norm.running_mean)
        shift = shift if norm.bias is None else shift + norm.bias
        own: Any = self._parameters  # whatever else this kind of convolution does, it does with these
        own["weight"], own["bias"] = weight * scale.view(-1, 1, 1, 1), shift
        try:
            return super().forward(x)
        finally:
            own["weight"], own["bias"] = weight, bias


def _join(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    kind = type(convolution)
    convolution.__class__ = type(f"{kind.__name__}WithNorm", (_NormWithin, kind), {})
    convolution.norm_within = (norm, type(norm))  # type: ignore[assignment]
    norm.__class__ = _Joined


def _part(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Two modules again, where they were joined."""
    if isinstance(convolution, _NormWithin):
        norm.__class__ = convolution.norm_within[1]
        del convolution.norm_within
        convolution.__class__ = type(convolution).__bases__[1]
