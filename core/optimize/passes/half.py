"""16 bits: bf16 on a processor that has instructions for it, fp16 on an NVIDIA GPU, as a torch.export program."""

from __future__ import annotations

import copy

import torch

from core.optimize.export import export_program
from core.optimize.passes.base import FileResult, PassContext


def run(context: PassContext) -> FileResult:
    """Write the network with all numbers in 16 bits; what goes in and comes out stays fp32."""
    dtype = torch.float16 if context.spec.device == "cuda" else torch.bfloat16
    network = copy.deepcopy(context.network).to(dtype)
    if context.trained.card.is_text:
        network.head.float()  # the mean over a text's tokens is fp32, and so is what reads it
    else:
        network = network.to(memory_format=torch.channels_last)
    target = context.folder / "model.pt2"
    export_program(context.trained, network, target)
    return FileResult(path=target, facts={"numbers": str(dtype).removeprefix("torch.")})
