"""The layers of a network with shapes, parameters and multiply-adds, counted by running it without numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import flop_registry

from core.inspection.blueprint import Blueprint, Called, as_if_here
from core.inspection.records import BlockRow, LayerRow
from core.inspection.shape_rules import SHAPED
from core.networks.meta import fake_tensors

_aten = torch.ops.aten
# torch knows what attention costs on a GPU, and counts nothing for the same on a processor.
_FORMULAS = {
    **flop_registry,
    _aten._scaled_dot_product_flash_attention_for_cpu: flop_registry[_aten._scaled_dot_product_flash_attention],
}


# -- layers ----------------------------------------------------------------------------------------------


def list_layers(blueprint: Blueprint) -> list[LayerRow]:
    """Every module in the network's own order, the whole first: shapes for one example, parameters, multiply-adds.

    Modules that only hold others take their first's input and their last's output.
    """
    net = blueprint.net
    shapes, own_macs = measure_layers(blueprint)
    rows: list[LayerRow] = []
    counted: set[int] = set()  # a tensor that two modules share belongs to the first
    for path, module in net.named_modules():
        parameters = {id(p): p.numel() for p in module.parameters(recurse=False)}
        own = sum(size for key, size in parameters.items() if key not in counted)
        counted.update(parameters)
        rows.append(
            {
                "path": path,
                "kind": type(module).__name__,
                "depth": 0 if not path else 1 + path.count("."),
                "input": shapes.get(path, (None, None))[0],
                "output": shapes.get(path, (None, None))[1],
                "own": own,
                "parameters": own,
                "parameter_share": 0.0,
                "macs": own_macs.get(path, 0),
                "mac_share": 0.0,
                "part": blueprint.part_of(path),
                "block": blueprint.block_of.get(path),
                "is_leaf": not module._modules,
            }
        )
    _add_up(rows)
    return rows


def _add_up(rows: list[LayerRow]) -> None:
    """What a module holds counts for it too; one that never runs itself has its first's input, its last's output."""
    by_path = {row["path"]: row for row in rows}
    for row in reversed(rows[1:]):
        holder = by_path[row["path"].rpartition(".")[0]]
        holder["parameters"] += row["parameters"]
        holder["macs"] += row["macs"]
    never_ran: set[str] = set()
    for row in reversed(rows[1:]):
        holder = by_path[row["path"].rpartition(".")[0]]
        if row["output"] and (holder["path"] in never_ran or not holder["output"]):
            never_ran.add(holder["path"])
            holder["output"] = holder["output"] or row["output"]
            holder["input"] = row["input"]
    whole = rows[0]
    for row in rows:
        row["parameter_share"] = row["parameters"] / (whole["parameters"] or 1)
        row["mac_share"] = row["macs"] / (whole["macs"] or 1)


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts operations by torch's own formulas, for the module that is running. (Its `FlopCounterMode` counts the
    same, and takes three times as long.)"""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.running = [""]
        self.macs: dict[str, int] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else each operation passes through torch's compiler, which doubles its time

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        shaped = SHAPED.get(func._overloadpacket)
        out = func(*args, **(kwargs or {})) if shaped is None else shaped(*args)
        formula = _FORMULAS.get(func._overloadpacket)
        if formula is not None:
            path = self.running[-1]
            self.macs[path] = self.macs.get(path, 0) + formula(*args, **(kwargs or {}), out_val=out) // 2
        return out


def measure_layers(blueprint: Blueprint) -> tuple[dict[str, tuple[Any, Any]], dict[str, int]]:
    """(input and output shape, multiply-adds of its own) of every module that runs, by its path, for one example."""
    called = blueprint.show(1)
    try:
        return _run(blueprint.net, called)
    except (RuntimeError, NotImplementedError):  # it asks a tensor for its value, which fake tensors can keep
        with fake_tensors():
            zeros = tree_map_only(Tensor, lambda t: torch.zeros(t.shape, dtype=t.dtype), called)
            return _run(as_if_here(blueprint.net), zeros)


def _run(net: nn.Module, called: Called) -> tuple[dict[str, tuple[Any, Any]], dict[str, int]]:
    counter = _Counter()
    shapes: dict[str, tuple[Any, Any]] = {}
    handles = []
    for path, module in net.named_modules():

        def enter(_module: nn.Module, _args: Any, path: str = path) -> None:
            counter.running.append(path)

        def leave(_module: nn.Module, args: Any, kwargs: Any, out: Any, path: str = path) -> None:
            counter.running.pop()
            shapes.setdefault(path, (_shape((args, kwargs)), _shape(out)))

        handles.append(module.register_forward_pre_hook(enter))
        handles.append(module.register_forward_hook(leave, with_kwargs=True))
    try:
        with torch.no_grad(), counter:
            net(*called.get("args", ()), **called.get("kwargs", {}))
    except RuntimeError as error:
        # BART's classifier looks for the place of the last token, which only values tell: what ran before is told.
        if type(error).__name__ != "DynamicOutputShapeException":
            raise
    finally:
        for handle in handles:
            handle.remove()
    return shapes, counter.macs


def _shape(values: Any) -> list[int] | None:
    return next((list(leaf.shape) for leaf in tree_leaves(values) if isinstance(leaf, Tensor)), None)


def list_blocks(blueprint: Blueprint, layers: list[LayerRow]) -> list[BlockRow]:
    """The stages that "the last k blocks" counts, from the input on, and the head behind them.

    A module that belongs to none by itself belongs to that of the module it lies in.
    """
    rows: list[BlockRow] = [
        {"name": name, "parameters": 0, "macs": 0, "output": None} for name in (*blueprint.blocks, "head")
    ]
    inner_macs: dict[str, int] = {}
    for row in layers[1:]:
        holder = row["path"].rpartition(".")[0]
        inner_macs[holder] = inner_macs.get(holder, 0) + row["macs"]
    place_of: dict[str, int | None] = {}
    for row in layers[1:]:
        own = blueprint.block_of.get(row["path"], place_of.get(row["path"].rpartition(".")[0]))
        place = {"head": len(blueprint.blocks), "auxiliary": None}.get(row["part"], own)
        place_of[row["path"]] = place
        if place is not None:
            rows[place]["parameters"] += row["own"]
            rows[place]["macs"] += row["macs"] - inner_macs.get(row["path"], 0)
            rows[place]["output"] = row["output"] or rows[place]["output"]
    return rows if rows[-1]["parameters"] else rows[:-1]
