"""Quantization-aware training (Jacob et al. 2018): int8's rounding is simulated while the network trains on.

What comes out is a plain network in fp32 whose weights have learned to be rounded; the pass that writes the int8 file
follows. Weights are rounded for each output channel, symmetrically, what goes into a layer as a whole and in 8 bits
without sign, as that file does. A norm behind a convolution only scales its channels, and may be folded in or not.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers.pytorch_utils import Conv1D

from core.finetune.learner import Learner
from core.optimize.layers import list_layers, list_weights
from core.optimize.masks import Masks
from core.optimize.passes.base import NetworkResult, PassContext
from core.optimize.retrain import BATCH_SIZE, check_labels, copy_of, retrain
from core.optimize.rows import PassFacts

LR, TEXT_LR = 1e-4, 2e-5
# The first ranges come from so many batches; then each training batch moves them by this part.
FIRST_BATCHES = 8
MOVED_BY = 0.05


def run(context: PassContext) -> NetworkResult:
    """The network, trained on with int8 simulated in all layers below the head.

    Raises `InputError` for other labels.
    """
    check_labels(context)
    network = copy_of(context.network)
    layers = {name: module for name, module in list_layers(network).items() if hasattr(module, "weight")}
    masks = Masks(list_weights(network))  # what was pruned stays zero
    ranges = {name: _Range() for name in layers}
    handles = [layers[name].register_forward_pre_hook(ranges[name]) for name in layers]
    rounded: list[nn.Module] = []
    try:
        _observe(context, context.trained.learner(network))
        for name, module in layers.items():
            if ranges[name].is_known:  # a layer that is never called, but read by another, is not rounded
                axis = 1 if isinstance(module, Conv1D) else 0
                parametrize.register_parametrization(module, "weight", _Rounded(axis))
                ranges[name].is_rounding = True
                rounded.append(module)
        lr = TEXT_LR if context.trained.card.is_text else LR
        # In fp32: bf16 has no more digits than what is simulated.
        learned = retrain(context, network, lr=lr, precision="fp32", after_step=lambda step, total: masks.apply())
    finally:
        for handle in handles:
            handle.remove()
        for module in rounded:
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)
    facts: PassFacts = {"layers_quantized": len(rounded)}
    return NetworkResult(network=network, facts={**facts, **learned})


@torch.inference_mode()
def _observe(context: PassContext, learner: Learner) -> None:
    """Run a few training batches through the network, for the first ranges."""
    learner.eval()
    rows = context.trained.data.train[: FIRST_BATCHES * BATCH_SIZE]
    for start in range(0, len(rows), BATCH_SIZE):
        context.clock.raise_if_stopped()
        learner(torch.from_numpy(rows[start : start + BATCH_SIZE]))


class _Rounded(nn.Module):
    """A weight as int8 would hold it, one scale for each output channel; gradients pass as if nothing was rounded."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, weight: Tensor) -> Tensor:
        others = [axis for axis in range(weight.dim()) if axis != self.axis]
        scale = (weight.detach().abs().amax(others) / 127).clamp(min=1e-9)
        zero = torch.zeros(len(scale), dtype=torch.int32, device=weight.device)
        return torch.fake_quantize_per_channel_affine(weight, scale, zero, self.axis, -127, 127)


class _Range:
    """A hook before a layer: keeps the range of what goes in as a moving average and, once told to, rounds it."""

    def __init__(self) -> None:
        self.low = self.high = 0.0
        self.is_known = self.is_rounding = False

    def __call__(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        x: Tensor = args[0].float()
        if module.training or not self.is_rounding:
            self._move(x.detach())
        if not self.is_rounding:
            return None
        scale = max(self.high - self.low, 1e-9) / 255
        zero = min(255, max(0, round(-self.low / scale)))
        return (torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, 255), *args[1:])

    def _move(self, x: Tensor) -> None:
        # Zero is always among the values: what is padded or cut off by an activation has to stay exact.
        low, high = min(0.0, float(x.min())), max(0.0, float(x.max()))
        part = MOVED_BY if self.is_known else 1.0
        self.low, self.high = self.low + part * (low - self.low), self.high + part * (high - self.high)
        self.is_known = True
