"""The network for OpenVINO in 8 bits, ranges measured on training rows (NNCF's post-training quantization)."""

from __future__ import annotations

import contextlib
import io

import numpy as np

from core.measurement.runtimes import InputArrays
from core.optimize.checks import is_transformer
from core.optimize.export import exporting
from core.optimize.passes.base import FileResult, PassContext
from core.optimize.passes.openvino import convert, write
from core.optimize.rows import PassFacts


def run(context: PassContext) -> FileResult:
    """Quantize with symmetric weights and asymmetric activations; of attention layers NNCF leaves some in float."""
    model, trained = convert(context), context.trained
    rows = trained.data.train[: context.spec.calibration_rows].tolist()

    def read(row: int) -> InputArrays:
        context.clock.raise_if_stopped()
        return trained.inputs(np.array([row]))  # one by one: texts keep their own length

    with exporting("OpenVINO"), contextlib.redirect_stdout(io.StringIO()):
        import nncf  # after OpenVINO, which was imported without telemetry

        quantized = nncf.quantize(
            model,
            nncf.Dataset(rows, read),
            preset=nncf.QuantizationPreset.MIXED,
            model_type=nncf.ModelType.TRANSFORMER if is_transformer(trained.card) else None,
            subset_size=len(rows),
        )
    path = write(context, quantized)
    kinds = [node.get_type_name() for node in quantized.get_ops()]
    facts: PassFacts = {
        "calibration": "minmax",
        "calibration_rows": len(rows),
        "quantizers": kinds.count("FakeQuantize"),
    }
    return FileResult(path, facts)
