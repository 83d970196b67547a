"""Low-rank adapters (LoRA, Hu et al. 2021) by peft: put beside linear layers, learned, and merged when saved."""

from __future__ import annotations

from collections.abc import Iterable

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers.pytorch_utils import Conv1D

# These read their weights themselves instead of calling their layers: an adapter beside them would never be asked.
_READ_DIRECTLY = ("MultiheadAttention", "ShiftedWindowAttention", "ShiftedWindowAttentionV2")
_ATTENTION = ("Attention", "SelfAttention")


def lora_targets(net: nn.Module) -> list[str]:
    """Names of the linear layers that adapters can stand beside; none for a network without attention."""
    kinds = [type(module).__name__ for module in net.modules()]
    if not any(word in kind for kind in kinds for word in _ATTENTION):
        return []
    passed: tuple[str, ...] = tuple(
        f"{name}." for name, module in net.named_modules() if type(module).__name__ in _READ_DIRECTLY
    )
    found = [name for name, module in net.named_modules() if isinstance(module, nn.Linear | Conv1D)]
    return [name for name in found if not name.startswith(passed or ("\0",))]


def add_lora(net: nn.Module, names: Iterable[str], *, rank: int, alpha: int, seed: int) -> None:
    """Freeze a network and put adapters of this rank beside the layers named; only they learn."""
    import torch

    names = list(names)
    transposed = any(isinstance(net.get_submodule(name), Conv1D) for name in names)
    config = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=0.0, target_modules=names, bias="none", fan_in_fan_out=transposed
    )
    torch.manual_seed(seed)
    net.requires_grad_(False)
    inject_adapter_in_model(config, net)


def merge_lora(net: nn.Module) -> None:
    """Add the adapters to the weights they stand beside and take them away: the network is as it was built."""
    for name, module in list(net.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            parent, _, own = name.rpartition(".")
            setattr(net.get_submodule(parent), own, module.get_base_layer())


def has_lora(net: nn.Module) -> bool:
    """Whether adapters stand in a network."""
    return any(isinstance(module, BaseTunerLayer) for module in net.modules())
