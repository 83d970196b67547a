"""What an optimized file that came with an imported run may do here: only formats that run nothing are opened.

The format is told from the file itself, never from the run's report. What may not be opened is kept as it is.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]

from core.errors import GraftError
from core.optimize.rows import VariantRow
from core.registry.model_formats import FORMATS
from core.store import Run

# Operators that ONNX Runtime brings itself; of these, some would run a library or a program from elsewhere.
_ONNX_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}
_ONNX_PROGRAMS = {"PyOp", "EPContext", "AotFunction", "CustomOp"}
_TFLITE_MARK = slice(4, 8), b"TFL3"
_OPSET = re.compile(r"opset\d{1,2}")


def check_outside(run: Run, row: VariantRow) -> None:
    """Raises `GraftError` for a variant that came with an imported run and may not be opened or carried away here."""
    if not run.is_from_outside or row.file is None:
        return
    format = FORMATS.get(row.format or "")
    if format is None or not format.is_inert:
        raise GraftError("optimize.outside_program", name=row.name, format=str(row.format)[:30])
    reason = why_closed(run.folder / "artifacts" / row.file, format.id)
    if reason:
        raise GraftError("optimize.outside_content", name=row.name, format=format.id, detail=reason)


def why_closed(path: Path, format: str) -> str:
    """What speaks against opening a file as one of an inert format; empty where nothing does."""
    try:
        if format == "onnx":
            return _why_not_onnx(path)
        if format == "tflite":
            place, mark = _TFLITE_MARK
            with path.open("rb") as file:
                return "" if file.read(8)[place] == mark else "it is no TensorFlow Lite file"
        return _why_not_openvino(path / "model.xml")
    except (OSError, ValueError, DecodeError, ET.ParseError) as error:
        return f"it cannot be read as {format} ({type(error).__name__})"


def _why_not_onnx(path: Path) -> str:
    with path.open("rb") as file:
        if file.read(2) == b"PK":  # a zip, as torch writes its programs
            return "it is a zip"
    model = onnx.load(path, load_external_data=False)
    if not model.graph.node or not model.opset_import:
        return "it is no ONNX file"
    own = {(function.domain, function.name) for function in model.functions}
    for part in _messages(model):
        if isinstance(part, onnx.TensorProto) and part.data_location == onnx.TensorProto.EXTERNAL:
            return "its weights lie in another file"
        is_call = isinstance(part, onnx.NodeProto) and (part.domain, part.op_type) not in own
        if is_call and (part.domain not in _ONNX_DOMAINS or part.op_type in _ONNX_PROGRAMS):
            return f"it asks for an operator of its own, {part.domain[:40]}.{part.op_type[:40]}"
    return ""


def _messages(message: Message) -> Iterator[Message]:
    """Every part of a protobuf file, however deep."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        yield part
        for field, value in part.ListFields():
            if field.message_type is not None:
                waiting += [value] if isinstance(value, Message) else list(value)


def _why_not_openvino(path: Path) -> str:
    """Layers of OpenVINO's own sets of operators only, and no document type, which could name other files."""
    with path.open("rb") as file:
        head = file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head.startswith((b"<?xml", b"<net")) or b"<!DOCTYPE" in head:
        return "it is no OpenVINO file"
    for _event, element in ET.iterparse(path):
        if element.tag == "layer" and not _OPSET.fullmatch(element.get("version") or ""):
            return f"it asks for an operator of its own, {str(element.get('type'))[:40]}"
    return ""
