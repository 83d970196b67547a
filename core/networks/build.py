"""A catalogue id becomes a network in stages, of torchvision or timm, with or without its weights."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from core.models.card import ModelCard
from core.networks.stages import Calls, NothingDrawn, Plan, Stage, Stages, Step


def build_stages(card: ModelCard, size: int, weights: dict[str, Tensor] | None, *, is_headless: bool = False) -> Stages:
    """The network of a published card for pictures of `size` px, in stages.

    With `weights` they are loaded (with `is_headless` they are a saved backbone's, without the head), else
    the network keeps its random values. Raises RuntimeError when weights do not fit.
    """
    with _uncomputed(card) if weights is not None else nullcontext():
        net = _create(card, size, is_whole=weights is not None and not is_headless)
    if weights is not None and not is_headless:
        _load(net, _renamed(card, net, weights, size))
    if hasattr(net, "aux_logits"):
        _drop_auxiliary_heads(net)
    plan = _plan(card, net, size)
    head: nn.Module = nn.Identity()
    if plan.head:
        head = net.get_submodule(plan.head)
        parent, _, name = plan.head.rpartition(".")
        setattr(net.get_submodule(parent), name, nn.Identity())
    if not card.num_classes and not _is_timm(card):  # of the convolutions alone: the layers above them hold nothing
        net.classifier = nn.Identity()
    if weights is not None and is_headless:
        _load(net, _resized(card, net, weights, size))
    if plan.tail:
        last = plan.stages[-1]
        plan.stages[-1] = Stage(last.name, (*last.steps, *plan.tail), last.own)
    num_features = plan.num_features or _num_features(head if card.num_classes else plan.stages)
    return Stages(net, plan.stages, head, num_features, plan.is_map, plan.head)


def _uncomputed(card: ModelCard) -> AbstractContextManager[Any]:
    """Initialises no parameter: weights take the place of what was never computed."""
    # Some of timm's networks compute from their parameters what no file holds: they need some, if not values.
    if card.source == "timm":
        return NothingDrawn()
    from accelerate import init_empty_weights  # takes a second: only where weights are loaded

    empty: AbstractContextManager[None] = init_empty_weights()
    return empty


def _is_timm(card: ModelCard) -> bool:
    """Whether timm builds the network; only then is it imported, which takes a second."""
    return card.source in ("bundled", "timm")


def _create(card: ModelCard, size: int, *, is_whole: bool) -> nn.Module:
    if _is_timm(card):
        from core.networks import from_timm

        return from_timm.create(card, size)
    options: dict[str, Any] = {}
    if card.architecture.startswith("vit"):
        options["image_size"] = size
    if card.architecture in {"googlenet", "inception_v3"}:
        # The published weights hold auxiliary heads and expect pictures normalised in another way.
        options = {"aux_logits": is_whole, "transform_input": True, "init_weights": not is_whole}
    from torchvision import models as zoo  # brings torch's compiler: over a second

    net: nn.Module = getattr(zoo, card.architecture)(weights=None, **options)
    return net


def _drop_auxiliary_heads(net: Any) -> None:
    """Auxiliary heads helped to train a deep network from nothing (Szegedy et al. 2014); answers never need them."""
    net.aux_logits = False
    for name in ("aux1", "aux2", "AuxLogits"):
        if hasattr(net, name):
            setattr(net, name, None)


def _load(net: nn.Module, weights: dict[str, Tensor]) -> None:
    state = OrderedDict(weights)
    # Some networks ask which version of themselves wrote the file; a plain dict means the present one.
    state._metadata = getattr(weights, "_metadata", None) or net.state_dict()._metadata  # type: ignore[attr-defined]
    net.load_state_dict(state, assign=True)


def _renamed(card: ModelCard, net: nn.Module, weights: dict[str, Tensor], size: int) -> dict[str, Tensor]:
    """The published tensors under the names that the network uses."""
    if card.source == "bundled":  # written by another implementation of the same layers, in the same order
        names = list(net.state_dict())
        if len(names) != len(weights):
            raise ValueError(f"{len(weights)} tensors, the network has {len(names)}")
        return dict(zip(names, weights.values(), strict=True))
    if card.architecture.startswith("densenet"):  # written when module names could hold dots
        pattern = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)$")
        return {pattern.sub(r"\1\2", name): tensor for name, tensor in weights.items()}
    return _resized(card, net, weights, size)


def _resized(card: ModelCard, net: nn.Module, weights: dict[str, Tensor], size: int) -> dict[str, Tensor]:
    """A vision transformer's position embeddings, interpolated to another number of patches."""
    if _is_timm(card):
        from core.networks import from_timm

        return from_timm.fitted(net, weights)
    if not card.architecture.startswith("vit"):
        return weights
    patch = card.size_multiple
    from torchvision.models.vision_transformer import interpolate_embeddings

    resized: dict[str, Tensor] = interpolate_embeddings(size, patch, OrderedDict(weights))
    return resized


def _num_features(source: nn.Module | list[Stage]) -> int:
    """What a head takes in, or what the last convolution of some stages gives."""
    if isinstance(source, list):
        modules = [module for stage in source for part in stage.modules for module in part.modules()]
        return next(module.out_channels for module in reversed(modules) if isinstance(module, nn.Conv2d))
    for module in source.modules():
        if isinstance(module, nn.Linear):
            return module.in_features
        if isinstance(module, nn.Conv2d):
            return module.in_channels
    raise ValueError("a head without a layer")


# -- families --------------------------------------------------------------------------------------------


def _plan(card: ModelCard, net: Any, size: int) -> Plan:
    if _is_timm(card):
        from core.networks import from_timm

        return from_timm.plan(net, size)
    name = card.architecture
    prefix = max((prefix for prefix in _FAMILIES if name.startswith(prefix)), key=len)
    return _FAMILIES[prefix](net, card)


def _flatten(x: Tensor) -> Tensor:
    return torch.flatten(x, 1)


def _mean_of_map(x: Tensor) -> Tensor:
    return x.mean((2, 3))


def _each(prefix: str, modules: Iterable[nn.Module], start: int = 0) -> list[Stage]:
    return [Stage(f"{prefix}.{index}", (module,)) for index, module in enumerate(modules, start)]


def _by(kinds: type[nn.Module] | tuple[type[nn.Module], ...], prefix: str, modules: Iterable[nn.Module]) -> list[Stage]:
    """Stages that begin at each module of these kinds; what stands before the first joins it."""
    groups: list[list[nn.Module]] = [[]]
    for module in modules:
        if isinstance(module, kinds) and any(isinstance(other, kinds) for other in groups[-1]):
            groups.append([])
        groups[-1].append(module)
    return [Stage(f"{prefix}.{index}", tuple(group)) for index, group in enumerate(groups)]


def _resnet(net: Any, card: ModelCard) -> Plan:
    stem = Stage("stem", (net.conv1, net.bn1, net.relu, net.maxpool))
    blocks = [stage for name in ("layer1", "layer2", "layer3", "layer4") for stage in _each(name, getattr(net, name))]
    return Plan([stem, *blocks], "fc", [net.avgpool, _flatten])


def _features(net: Any, card: ModelCard) -> Plan:
    """EfficientNet, MobileNetV2: the features in order, the last convolution joined to the last block."""
    stages = _each("features", net.features[:-1])
    return Plan(stages, f"classifier.{len(net.classifier) - 1}", [net.features[-1], _mean_of_map])


def _mobilenet_v3(net: Any, card: ModelCard) -> Plan:
    plan = _features(net, card)
    last = plan.stages[-1]
    plan.stages[-1] = Stage(last.name, (*last.steps, *plan.tail))
    plan.stages.append(Stage("classifier", tuple(net.classifier[:-1])))
    return Plan(plan.stages, plan.head)


def _vgg(net: Any, card: ModelCard) -> Plan:
    stages = _by(nn.Conv2d, "features", net.features)
    if not card.num_classes:
        return Plan(stages, f"classifier.{len(net.classifier) - 1}", [_mean_of_map])
    last = stages[-1]
    stages[-1] = Stage(last.name, (*last.steps, net.avgpool, _flatten))
    stages += _by(nn.Linear, "classifier", net.classifier[:-1])
    return Plan(stages, f"classifier.{len(net.classifier) - 1}")


def _squeezenet(net: Any, card: ModelCard) -> Plan:
    from torchvision.models.squeezenet import Fire

    # The classifier is a convolution over the map: the map itself is what a new head begins with.
    net.classifier = nn.Sequential(OrderedDict(answer=nn.Sequential(*net.classifier, nn.Flatten(1))))
    return Plan(_by((nn.Conv2d, Fire), "features", net.features), "classifier.answer", is_map=True)


def _densenet(net: Any, card: ModelCard) -> Plan:
    features = dict(net.features.named_children())
    stages = [Stage("stem", tuple(features[name] for name in ("conv0", "norm0", "relu0", "pool0")))]
    waiting: list[Step] = []
    for name, module in features.items():
        if name.startswith("transition"):
            waiting.append(module)
        elif name.startswith("denseblock"):
            stages.append(Stage(name, (*waiting, module)))
            waiting = []
    return Plan(stages, "classifier", [features["norm5"], nn.functional.relu, _mean_of_map])


def _googlenet(net: Any, card: ModelCard) -> Plan:
    stem = (net._transform_input, net.conv1, net.maxpool1, net.conv2, net.conv3, net.maxpool2)
    return _inception_like(net, stem, "inception", ("maxpool",))


def _inception_v3(net: Any, card: ModelCard) -> Plan:
    names = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
    stem = (net._transform_input, *(getattr(net, name) for name in names), net.maxpool2)
    return _inception_like(net, stem, "Mixed_", ())


def _inception_like(net: Any, stem: tuple[Step, ...], prefix: str, between: tuple[str, ...]) -> Plan:
    stages = [Stage("stem", stem)]
    waiting: list[Step] = []
    is_behind_stem = False
    for name, module in net.named_children():
        if name.startswith(prefix):
            stages.append(Stage(name, (*waiting, module)))
            waiting, is_behind_stem = [], True
        elif is_behind_stem and between and name.startswith(between):
            waiting.append(module)
    return Plan(stages, "fc", [net.avgpool, _flatten])


def _mnasnet(net: Any, card: ModelCard) -> Plan:
    stem = Stage("stem", tuple(net.layers[:8]))
    return Plan([stem, *_each("layers", net.layers[8:14], 8)], "classifier.1", [*net.layers[14:], _mean_of_map])


def _regnet(net: Any, card: ModelCard) -> Plan:
    blocks = [stage for name, group in net.trunk_output.named_children() for stage in _each(name, group)]
    return Plan([Stage("stem", (net.stem,)), *blocks], "fc", [net.avgpool, _flatten])


def _shufflenet(net: Any, card: ModelCard) -> Plan:
    blocks = [stage for name in ("stage2", "stage3", "stage4") for stage in _each(name, getattr(net, name))]
    return Plan([Stage("stem", (net.conv1, net.maxpool)), *blocks], "fc", [net.conv5, _mean_of_map])


def _convnext(net: Any, card: ModelCard) -> Plan:
    norm, flatten = net.classifier[0], net.classifier[1]
    return Plan(_alternating(net.features), "classifier.2", [net.avgpool, norm, flatten])


def _swin(net: Any, card: ModelCard) -> Plan:
    return Plan(_alternating(net.features), "head", [net.norm, net.permute, net.avgpool, net.flatten])


def _alternating(features: Any) -> list[Stage]:
    """Stem, blocks, downsampling, blocks …: a downsampling layer joins the block that follows it."""
    stages = [Stage("stem", (features[0],))]
    waiting: list[Step] = []
    for index, group in enumerate(features[1:], 1):
        if index % 2 == 0:
            waiting.append(group)
            continue
        for place, block in enumerate(group):
            stages.append(Stage(f"features.{index}.{place}", (*waiting, block)))
            waiting = []
    return stages


def _embed(net: Any, x: Tensor) -> Tensor:
    x = net._process_input(x)
    x = torch.cat([net.class_token.expand(x.shape[0], -1, -1), x], dim=1)
    added: Tensor = x + net.encoder.pos_embedding
    return added


def _vit(net: Any, card: ModelCard) -> Plan:
    own = (net.class_token, net.encoder.pos_embedding)
    # `_process_input` runs conv_proj; it is named as a module too, so that it is frozen with the stage. A partial
    # function is copied with the network, where one that remembers `net` would go on running the first one.
    first = Stage("embed", (Calls(partial(_embed, net), net.conv_proj), net.encoder.dropout), own)
    layers = _each("encoder", net.encoder.layers)
    return Plan([first, *layers], "heads.head", [net.encoder.ln, _class_token])


def _class_token(x: Tensor) -> Tensor:
    return x[:, 0]


def _maxvit(net: Any, card: ModelCard) -> Plan:
    layers = [stage for index, block in enumerate(net.blocks) for stage in _each(f"blocks.{index}", block.layers)]
    return Plan([Stage("stem", (net.stem,)), *layers], "classifier.5", list(net.classifier[:5]))


_FAMILIES: dict[str, Callable[[Any, ModelCard], Plan]] = {
    "alexnet": _vgg,
    "convnext": _convnext,
    "densenet": _densenet,
    "efficientnet": _features,
    "googlenet": _googlenet,
    "inception": _inception_v3,
    "maxvit": _maxvit,
    "mnasnet": _mnasnet,
    "mobilenet_v2": _features,
    "mobilenet_v3": _mobilenet_v3,
    "regnet": _regnet,
    "resnet": _resnet,
    "resnext": _resnet,
    "shufflenet": _shufflenet,
    "squeezenet": _squeezenet,
    "swin": _swin,
    "vgg": _vgg,
    "vit": _vit,
    "wide_resnet": _resnet,
}
