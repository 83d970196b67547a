"""Dynamic int8: weights in 8 bits, activations rounded while computing (ONNX Runtime's quantize_dynamic)."""

from __future__ import annotations

from pathlib import Path

from core.optimize.int8_search import GuardedInt8
from core.optimize.passes.base import FileResult, PassContext


def run(context: PassContext) -> FileResult:
    """Quantize matrix products and embeddings, weights per channel, with the guard's search."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    source = context.int8_source()

    def quantize(in_float: list[str], target: Path) -> None:
        quantize_dynamic(
            source,
            target,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=not context.has_fast_int8,
            nodes_to_exclude=in_float,
            extra_options={"MatMulConstBOnly": True},
        )

    return GuardedInt8(context, source, quantize).run()
