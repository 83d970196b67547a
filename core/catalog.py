"""The models Graft knows, as cards: facts from a snapshot, so that they are there at once and without torch.

`core/catalog.json` is written by `python -m core.catalog_snapshot` from what the packages publish about
their weights; a test proves that it is not stale. What a run made is a model like any other: `run/RUN-ID`.
`core.catalog_search` narrows the list down.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from core import settings
from core.errors import GraftError, InputError, NotFoundError, Problem
from core.i18n import N_
from core.registry.tasks import HUB_TASKS, IMAGE_CLASSIFICATION, TEXT_CLASSIFICATION

SNAPSHOT = Path(__file__).with_name("catalog.json")
# A picture this small shows nothing to a network that halves it five times.
SMALLEST_PX = 32
HUB = "https://huggingface.co/"
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")
# Licences, in small letters, that let anybody use the weights for anything; and the words of those that do not.
# What has terms of its own (OpenRAIL, Gemma, DINOv3 …) is neither: it has to be read.
_FREE = {"apache-2.0", "mit", "bsd-3-clause", "bsd-2-clause", "cc-by-4.0", "cc0-1.0", "unlicense"}
_NOT_FOR_TRADE = re.compile(r"\bnc\b|non-?commercial|research|\bamlr\b|\bswag\b")


def _known_task(name: str) -> str:
    if name not in HUB_TASKS:
        raise ValueError(f"{name!r} is none of {', '.join(HUB_TASKS)}")
    return name


TaskName = Annotated[str, AfterValidator(_known_task)]  # an id of `HUB_TASKS`


class Preprocessing(BaseModel):
    """What a network was trained to see: RGB, the shorter edge resized, the centre cropped, normalised."""

    model_config = ConfigDict(frozen=True)

    image_size: int  # px, the edge of the square that the network gets
    resize_size: int  # px, the shorter edge before the crop
    interpolation: Literal["bilinear", "bicubic"]
    mean: tuple[float, float, float]  # of pixels in 0 … 1
    std: tuple[float, float, float]


class TextInput(BaseModel):
    """What a text network reads: how much at once, in which tokens and languages, through how many layers."""

    model_config = ConfigDict(frozen=True)

    max_length: int  # tokens it can take in at once
    vocabulary: int  # tokens it knows
    layers: int
    hidden: int  # values of a token between the layers
    languages: tuple[str, ...]  # "en", "zh", "multilingual"; empty: not stated
    # Every layer has weights of its own and can be cut off from those below: not so in ALBERT and T5.
    has_own_layers: bool = True


class ModelCard(BaseModel):
    """One set of weights, with what is published about it. Accuracies are in percent."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    family: str
    task: TaskName = IMAGE_CLASSIFICATION
    tasks: tuple[TaskName, ...] = ()  # what it can do beside its first task
    source: Literal["bundled", "torchvision", "timm", "hub", "run"]
    architecture: str
    tag: str
    is_default: bool = True  # of several published weights of an architecture, the recommended ones
    parameters: int  # 0: not counted
    gmacs: float  # billions of multiply-adds for one picture of the model's own size, or a text of 128 tokens
    metrics: dict[str, float] = Field(default_factory=dict)
    metrics_on: str = ""
    size_mb: float  # of 2**20 bytes, as torchvision counts
    num_classes: int  # 0: these weights hold no classifier of their own
    labels: tuple[str, ...] = ()  # of a text classifier; pictures' labels stand in the snapshot, once
    min_size: int = 1  # px
    size_multiple: int = 1  # the network takes only multiples of this, in px
    is_fixed_size: bool = False  # it takes pictures of exactly its own size
    has_attention_layers: bool = False  # as counted when the snapshot was made; of timm's networks
    preprocessing: Preprocessing | None = None  # of pictures
    text: TextInput | None = None
    licence: str = ""
    recipe: str = ""
    notes: str = ""
    file_name: str
    sha256: str = ""  # the whole sum, or its beginning as torchvision's file names carry it
    url: str = ""
    base: str = ""  # for run/…: the published model whose network this is
    # Of the hub's: how its configuration differs from what transformers takes for this architecture.
    config: dict[str, Any] = Field(default_factory=dict)
    extra: str = ""  # the optional package without which it cannot be used, and is not shown

    @property
    def is_text(self) -> bool:
        """Whether it reads texts and nothing else. What reads texts beside pictures (CLIP) counts with pictures."""
        return self.text is not None and self.preprocessing is None

    @property
    def is_trainable(self) -> bool:
        """Whether it can be fine-tuned here: any classifier of pictures but the hub's, any text encoder."""
        if self.is_text:
            return self.task == TEXT_CLASSIFICATION
        return self.task == IMAGE_CLASSIFICATION and self.source != "hub"

    @property
    def has_attention(self) -> bool:
        """Whether it has attention layers, which is what adapters (LoRA) are put beside."""
        if self.source == "timm" or self.base.startswith("timm/"):
            return self.has_attention_layers
        return self.is_text or self.architecture.startswith(("vit", "swin", "maxvit"))

    def can(self, task: str) -> bool:
        """Whether it does this task, as its first or beside it."""
        return task == self.task or task in self.tasks

    @property
    def allows_commerce(self) -> bool | None:
        """Whether its licence lets anybody earn money with it; None: not stated, or on terms of its own."""
        licence = self.licence.lower()
        if licence in _FREE:
            return True
        return False if _NOT_FOR_TRADE.search(licence) else None

    @property
    def repository(self) -> str:
        """ORG/NAME on the Hugging Face hub; empty for what lies elsewhere."""
        return self.url.removeprefix(HUB) if self.url.startswith(HUB) else ""

    @property
    def vision(self) -> Preprocessing:
        """What a network for pictures was trained to see. Raises `InputError` for one that reads texts."""
        if self.preprocessing is None:
            raise InputError("model.not_for_pictures", id=self.id)
        return self.preprocessing

    @property
    def reading(self) -> TextInput:
        """What a network for texts reads. Raises `InputError` for one that sees pictures."""
        if self.text is None:
            raise InputError("model.not_for_texts", id=self.id)
        return self.text


