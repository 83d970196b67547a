"""Any image classifier in one shape: ordered stages (blocks) that make features, and a head that answers.

A stage is what "the last k blocks" counts. How a torchvision network falls into stages is told in
`core.networks.from_torchvision`, family by family; everything else (new head, freezing, counting, saving) is the same
for all.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from core.errors import InputError, WeightsError, first_line
from core.files import replacing, sha256, to_json, write_atomically
from core.models.card import ModelCard, Preprocessing
from core.models.catalog import get_model, published_labels
from core.models.weight_files import model_folder
from core.networks.build import build_stages
from core.networks.heads import count_parameters, new_head
from core.networks.lora import lora_targets
from core.networks.stages import Stages
from core.networks.tuning import Tunable, merge
from core.networks.weights import FORMAT, SAVED, load_saved, load_weights
from core.spec import ModelRef


class ImageClassifier(Tunable):
    """Pictures [n, 3, s, s], normalised → logits [n, classes].

    Frozen stages stay in eval mode whatever `train()` says: their BatchNorm statistics and their output
    never change. With `freeze_batchnorm` the BatchNorms of learning stages keep their statistics too, which
    small batches would only spoil.
    """

    def __init__(
        self,
        parts: Stages,
        head: nn.Module,
        labels: list[str],
        preprocessing: Preprocessing,
        base: str,
        *,
        freeze_batchnorm: bool,
    ) -> None:
        super().__init__()
        self.net, self.head = parts.net, head
        self.stages = parts.stages
        self.labels, self.preprocessing, self.base = labels, preprocessing, base
        self.freeze_batchnorm = freeze_batchnorm
        self.num_frozen = 0  # stages below the lowest one that learns

    @property
    def num_blocks(self) -> int:
        """How many stages there are below the head."""
        return len(self.stages)

    def run(self, x: Tensor, start: int, stop: int | None = None) -> Tensor:
        """The output of stages `start` … `stop` (all that follow without `stop`), the head left out."""
        for stage in self.stages[start:stop]:
            x = stage.run(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.run(x, 0))
        return logits

    def freeze(self, num_frozen: int) -> None:
        self.num_frozen = num_frozen
        for index, stage in enumerate(self.stages):
            for parameter in stage.parameters():
                parameter.requires_grad_(index >= num_frozen)

    def adapter_places(self) -> list[str]:
        return lora_targets(self.net)

    def train(self, mode: bool = True) -> ImageClassifier:
        super().train(mode)
        for stage in self.stages[: self.num_frozen]:
            for module in stage.modules:
                module.eval()
        if self.keeps_standard:
            self.head.eval()
        if self.freeze_batchnorm:
            for module in self.net.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self


def build_classifier(
    ref: ModelRef, labels: list[str] | None, *, seed: int, image_size: int | None = None
) -> ImageClassifier:
    """The network of a model id, with a new head for `labels`, or with its own head for None.

    `image_size` (px) is what it will see; vision transformers are built for it. Raises `NotFoundError`,
    `WeightsError`, and `InputError` when weights without a classifier are asked for their own.
    """
    card = get_model(ref.id)
    size = image_size or card.vision.image_size
    preprocessing = card.vision.at(size)
    if card.source == "run" and ref.weights == "pretrained":
        return _adapt(load_classifier(model_folder(card), image_size=size), labels, preprocessing, seed)
    base = get_model(card.base) if card.source == "run" else card
    is_pretrained = ref.weights == "pretrained"
    weights = load_weights(base) if is_pretrained else None
    torch.manual_seed(seed)
    parts = _stages(base, size, weights)
    if labels is None:
        if not base.num_classes:
            raise InputError("model.no_classifier", id=card.id)
        head, labels = parts.head, published_labels(base) or _timm_labels(base)
    else:
        torch.manual_seed(seed)  # the head's first values do not depend on how the network was built
        head = new_head(parts.num_features, len(labels), is_map=parts.is_map)
    return ImageClassifier(parts, head, labels, preprocessing, base.id, freeze_batchnorm=is_pretrained)


def _timm_labels(base: ModelCard) -> list[str]:
    """Names of the larger ImageNets' classes, which stand in timm and not in the snapshot."""
    from core.networks.heads import class_names

    return class_names(base.num_classes)


def _stages(base: ModelCard, size: int, weights: dict[str, Tensor] | None) -> Stages:
    try:
        return build_stages(base, size, weights)
    except (RuntimeError, KeyError, ValueError) as error:
        if weights is None:
            raise
        detail = first_line(error)
        raise WeightsError("weights.other_model", id=base.id, file=base.file_name, detail=detail) from error


def _adapt(
    model: ImageClassifier, labels: list[str] | None, preprocessing: Preprocessing, seed: int
) -> ImageClassifier:
    """A run's model with a new head, where the labels differ from those it knows."""
    model.preprocessing = preprocessing
    if labels is not None and labels != model.labels:
        torch.manual_seed(seed)
        features = next(module for module in reversed(list(model.head.modules())) if isinstance(module, nn.Linear))
        is_map = any(isinstance(module, nn.AdaptiveAvgPool2d) for module in model.head.modules())
        model.head = new_head(features.in_features, len(labels), is_map=is_map)
        model.labels = labels
    return model


# -- on disk ---------------------------------------------------------------------------------------------


def save_classifier(model: ImageClassifier, folder: Path, **facts: Any) -> None:
    """Write `model.safetensors` and `model.json` (labels, preprocessing, base, and the given facts)."""
    folder.mkdir(parents=True, exist_ok=True)
    merge(model)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with replacing(folder / "model.safetensors") as unfinished:
        save_file(tensors, unfinished, metadata={"format": "pt", "graft": str(FORMAT)})
    card = {
        "format": FORMAT,
        "base": model.base,
        "labels": model.labels,
        "preprocessing": model.preprocessing.model_dump(mode="json"),
        "parameters": count_parameters(model)[0],
        "freeze_batchnorm": model.freeze_batchnorm,
        "head": "new" if isinstance(model.head, nn.Sequential) and hasattr(model.head, "norm") else "published",
    }
    write_atomically(folder / "model.json", to_json({**facts, **card, "sum": sha256(folder / SAVED)}))


def load_classifier(folder: Path, *, image_size: int | None = None) -> ImageClassifier:
    """What `save_classifier` wrote, with the same logits. Raises `WeightsError` when it cannot be read."""
    try:
        card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if card["format"] != FORMAT:
            raise ValueError(f"format {card['format']}, this version of Graft reads {FORMAT}")
        tensors = load_saved(folder, card.get("sum"))
        preprocessing = Preprocessing.model_validate(card["preprocessing"])
        base = get_model(card["base"])
        net = {name.removeprefix("net."): value for name, value in tensors.items() if name.startswith("net.")}
        parts = build_stages(base, image_size or preprocessing.image_size, net, is_headless=True)
        labels: list[str] = card["labels"]
        head = parts.head
        if card["head"] == "new":
            head = new_head(parts.num_features, len(labels), is_map=parts.is_map)
        model = ImageClassifier(
            parts, head, labels, preprocessing, base.id, freeze_batchnorm=bool(card["freeze_batchnorm"])
        )
        own = {name.removeprefix("head."): value for name, value in tensors.items() if name.startswith("head.")}
        model.head.load_state_dict(own, assign=True)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, safetensors.SafetensorError) as error:
        detail = first_line(error)
        raise WeightsError("weights.other_model", id=folder.name, file=str(folder), detail=detail) from error
    return model.eval()
