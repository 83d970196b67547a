"""The models Graft knows, as cards: facts from a snapshot, so that they are there at once and without torch.

`core/catalog.json` is written by `python -m core.catalog_snapshot` from what the packages publish about
their weights; a test proves that it is not stale. What a run made is a model like any other: `run/RUN-ID`.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from core import settings
from core.errors import GraftError, NotFoundError, Problem
from core.i18n import N_

SNAPSHOT = Path(__file__).with_name("catalog.json")
# A picture this small shows nothing to a network that halves it five times.
SMALLEST_PX = 32


class Preprocessing(BaseModel):
    """What a network was trained to see: RGB, the shorter edge resized, the centre cropped, normalised."""

    model_config = ConfigDict(frozen=True)

    image_size: int  # px, the edge of the square that the network gets
    resize_size: int  # px, the shorter edge before the crop
    interpolation: Literal["bilinear", "bicubic"]
    mean: tuple[float, float, float]  # of pixels in 0 … 1
    std: tuple[float, float, float]


class ModelCard(BaseModel):
    """One set of weights, with what is published about it. Accuracies are in percent."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    family: str
    task: str = "image-classification"
    source: Literal["bundled", "torchvision", "run"]
    architecture: str
    tag: str
    is_default: bool = True  # of several published weights of an architecture, the recommended ones
    parameters: int
    gmacs: float  # billions of multiply-adds for one picture of the model's own size
    metrics: dict[str, float] = Field(default_factory=dict)
    metrics_on: str = ""
    size_mb: float  # of 2**20 bytes, as torchvision counts
    num_classes: int  # 0: these weights hold no classifier of their own
    min_size: int  # px
    size_multiple: int = 1  # the network takes only multiples of this, in px
    preprocessing: Preprocessing
    licence: str = ""
    recipe: str = ""
    notes: str = ""
    file_name: str
    sha256: str = ""  # the whole sum, or its beginning as torchvision's file names carry it
    url: str = ""
    base: str = ""  # for run/…: the published model whose network this is


@lru_cache(maxsize=1)
def _snapshot() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    return found


@lru_cache(maxsize=1)
def list_models() -> tuple[ModelCard, ...]:
    """Every published model, the bundled ones first."""
    return tuple(ModelCard.model_validate(card) for card in _snapshot()["models"])


@lru_cache(maxsize=1)
def _by_id() -> dict[str, ModelCard]:
    cards = {card.id: card for card in list_models()}
    # An architecture without a tag means its recommended weights.
    short = {card.id.partition(".")[0]: card for card in list_models() if card.is_default}
    return {**short, **cards}


def get_model(model_id: str) -> ModelCard:
    """The card of a model id. Raises `NotFoundError` with the ids that are spelled alike."""
    if model_id.startswith("run/"):
        return _card_of_run(model_id)
    card = _by_id().get(model_id)
    if card is None:
        near = difflib.get_close_matches(model_id, _by_id(), n=3, cutoff=0.5) or [list_models()[0].id]
        raise NotFoundError("model.unknown", id=model_id, near=", ".join(near))
    return card


def published_labels(card: ModelCard) -> list[str]:
    """The class names that published weights answer with; empty for weights without a classifier."""
    labels: list[str] = _snapshot()["labels"].get(card.metrics_on, []) if card.num_classes else []
    return labels


def model_folder(card: ModelCard) -> Path:
    """Where the model of a `run/…` card lies."""
    return settings.folder("runs") / card.id.partition("/")[2] / "artifacts" / "model"


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
        size = int(facts["preprocessing"]["image_size"])
        return base.model_copy(
            update={
                "id": model_id,
                "name": run.name,
                "source": "run",
                "tag": "",
                "parameters": int(facts["parameters"]),
                "gmacs": base.gmacs * (size / base.preprocessing.image_size) ** 2,
                "metrics": {"acc@1": 100 * facts["test"]["accuracy"]} if "test" in facts else {},
                "metrics_on": (facts.get("data") or {}).get("id", ""),
                "size_mb": path.with_name("model.safetensors").stat().st_size / 2**20,
                "num_classes": len(facts["labels"]),
                "preprocessing": Preprocessing.model_validate(facts["preprocessing"]),
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


def find_weights(card: ModelCard) -> Path | None:
    """The file of a model's weights on this machine: package, torch hub cache, Hugging Face cache; or None."""
    return next((path for path in _places(card) if path.is_file()), None)


def _places(card: ModelCard) -> list[Path]:
    if card.source == "run":
        return [model_folder(card) / card.file_name]
    if card.source == "bundled":
        package, _, name = card.file_name.partition("/")
        found = importlib.util.find_spec(package)  # does not import it
        return [Path(folder) / name for folder in (found.submodule_search_locations or [] if found else [])]
    snapshots = _hugging_face_folder().glob(f"models--*/snapshots/*/{card.file_name}")
    return [torch_folder() / "hub" / "checkpoints" / card.file_name, *snapshots]


def torch_folder() -> Path:
    """Where torch keeps what it downloads."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("TORCH_HOME") or f"{cache}/torch").expanduser()


def _hugging_face_folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub").expanduser()


def is_local(card: ModelCard) -> bool:
    """Whether the weights are on this machine."""
    return find_weights(card) is not None


def check_image_size(card: ModelCard, size: int) -> list[Problem]:
    """What speaks against showing pictures of this edge (px) to this network."""
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
