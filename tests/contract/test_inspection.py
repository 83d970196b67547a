"""Networks taken apart on the meta device: what torchvision publishes of its own, and one of every other kind."""

from __future__ import annotations

import pytest

from core import catalog
from core.blueprints import draw
from core.catalog import ModelCard
from core.inspection import list_layers, take_apart
from core.specs import InspectSpec, parse_spec

CARDS = [card for card in catalog.list_models() if card.source == "torchvision" and card.is_default]
# Documented multiply-adds that are not what the layers do, and why.
EXCEPTIONS: dict[str, str] = {}


def _whole(card: ModelCard) -> tuple[int, float]:
    """(parameters, billions of multiply-adds) of the whole network."""
    whole = list_layers(draw(card))[0]
    return whole["parameters"], whole["macs"] / 1e9


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.architecture)
def test_classifier_has_the_parameters_and_multiply_adds_that_are_published(card: ModelCard) -> None:
    parameters, gmacs = _whole(card)
    assert parameters == card.parameters
    if card.architecture not in EXCEPTIONS:
        assert gmacs == pytest.approx(card.gmacs, rel=0.02)


def test_at_most_five_exceptions() -> None:
    assert len(CARDS) == 80
    assert len(EXCEPTIONS) <= 5
    assert set(EXCEPTIONS) <= {card.architecture for card in CARDS}


@pytest.mark.parametrize(
    "model_id",
    [
        "bundled/efficientnet_lite0",
        "bundled/minilm-l6",
        "timm/test_vit.r160_in1k",
        "hub/albert/albert-base-v2",
        "hub/openai/clip-vit-base-patch32",
        "hub/google/vit-base-patch16-224",
    ],
)
def test_report_tells_layers_memory_and_what_tuning_trains(model_id: str) -> None:
    card = catalog.get_model(model_id)
    report = take_apart(parse_spec(InspectSpec, {"model": {"id": model_id}}))
    assert report["parameters"] == card.parameters
    assert report["gmacs"] == pytest.approx(card.gmacs, rel=0.03)
    layers = report["layers"]
    assert sum(row["own"] for row in layers) == report["parameters"]
    if card.is_trainable:
        tuning = report["tuning"]
        trained = [tuning[way]["parameters"] for way in ("head", "lora", "full") if tuning[way]]
        assert trained == sorted(trained)
        assert tuning["full"]["share"] == pytest.approx(1.0)
        memory = report["memory"]
        assert memory["inference"]["fp32"]["32"] > memory["inference"]["fp32"]["1"] > card.size_mb
        assert memory["training"]["full"]["fp32"]["8"] > memory["training"]["head"]["fp32"]["8"]
