"""Where the weights of a model lie on this machine, and whether they are all there."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from core import settings
from core.errors import NotFoundError
from core.models.card import ModelCard
from core.problems import Problem
from core.settings import hub_folder, torch_folder

_HUB_FILES = ("model.safetensors", "pytorch_model.bin")


def model_folder(card: ModelCard) -> Path:
    """Where the model of a `run/…` card lies."""
    return settings.folder("runs") / card.id.partition("/")[2] / "artifacts" / "model"


def find_weights(card: ModelCard) -> Path | None:
    """The file of a model's weights on this machine: package, torch hub cache, Hugging Face cache; or None."""
    return next((path for path in _places(card) if path.is_file()), None)


def _places(card: ModelCard) -> list[Path]:
    if card.source == "run":
        return [model_folder(card) / card.file_name]
    if card.source == "bundled":
        package, _, name = card.file_name.partition("/")
        spec = importlib.util.find_spec(package)  # does not import it
        return [Path(folder) / name for folder in (spec.submodule_search_locations or [] if spec else [])]
    if card.repository:
        folders, names = hub_snapshots(card.repository), file_names(card)
        in_parts = (find_local_weights(folder) for folder in folders)
        return [folder / name for folder in folders for name in names] + [path for path in in_parts if path]
    snapshots = hub_folder().glob(f"models--*/snapshots/*/{card.file_name}")
    return [torch_folder() / "hub" / "checkpoints" / card.file_name, *snapshots]


def stamp(card: ModelCard) -> str:
    """Which weights lie under a model's id just now, told by their place, size and time; empty for none.

    For what keeps a model in memory: other weights may come to lie there.
    """
    path = find_weights(card)
    if path is None:
        return ""
    facts = path.stat()
    return f"{path.resolve()}|{facts.st_size}|{facts.st_mtime_ns}"


def file_names(card: ModelCard) -> tuple[str, ...]:
    """The files of a repository of the hub that hold a model's weights, the preferred one first."""
    return tuple(dict.fromkeys((card.file_name, *_HUB_FILES))) if card.file_name in _HUB_FILES else (card.file_name,)


def hub_snapshots(repository: str) -> list[Path]:
    """Where the Hugging Face cache keeps ORG/NAME (or `hub/ORG/NAME`), the newest first."""
    folder = repository.removeprefix("hub/").replace("/", "--")
    folders = hub_folder().glob(f"models--{folder}/snapshots/*")
    return sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)


def model_source(card: ModelCard) -> Path:
    """The folder with a text model's configuration, tokenizer and weights. Raises `NotFoundError`."""
    path = find_weights(card)
    if path is None:
        problem = not_local(card)
        raise NotFoundError(problem.code, **problem.values)
    return path.parent


def is_local(card: ModelCard) -> bool:
    """Whether the weights are on this machine."""
    return find_weights(card) is not None


def not_local(card: ModelCard) -> Problem:
    """That a model's weights are not here, and how to get them."""
    values = {"id": card.id}
    if card.source == "bundled":
        return Problem("weights.not_installed", field="model", values=values)
    return Problem("weights.not_in_cache" if card.repository else "weights.not_local", field="model", values=values)


# The files that hold a model's weights, the preferred one first. An index names the parts of a model in several.
WEIGHT_FILES = (
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
)  # fmt: skip
_INDEX = ".index.json"
# Classes of a picture maker's parts that have weights: its schedulers and tokenizers have none.
_NETWORKS = ("Model", "Transformer", "Projection", "AutoencoderKL")


def find_local_weights(folder: Path) -> Path | None:
    """The weights in a model's folder, or its index when they lie in several files; None when a part is missing."""
    index = folder / "model_index.json"
    if index.is_file():  # several networks, each in a folder of its own
        return index if all(_has_weights(folder / name) for name in _networks(index)) else None
    for name in WEIGHT_FILES:
        path = folder / name
        if path.is_file() and all(part.is_file() for part in weight_parts(path)):
            return path
    return None


def weight_parts(path: Path) -> list[Path]:
    """The files that an index names, or the one file itself."""
    if not path.name.endswith(_INDEX):
        return [path]
    try:
        names = set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [path.with_name("an index that cannot be read")]
    return [path.with_name(Path(str(name)).name) for name in sorted(names, key=str)]


def _networks(index: Path) -> list[str]:
    """The folders of a picture maker's networks, by its index."""
    try:
        parts = json.loads(index.read_text(encoding="utf-8")).items()
    except (OSError, ValueError, AttributeError):
        return [""]
    return [str(name) for name, part in parts if isinstance(part, list) and str(part[-1]).endswith(_NETWORKS)]


def _has_weights(folder: Path) -> bool:
    return any(path.is_file() for name in ("*.safetensors", "*.bin") for path in folder.glob(name))
