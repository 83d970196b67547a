"""What a pass is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from core.clock import PhaseClock
from core.optimize.subject import Network, Subject
from core.optimize_spec import OptimizeSpec


@dataclass
class Work:
    """One pass at work on one network.

    `network` is what it starts from (fp32, eval, on the CPU), not to be changed: other passes start from it too.
    `onnx()` is the path of that network's plain fp32 ONNX file, made at the first call.
    """

    spec: OptimizeSpec
    subject: Subject
    network: Network
    folder: Path  # where the files of this variant go; it exists
    clock: PhaseClock
    onnx: Callable[[], Path]


@dataclass
class Made:
    """What a pass made: a smaller network, or a file of `format` (a name of core.optimize.runtimes).

    `facts` say what changed, as plain values for the report: sparsity, layers, quantized nodes…
    """

    network: Network | nn.Module | None = None
    path: Path | None = None
    format: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
