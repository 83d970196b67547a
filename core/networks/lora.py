"""Low-rank adapters (LoRA, Hu et al. 2021) by peft: put beside linear layers, learned, and merged when saved."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

# These read their weights themselves instead of calling their layers: an adapter beside them would never be asked.
_READ_DIRECTLY = ("MultiheadAttention", "ShiftedWindowAttention", "ShiftedWindowAttentionV2")
_ATTENTION = ("Attention", "Attn", "MHSA", "XCA")


def lora_targets(net: nn.Module) -> list[str]:
    """Names of the linear layers that adapters can stand beside; none for a network without attention."""
    if not any(_is_attention(module) for module in net.modules()):
        return []
    passed: tuple[str, ...] = tuple(
        f"{name}." for name, module in net.named_modules() if type(module).__name__ in _READ_DIRECTLY
    )
    names = [name for name, module in net.named_modules() if isinstance(module, nn.Linear) or _is_conv1d(module)]
    return [name for name in names if not name.startswith(passed or ("\0",))]


def _is_attention(module: nn.Module) -> bool:
    """Whether a module attends by linear layers: what weighs channels by convolutions, or pools, bears the name too."""
    kind = type(module).__name__
    if kind in _READ_DIRECTLY:
        return True
    is_named = any(word in kind for word in _ATTENTION) and "Pool" not in kind
    return is_named and any(isinstance(child, nn.Linear) or _is_conv1d(child) for child in module.children())


def _is_conv1d(module: nn.Module) -> bool:
    """Whether this is GPT-2's own linear layer, whose weight lies as [in, out]; importing it takes seconds."""
    return type(module).__name__ == "Conv1D" and hasattr(module, "nf")


def count_lora(net: nn.Module, names: Iterable[str], *, rank: int) -> int:
    """How many parameters adapters of this rank beside the layers named would have: rank (in + out) each."""
    return sum(rank * sum(net.get_parameter(f"{name}.weight").shape) for name in names)


def add_lora(net: nn.Module, names: Iterable[str], *, rank: int, alpha: int, seed: int) -> None:
    """Freeze a network and put adapters of this rank beside the layers named; only they learn."""
    import torch
    from peft import LoraConfig, inject_adapter_in_model

    names = list(names)
    transposed = any(_is_conv1d(net.get_submodule(name)) for name in names)
    config = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=0.0, target_modules=names, bias="none", fan_in_fan_out=transposed
    )
    for module in net.modules():
        # timm's BEiT, EVA and Swin v2 read the weight of `qkv` themselves, unless they add its bias apart.
        if hasattr(module, "qkv_bias_separate"):
            setattr(module, "qkv_bias_separate", True)  # noqa: B010  (a plain attribute, for mypy a tensor or module)
    torch.manual_seed(seed)
    net.requires_grad_(False)
    inject_adapter_in_model(config, net)


def merge_lora(net: nn.Module) -> None:
    """Add the adapters to the weights they stand beside and take them away: the network is as it was built."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in list(net.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            parent, _, own = name.rpartition(".")
            setattr(net.get_submodule(parent), own, module.get_base_layer())
