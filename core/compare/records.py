"""What the report of a comparison keeps, as JSON on disk: its trainings, its curves, and what follows from them."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from core.compare.grid import Start
from core.evaluate import Accuracy
from core.problems import ProblemRow
from core.values import Finding


class CellRow(TypedDict):
    """A training of the grid: waiting, at work, failed with its reason, or done with what it measured."""

    id: str
    family: str
    start: Start
    method: str
    size: int
    seed: int
    status: Literal["waiting", "running", "failed", "done"]
    error: NotRequired[list[ProblemRow]]
    accuracy: NotRequired[float]
    interval: NotRequired[list[float]]
    n: NotRequired[int]
    without_leaks: NotRequired[
        Accuracy | None
    ]  # where test rows may be trained on too: the others; None: there are none
    val_accuracy: NotRequired[float]
    seconds: NotRequired[float]
    train_seconds: NotRequired[float]
    steps: NotRequired[int]
    epochs_done: NotRequired[int]
    best_epoch: NotRequired[int]
    converged: NotRequired[bool]
    validation: NotRequired[int]
    learning_rate: NotRequired[float]
    parameters: NotRequired[int]
    trainable_parameters: NotRequired[int]
    peak_memory_mb: NotRequired[float | None]


class CellData(TypedDict):
    """Which data a training saw."""

    fingerprint: str
    labels: list[str]


class CellEngine(TypedDict):
    """How a training computed: see `core.finetune.autotune.ComputeChoice`."""

    device: str
    precision: str
    layout: str
    threads: int
    prefix: str
    prefix_precision: str


class CellResult(CellRow):
    """What a training leaves behind: the row of the report, how it was computed, and on what."""

    engine: CellEngine
    data: CellData


class ComparedData(TypedDict):
    """Which data a comparison saw, how many rows tested, and how many chose by size."""

    id: str
    fingerprint: str
    labels: list[str]
    test: int
    validation: dict[str, int]


class CompareSummary(TypedDict):
    """What the row of a done comparison keeps. Estimates of later ones rest on `rates`, by family: work in a second."""

    task: str
    cells: int
    cells_done: int
    lanes: int
    threads: int
    train_seconds: float
    peak_memory_mb: float
    engine: CellEngine
    data: ComparedData
    rates: dict[str, float]
    conclusions: list[Finding]
    phases: dict[str, float]
    problems: list[ProblemRow]


class SizeRow(TypedDict):
    """A point of a curve: the trainings of a family at one size, over the seeds."""

    size: int
    seeds: int
    accuracy: float
    low: float
    high: float
    band: Literal["seeds", "test"]  # what the interval tells the chance of
    seconds: float
    seconds_low: float
    seconds_high: float
    peak_memory_mb: float | None
    trainable_parameters: int
    unconverged: int
    dominated_by: str | None


class ComparedSize(SizeRow):
    """A point of a curve beside training from scratch with as many examples, where that was done."""

    family: str
    rank: int
    versus: PairRow | None
    clean: SizeRow | None  # the same point on the test rows that no training could see


class LawPoint(TypedDict):
    """A point of the fitted curve in its band."""

    size: float
    accuracy: float
    low: float
    high: float


class LawRow(TypedDict):
    """error(n) = a + b * n^(-c), and its curve over the measured sizes."""

    a: float
    b: float
    c: float
    misfit: float
    curve: list[LawPoint]


class FamilyRow(TypedDict):
    """A curve: one start and method over the sizes, with its law or why there is none."""

    family: str
    start: Start
    method: str
    sizes: list[SizeRow]
    law: LawRow | None
    law_refused: Finding | None


class PairRow(TypedDict):
    """Two families at one size; `difference` is that of a's accuracy to b's.

    `p` is of this pair alone; `corrected_p` of all `of` that were tested together (Holm), and decides on `better`.
    """

    size: int
    a: str
    b: str
    difference: float
    interval: list[float]
    p: float
    n: int
    better: str | None
    seeds: int
    test: Literal["mcnemar", "crossed"]
    times: NotRequired[list[float] | None]  # as long as b trained beside a, with the interval where there are seeds
    corrected_p: NotRequired[float]
    of: NotRequired[int]


def times_as_long(pair: PairRow, family: str, other: str) -> list[float]:
    """How many times as long one of a pair trained as the other: [middle, low, high], [middle] or, unknown, [0]."""
    times = pair.get("times") or [0.0]
    if (pair["a"], pair["b"]) == (other, family) or times == [0.0]:
        return times
    return [1 / times[place] for place in ((0, 2, 1) if len(times) > 1 else (0,))]


EquivalentKind = Literal["about", "at_most", "between", "more_than", "refused"]


class EquivalentRow(TypedDict):
    """How many examples from scratch are as good as a pretrained family at one size."""

    family: str
    size: int
    accuracy: float
    kind: EquivalentKind
    scratch_size: int | None
    low: int | None
    high: int | None
    reason: Finding | None


class Findings(TypedDict):
    """What follows from the trainings that are done."""

    families: list[FamilyRow]
    pairs: list[PairRow]
    equivalents: list[EquivalentRow]
    conclusions: list[Finding]


class WithoutLeaks(TypedDict):
    """What is found on the test examples alone that stand nowhere among the training examples."""

    n: int
    families: list[FamilyRow]
    conclusions: list[Finding]


class CompareReport(TypedDict, total=False):
    """The report: every training of the grid, and the findings as soon as there are any."""

    cells: list[CellRow]
    families: list[FamilyRow]
    pairs: list[PairRow]
    equivalents: list[EquivalentRow]
    conclusions: list[Finding]
    problems: list[ProblemRow]  # what is to be known beside the numbers
    without_leaks: WithoutLeaks