@lru_cache(maxsize=1)
def _snapshot() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    return found


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
        kind: dict[str, Any] = {"labels": tuple(facts["labels"])} if base.is_text else {}
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
                "metrics": {"acc@1": 100 * facts["test"]["accuracy"]} if "test" in facts else {},
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
    if card.repository:
        from core.catalog_local import find_local_weights

        folders, names = hub_snapshots(card.repository), file_names(card)
        in_parts = (find_local_weights(folder) for folder in folders)
        return [folder / name for folder in folders for name in names] + [path for path in in_parts if path]
    snapshots = hub_folder().glob(f"models--*/snapshots/*/{card.file_name}")
    return [torch_folder() / "hub" / "checkpoints" / card.file_name, *snapshots]


def file_names(card: ModelCard) -> tuple[str, ...]:
    """The files of a repository of the hub that hold a model's weights, the preferred one first."""
    return tuple(dict.fromkeys((card.file_name, *_HUB_FILES))) if card.file_name in _HUB_FILES else (card.file_name,)


def hub_snapshots(repository: str) -> list[Path]:
    """Where the Hugging Face cache keeps ORG/NAME (or `hub/ORG/NAME`), the newest first."""
    folder = repository.removeprefix("hub/").replace("/", "--")
    found = hub_folder().glob(f"models--{folder}/snapshots/*")
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def model_source(card: ModelCard) -> Path:
    """The folder with a text model's configuration, tokenizer and weights. Raises `NotFoundError`."""
    path = find_weights(card)
    if path is None:
        problem = not_local(card)
        raise NotFoundError(problem.code, **problem.values)
    return path.parent


def _card_of_hub(model_id: str) -> ModelCard | None:
    """A card for any model that lies in the Hugging Face cache, from its configuration."""
    from core.catalog_local import find_hub_card

    return find_hub_card(model_id)


def torch_folder() -> Path:
    """Where torch keeps what it downloads."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("TORCH_HOME") or f"{cache}/torch").expanduser()


def hub_folder() -> Path:
    """Where the Hugging Face libraries keep what they download."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub").expanduser()


def is_local(card: ModelCard) -> bool:
    """Whether the weights are on this machine."""
    return find_weights(card) is not None


def not_local(card: ModelCard) -> Problem:
    """That a model's weights are not here, and how to get them."""
    values = {"id": card.id}
    if card.source == "bundled":
        return Problem("weights.not_installed", field="model", values=values)
    return Problem("weights.not_in_cache" if card.repository else "weights.not_local", field="model", values=values)


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
