"""The network for LiteRT (TFLite), in fp32: one example at a time, texts padded to one length."""

from __future__ import annotations

import contextlib
import io

from core.networks.exportable import exportable
from core.optimize.export import exporting, one_sample
from core.optimize.passes.base import FileResult, PassContext
from core.optimize.rows import PassFacts


def run(context: PassContext) -> FileResult:
    """Convert for a batch of one: LiteRT's converter cannot take convolutions with a batch of any size."""
    target = context.folder / "model.tflite"
    with exporting("TFLite"), contextlib.redirect_stdout(io.StringIO()):
        import litert_torch

        litert_torch.convert(exportable(context.network).eval(), one_sample(context.trained)).export(str(target))
    facts: PassFacts = {"batch": 1, "length": context.trained.size} if context.trained.card.is_text else {"batch": 1}
    return FileResult(path=target, facts=facts)
