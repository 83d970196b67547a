"""How predict.py opens an OpenVINO model (.xml with .bin)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Arrays = dict[str, Any]


def open_model(folder: Path) -> Callable[[Arrays], Any]:
    """The model as a function from arrays to logits, by OpenVINO on the processor."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # it would tell of its use
    import openvino

    # Left alone, OpenVINO rounds to bf16 where the processor has it: that is not what was measured.
    how = {"INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Core().compile_model(str(folder / "model.xml"), "CPU", how)
    return lambda arrays: model(arrays)[0]
