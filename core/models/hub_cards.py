"""Cards of models that lie in the Hugging Face cache of this machine."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from core.models.card import ModelCard, Preprocessing, TextInput
from core.models.weight_files import find_local_weights, hub_snapshots, weight_parts
from core.registry.task_rows import HubTask
from core.registry.tasks import HUB_TASKS, PRETRAINING, TEXT_CLASSIFICATION
from core.registry.text_architectures import text_architecture

# These have the pretraining class, and no words' head: they hear or see.
_NOT_MASKED = {"wav2vec2", "hubert", "vit_mae", "videomae"}
_MAX_HEADER = 64_000_000  # bytes: the head of a safetensors file names its tensors, and no more


def find_hub_card(model_id: str) -> ModelCard | None:
    """The card of `hub/ORG/NAME` when the cache holds it complete; None otherwise."""
    if not re.fullmatch(r"hub/[\w.-]+/[\w.-]+", model_id):
        return None
    cards = (describe_folder(model_id, folder) for folder in hub_snapshots(model_id))
    return next((card for card in cards if card is not None), None)


def describe_folder(model_id: str, folder: Path) -> ModelCard | None:
    """A card for the model in a folder of the hub's layout; None for what is no whole model of a known kind."""
    try:
        path = find_local_weights(folder)
        if path is None:
            return None
        if path.name == "model_index.json":
            return _pipeline_card(model_id, folder)
        return _card(model_id, json.loads((folder / "config.json").read_text(encoding="utf-8")), path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return None


def tasks_of(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """What a model can do, by its configuration; the first is its main task. Empty: nothing that is known here."""
    kind = str(facts.get("model_type", ""))
    names = [str(name) for name in facts.get("architectures") or ()]
    by_kind = text_architecture(kind).tasks or tuple(row.id for row in HUB_TASKS.values() if kind in row.kinds)
    if by_kind and not any(name.endswith(("Classification", "QuestionAnswering")) for name in names):
        return by_kind
    if any(label.lower().startswith("entail") for label in _labels(facts)):
        # One that reads and writes is asked only; an encoder is trained too.
        return ("zero-shot-classification",) if by_kind else (TEXT_CLASSIFICATION, "zero-shot-classification")
    for row in HUB_TASKS.values():
        ending = next((end for end in row.endings if any(name.endswith(end) for name in names)), "")
        if ending == PRETRAINING and (kind in _NOT_MASKED or text_architecture(kind).is_never_masked):
            break
        if ending:
            return _with_training(row)
    if "vocab_size" in facts and "text_config" not in facts and not facts.get("is_encoder_decoder"):
        is_speech = "conv_dim" in facts or "num_mel_bins" in facts
        return () if is_speech else (TEXT_CLASSIFICATION,)
    return ("image-feature-extraction",) if {"image_size", "num_channels"} & set(facts) else ()


def _with_training(row: HubTask) -> tuple[str, ...]:
    """What a network of a task does: this, and before or behind it what its encoder is trained for here."""
    before = (TEXT_CLASSIFICATION,) if row.trains == "first" else ()
    return (*before, row.id, *((TEXT_CLASSIFICATION,) if row.trains == "second" else ()))


def _labels(facts: Mapping[str, Any]) -> tuple[str, ...]:
    names = facts.get("id2label") or {}
    return tuple(str(names[key]) for key in sorted(names, key=int)) if isinstance(names, Mapping) else ()


def _card(model_id: str, facts: Mapping[str, Any], path: Path) -> ModelCard | None:
    tasks = tasks_of(facts)
    if not tasks:
        return None
    kind, parts = str(facts["model_type"]), weight_parts(path)
    size = sum(part.stat().st_size for part in parts)
    is_classifier = any("Classification" in str(n) and "Token" not in str(n) for n in facts.get("architectures") or ())
    labels = _labels(facts) if is_classifier else ()
    seen = _preprocessing(path.with_name("preprocessor_config.json")) if _sees(tasks) else None
    reads = seen is not None or not _sees(tasks)  # without it, a network for pictures would pass for one for texts
    text = _text(facts, kind) if reads and "sounds" not in HUB_TASKS[tasks[0]].reads else None
    if tasks[0] == TEXT_CLASSIFICATION and text is None:
        return None
    gmacs = 12 * text.layers * text.hidden**2 * 128 / 1e9 if text and TEXT_CLASSIFICATION in tasks else 0.0
    return ModelCard(
        id=model_id,
        name=model_id.partition("/")[2],
        family=kind,
        task=tasks[0],
        tasks=tasks[1:],
        source="hub",
        architecture=kind,
        tag="",
        parameters=_count(parts) or size // 4,
        gmacs=round(gmacs, 3),
        size_mb=round(size / 2**20, 3),
        num_classes=len(labels),
        labels=labels,
        preprocessing=seen,
        text=text,
        notes="Found in the Hugging Face cache of this machine.",
        file_name=path.name,
        url=f"https://huggingface.co/{model_id.partition('/')[2]}",
    )


def _sees(tasks: Iterable[str]) -> bool:
    return any("pictures" in HUB_TASKS[task].reads for task in tasks)


def _text(facts: Mapping[str, Any], kind: str) -> TextInput | None:
    """What a network that reads texts reads; None for one that reads none or does not say how much."""
    facts = facts.get("text_config") or facts

    def first(*names: str) -> int:
        return int(next((facts[name] for name in names if facts.get(name)), 0))

    architecture = text_architecture(kind)
    layers = first("num_hidden_layers", "n_layers", "n_layer", "num_layers", "encoder_layers")
    hidden, vocabulary = first("hidden_size", "dim", "n_embd", "d_model"), first("vocab_size")
    if not (layers and hidden and vocabulary):
        return None
    return TextInput(
        max_length=(first("max_position_embeddings", "n_positions") or 512) - architecture.positions_before,
        vocabulary=vocabulary,
        layers=layers,
        hidden=hidden,
        languages=(),
        has_own_layers=architecture.has_own_layers,
    )


def _preprocessing(path: Path) -> Preprocessing | None:
    """How pictures are shown to a network, by the file that says so; None where it does not."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        crop = _edge(facts.get("crop_size")) if facts.get("do_center_crop") else 0
        edge = _edge(facts.get("size"))
        values = {
            "image_size": crop or edge,
            "resize_size": edge or crop,
            "interpolation": "bilinear" if facts.get("resample", 2) == 2 else "bicubic",
            "mean": tuple(facts["image_mean"]),
            "std": tuple(facts["image_std"]),
        }
        return Preprocessing.model_validate(values) if values["image_size"] else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _edge(size: Any) -> int:
    """The edge in px of a size, which is a number or a record."""
    if isinstance(size, Mapping):
        size = size.get("shortest_edge") or size.get("height") or 0
    return int(size or 0)


def _count(parts: Iterable[Path]) -> int:
    """Parameters by the heads of safetensors files; 0 when they cannot be read or are of another kind."""
    total = 0
    for part in parts:
        try:
            with part.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                if part.suffix != ".safetensors" or length > _MAX_HEADER:
                    return 0
                head = json.loads(file.read(length))
            total += sum(math.prod(facts["shape"]) for name, facts in head.items() if name != "__metadata__")
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return 0
    return total


def _pipeline_card(model_id: str, folder: Path) -> ModelCard | None:
    """A picture maker of diffusers: several networks, each in a folder of its own."""
    name = json.loads((folder / "model_index.json").read_text(encoding="utf-8")).get("_class_name")
    task = next((row.id for row in HUB_TASKS.values() if row.library == "diffusers" and name in row.classes), None)
    if task is None:
        return None
    files = [path for name in ("*.safetensors", "*.bin") for path in folder.glob(f"*/{name}")]
    chosen = {path.with_suffix(""): path for path in reversed(files)}  # one of two kinds of the same weights
    size = sum(path.stat().st_size for path in chosen.values())
    if not size:
        return None
    return ModelCard(
        id=model_id,
        name=model_id.partition("/")[2],
        family="unCLIP",
        task=task,
        source="hub",
        architecture="unclip",
        tag="",
        parameters=_count(chosen.values()),
        gmacs=0.0,
        size_mb=round(size / 2**20, 3),
        num_classes=0,
        notes="Found in the Hugging Face cache of this machine.",
        file_name="model_index.json",
        url=f"https://huggingface.co/{model_id.partition('/')[2]}",
    )
