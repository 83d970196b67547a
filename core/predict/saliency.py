"""Where a network looked: the parts of a picture that spoke for a class (Grad-CAM, Selvaraju et al. 2017).

Grad-CAM weighs the maps of the last layer that still has places by how much each of them moves the class's score,
averaged over the places, and adds them up; what speaks against the class is left out. A transformer has no maps: its
tokens, laid out as the grid of patches that they came from, stand in for one. The layer is found by trying: from the
last step of the network backwards, the first whose places the score depends on (a class token alone is read from the
last layer of a vision transformer, so there it is the layer before).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from captum.attr import LayerAttribution, LayerGradCam
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import InputError
from core.networks.stages import Step
from core.predict.pictures import Predictor

_MOST_TOKENS_BESIDE = 8  # class, distillation and register tokens before those of the patches


@dataclass(frozen=True)
class Heat:
    """How much each place of a picture spoke for a class, 0 … 1, [size, size]: as large as what the network saw.

    All 0 where every place spoke against it. `grid` are the rows and columns it was computed on; `seen`
    [size, size, 3] uint8 is what the network saw.
    """

    values: NDArray[np.float32]
    grid: tuple[int, int]
    seen: NDArray[np.uint8]


def find_heat(predictor: Predictor, seen: NDArray[np.uint8], label: str) -> Heat:
    """What spoke for a class in what the network saw of a picture.

    Raises `InputError` for a network none of whose layers has places.
    """
    target = predictor.labels.index(label)
    steps: list[Step] = [step for stage in predictor.model.stages for step in stage.steps]
    with predictor.lock:
        outputs = _outputs(steps, predictor.prepare([seen]))
        for place in range(len(steps) - 1, -1, -1):
            layout = _find_layout(outputs[place].shape)
            if layout is None:
                continue
            heat = _grad_cam(outputs[place], layout, [*steps[place + 1 :], predictor.model.head], target)
            if bool(heat.any()):
                return _as_heat(heat, seen)
    raise InputError("predict.no_places", id=predictor.model.base)


def _as_heat(heat: Tensor, seen: NDArray[np.uint8]) -> Heat:
    kept = heat.relu()
    kept = kept / kept.max().clamp(min=torch.finfo(kept.dtype).tiny)
    size = (seen.shape[0], seen.shape[1])
    large = LayerAttribution.interpolate(kept, size, interpolate_mode="bilinear")
    return Heat(large[0, 0].numpy().clip(0, 1), (int(kept.shape[2]), int(kept.shape[3])), seen)


@torch.no_grad()
def _outputs(steps: Sequence[Step], x: Tensor) -> list[Tensor]:
    """What each step gives. Copies, as later steps may change what they are given."""
    outputs = []
    for step in steps:
        x = step(x)
        outputs.append(x.clone())
    return outputs


def _grad_cam(output: Tensor, layout: _Layout, rest: Sequence[Step], target: int) -> Tensor:
    """Grad-CAM [1, 1, h, w] of a class at a step's output, by the rest of the network alone."""
    behind = _Behind(layout, rest, output)
    cam = LayerGradCam(behind, behind.maps)
    heat: Tensor = cam.attribute(layout.to_map(output).detach().requires_grad_(), target=target)
    return heat.detach().float()


class _Behind(nn.Module):
    """From the maps [1, C, h, w] of a step's output to the logits; `maps` is the layer that is looked at."""

    def __init__(self, layout: _Layout, rest: Sequence[Step], output: Tensor) -> None:
        super().__init__()
        self.maps = nn.Identity()
        self._layout, self._rest, self._output = layout, rest, output

    def forward(self, maps: Tensor) -> Tensor:
        # A copy: a step that works in place must not change what is looked at.
        x = self._layout.from_map(self.maps(maps), self._output).clone()
        for step in self._rest:
            x = step(x)
        return x


# -- how places lie in a tensor ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """How an output becomes maps [1, C, h, w], and maps take their place in it again."""

    to_map: Callable[[Tensor], Tensor]
    from_map: Callable[[Tensor, Tensor], Tensor]


_CHANNELS_FIRST = _Layout(lambda x: x, lambda maps, _: maps)
_CHANNELS_LAST = _Layout(lambda x: x.permute(0, 3, 1, 2), lambda maps, _: maps.permute(0, 2, 3, 1))


def _find_layout(shape: Sequence[int]) -> _Layout | None:
    """Pictures are squares here, and so are their maps and grids of patches; None where there are no places."""
    if len(shape) == 4 and shape[2] == shape[3] > 1:
        return _CHANNELS_FIRST
    if len(shape) == 4 and shape[1] == shape[2] > 1:
        return _CHANNELS_LAST
    if len(shape) == 3:
        for beside in range(_MOST_TOKENS_BESIDE + 1):
            edge = math.isqrt(max(0, shape[1] - beside))
            if edge > 1 and edge * edge == shape[1] - beside:
                return _tokens(beside, edge)
    return None


def _tokens(beside: int, edge: int) -> _Layout:
    """Tokens [1, beside + edge², C]: those beside the patches' stay as they are."""

    def to_map(x: Tensor) -> Tensor:
        return x[:, beside:].transpose(1, 2).reshape(x.shape[0], x.shape[2], edge, edge)

    def from_map(maps: Tensor, output: Tensor) -> Tensor:
        return torch.cat([output[:, :beside], maps.flatten(2).transpose(1, 2)], dim=1)

    return _Layout(to_map, from_map)
