"""Any card's network without its weights: built on the meta device, with what it is shown and how it divides.

A tensor on the meta device has a shape and no values, so 630 million parameters take no memory and no time. What is
read of the network here (names, shapes, sizes) is what the published one has.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from core.errors import GraftError, InputError
from core.inspection.records import Part, Shown
from core.models.card import ModelCard
from core.models.catalog import get_model
from core.models.weight_files import hub_snapshots, model_folder, model_source
from core.networks.build import build_stages
from core.networks.configurations import encoder_class, feature_width, network_class
from core.networks.heads import new_head
from core.networks.image import ImageClassifier
from core.networks.meta import Unfilled, on_meta
from core.networks.stages import Stages
from core.registry.tasks import IMAGE_CLASSIFICATION, TEXT_CLASSIFICATION
from core.registry.text_architectures import text_architecture

TOKENS = 128  # of a text that a network is shown: what the cards' multiply-adds count with
NEW_CLASSES = 10  # of the new head that ways of tuning are told with


class Called(TypedDict, total=False):
    """What a forward is called with."""

    args: tuple[Tensor, ...]
    kwargs: dict[str, Tensor]


@dataclass
class Blueprint:
    """A network on the meta device; `show(batch)` gives what its forward is called with.

    `blocks` are the names of the stages that "the last k blocks" counts, `block_of` the stage of each module's
    path; paths below one of `head` are the head, below one of `aside` parts that an answer never needs.
    """

    net: nn.Module
    show: Callable[[int], Called]
    input: Shown
    blocks: list[str] = field(default_factory=list)
    block_of: dict[str, int] = field(default_factory=dict)
    head: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()

    def part_of(self, path: str) -> Part:
        """ "backbone", "head", or "auxiliary" for what an answer never needs."""
        parts: tuple[tuple[Part, tuple[str, ...]], ...] = (("head", self.head), ("auxiliary", self.aside))
        for name, prefixes in parts:
            if any(path == prefix or path.startswith(f"{prefix}.") for prefix in prefixes):
                return name
        return "backbone"


def draw(card: ModelCard, image_size: int | None = None) -> Blueprint:
    """The whole network of a card as it was published, or as a run made it. Raises `InputError` where it cannot be."""
    base = get_model(card.base) if card.source == "run" else card
    if base.source in ("torchvision", "bundled", "timm") and not base.is_text:
        return _classifier(card, base, image_size or card.vision.image_size)
    return _transformer(card, base, image_size)


def build_tunable(card: ModelCard, image_size: int | None = None) -> ImageClassifier | nn.Module:
    """The network as Graft tunes it, on the meta device, with a new head for `NEW_CLASSES` labels.

    Raises `InputError` for a card that is not tuned here.
    """
    base = get_model(card.base) if card.source == "run" else card
    if not base.is_trainable:
        raise InputError("model.not_tuned", id=card.id)
    labels = [str(number) for number in range(NEW_CLASSES)]
    if not base.is_text:
        parts = stages_on_meta(base, image_size or card.vision.image_size)
        with on_meta():
            head = new_head(parts.num_features, NEW_CLASSES, is_map=parts.is_map)
        return ImageClassifier(parts, head, labels, card.vision, base.id, freeze_batchnorm=True)
    from core.networks.text import TextClassifier, build_backbone

    with on_meta():
        net = build_backbone(configuration(card, base))
        return TextClassifier(net, new_head(feature_width(net.config), NEW_CLASSES), labels, None, base.id)


def stages_on_meta(base: ModelCard, size: int) -> Stages:
    """A published classifier in stages, on the meta device."""
    try:
        with on_meta():
            return build_stages(base, size, None)
    except NotImplementedError:  # RegNet works its widths out with tensors, which must have values
        from accelerate import init_empty_weights  # takes a second: only where it is needed

        with init_empty_weights(), Unfilled():
            parts = build_stages(base, size, None)
        for part in (parts.net, parts.head):
            part.to("meta")
        return parts


def as_if_here(net: Any) -> Any:
    """A network of the meta device as one on the processor, within `fake_tensors`."""
    if not any(parameter.is_meta for parameter in net.parameters()):
        return net
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    net.to_empty(device="cpu")
    if callable(getattr(net, "tie_weights", None)):  # what shared its values was parted by that
        net.tie_weights()
    if isinstance(net, ImageClassifier):  # its stages hold parameters by themselves, and must know the new ones
        net.stages = [
            dataclasses.replace(stage, own=tuple(net.get_parameter(names[id(own)]) for own in stage.own))
            for stage in net.stages
        ]
    return net


# -- pictures ------------------------------------------------------------------------------------------


def _classifier(card: ModelCard, base: ModelCard, size: int) -> Blueprint:
    parts = stages_on_meta(base, size)
    with on_meta():
        head = _run_head(card, parts) if card.source == "run" else parts.head
    numbers = {
        id(inner): number
        for number, stage in enumerate(parts.stages)
        for part in stage.modules
        for inner in part.modules()
    }
    net, head_name = parts.net, parts.head_name
    aside: tuple[str, ...] = ()
    if getattr(head, "is_joined", False):  # the network's own way does not know it
        net, head_name = ImageClassifier(parts, head, [], card.vision, base.id, freeze_batchnorm=True), "head"
    elif base.num_classes:  # the head goes back to where it sat: names and structure are the published ones
        net.set_submodule(head_name, head)
    else:
        net, head_name = nn.Sequential(OrderedDict(net=net, head=head)), "head"
    if base.id.startswith("torchvision/inception_v3") and card.source != "run":
        aside = _add_auxiliary(net)
    block_of = {path: numbers[id(module)] for path, module in net.named_modules() if id(module) in numbers}
    return Blueprint(
        net=net.eval(),
        show=lambda batch: {"args": (torch.empty(batch, 3, size, size, device="meta"),)},
        input={"kind": "image", "size": size},
        blocks=[stage.name for stage in parts.stages],
        block_of=block_of,
        head=(head_name,),
        aside=aside,
    )


def _run_head(card: ModelCard, parts: Stages) -> nn.Module:
    """A run's own head: new for its labels, unless it went on from a published one."""
    head = new_head(parts.num_features, card.num_classes, is_map=parts.is_map)
    published = sum(p.numel() for p in parts.head.parameters())
    own = card.parameters - sum(p.numel() for p in parts.net.parameters())
    return parts.head if own == published and own != sum(p.numel() for p in head.parameters()) else head


