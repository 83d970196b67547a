"""The network for OpenVINO, in fp32."""

from __future__ import annotations

from typing import Any

from core.optimize.exporting import exporting
from core.optimize.runtimes import import_openvino
from core.optimize.work import Made, Work


def run(work: Work) -> Made:
    """Convert the plain ONNX file."""
    return write(work, convert(work), "openvino")


def convert(work: Work) -> Any:
    """The network as a model of OpenVINO, with any batch size (and any length of texts)."""
    source = work.onnx()
    with exporting("OpenVINO"):
        return import_openvino().convert_model(source)


def write(work: Work, model: Any, format: str) -> Made:
    """Save a model as the two files of OpenVINO in a folder of their own."""
    folder = work.folder / "openvino"
    folder.mkdir(exist_ok=True)
    with exporting("OpenVINO"):
        import_openvino().save_model(model, folder / "model.xml", compress_to_fp16=False)
    return Made(path=folder, format=format)
