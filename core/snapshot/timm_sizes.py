"""Which picture sizes a timm network takes: tried on the meta device, where tensors have shapes and no values."""

from __future__ import annotations

from typing import Any, TypedDict

import timm
import torch
from torch import nn

from core.networks import from_timm

# The edges (px) that are tried for the smallest one.
_SMALL = (32, 48, 64, 96, 128, 160, 192)


class Sizes(TypedDict):
    """What a card says of picture sizes, in px."""

    is_fixed_size: bool
    min_size: int
    size_multiple: int


def sizes_of(name: str) -> Sizes:
    """The sizes that NAME.TAG with its published weights takes, as far as some trials tell."""
    known = timm.get_pretrained_cfg(name)
    own = min(known.input_size[1:]) if known is not None else 224
    published = _build(name, own)
    patch = getattr(getattr(published, "patch_embed", None), "patch_size", 1)
    edge = max(patch) if isinstance(patch, tuple) else int(patch)
    # Less than a patch at the border would be passed over without a word.
    for step in (step for step in sorted({edge, 8, 14, 16, 32, 64}) if step >= edge and own % step == 0):
        if all(_takes(name, published, size) for size in (own - step, own + step)):
            rounded = [-(-size // step) * step for size in _SMALL]
            smallest = next((size for size in rounded if size < own and _takes(name, published, size)), own)
            return Sizes(is_fixed_size=False, min_size=smallest, size_multiple=step)
    return Sizes(is_fixed_size=True, min_size=own, size_multiple=1)


def _build(name: str, size: int) -> nn.Module:
    with torch.device("meta"):
        return from_timm.create_named(name, size).eval()


def _takes(name: str, published: nn.Module, size: int) -> bool:
    """Whether the network can be built for this size, runs, and the published weights can be fitted to it."""
    try:
        net = _build(name, size)
        with torch.inference_mode():
            net(torch.zeros(1, 3, size, size, device="meta"))
        wanted: Any = {key: value.shape for key, value in net.state_dict().items()}
        tensors = from_timm.fitted(net, dict(published.state_dict()))
    except Exception:  # what a network does not take, it refuses in many ways
        return False
    return bool(wanted == {key: value.shape for key, value in tensors.items()})