def _add_auxiliary(net: nn.Module) -> tuple[str, ...]:
    """Inception v3 is published and counted with its auxiliary head, which only training from nothing ever used."""
    from torchvision.models.inception import InceptionAux

    with on_meta():
        net.AuxLogits = InceptionAux(768, 1000)
    return ("AuxLogits",)


# -- transformers --------------------------------------------------------------------------------------


def configuration(card: ModelCard, base: ModelCard) -> Any:
    """The configuration of a network: from its files where they are here, else as the card tells it."""
    import transformers

    for folder in _folders(card, base):
        if (folder / "config.json").is_file():
            return transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    try:
        return transformers.AutoConfig.for_model(base.architecture, **base.config)
    except ValueError as error:  # an architecture that transformers does not build
        raise InputError("model.no_blueprint", id=card.id, kind=base.architecture) from error


def _folders(card: ModelCard, base: ModelCard) -> list[Path]:
    if card.source == "run":
        return [model_folder(card)]
    try:
        return [model_source(base)] if base.source == "bundled" else hub_snapshots(base.id)
    except GraftError:
        return []


def _transformer(card: ModelCard, base: ModelCard, image_size: int | None) -> Blueprint:
    config = configuration(card, base)
    net = _build(card, base, config)
    usual = card.preprocessing.image_size if card.preprocessing else None
    show, shown = _inputs(net, config, image_size or usual)
    layers = _layers_name(net)
    blocks, block_of = _transformer_blocks(net, layers)
    inner = str(getattr(net, "base_model_prefix", ""))
    is_whole = not inner or not hasattr(net, inner)
    head = () if is_whole else tuple(name for name, _ in net.named_children() if name != inner)
    if isinstance(net, nn.Sequential):
        head = ("head",)
    return Blueprint(net=net.eval(), show=show, input=shown, blocks=blocks, block_of=block_of, head=head)


def _build(card: ModelCard, base: ModelCard, config: Any) -> nn.Module:
    """The network that the card's task asks for; a run's is the encoder with the head that was learned."""
    import transformers

    if hasattr(config, "use_cache"):
        config.use_cache = False
    with on_meta():
        if card.source == "run":
            from core.networks.text import build_backbone

            head = new_head(feature_width(config), card.num_classes)
            return nn.Sequential(OrderedDict(net=build_backbone(config), head=head))
        kind, options = _class_of(base, config)
        if kind is None:
            raise InputError("model.no_blueprint", id=card.id, kind=base.architecture)
        try:
            net: nn.Module = kind.from_config(config, **options)
        except (ValueError, ImportError) as error:
            raise InputError("model.no_blueprint", id=card.id, kind=base.architecture) from error
    if isinstance(net, transformers.PreTrainedModel):
        net.tie_weights()  # what shares its values is counted once
        writer: Any = net.get_output_embeddings()  # type: ignore[no-untyped-call]
        if writer is not None and base.config.get("tie_word_embeddings") is False:
            # transformers 5 ties T5's tables whatever the configuration says; the published file holds two.
            writer.weight = nn.Parameter(torch.empty_like(writer.weight))
    return net


