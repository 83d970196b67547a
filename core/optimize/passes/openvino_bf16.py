"""The network for OpenVINO, computing in bf16: the weights are kept in fp32 and rounded when the file is opened."""

from __future__ import annotations

from core.optimize.passes.openvino import convert, write
from core.optimize.work import Made, Work


def run(work: Work) -> Made:
    """Convert the plain ONNX file; its format tells how it is to be opened."""
    made = write(work, convert(work), "openvino_bf16")
    made.facts["numbers"] = "bfloat16"
    return made
