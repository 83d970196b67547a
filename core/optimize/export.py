"""A torch network as a file: ONNX by torch's dynamo exporter, or a program that torch alone runs.

Nodes are named after the layers they come from (`net.blocks.3.0.conv_pw/Conv`), so that what is quantized or left in
float can be told by layer; what the exporter notes of this machine (paths in stack traces) is taken out.
"""

from __future__ import annotations

import ast
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.errors import GraftError, RunError, first_line
from core.networks.exportable import exportable
from core.optimize.trained_model import TrainedModel

_SAMPLES = 2  # of one example torch.export would take the batch for a constant


def sample(trained: TrainedModel, count: int = _SAMPLES) -> tuple[Tensor, ...]:
    """Inputs of some validation rows, in the order of an exported file's inputs."""
    rows = trained.data.validation[:count]
    inputs = trained.inputs(np.resize(rows, count))
    return tuple(torch.from_numpy(inputs[name]) for name in trained.input_names)


def one_sample(trained: TrainedModel) -> tuple[Tensor, ...]:
    """One example for a file of fixed shape: a text is padded to the most tokens that are read."""
    inputs = sample(trained, 1)
    if not trained.card.is_text:
        return inputs
    return tuple(nn.functional.pad(x, (0, trained.size - x.shape[1])) for x in inputs)


@contextmanager
def exporting(format: str) -> Iterator[None]:
    """Without the exporter's chatter and gradients; whatever goes wrong becomes one `RunError`."""
    try:
        with _quietly(), torch.no_grad():
            yield
    except GraftError:
        raise
    except Exception as error:  # exporters fail in as many ways as there are networks
        raise RunError("optimize.cannot_export", format=format, detail=_first_line(error)) from error


def export_onnx(trained: TrainedModel, network: nn.Module, path: Path) -> None:
    """Write a network as one ONNX file with any batch size (and any length of texts). Raises `RunError`."""
    is_fp32 = next(network.parameters()).dtype == torch.float32
    with exporting("ONNX"):
        program = torch.onnx.export(
            (exportable(network) if is_fp32 else _InOwnPrecision(exportable(network))).eval(),
            sample(trained),
            dynamo=True,
            dynamic_shapes=trained.dynamic_shapes() if is_fp32 else _by_position(trained),
            input_names=list(trained.input_names),
            output_names=["logits"],
            external_data=False,
            verbose=False,
        )
        assert program is not None
        model = program.model_proto
    _name_nodes(model)
    path.write_bytes(model.SerializeToString())


def export_program(trained: TrainedModel, network: nn.Module, path: Path) -> None:
    """Write a network as a torch.export program (.pt2) in its own precision. Raises `RunError`."""
    with exporting("torch.export"):
        program = torch.export.export(
            _InOwnPrecision(exportable(network)).eval(), sample(trained), dynamic_shapes=_by_position(trained)
        )
        for part in program.graph_module.modules():
            if isinstance(part, torch.fx.GraphModule):
                for node in part.graph.nodes:
                    node.meta.pop("stack_trace", None)
        program._example_inputs = None
        torch.export.save(program, path)


class _InOwnPrecision(nn.Module):
    """Takes fp32 and gives fp32, whatever the network computes in."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.dtype = next(inner.parameters()).dtype

    def forward(self, *inputs: Tensor) -> Tensor:
        cast = [x.to(self.dtype) if x.is_floating_point() else x for x in inputs]
        logits: Tensor = self.inner(*cast)
        return logits.float()


def _by_position(trained: TrainedModel) -> tuple[Any, ...]:
    shapes = trained.dynamic_shapes()
    return (tuple(shapes[name] for name in trained.input_names),)


def _name_nodes(model: Any) -> None:
    """Name nodes after their layers and drop the exporter's notes."""
    seen: dict[str, int] = {}
    for node in model.graph.node:
        notes = {entry.key: entry.value for entry in node.metadata_props}
        name = f"{_layer(notes.get('pkg.torch.onnx.name_scopes', ''))}/{node.op_type}"
        count = seen[name] = seen.get(name, 0) + 1
        node.name = name if count == 1 else f"{name}_{count}"
        del node.metadata_props[:]
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer]:
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    model.producer_name = "graft"
    for function in model.functions:
        del function.metadata_props[:]
        for node in function.node:
            del node.metadata_props[:]


def _layer(scopes: str) -> str:
    """The module that a node comes from: `network.net.blocks.3` → `net.blocks.3`."""
    try:
        names = [str(part) for part in ast.literal_eval(scopes)]
    except (ValueError, SyntaxError):
        return "net"
    inside = names[1:-1] or ["net"]
    return inside[-1].removeprefix("network.") or "net"


def _first_line(error: Exception) -> str:
    return first_line(error, 300)


class _quietly:
    """Without what the exporter says while it works."""

    def __enter__(self) -> None:
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")
        self._levels = {name: logging.getLogger(name).level for name in ("torch.onnx", "torch.export", "onnxscript")}
        for name in self._levels:
            logging.getLogger(name).setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        self._warnings.__exit__(None, None, None)
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)