def _class_of(base: ModelCard, config: Any) -> tuple[Any | None, dict[str, Any]]:
    """transformers' class for what a card is for, and how it is built; the number of labels goes into `config`."""
    if base.num_classes:
        config.num_labels = base.num_classes
    is_pair = base.task == TEXT_CLASSIFICATION and text_architecture(config.model_type).is_pair
    if is_pair or (base.task in (TEXT_CLASSIFICATION, IMAGE_CLASSIFICATION) and not base.num_classes):
        return encoder_class(config), {}
    # DINO's are published without the layer behind the class token.
    options = {"add_pooling_layer": False} if base.family == "DINO" and config.model_type == "vit" else {}
    return network_class(base.task, config), options


def _inputs(net: nn.Module, config: Any, image_size: int | None) -> tuple[Callable[[int], Called], Shown]:
    """What a transformer is shown: token numbers, pixels, sound, or tokens and pixels of a pair."""
    main = "input_ids" if isinstance(net, nn.Sequential) else str(getattr(net, "main_input_name", "input_ids"))
    vision = getattr(config, "vision_config", None)
    kinds = {"text": main == "input_ids", "image": main == "pixel_values" or vision is not None}
    if vision is not None and getattr(config, "text_config", None) is not None:
        kinds["text"] = True
    how = vision if vision is not None else config
    edge = image_size or _first_int(getattr(how, "image_size", None)) or 224
    longest = getattr(getattr(config, "text_config", None) or config, "max_position_embeddings", None)
    tokens = min(TOKENS, int(longest or TOKENS))
    shown: Shown = {"kind": " + ".join(kind for kind, on in kinds.items() if on) or "sound"}
    shown |= {"size": edge} if kinds["image"] else {}
    shown |= {"tokens": tokens} if kinds["text"] else {}
    shown |= {} if any(kinds.values()) else {"seconds": 30 if main == "input_features" else 10}

    def show(batch: int) -> Called:
        inputs: dict[str, Tensor] = {}
        if kinds["text"]:
            inputs["input_ids"] = torch.empty(batch, tokens, dtype=torch.int64, device="meta")
        if kinds["image"]:
            channels = int(getattr(how, "num_channels", 3) or 3)
            inputs["pixel_values"] = torch.empty(batch, channels, edge, edge, device="meta")
        if not inputs:
            inputs[main] = _sound(config, batch, main)
        if getattr(config, "is_encoder_decoder", False) and hasattr(net, "get_decoder"):
            inputs["decoder_input_ids"] = torch.empty(batch, tokens, dtype=torch.int64, device="meta")
        return {"args": (inputs["input_ids"],)} if isinstance(net, nn.Sequential) else {"kwargs": inputs}

    return show, shown


def _sound(config: Any, batch: int, name: str) -> Tensor:
    """Thirty seconds of log-mel features, or ten seconds of samples at 16 kHz."""
    if name == "input_features":
        length = 2 * int(getattr(config, "max_source_positions", 1500))
        return torch.empty(batch, int(getattr(config, "num_mel_bins", 80)), length, device="meta")
    return torch.empty(batch, 160_000, device="meta")


def _first_int(value: Any) -> int:
    while isinstance(value, list | tuple):
        value = value[0] if value else 0
    return int(value or 0)


def _layers_name(net: nn.Module) -> str:
    from core.networks.text import find_layers

    try:
        return find_layers(net)
    except GraftError:
        return ""


def _transformer_blocks(net: nn.Module, layers: str) -> tuple[list[str], dict[str, int]]:
    """Block 0 are the embeddings, block k the k-th layer: what stands before the layers, and they."""
    if not layers:
        return [], {}
    found = net.get_submodule(layers)
    blocks = ["embeddings", *(f"{layers}.{number}" for number, _ in enumerate(found.children()))]
    block_of: dict[str, int] = {}
    parent = layers.rpartition(".")[0]
    for path, _ in net.named_modules():
        if path.startswith(f"{layers}."):
            block_of[path] = 1 + int(path[len(layers) + 1 :].partition(".")[0])
        elif any(word in path.rpartition(".")[2] or f".{word}" in path for word in ("embed", "wte", "wpe", "shared")):
            block_of[path] = 0
    block_of.pop(parent, None)
    return blocks, block_of
