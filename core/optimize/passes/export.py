"""The network as a torch.export program, in fp32."""

from __future__ import annotations

from core.optimize.exporting import export_program
from core.optimize.work import Made, Work


def run(work: Work) -> Made:
    """Write the network as it is."""
    target = work.folder / "model.pt2"
    export_program(work.subject, work.network, target)
    return Made(path=target, format="pt2")
