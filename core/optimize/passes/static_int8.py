"""Static int8: weights and activations in 8 bits, ranges measured on training rows (ONNX Runtime's QDQ format)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.measurement.runtimes import InputArrays
from core.models.card import ModelCard
from core.optimize.checks import is_transformer
from core.optimize.int8_search import GuardedInt8
from core.optimize.passes.base import FileResult, PassContext
from core.optimize.rows import PassFacts

_METHODS = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
_BATCH = 8


def run(context: PassContext) -> FileResult:
    """Quantize to u8 activations and s8 weights per channel, with the guard's search."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    source, spec = context.int8_source(), context.spec
    rows = _calibration_rows(context)
    kept = context.folder / "calibration.json"
    kept.unlink(missing_ok=True)

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = _inputs(context, rows)

        def get_next(self) -> InputArrays | None:
            context.clock.raise_if_stopped()
            return next(self._left, None)

    def quantize(in_float: list[str], target: Path) -> None:
        quantize_static(
            source,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_op_types(context.trained.card),
            per_channel=True,
            reduce_range=not context.has_fast_int8,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=in_float,
            calibrate_method=CalibrationMethod[_METHODS[spec.calibration]],
            calibration_cache_path=kept,
        )

    made = GuardedInt8(context, source, quantize).run()
    kept.unlink(missing_ok=True)
    facts: PassFacts = {**made.facts, "calibration": spec.calibration, "calibration_rows": len(rows)}
    return replace(made, facts=facts)


def _op_types(card: ModelCard) -> list[str] | None:
    """Of a transformer only the matrix products: layer norms, softmax and GELU do not bear 8 bits."""
    return ["MatMul", "Gemm"] if is_transformer(card) else None


def _calibration_rows(context: PassContext) -> Any:
    """Training rows, spread evenly: their order holds the classes in their proportions."""
    rows = context.trained.data.train
    return rows[: context.spec.calibration_rows]


def _inputs(context: PassContext, rows: Any) -> Iterator[InputArrays]:
    for start in range(0, len(rows), _BATCH):
        yield context.trained.inputs(np.asarray(rows[start : start + _BATCH]))
