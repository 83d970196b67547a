"""The network for ExecuTorch with XNNPACK, in fp32: one example at a time, texts padded to one length."""

from __future__ import annotations

import torch

from core.networks.exportable import exportable
from core.optimize.export import exporting, one_sample
from core.optimize.passes.base import FileResult, PassContext
from core.optimize.rows import PassFacts


def run(context: PassContext) -> FileResult:
    """Export for a batch of one and give XNNPACK all that it can compute."""
    target = context.folder / "model.pte"
    with exporting("ExecuTorch"):
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        program = torch.export.export(exportable(context.network).eval(), one_sample(context.trained))
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        target.write_bytes(lowered.to_executorch().buffer)
    facts: PassFacts = {"batch": 1, "length": context.trained.size} if context.trained.card.is_text else {"batch": 1}
    return FileResult(path=target, facts=facts)
