"""The network for OpenVINO, in fp32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.measurement.runtimes import import_openvino
from core.optimize.export import exporting
from core.optimize.passes.base import FileResult, PassContext


def run(context: PassContext) -> FileResult:
    """Convert the plain ONNX file."""
    return FileResult(write(context, convert(context)))


def convert(context: PassContext) -> Any:
    """The network as a model of OpenVINO, with any batch size (and any length of texts)."""
    source = context.onnx()
    with exporting("OpenVINO"):
        return import_openvino().convert_model(source)


def write(context: PassContext, model: Any) -> Path:
    """Save a model as the two files of OpenVINO in a folder of their own."""
    folder = context.folder / "openvino"
    folder.mkdir(exist_ok=True)
    with exporting("OpenVINO"):
        import_openvino().save_model(model, folder / "model.xml", compress_to_fp16=False)
    return folder
