"""Every model by its id: the snapshot, what lies in the hub's cache, and what runs made."""

from __future__ import annotations

import difflib
import importlib.util
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

from pydantic import TypeAdapter

from core.errors import GraftError, NotFoundError
from core.i18n import N_
from core.models.card import SMALLEST_PX, ModelCard, Preprocessing
from core.problems import Problem
from core.settings import hub_folder

SNAPSHOT = Path(__file__).with_name("catalog.json")


class Snapshot(TypedDict):
    """The published models as a file keeps them."""

    models: list[dict[str, object]]  # cards
    labels: dict[str, list[str]]  # class names by data set
    versions: dict[str, str]  # of the packages whose tables it was made of


@lru_cache(maxsize=1)
def _snapshot() -> Snapshot:
    kept: Snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    return kept


@lru_cache(maxsize=1)
def list_models() -> tuple[ModelCard, ...]:
    """Every published model, the bundled ones first."""
    cards = TypeAdapter(tuple[ModelCard, ...]).validate_python(_snapshot()["models"])
    return tuple(card for card in cards if not card.extra or importlib.util.find_spec(card.extra))


@lru_cache(maxsize=1)
def _by_id() -> dict[str, ModelCard]:
    cards = {card.id: card for card in list_models()}
    # An architecture without a tag means its recommended weights.
    short = {card.id.partition(".")[0]: card for card in list_models() if card.is_default and card.tag}
    return {**short, **cards}


def known_ids() -> list[str]:
    """The ids of every published model, with a tag and without."""
    return list(_by_id())


def get_model(model_id: str) -> ModelCard:
    """The card of a model id. Raises `NotFoundError` with the ids that are spelled alike."""
    if model_id.startswith("run/"):
        return _card_of_run(model_id)
    card = _by_id().get(model_id) or (_card_of_hub(model_id) if model_id.startswith("hub/") else None)
    if card is None:
        near = difflib.get_close_matches(model_id, _by_id(), n=3, cutoff=0.5) or [list_models()[0].id]
        raise NotFoundError("model.unknown", id=model_id, near=", ".join(near))
    return card


def published_labels(card: ModelCard) -> list[str]:
    """The class names that published weights answer with; empty for weights without a classifier."""
    if card.is_text:
        return list(card.labels)
    labels: list[str] = _snapshot()["labels"].get(card.metrics_on, []) if card.num_classes else []
    return labels


def _card_of_run(model_id: str) -> ModelCard:
    from core.store import open_store

    run_id = model_id.partition("/")[2]
    if "/" in run_id or "\\" in run_id or run_id.startswith("."):
        raise NotFoundError("run.unknown", id=run_id)
    run = open_store().get_run(run_id)
    path = run.folder / "artifacts" / "model" / "model.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        base = get_model(facts["base"])
        kind: dict[str, object] = {"labels": tuple(facts["labels"])} if base.is_text else {}
        if base.preprocessing is not None:
            seen = Preprocessing.model_validate(facts["preprocessing"])
            kind = {
                "preprocessing": seen,
                "gmacs": base.gmacs * (seen.image_size / base.preprocessing.image_size) ** 2,
            }
        return base.model_copy(
            update={
                **kind,
                "id": model_id,
                "name": run.name,
                "source": "run",
                "tag": "",
                "parameters": int(facts["parameters"]),
                "metrics": _measured(facts.get("test") or {}),
                "metrics_on": (facts.get("data") or {}).get("id", ""),
                "size_mb": path.with_name("model.safetensors").stat().st_size / 2**20,
                "num_classes": len(facts["labels"]),
                "notes": "",
                "file_name": "model.safetensors",
                "sha256": "",
                "url": "",
                "base": base.id,
            }
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotFoundError("model.run_without_model", id=run_id) from error


def list_run_models() -> list[ModelCard]:
    """The models that finished runs made, the newest first."""
    from core.store import open_store

    cards = []
    for run in open_store().list_runs(kind="finetune", statuses=["done"]):
        try:
            cards.append(get_model(f"run/{run.id}"))
        except GraftError:  # its files were removed by hand: there is no model any more
            continue
    return cards


def _card_of_hub(model_id: str) -> ModelCard | None:
    """A card for any model that lies in the Hugging Face cache, from its configuration."""
    from core.models.hub_cards import find_hub_card

    return find_hub_card(model_id)


def check_image_size(card: ModelCard, size: int) -> list[Problem]:
    """What speaks against showing pictures of this edge (px) to this network."""
    if card.is_fixed_size and size != card.vision.image_size:
        return [Problem("model.size_is_fixed", values={"model": card.name, "own": card.vision.image_size})]
    smallest = max(SMALLEST_PX, card.min_size)
    if size < smallest:
        return [Problem("model.size_too_small", values={"model": card.name, "size": size, "smallest": smallest})]
    if size % card.size_multiple:
        below = max(card.size_multiple, size // card.size_multiple * card.size_multiple)
        values = {"model": card.name, "size": size, "multiple": card.size_multiple, "near": below}
        return [Problem("model.size_not_a_multiple", values=values)]
    return []


# What the snapshot says in words, for the translators.
LICENCE_NOT_STATED = N_("not stated by the publisher")


def list_hub_cards() -> list[ModelCard]:
    """The cards of everything in the Hugging Face cache that can be used here, by id."""
    cards: dict[str, ModelCard] = {}
    for folder in sorted(hub_folder().glob("models--*--*")):
        model_id = "hub/" + "/".join(folder.name.split("--")[1:])
        try:
            cards[model_id] = get_model(model_id)
        except GraftError:  # something else than a model of transformers, or only a part of one
            continue
    return list(cards.values())


def _measured(test: Mapping[str, Any]) -> dict[str, float]:
    """The accuracy of a run's test, on the examples alone that are not trained on too; nothing where there are none."""
    clean = test.get("without_leaks", test)
    return {"acc@1": 100 * clean["accuracy"]} if clean else {}
