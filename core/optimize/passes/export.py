"""The network as a torch.export program, in fp32."""

from __future__ import annotations

from core.optimize.export import export_program
from core.optimize.passes.base import FileResult, PassContext


def run(context: PassContext) -> FileResult:
    """Write the network as it is."""
    target = context.folder / "model.pt2"
    export_program(context.trained, context.network, target)
    return FileResult(path=target)
