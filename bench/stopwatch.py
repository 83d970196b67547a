"""`core.measurement.stopwatch` with what only a race asks for: torch.compile, and networks with random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.measurement import runtimes, stopwatch

if TYPE_CHECKING:
    from torch import nn


def _module(source: str) -> nn.Module:
    from bench.optimize import NETWORKS
    from core.networks.exportable import exportable

    return exportable(NETWORKS[source].build()).eval()


def _eager(source: str, threads: int, device: str) -> runtimes.Session:
    return runtimes.TorchSession(_module(source), threads, device)


def _compiled(source: str, threads: int, device: str) -> runtimes.Session:
    import torch
    import torch._inductor.config

    torch._inductor.config.freezing = True
    return runtimes.TorchSession(torch.compile(_module(source), dynamic=None), threads, device)


if __name__ == "__main__":
    runtimes.OPENERS |= {"race_eager": _eager, "race_compiled": _compiled}
    stopwatch.main()
