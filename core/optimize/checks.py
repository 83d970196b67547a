"""What speaks against a pass for a network on this machine: its row says what it needs, this looks whether it is so."""

from __future__ import annotations

import importlib.util
from functools import lru_cache

from core.catalog import ModelCard
from core.errors import Problem
from core.hardware import describe_machine
from core.registry.passes import PASSES


@lru_cache(maxsize=32)
def missing_packages(name: str) -> tuple[str, ...]:
    """The packages that a pass needs and that are not installed."""
    return tuple(package for package in PASSES[name].packages if importlib.util.find_spec(package) is None)


def check_pass(name: str, card: ModelCard, device: str = "cpu") -> list[Problem]:
    """What speaks against a pass for this network here: errors refuse it, warnings are told. Never raises."""
    row, machine, has_attention = PASSES[name], describe_machine(), is_transformer(card)
    values, here = {"name": name, "model": card.name}, {"processor": machine.processor}
    problems = []
    missing = missing_packages(name)
    if missing:
        wanted = {"name": name, "packages": ", ".join(missing), "install": row.install}
        problems.append(Problem("optimize.not_installed", field="passes", values=wanted))
    if row.on_convolutions and not has_attention:
        problems.append(Problem(row.on_convolutions, field="passes", values=values))
    if row.on_transformers and has_attention:
        problems.append(Problem(row.on_transformers, "warning", "passes", values))
    if device in row.bf16_on and not machine.is_native("bf16"):
        problems.append(Problem("optimize.no_bf16", field="passes", values=here))
    is_refused = any(problem.severity == "error" for problem in problems)
    if row.quantizes and not machine.is_native("int8") and not is_refused:
        problems.append(Problem("optimize.no_fast_int8", "warning", "passes", here))
    if row.needs_nvidia and "cuda" not in machine.devices:
        problems.append(Problem("optimize.no_nvidia", field="passes", values=here))
    return problems + [Problem(code, "warning", "passes") for code in row.remarks]


def is_transformer(card: ModelCard) -> bool:
    """Whether the network is built of attention layers, with layer norms and GELU."""
    return card.is_text or card.has_attention
