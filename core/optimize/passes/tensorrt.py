"""The network as an engine of TensorRT, in fp16, for the NVIDIA GPU of this machine."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from core.errors import RunError
from core.i18n import N_
from core.optimize.export import export_onnx, exporting
from core.optimize.passes.base import FileResult, PassContext

_MOST = 64  # examples in one call; the opener cuts larger batches


def run(context: PassContext) -> FileResult:
    """Write the network's ONNX file in fp16 and build an engine that keeps each layer's own precision."""
    half = context.folder / "half.onnx"
    with exporting("TensorRT"):
        import tensorrt

        write_half(context, half)
        engine = _build(tensorrt, context, half)
    half.unlink()
    target = context.folder / "model.engine"
    target.write_bytes(engine)
    return FileResult(path=target, facts={"numbers": "float16", "largest_batch": _MOST})


def write_half(context: PassContext, target: Path) -> None:
    """The network as an ONNX file that computes in fp16, fp32 coming in and going out."""
    network = copy.deepcopy(context.network).half()
    if context.trained.card.is_text:
        network.head.float()  # the mean over a text's tokens is fp32, and so is what reads it
    export_onnx(context.trained, network, target)


def _build(trt: Any, context: PassContext, source: Path) -> bytes:
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    # Precisions as the file has them: the only way since TensorRT 11, where the flag is gone, too.
    typed = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if typed is None else 1 << int(typed))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(source.read_bytes()):
        raise RunError("optimize.cannot_export", format="TensorRT", detail=str(parser.get_error(0).desc())[:300])
    config = builder.create_builder_config()
    config.add_optimization_profile(_profile(context, builder))
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise RunError("optimize.cannot_export", format="TensorRT", detail=N_("no engine was built"))
    return bytes(engine)


def _profile(context: PassContext, builder: Any) -> Any:
    """The shapes that an engine is built for: smallest, usual and largest."""
    profile, trained = builder.create_optimization_profile(), context.trained
    for name in trained.input_names:
        if trained.card.is_text:
            shapes: list[tuple[int, ...]] = [(1, min(2, trained.size)), (8, min(64, trained.size))]
            shapes.append((_MOST, trained.size))
        else:
            shapes = [(count, 3, trained.size, trained.size) for count in (1, 8, _MOST)]
        profile.set_shape(name, *shapes)
    return profile
