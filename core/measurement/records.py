"""What a measurement finds: how fast a network is on this machine, alone, and where its time goes.

`MeasurementReport` is the run's `report.json`.
"""

from __future__ import annotations

from typing import NotRequired, cast

from typing_extensions import TypedDict

from core.problems import ProblemRow
from core.store import Run


class BlockTime(TypedDict):
    """Milliseconds of one block for one example, and its share of the whole."""

    name: str
    ms: float
    share: float


class BlockTimes(TypedDict):
    """What the timed process tells of its insides."""

    blocks: list[BlockTime]
    libraries_mb: float


class MeasurementSummary(TypedDict):
    """The numbers that tables show. Pictures have an `image_size`; texts have `tokens`, and a time for short ones.

    `memory_mb`: the peak of a process that does nothing else. `keeps_memory`: whether glibc was told to keep it.
    """

    model: str
    is_random: bool
    latency_p50_ms: float
    latency_p95_ms: float
    short_p50_ms: NotRequired[float]
    short_tokens: NotRequired[int]
    batch_size: int
    throughput: float
    memory_mb: float | None
    libraries_mb: float
    load_s: float
    calls: int
    runtime: str
    threads: int
    precision: str
    device: str
    keeps_memory: bool
    tokens: NotRequired[int]
    image_size: NotRequired[int]
    processor: str
    cores: int
    host: str
    processors_of_others: float


class MeasurementReport(MeasurementSummary):
    """The numbers with every interval that was timed, each block, and what was odd."""

    intervals: dict[str, list[float]]
    blocks: list[BlockTime]
    problems: list[ProblemRow]


def summary_of(run: Run) -> MeasurementSummary | None:
    """What the row of a measurement says; None before it has ended well."""
    return cast(MeasurementSummary, run.summary) if "latency_p50_ms" in run.summary else None
