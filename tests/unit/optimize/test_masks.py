"""Which weights are taken out: the smallest of all layers together, but never a whole layer."""

from __future__ import annotations

import torch
from torch import nn

from core.optimize.masks import KEPT_AT_LEAST, Masks


def test_masks_take_the_smallest_of_all_layers_to_the_last_one_and_only_grow() -> None:
    torch.manual_seed(0)
    wide, narrow = nn.Linear(40, 50), nn.Linear(10, 20)
    with torch.no_grad():
        narrow.weight *= 0.2
    masks = Masks({"wide": wide.weight, "narrow": narrow.weight})
    before = torch.cat([wide.weight.detach().flatten(), narrow.weight.detach().flatten()]).abs()
    masks.draw(0.3)
    after = torch.cat([wide.weight.detach().flatten(), narrow.weight.detach().flatten()]).abs()
    assert int((after == 0).sum()) == masks.zeros == 660
    assert before[after == 0].max() <= before[after > 0].min()
    first = wide.weight == 0
    with torch.no_grad():
        wide.weight.add_(1.0)  # what is out stays out, however large it would be
    masks.draw(0.5)
    assert bool((wide.weight == 0)[first].all())
    assert masks.zeros == 1100


def test_no_layer_is_emptied() -> None:
    torch.manual_seed(0)
    large, tiny = nn.Linear(60, 60), nn.Linear(10, 10)
    with torch.no_grad():
        tiny.weight *= 1e-6
    weights = {"large": large.weight, "tiny": tiny.weight}
    Masks(weights).draw(0.9)
    left = int((tiny.weight != 0).sum())
    assert left == round(KEPT_AT_LEAST * 100), "the tiny weights are the first to go, and some have to stay"
    zeros = sum(int((weight == 0).sum()) for weight in weights.values())
    assert zeros == round(0.9 * 3700), "what was spared is taken elsewhere"
