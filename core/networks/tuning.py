"""What learns under each tuning method: where the trunk is cut, what is frozen, where adapters lie."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from core.errors import InputError
from core.networks.lora import add_lora, count_lora, merge_lora
from core.registry.methods import MethodSettings
from core.registry.table import build_table


class Tunable(nn.Module):
    """A network of blocks in order, from the input on, and a head that answers."""

    net: nn.Module
    head: nn.Module
    base: str  # the id of the model it was built from
    num_frozen: int  # blocks from the input on that are left as they are
    method: str | None = None  # the way it was made ready for
    keeps_standard = False  # the head standardises by what it was fitted with, also while it learns

    @property
    @abstractmethod
    def num_blocks(self) -> int:
        """How many blocks there are below the head."""

    @abstractmethod
    def freeze(self, num_frozen: int) -> None:
        """Leave so many blocks as they are; those above learn. The head is not touched."""

    @abstractmethod
    def adapter_places(self) -> list[str]:
        """The layers that adapters can stand beside, by their names in `net`; none without attention."""


@dataclass(frozen=True)
class Behaviour:
    """One way of tuning, as it is done."""

    id: str
    cut: Callable[[int, MethodSettings], int]  # of so many blocks, how many are left as they are
    put_in: Callable[[Tunable, MethodSettings], None] | None = None  # after freezing: layers that learn beside others
    count: Callable[[Tunable, MethodSettings], int | None] | None = None  # parameters put in; None: it has no place
    merge: Callable[[Tunable], None] | None = None  # before saving: what was put in becomes part of the weights


def _put_adapters(model: Tunable, settings: MethodSettings) -> None:
    names = model.adapter_places()
    if not names:
        raise InputError("model.no_attention", id=model.base)
    add_lora(model.net, names, rank=settings.lora_rank, alpha=settings.lora_alpha, seed=settings.seed)


def _count_adapters(model: Tunable, settings: MethodSettings) -> int | None:
    names = model.adapter_places()
    return count_lora(model.net, names, rank=settings.lora_rank) if names else None


BEHAVIOURS = build_table(
    [
        Behaviour("head", cut=lambda blocks, _: blocks),
        Behaviour("last", cut=lambda blocks, settings: max(0, blocks - settings.last_blocks)),
        Behaviour(
            "lora",
            cut=lambda blocks, _: 0,
            put_in=_put_adapters,
            count=_count_adapters,
            merge=lambda model: merge_lora(model.net),
        ),
        Behaviour("full", cut=lambda blocks, _: 0),
    ]
)


def set_trainable(model: Tunable, method: str, settings: MethodSettings | None = None) -> None:
    """Make a network ready to be tuned in this way: `model.num_frozen` blocks stay as they are.

    Raises `InputError` where a network has no place for what the way puts in.
    """
    behaviour, settings = BEHAVIOURS[method], settings or MethodSettings()
    model.method = method
    model.freeze(behaviour.cut(model.num_blocks, settings))
    if behaviour.put_in is not None:
        behaviour.put_in(model, settings)
    model.head.requires_grad_(True)
    model.train(model.training)


def count_put_in(model: Tunable, method: str, settings: MethodSettings) -> int | None:
    """How many parameters a way would put in, without doing so; None where the network has no place for them."""
    count = BEHAVIOURS[method].count
    return 0 if count is None else count(model, settings)


def merge(model: Tunable) -> None:
    """Make what was put in part of the weights: the network is as it was built, with what it learned."""
    behaviour = BEHAVIOURS.get(model.method or "")
    if behaviour is not None and behaviour.merge is not None:
        behaviour.merge(model)


# Parts outside the layers that stand before them: they are frozen with the embeddings. What else lies outside
# (a last normalisation) stands behind them and learns.
BEFORE = ("embed", "wte", "wpe", "shared", "rel_", "relative_attention_bias")


def linear_names(net: nn.Module) -> list[str]:
    return [name for name, module in net.named_modules() if isinstance(module, nn.Linear)]
