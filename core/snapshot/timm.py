"""The cards of timm's pretrained networks (Wightman 2019): one for every published tag, from timm's own table.

Facts come from timm's configurations; parameters and multiply-adds are counted on the meta device, where tensors
have shapes and no values. Accuracies stand in `core/snapshot/timm.csv`: model, top-1, top-5 (percent, ImageNet-1K
validation) and picture size, as timm publishes them in `results/results-imagenet.csv`
(github.com/huggingface/pytorch-image-models, Apache-2.0).
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

import timm
import torch
from timm.models import get_pretrained_cfg, list_pretrained
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from core.errors import first_line
from core.models.card import HUB, ModelCard, Preprocessing
from core.models.families import family_name
from core.networks.heads import CLASSES_OF
from core.networks.lora import lora_targets
from core.networks.meta import on_meta
from core.snapshot.timm_sizes import Sizes, sizes_of

RESULTS = Path(__file__).with_name("timm.csv")
# Licences as timm writes them, where the rest of the catalogue writes them otherwise.
_LICENCES = {
    "apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause", "cc-by-4.0": "CC-BY-4.0",
    "cc-by-nc-4.0": "CC-BY-NC-4.0", "unknown": "", "other": "",
}  # fmt: skip


class Counts(TypedDict):
    """What is counted of a network, not read from a table. Sizes in MB of 2**20 bytes, in fp32."""

    parameters: int
    gmacs: float
    size_mb: float


Counted = Mapping[str, Counts]  # by the ids of cards


class VisionCounts(Counts, Sizes):
    """The same of a network for pictures, with what was tried: attention to adapt, and other sizes of pictures."""

    has_attention_layers: bool


def timm_models(counted: Counted | None = None) -> list[ModelCard]:
    """Every card; what `counted` holds of an id is not counted again. What has no card is told on stderr, and why."""
    cards, counts = [], dict[str, Counts]()
    for name in list_pretrained():
        card = describe(name)
        if card is None:
            print(f"timm/{name}: no published file, left out", file=sys.stderr)
            continue
        key = _network_key(name)
        try:
            numbers = (counted or {}).get(card.id) or counts.get(key) or count(name)
        except Exception as error:  # timm's constructors raise what they like
            reason = first_line(error, 160)
            print(f"{card.id}: cannot be counted on the meta device, left out: {reason}", file=sys.stderr)
            continue
        counts[key] = numbers
        cards.append(card.model_copy(update=dict(numbers)))
    return cards


def _network_key(name: str) -> str:
    """Tags with the same key are the same network."""
    cfg: Any = get_pretrained_cfg(name)
    return f"{name.partition('.')[0]}|{cfg.input_size}|{cfg.num_classes}|{cfg.fixed_input_size}"


def describe(name: str) -> ModelCard | None:
    """The card of NAME.TAG without what has to be counted; None for a tag without a published file."""
    cfg: Any = get_pretrained_cfg(name)
    architecture, _, tag = name.partition(".")
    if not cfg.hf_hub_id and not cfg.url:
        return None
    is_alone = len(_tags(architecture)) == 1
    classes = CLASSES_OF.get(cfg.num_classes, "")
    metrics, measured_px = _published().get(name, ({}, 0))
    return ModelCard(
        id=f"timm/{name}",
        name=architecture if is_alone else f"{architecture} · {tag.replace('_', ' ')}",
        family=family_name(architecture, tag, _module(architecture)),
        source="timm",
        architecture=architecture,
        tag=tag,
        is_default=_default_tag(architecture) == (tag or None),
        parameters=0,
        gmacs=0.0,
        metrics=metrics,
        metrics_on=classes,
        size_mb=0.0,
        num_classes=cfg.num_classes if classes else 0,
        preprocessing=_preprocessing(cfg),
        licence=_LICENCES.get(cfg.license or "", cfg.license or ""),
        recipe=cfg.origin_url or "",
        notes=" ".join(_notes(cfg, measured_px)),
        file_name=cfg.hf_hub_filename or ("model.safetensors" if cfg.hf_hub_id else cfg.url.rpartition("/")[2]),
        url=HUB + cfg.hf_hub_id if cfg.hf_hub_id else cfg.url,
    )


def _tags(architecture: str) -> list[str]:
    tags: list[str] = list(timm.models.get_arch_pretrained_cfgs(architecture))
    return tags


def _default_tag(architecture: str) -> str | None:
    recommended: Any = get_pretrained_cfg(architecture)
    tag: str | None = recommended.tag
    return tag


def _module(architecture: str) -> str:
    """The file of timm that the network stands in."""
    module: str = timm.models.model_entrypoint(architecture).__module__
    return module.rpartition(".")[2]


def _preprocessing(cfg: Any) -> Preprocessing:
    """How pictures are shown: the shorter edge of a network that is not square counts."""
    size = min(cfg.input_size[1:])
    return Preprocessing(
        image_size=size,
        resize_size=math.floor(size / cfg.crop_pct),
        interpolation="bilinear" if cfg.interpolation == "bilinear" else "bicubic",
        mean=tuple(cfg.mean),
        std=tuple(cfg.std),
        crop_mode=cfg.crop_mode,
    )


def _notes(cfg: Any, measured_px: int) -> list[str]:
    """What the fields of a card cannot say."""
    notes = []
    _, height, width = cfg.input_size
    if height != width:
        notes.append(f"Built for pictures of {height} × {width} px; Graft shows it squares of {min(height, width)} px.")
    if cfg.num_classes and cfg.num_classes not in CLASSES_OF:
        notes.append(f"Its last layer gives {cfg.num_classes} numbers to compare with those of a text, no classes.")
    if measured_px and measured_px != min(height, width):
        notes.append(f"The published accuracy was measured at {measured_px} px.")
    return notes


@lru_cache(maxsize=1)
def _published() -> dict[str, tuple[dict[str, float], int]]:
    """NAME.TAG → (accuracies in percent, the picture size in px at which they were measured)."""
    with RESULTS.open(encoding="utf-8", newline="") as file:
        return {
            row["model"]: ({"acc@1": float(row["top1"]), "acc@5": float(row["top5"])}, int(row["img_size"]))
            for row in csv.DictReader(file)
        }


# -- counting ----------------------------------------------------------------------------------------------


def build_empty(name: str) -> nn.Module:
    """NAME.TAG as timm builds it, on the meta device: shapes without values, in eval mode."""
    with on_meta():
        net: nn.Module = timm.create_model(name, pretrained=False)
    # The counter follows gradients through modules, and stumbles where a parameter is handed to one.
    return net.eval().requires_grad_(False)


def count(name: str) -> VisionCounts:
    """Parameters, multiply-adds of one picture of the network's own size, the size of its file, sizes it takes."""
    cfg: Any = get_pretrained_cfg(name)
    net = build_empty(name)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, *cfg.input_size, device="meta"))
    values = sum(tensor.numel() * tensor.element_size() for tensor in net.state_dict().values())
    return VisionCounts(
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        gmacs=round(counter.get_total_flops() / 2e9, 3),
        size_mb=round(values / 2**20, 1),
        has_attention_layers=bool(lora_targets(net)),
        **sizes_of(name),
    )
