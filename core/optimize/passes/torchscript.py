"""The network as a frozen TorchScript trace, tried at other batch sizes and lengths than those it was traced with."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import RunError
from core.files import replacing
from core.networks.exportable import exportable
from core.optimize.export import exporting, one_sample, sample
from core.optimize.passes.base import FileResult, PassContext

_TOLERANCE = 1e-3


def run(context: PassContext) -> FileResult:
    """Trace, freeze and save. Raises `RunError` when the trace keeps what it should compute from its inputs."""
    module = exportable(context.network).eval()
    target = context.folder / "model.ts"
    with exporting("TorchScript"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*deprecated")
        script = torch.jit.freeze(_trace(module, sample(context.trained)))
        for inputs in _other_shapes(context):
            wanted = module(*inputs)
            difference = float((script(*inputs) - wanted).abs().max())
            if not difference <= _TOLERANCE * max(1.0, float(wanted.abs().max())):
                raise RunError("optimize.trace_is_fixed", n=len(inputs[0]), difference=f"{difference:.2g}")
        torch.jit.save(script, str(target))
    _drop_sources(target)
    return FileResult(path=target)


def _trace(module: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    return torch.jit.trace(module, inputs, check_trace=False)  # type: ignore[no-untyped-call]


def _other_shapes(context: PassContext) -> list[tuple[Tensor, ...]]:
    """Inputs unlike the traced ones: one example, five, and for texts the shortest and the longest."""
    shapes = [sample(context.trained, 1), sample(context.trained, 5)]
    if context.trained.card.is_text:
        shapes += [one_sample(context.trained), tuple(x[:, :2] for x in sample(context.trained, 3))]
    return shapes


def _drop_sources(path: Path) -> None:
    """Take out what torch notes of the source files: they name folders of this machine, and only errors read them."""
    with (
        replacing(path) as unfinished,
        zipfile.ZipFile(path) as whole,
        zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as kept,
    ):
        for part in whole.infolist():
            if not part.filename.endswith(".debug_pkl"):
                kept.writestr(part.filename, whole.read(part))
