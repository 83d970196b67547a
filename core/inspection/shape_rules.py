"""What the commonest operations give, told by their shapes alone.

torch works these out by the operation's own arithmetic, piece by piece in Python, in milliseconds each: most of the
time that a network without values takes. Each function returns tensors as the operation would, filled with nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_aten = torch.ops.aten


def _like(x: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(x)


def _batch_norm(x: Tensor, *others: Any) -> tuple[Tensor, Tensor, Tensor]:
    is_training = bool(others[4])
    kept = x.shape[1] if is_training else 0
    return (torch.empty_like(x), *(torch.empty(kept, device=x.device) for _ in range(2)))  # type: ignore[return-value]


def _batch_norm_back(grad: Tensor, x: Tensor, weight: Tensor | None, *others: Any) -> tuple[Tensor | None, ...]:
    wanted, channels = others[6], x.shape[1]
    small = (torch.empty(channels, device=x.device) if mask else None for mask in wanted[1:])
    return (torch.empty_like(x) if wanted[0] else None, *small)


def _layer_norm(x: Tensor, shape: list[int], *_: Any) -> tuple[Tensor, Tensor, Tensor]:
    kept = (*x.shape[: x.ndim - len(shape)], *(1 for _ in shape))
    return torch.empty_like(x), torch.empty(kept, device=x.device), torch.empty(kept, device=x.device)


def _layer_norm_back(grad: Tensor, x: Tensor, shape: list[int], *others: Any) -> tuple[Tensor | None, ...]:
    wanted = others[4]
    small = (torch.empty(shape, device=x.device) if mask else None for mask in wanted[1:])
    return (torch.empty_like(x) if wanted[0] else None, *small)


def _product(_bias: Tensor, a: Tensor, b: Tensor, *_: Any) -> Tensor:
    return a.new_empty(a.shape[0], b.shape[1])


SHAPED: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys((_aten.gelu, _aten.relu, _aten.clamp_min, _aten._safe_softmax, _aten.sigmoid), _like),
    **dict.fromkeys(
        (_aten.threshold_backward, _aten.silu_backward, _aten.sigmoid_backward, _aten.gelu_backward), _like
    ),
    **dict.fromkeys((_aten.hardswish_backward, _aten.hardtanh_backward, _aten.hardsigmoid_backward), _like),
    _aten.native_batch_norm: _batch_norm,
    _aten.native_batch_norm_backward: _batch_norm_back,
    _aten.native_layer_norm: _layer_norm,
    _aten.native_layer_norm_backward: _layer_norm_back,
    _aten.addmm: _product,
}
