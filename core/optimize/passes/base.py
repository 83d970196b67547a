"""What a pass is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from core.files import replacing
from core.hardware import describe_machine, usable_threads
from core.networks.exportable import Network
from core.optimize.rows import GroupGain, PassFacts, Search
from core.optimize.spec import OptimizeSpec
from core.optimize.trained_model import TrainedModel
from core.progress import PhaseClock


@dataclass(frozen=True)
class PassContext:
    """One pass at work on one network.

    `network` is what it starts from (fp32, eval, on the CPU), not to be changed: other passes start from it too.
    `onnx()` is the path of that network's plain fp32 ONNX file, made at the first call.
    """

    spec: OptimizeSpec
    trained: TrainedModel
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


@dataclass(frozen=True)
class NetworkResult:
    """What a pass that learns gives: a network.

    `facts` say what changed, as plain values for the report: sparsity, layers, epochs…
    """

    network: Network
    facts: PassFacts = field(default_factory=lambda: PassFacts())


@dataclass(frozen=True)
class FileResult:
    """What a pass that writes gives: a file, or a folder that holds it, of the format in the pass's row."""

    path: Path
    facts: PassFacts = field(default_factory=lambda: PassFacts())
    search: Search | None = None  # for layers to leave in float
    sensitivity: list[GroupGain] | None = None


PassResult = NetworkResult | FileResult
