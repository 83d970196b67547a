"""Where a network looked: the map is bright where the picture spoke for the class, for maps and for tokens."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from core.errors import InputError
from core.networks.stages import Stage
from core.predict.drawing import lay_heat
from core.predict.saliency import _find_layout, find_heat
from tests.fixtures.tiny import SIZE, colour_classifier, predictor_of, token_classifier


def _two_spots() -> Image.Image:
    """Red in the upper left corner, green in the lower right, black between."""
    pixels = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
    pixels[:8, :8, 0] = 255
    pixels[-8:, -8:, 1] = 255
    return Image.fromarray(pixels)


@pytest.mark.parametrize(("label", "bright", "dark"), [("red", (4, 4), (28, 28)), ("green", (28, 28), (4, 4))])
def test_map_is_bright_where_the_class_was_seen(label: str, bright: tuple[int, int], dark: tuple[int, int]) -> None:
    heat = find_heat(predictor := predictor_of(colour_classifier()), predictor.see(_two_spots()), label)
    assert heat.grid == (8, 8)
    assert heat.values.shape == heat.seen.shape[:2] == (SIZE, SIZE)
    assert (heat.values.min(), heat.values.max()) == (0, pytest.approx(1, abs=1e-3))
    assert heat.values[bright] > 0.9
    assert heat.values[dark] < 0.1


def test_answers_are_the_same_afterwards_and_nothing_learns() -> None:
    predictor = predictor_of(colour_classifier())
    before = predictor.predict([_two_spots()])
    find_heat(predictor, predictor.see(_two_spots()), "red")
    assert predictor.predict([_two_spots()]) == before
    assert all(parameter.grad is None for parameter in predictor.model.parameters())


def test_class_token_is_looked_at_below_the_last_layer() -> None:
    """The last layer's patches reach no answer there: a map of zeros would say that nothing spoke for it."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8))
    predictor = predictor_of(token_classifier())
    found = [find_heat(predictor, predictor.see(picture), label) for label in predictor.labels]
    assert [heat.grid for heat in found] == [(4, 4), (4, 4)]
    assert any(heat.values.max() > 0.9 for heat in found)
    assert not np.allclose(found[0].values, found[1].values)


def test_network_without_places_is_told_in_a_sentence() -> None:
    model = colour_classifier()
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 2))
    model.stages = [Stage("flat", tuple(flat))]
    with pytest.raises(InputError, match="no layer that still tells places apart"):
        find_heat(predictor := predictor_of(model), predictor.see(_two_spots()), "red")


@pytest.mark.parametrize(
    ("shape", "maps"),
    [
        ((1, 320, 7, 7), (1, 320, 7, 7)),
        ((1, 7, 7, 768), (1, 768, 7, 7)),  # Swin: channels last
        ((1, 197, 768), (1, 768, 14, 14)),  # with a class token
        ((1, 196, 768), (1, 768, 14, 14)),
        ((1, 261, 384), (1, 384, 16, 16)),  # with registers
        ((1, 1280, 1, 1), None),
        ((1, 1280), None),
    ],
)
def test_places_are_found_in_every_layout(shape: tuple[int, ...], maps: tuple[int, ...] | None) -> None:
    layout = _find_layout(shape)
    assert (layout is None) == (maps is None)
    if layout is not None:
        output = torch.randn(shape)
        assert layout.to_map(output).shape == maps
        assert torch.equal(layout.from_map(layout.to_map(output), output), output)


def test_laid_over_a_picture_warm_places_are_bright_and_cold_ones_dark() -> None:
    picture = np.full((2, 2, 3), 128, dtype=np.uint8)
    drawn = lay_heat(picture, np.array([[0.0, 0.3], [0.6, 1.0]], dtype=np.float32))
    brightness = drawn.astype(int).sum(-1).ravel()
    assert (drawn.dtype, drawn.shape) == (np.uint8, (2, 2, 3))
    assert (np.diff(brightness) > 0).all()
    assert drawn[0, 0, 2] > drawn[0, 0, 0], "cold is blue"
    assert drawn[1, 1, 0] > drawn[1, 1, 2], "warm is yellow"
