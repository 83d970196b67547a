"""How a run computes on this machine: precision, memory layout, threads, who runs the frozen part.

Nothing is assumed: where it matters, a few steps of each candidate are timed (at most ten seconds), and
the choice is kept by machine, model, method, size and batch, so that equal runs compute equally. bf16 is
a candidate only where the processor has instructions for it: emulated it is some twenty times slower.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from core import settings
from core.cache import with_lock
from core.files import write_atomically
from core.hardware import describe_machine

BUDGET_S = 10.0
# A run shorter than this is not worth timing anything for.
WORTH_TIMING_S = 60.0


@dataclass(frozen=True)
class ComputeChoice:
    """The choice. `prefix` is who computes the frozen part: auto until measured, none when nothing is frozen."""

    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    layout: Literal["channels_last", "contiguous"] = "channels_last"
    threads: int = 1
    prefix: str = "auto"
    prefix_precision: Literal["fp32", "bf16", "fp16"] = "fp32"

    def replace(self, **changes: Any) -> ComputeChoice:
        return dataclasses.replace(self, **changes)

    def exact(self) -> ComputeChoice:
        """As a saved model answers: in fp32, by torch. What is told of a model is measured so."""
        return self.replace(precision="fp32", prefix_precision="fp32", prefix="eager")


@dataclass(frozen=True)
class Timing:
    """One line of the table behind the choice; without a rate, the reason why it was not timed."""

    part: Literal["prefix", "train"]
    option: str
    images_per_s: float | None
    reason: str = ""


def pick_device(wanted: str) -> torch.device:
    """The device of a spec: `auto` takes CUDA, then MPS, then the CPU."""
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bf16 runs on instructions of its own here."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Not what oneDNN says: it computes in bf16 wherever there is AVX-512, and emulates it where that has no bf16.
    return device.type == "cpu" and describe_machine().is_native("bf16")


def default_engine(precision: str, device: torch.device, *, is_text: bool = False) -> ComputeChoice:
    """The choice before any timing: the wanted precision everywhere, or fp32 with bf16 for the frozen part.

    Transformers are mostly matrix products: where bf16 has instructions of its own they learn in it from the start.
    """
    threads = torch.get_num_threads()
    if precision != "auto":
        return ComputeChoice(precision=precision, prefix_precision=precision, threads=threads)  # type: ignore[arg-type]
    frozen: Literal["fp32", "bf16"] = "bf16" if has_fast_bf16(device) else "fp32"
    is_preferred = frozen == "bf16" and (is_text or device.type == "cuda")
    train: Literal["fp32", "bf16"] = "bf16" if is_preferred else "fp32"
    return ComputeChoice(precision=train, prefix_precision=frozen, threads=threads)


def autocast(engine: ComputeChoice, device: torch.device) -> torch.autocast:
    """The precision of the part that learns."""
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(engine.precision, torch.bfloat16)
    return torch.autocast(device.type, dtype=dtype, enabled=engine.precision != "fp32")


def time_training(
    step: Callable[[ComputeChoice], None],
    engine: ComputeChoice,
    others: list[ComputeChoice],
    batch: int,
    steps_left: int,
    device: torch.device,
) -> tuple[ComputeChoice, list[Timing]]:
    """Time two training steps of each candidate if the run is long enough; returns the fastest and the table.

    `others` are candidates beside `engine`; the other precision is added where this machine has it.
    """

    def rate(candidate: ComputeChoice) -> float:
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            step(candidate)
            seconds.append(time.perf_counter() - start)
        return batch / min(seconds[1:])

    start = time.perf_counter()
    best = rate(engine)
    table = [Timing("train", f"{engine.precision}, {engine.layout}", best)]
    if steps_left * batch / best < WORTH_TIMING_S:
        return engine, table
    if has_fast_bf16(device):
        others = [engine.replace(precision="fp32" if engine.precision == "bf16" else "bf16"), *others]
    else:
        table.append(Timing("train", "bf16", None, reason="no_instructions"))
    chosen = engine
    for candidate in others:
        name = f"{candidate.precision}, {candidate.layout}"
        if time.perf_counter() - start + 3 * batch / best > BUDGET_S:
            table.append(Timing("train", name, None, reason="out_of_time"))
            continue
        timing = rate(candidate)
        table.append(Timing("train", name, timing))
        # A tenth or less is noise on a shared machine: the default stays.
        if timing > 1.1 * best:
            best, chosen = timing, candidate
    return chosen, table


def engine_key(model: str, weights: str, cut: int, size: int, batch: int, device: torch.device) -> str:
    """What the choice depends on, this machine included."""
    machine = describe_machine()
    accelerator = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    accelerator += "|bf16" if has_fast_bf16(device) else "|no bf16"
    return (
        f"{machine.processor}|{os.cpu_count()}|{accelerator}|{model}|{weights}|{cut}|{size}|{batch}|{torch.__version__}"
    )


def load_engine(key: str) -> ComputeChoice | None:
    """The choice kept for this key, if any. A damaged file counts as none: it is only a memory of timings."""
    try:
        kept = json.loads(_memory().read_text(encoding="utf-8"))
        return ComputeChoice(**kept[key]) if key in kept else None
    except (OSError, ValueError, TypeError):
        return None


def save_engine(key: str, engine: ComputeChoice) -> None:
    """Keep the choice for equal runs."""
    with with_lock("autotune"):  # of two runs that end at once neither loses its choice
        try:
            kept = json.loads(_memory().read_text(encoding="utf-8"))
        except (OSError, ValueError):
            kept = {}
        kept[key] = dataclasses.asdict(engine)
        write_atomically(_memory(), json.dumps(kept, indent=2, sort_keys=True))


def _memory() -> Path:
    return settings.home() / "autotune.json"
