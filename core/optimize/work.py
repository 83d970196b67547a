"""What a pass is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.clock import PhaseClock
from core.files import replacing
from core.hardware import describe_machine, usable_threads
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

    @property
    def threads(self) -> int:
        """The threads that files answer with."""
        return self.spec.threads or usable_threads()

    @property
    def has_fast_int8(self) -> bool:
        """Whether the processor multiplies bytes without the sums running over (VNNI and its like)."""
        return describe_machine().is_native("int8")

    def int8_source(self) -> Path:
        """The plain ONNX file with its shapes known and its constants folded, as quantizing wants it."""
        from onnxruntime.quantization.shape_inference import quant_pre_process

        plain = self.onnx()
        target = plain.with_name(f"{plain.stem}.prepared.onnx")
        if not target.exists():
            with replacing(target) as unfinished:
                quant_pre_process(plain, unfinished, skip_symbolic_shape=True)
        return target


@dataclass
class Made:
    """What a pass made: a smaller network, or a file of `format` (a name of core.optimize.runtimes).

    `facts` say what changed, as plain values for the report: sparsity, layers, quantized nodes…
    """

    network: Network | None = None
    path: Path | None = None
    format: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
