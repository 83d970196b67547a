"""The network for OpenVINO, computing in bf16: the weights are kept in fp32 and rounded when the file is opened."""

from __future__ import annotations

from core.optimize.passes.base import FileResult, PassContext
from core.optimize.passes.openvino import convert, write


def run(context: PassContext) -> FileResult:
    """Convert the plain ONNX file; its format tells how it is to be opened."""
    return FileResult(write(context, convert(context)), {"numbers": "bfloat16"})
