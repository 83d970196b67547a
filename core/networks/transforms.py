"""From stored pictures (uint8) to what a network eats: one path for training, testing and predicting.

Everything happens on whole batches, on the device: enlarging small pictures, varying them, normalising.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.data.showing import TINY_PX
from core.models.card import Preprocessing

Augment = Literal["none", "light", "strong"]


@dataclass(frozen=True)
class Batcher:
    """Turns uint8 [n, s, s, 3] into float [n, 3, size, size], normalised as the network was trained."""

    preprocessing: Preprocessing
    size: int
    device: torch.device
    channels_last: bool = True

    def __call__(self, pixels: NDArray[np.uint8], augment: Augment = "none") -> Tensor:
        # NHWC seen as NCHW is exactly the channels_last layout: no copy is made here.
        x = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2).float()
        x = vary(x, augment, self.size) if augment != "none" else self._fit(x)
        mean = torch.tensor(self.preprocessing.mean, device=self.device).view(1, 3, 1, 1) * 255
        std = torch.tensor(self.preprocessing.std, device=self.device).view(1, 3, 1, 1) * 255
        x = x.sub_(mean).div_(std)
        return x.contiguous(memory_format=torch.channels_last if self.channels_last else torch.contiguous_format)

    def _fit(self, x: Tensor) -> Tensor:
        if x.shape[-1] == self.size:
            return x
        # Small pictures are stored in their own size. As core.data.showing enlarges: tiny ones without ringing.
        how = self.preprocessing
        is_tiny = x.shape[-1] <= TINY_PX or (how.crop_mode == "fraction" and x.shape[-1] < self.size)
        mode = "bilinear" if is_tiny else how.interpolation
        x = F.interpolate(x, size=(self.size, self.size), mode=mode, align_corners=False, antialias=not is_tiny)
        return x.clamp_(0, 255)  # bicubic overshoots; 8-bit pictures do not


def vary(x: Tensor, augment: Augment, size: int) -> Tensor:
    """A random view of each picture, with parameters of its own, in one `grid_sample` for the batch.

    light: up to a tenth of shift and zoom. strong: crops of 50-100% of the area, stretched by up to a
    third, mirrored half the time (Szegedy et al. 2015, with the milder area of fine-tuning), and
    brightness by up to a fifth. Draws from torch's global generator, whose state checkpoints keep.
    """
    n = x.shape[0]
    device = x.device
    if augment == "light":
        width = height = torch.empty(n, device=device).uniform_(0.9, 1.0)
        flip = torch.ones(n, device=device)
    else:
        area = torch.empty(n, device=device).uniform_(0.5, 1.0)
        ratio = torch.empty(n, device=device).uniform_(-math.log(4 / 3), math.log(4 / 3)).exp()
        width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
        flip = torch.where(torch.rand(n, device=device) < 0.5, -1.0, 1.0)
    room = 0.1 if augment == "light" else 0.0
    shift_x = (torch.rand(n, device=device) * 2 - 1) * (1 - width + room)
    shift_y = (torch.rand(n, device=device) * 2 - 1) * (1 - height + room)
    zero = torch.zeros(n, device=device)
    theta = torch.stack([torch.stack([width * flip, zero, shift_x], 1), torch.stack([zero, height, shift_y], 1)], 1)
    grid = F.affine_grid(theta, [n, 3, size, size], align_corners=False)
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    if augment == "strong":
        x = x * torch.empty(n, 1, 1, 1, device=device).uniform_(0.8, 1.2)
    return x.clamp_(0, 255)
