"""Which weights are zero and stay it: masks drawn over all layers at once by the size of the weights."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

# However small its weights are beside those of other layers, each layer keeps this share of them: one whose weights
# are all zero lets nothing through any more, and no training brings it back.
from core.optimize.rows import LayerSparsity, PassFacts

KEPT_AT_LEAST = 0.05


class Masks:
    """The weights of some layers, by name, and which of them are to be zero.

    In the beginning that is those which are zero already: what an earlier pass took out stays out.
    """

    def __init__(self, weights: dict[str, nn.Parameter]) -> None:
        self._weights = weights
        self._zero = {name: weight.detach() == 0 for name, weight in weights.items()}

    @property
    def size(self) -> int:
        """How many weights there are."""
        return sum(weight.numel() for weight in self._weights.values())

    @property
    def zeros(self) -> int:
        """How many are to be zero."""
        return sum(int(zero.sum()) for zero in self._zero.values())

    @property
    def sparsity(self) -> float:
        """The share that is to be zero."""
        return self.zeros / max(1, self.size)

    def draw(self, sparsity: float) -> None:
        """Let the smallest weights of all layers be zero, so many that their share is `sparsity`, and set them so.

        Each layer keeps `KEPT_AT_LEAST` of its weights. Masks only grow: what was zero before stays zero.
        """
        sizes = []
        for name, weight in self._weights.items():
            # What is zero already comes first, before anything that has a size.
            size = weight.detach().abs().masked_fill(self._zero[name], -1.0).flatten().numpy()
            small = len(size) - math.ceil(KEPT_AT_LEAST * len(size))
            largest = np.argpartition(size, small)[small:]
            size[largest] = np.where(size[largest] < 0, -1.0, np.inf)
            sizes.append(size)
        everything = np.concatenate(sizes)
        wanted = min(round(sparsity * len(everything)), int(np.isfinite(everything).sum()))
        if wanted <= self.zeros:
            self.apply()
            return
        taken = np.zeros(len(everything), dtype=bool)
        taken[np.argpartition(everything, wanted - 1)[:wanted]] = True
        start = 0
        for name, weight in self._weights.items():
            part = torch.from_numpy(taken[start : start + weight.numel()])
            # In the weight's own layout: masks are laid over it after every step.
            self._zero[name] = torch.empty_like(weight, dtype=torch.bool).copy_(part.view(weight.shape))
            start += weight.numel()
        self.apply()

    @torch.no_grad()
    def apply(self) -> None:
        """Set to zero what is to be zero."""
        for name, weight in self._weights.items():
            weight.masked_fill_(self._zero[name], 0.0)

    def facts(self) -> PassFacts:
        """What the report tells, counted in the weights themselves."""
        zeros = {name: int((weight == 0).sum()) for name, weight in self._weights.items()}
        layers: list[LayerSparsity] = [
            {"layer": name, "sparsity": zeros[name] / weight.numel(), "weights": weight.numel()}
            for name, weight in self._weights.items()
        ]
        return {
            "sparsity": sum(zeros.values()) / max(1, self.size),
            "weights": self.size,
            "zeros": sum(zeros.values()),
            "layers": layers,
        }
