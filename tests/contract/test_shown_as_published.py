"""Published networks are shown pictures as their publishers show them: by torchvision's and timm's own transforms."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image, ImageFilter
from timm.data import create_transform, resolve_data_config

from core.data.picture import fit_image
from core.models.card import Preprocessing
from core.models.catalog import list_models
from core.networks.transforms import Batcher

# Higher than wide, wider than high (of edges that divide by nothing), long, and nearly tiny.
SIZES = ((211, 307), (389, 260), (500, 131), (97, 70))
HALF = (0.5, 0.5, 0.5)
CLOSE = 1  # of 255: the same pixels, but for the normalising and back


@lru_cache(maxsize=1)
def pictures() -> list[Image.Image]:
    """Noise in several grains: what is shifted by half a pixel differs everywhere."""
    chance = np.random.default_rng(0)
    made = []
    for width, height in SIZES:
        fine = chance.integers(0, 256, (height, width, 3), dtype=np.uint8)
        coarse = Image.fromarray(chance.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize((width, height))
        mixed = Image.blend(Image.fromarray(fine), coarse, 0.5)
        made.append(mixed.filter(ImageFilter.GaussianBlur(0.7)))
    return made


def farthest(card: Any, transform: Any) -> float:
    """The largest difference between what Graft shows and what a transform gives, of 255."""
    found = 0.0
    how = card.vision
    mean, std = (np.array(values).reshape(3, 1, 1) for values in (how.mean, how.std))
    for picture in pictures():
        wanted = (transform(picture).numpy() * std + mean) * 255
        shown = fit_image(picture, how).transpose(2, 0, 1)
        assert shown.shape == wanted.shape
        found = max(found, float(np.abs(shown - wanted).max()))
    return found


def of_each_kind(source: str) -> list[Any]:
    """A card for each way of resizing and cropping that occurs."""
    cards = [card for card in list_models() if card.source == source and card.preprocessing]
    return list({card.vision.model_copy(update={"mean": HALF, "std": HALF}): card for card in cards}.values())


def _config(card: Any) -> Any:
    return timm.get_pretrained_cfg(card.id.removeprefix("timm/"))


def test_cards_say_of_every_tag_what_timm_says() -> None:
    for card in list_models():
        if card.source == "timm":
            config = _config(card)
            assert card.vision.crop_mode == config.crop_mode, card.id
            assert card.vision.interpolation == config.interpolation, card.id
            assert card.vision.image_size == min(config.input_size[1:]), card.id
            assert (card.vision.mean, card.vision.std) == (tuple(config.mean), tuple(config.std)), card.id


@pytest.mark.parametrize("crop_mode", ["center", "squash", "border"])
def test_timm_shows_the_same(crop_mode: str) -> None:
    cards = [card for card in of_each_kind("timm") if card.vision.crop_mode == crop_mode]
    square = [card for card in cards if len(set(_config(card).input_size[1:])) == 1]
    assert len(square) > 1
    for card in square:
        transform = create_transform(**resolve_data_config(pretrained_cfg=_config(card).to_dict()))
        assert farthest(card, transform) <= CLOSE, card.id


def test_torchvision_shows_the_same() -> None:
    cards = of_each_kind("torchvision")
    assert len(cards) > 20
    for card in cards:
        weights = torchvision.models.get_model_weights(card.architecture)
        entry = next(one for one in weights if one.name.lower() == card.tag)
        assert farthest(card, entry.transforms()) <= CLOSE, card.id


@pytest.mark.parametrize("edge", [32, 100])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_small_squares_are_enlarged_in_training_as_when_they_are_asked_about(edge: int, interpolation: Any) -> None:
    """They are kept in their own size, and enlarged in batches on the device."""
    how = Preprocessing(
        image_size=160, resize_size=182, interpolation=interpolation, mean=HALF, std=HALF, crop_mode="center"
    )
    square = pictures()[1].crop((0, 0, edge, edge))
    stored = fit_image(square, how.at(edge).whole())
    np.testing.assert_array_equal(stored, np.asarray(square))
    trained = Batcher(how, 160, torch.device("cpu"))(stored[None].copy())[0].permute(1, 2, 0).numpy()
    asked = fit_image(square, how.whole()).astype(float)
    assert np.abs((trained * 0.5 + 0.5) * 255 - asked).max() <= 2


def test_a_card_that_says_another_crop_would_be_found() -> None:
    """The measure is fine enough: half a pixel, or the middle instead of the whole, is far off."""
    card = next(card for card in of_each_kind("timm") if card.vision.crop_mode == "squash")
    transform = create_transform(**resolve_data_config(pretrained_cfg=_config(card).to_dict()))
    for crop_mode in ("center", "fraction"):
        other = card.model_copy(update={"preprocessing": card.vision.model_copy(update={"crop_mode": crop_mode})})
        assert farthest(other, transform) > 10
