"""How timm's networks fall into stages: a line of words for each class of network, and one trunk for all the others.

timm's networks run `forward_features`, then `forward_head`; most of the former call their parts one after another.
A line of `timm_chains` names these parts in that order. What is no such chain (several maps at once, states beside the
tokens) stays whole: its one stage, "trunk", is all or nothing for "the last k blocks".
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import partial
from math import isqrt
from typing import Any

import timm
import torch
from timm.layers.pos_embed import resample_abs_pos_embed_nhwc
from torch import Tensor, nn

from core.models.card import ModelCard
from core.networks.stages import Calls, Plan, Stage, Step
from core.networks.timm_chains import CHAINS
from core.networks.timm_heads import count_features, find_classifier, tail_of

# Parts that take part in every block, or in what stands before the first: they learn with the stem.
_BESIDE = {"pos_drop", "pos_embed", "rel_pos_bias", "rope", "shared_rel_pos"}
# Where a module keeps the function that translates a published file into the network's own names and shapes.
_FILTERS = ("checkpoint_filter_fn", "checkpoint_filter_fn_classifier", "_filter_fn", "_filter_torchvision_pretrained")
# Parts of some published files that the network is built without.
_UNUSED = ("AuxLogits.", "attn_pool.")


def create(card: ModelCard, size: int) -> nn.Module:
    """The network of a card for pictures of `size` px, with random values: nothing is ever fetched."""
    is_plain = card.source == "bundled" or not card.tag
    return create_named(card.architecture if is_plain else f"{card.architecture}.{card.tag}", size)


def create_named(name: str, size: int) -> nn.Module:
    """The network NAME or NAME.TAG for pictures of `size` px. Some are built for one size, most take any."""
    known = timm.get_pretrained_cfg(name)
    options: dict[str, Any] = {"img_size": size} if known is not None and known.fixed_input_size else {}
    net: nn.Module = timm.create_model(name, pretrained=False, **options)
    return net


def fitted(net: Any, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Published or saved tensors as the network wants them: in fp32, by its names, for its picture size.

    Only where they differ is timm asked to translate them: old names, position embeddings for another size.
    """
    weights = {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
    shapes = {name: value.shape for name, value in net.state_dict().items()}
    if shapes == {name: value.shape for name, value in weights.items()}:
        return weights
    weights = {name: value for name, value in weights.items() if name in shapes or not name.startswith(_UNUSED)}
    home = vars(sys.modules[timm.models.model_entrypoint(net.pretrained_cfg["architecture"]).__module__])
    translate = next((home[name] for name in _FILTERS if name in home), None)
    if translate is None:
        return weights
    takes_net = len(inspect.signature(translate).parameters) > 1
    tensors: dict[str, Tensor] = translate(weights, net) if takes_net else translate(weights)
    return tensors


def plan(net: Any, size: int) -> Plan:
    """The stages of a timm network for pictures of `size` px, and its classifier as one module."""
    head = find_classifier(net)
    answer = net.get_submodule(head) if head else None
    width = count_features(net, answer)
    tail, own = tail_of(net), tuple(net.parameters(recurse=False))
    items = list(_items(net, CHAINS.get(type(net).__name__, ""), "", size))
    if not any(role is _Role.OPENS for _, _, role in items):
        parts = [child for child in net.children() if child is not answer]
        whole = partial(_trunk, net, tail) if hasattr(net, "get_classifier") else partial(_encoded, net)
        trunk = Calls(whole, *parts)
        return Plan([Stage("trunk", (trunk,), own)], head, num_features=width)
    stages, rest = _grouped(items)
    placed = {id(p) for _, step, _ in items if isinstance(step, nn.Module) for p in step.parameters()}
    left = {
        name: child
        for name, child in net.named_children()
        if child is not answer and any(id(p) not in placed for p in child.parameters())
    }
    beside = Calls(_as_it_is, *(child for name, child in left.items() if name in _BESIDE))
    stages[0] = Stage(stages[0].name, (beside, *stages[0].steps), own)
    last = Calls(tail, *(child for name, child in left.items() if name not in _BESIDE))
    return Plan(stages, head, [*rest, last], is_map=type(net).__name__ == "VOLO", num_features=width)


def _trunk(net: Any, tail: Callable[[Any], Tensor], x: Tensor) -> Tensor:
    return tail(net.forward_features(x))


def _encoded(net: Any, x: Tensor) -> Tensor:
    """What an encoder without a classifier gives, on average over the picture."""
    encoded: Tensor = net(x)
    return encoded if encoded.ndim == 2 else encoded.flatten(1, -2).mean(1)


# -- blocks ----------------------------------------------------------------------------------------------


class _Role(Enum):
    """What a step is to the blocks: it begins one, follows in the one before, or waits for the next."""

    OPENS = "opens"
    FOLLOWS = "follows"
    WAITS = "waits"


_Item = tuple[str, Step, _Role]
_Arguments = Callable[[Any, int, int], Mapping[str, object]]


def _items(module: nn.Module, line: str, prefix: str, size: int) -> Iterator[_Item]:
    """What a line names in a module, in order. `size`: px of the pictures."""
    for word in line.split():
        name = word.rstrip("*!")
        if name.startswith("@"):
            function, parts = _GLUE[name[1:]]
            inner = [child for child in (getattr(module, part, None) for part in parts) if child is not None]
            yield f"{prefix}{name[1:]}", Calls(partial(function, module), *inner), _Role.WAITS
            continue
        found = _part(module, name)
        if found is None or isinstance(found, nn.Identity):
            continue
        if word.endswith("**"):
            for inner_name, child in found.named_children():
                yield from _children(module, child, f"{prefix}{name}.{inner_name}.", size)
        elif word.endswith("*"):
            yield from _children(module, found, f"{prefix}{name}.", size)
        else:
            yield f"{prefix}{name}", found, _Role.OPENS if word.endswith("!") else _Role.WAITS


def _part(module: Any, name: str) -> Any:
    for part in name.split("."):
        module = getattr(module, part, None)
    return module


def _children(parent: nn.Module, container: nn.Module, prefix: str, size: int) -> Iterator[_Item]:
    arguments = _ARGUMENTS.get(type(parent).__name__)
    for index, (name, child) in enumerate(container.named_children()):
        line = CHAINS.get(type(child).__name__)
        if line is not None:
            yield from _items(child, line, f"{prefix}{name}.", size)
        elif arguments is not None:
            run = partial(_run_with, child, arguments, parent, index, size)
            yield f"{prefix}{name}", Calls(run, child), _Role.OPENS
        else:  # a norm, an activation or a pooling between blocks is none
            has_weights = any(p.ndim > 1 for p in child.parameters())
            yield f"{prefix}{name}", child, _Role.OPENS if has_weights else _Role.FOLLOWS


def _grouped(items: list[_Item]) -> tuple[list[Stage], list[Step]]:
    """Stages, and the steps behind the last block. What stands before the first block is the stem."""
    groups: list[tuple[str, list[Step]]] = []
    waiting: list[Step] = []
    for name, step, role in items:
        if role is _Role.FOLLOWS and groups and not waiting:
            groups[-1][1].append(step)
        elif role is not _Role.OPENS:
            waiting.append(step)
        else:
            if not groups and waiting:
                groups.append(("stem", waiting))
                waiting = []
            groups.append((name, [*waiting, step]))
            waiting = []
    return [Stage(name, tuple(steps)) for name, steps in groups], waiting


def _run_with(
    block: nn.Module,
    arguments: Callable[[Any, int, int], Mapping[str, object]],
    net: Any,
    index: int,
    size: int,
    x: Tensor,
) -> Tensor:
    out: Tensor = block(x, **arguments(net, index, size))
    return out


def _rotary(net: Any, index: int, size: int) -> Mapping[str, object]:
    """The rotary embedding of the patches' places, for all blocks or (mixed) for each."""
    if net.rope is None:
        return {"rope": None}
    is_known = hasattr(net.rope, "feat_shape") and not net.dynamic_img_size
    patch = net.patch_embed.patch_size
    rope = net.rope.get_embed() if is_known else net.rope.get_embed(shape=[size // patch[0], size // patch[1]])
    return {"rope": rope[index] if getattr(net, "rope_mixed", False) else rope}


def _shared_bias(net: Any, index: int, size: int) -> Mapping[str, object]:
    return {"shared_rel_pos_bias": None if net.rel_pos_bias is None else net.rel_pos_bias()}


def _shared_positions(net: Any, index: int, size: int) -> Mapping[str, object]:
    return {"shared_rel_pos": None if net.shared_rel_pos is None else net.shared_rel_pos.get_bias()}


def _grid(net: Any, index: int, size: int) -> Mapping[str, object]:
    side = size // net.patch_embed.patch_size
    return {"H": side, "W": side}


# What a network's blocks are called with beside the tokens: (network, place of the block, px) → arguments.
_ARGUMENTS: dict[str, _Arguments] = {
    "Beit": _shared_bias,
    "Eva": _rotary,
    "VisionTransformerRelPos": _shared_positions,
    "Xcit": _grid,
}


# -- between the parts -----------------------------------------------------------------------------------


def _as_it_is(x: Tensor) -> Tensor:
    return x


def _class_token(net: Any, x: Tensor) -> Tensor:
    return x if net.cls_token is None else torch.cat((net.cls_token.expand(x.shape[0], -1, -1), x), dim=1)


def _positions(net: Any, x: Tensor) -> Tensor:
    tokens: Tensor = net.pos_drop(x if net.pos_embed is None else x + net.pos_embed)
    return tokens


def _embed_eva(net: Any, x: Tensor) -> Tensor:
    tokens: Tensor = net.norm_pre(net._pos_embed(net.patch_embed(x))[0])
    return tokens


def _embed_sam(net: Any, x: Tensor) -> Tensor:
    if net.pos_embed is not None:
        x = x + resample_abs_pos_embed_nhwc(net.pos_embed, x.shape[1:3])
    tokens: Tensor = net.pos_drop(x)
    return tokens


def _embed_xcit(net: Any, x: Tensor) -> Tensor:
    n = x.shape[0]
    x, (rows, columns) = net.patch_embed(x)
    if net.pos_embed is not None:
        x = x + net.pos_embed(n, rows, columns).reshape(n, -1, x.shape[1]).permute(0, 2, 1)
    tokens: Tensor = net.pos_drop(x)
    return tokens


def _neck(net: Any, x: Tensor) -> Tensor:
    out: Tensor = net.neck(x.permute(0, 3, 1, 2))
    return out


def _norm_of_map(net: Any, x: Tensor) -> Tensor:
    out: Tensor = net.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return out


def _tokens_of_levit(net: Any, x: Tensor) -> Tensor:
    return x if net.use_conv else x.flatten(2).transpose(1, 2)


def _tokens_of_map(stage: Any, x: Tensor) -> Tensor:
    return x if stage.use_nchw else x.reshape(x.shape[0], x.shape[1], -1).transpose(1, 2)


def _map_of_tokens(stage: Any, x: Tensor) -> Tensor:
    side = isqrt(x.shape[1])  # Graft's pictures are squares
    return x if stage.use_nchw else x.transpose(1, 2).reshape(x.shape[0], x.shape[2], side, side)


# Functions that a line names with "@": what they do to (module, x), and the parts that they call.
_GLUE: dict[str, tuple[Callable[[Any, Tensor], Tensor], tuple[str, ...]]] = {
    "channels_first": (lambda _, x: x.permute(0, 3, 1, 2), ()),
    "channels_last": (lambda _, x: x.permute(0, 2, 3, 1), ()),
    "class_token": (_class_token, ()),
    "eva": (_embed_eva, ("patch_embed", "pos_drop", "patch_drop", "norm_pre")),
    "levit": (_tokens_of_levit, ()),
    "map_of_tokens": (_map_of_tokens, ()),
    "neck": (_neck, ("neck",)),
    "norm_of_map": (_norm_of_map, ("norm",)),
    "positions": (_positions, ("pos_drop",)),
    "sam": (_embed_sam, ("pos_drop",)),
    "tokens": (lambda _, x: x.reshape(x.shape[0], -1, x.shape[-1]), ()),
    "tokens_of_map": (_tokens_of_map, ()),
    "xcit": (_embed_xcit, ("patch_embed", "pos_drop")),
}
