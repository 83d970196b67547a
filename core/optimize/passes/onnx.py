"""The same network as an ONNX file."""

from __future__ import annotations

import shutil

from core.optimize.passes.base import FileResult, PassContext


def run(context: PassContext) -> FileResult:
    """Copy the plain fp32 ONNX file of the network: it is exported once for all passes that start from it."""
    target = context.folder / "model.onnx"
    shutil.copyfile(context.onnx(), target)
    return FileResult(path=target)
