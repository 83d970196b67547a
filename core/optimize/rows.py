"""The rows of an optimization's report: what is known of the original and of each variant, as records and as JSON.

A row is never changed: each step of the work gives another one. In JSON a row holds what is known so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NotRequired, Self

from typing_extensions import TypedDict

from core.optimize.variants import Variant
from core.problems import Problem, ProblemRow
from core.spec import Weights
from core.values import Finding

Status = Literal["waiting", "running", "done", "refused", "failed", "broken"]
Step = Literal["make", "gate", "test", "time"]
Reason = Literal["not_needed", "within_limit", "best_found"]
Ratio = list[float]  # [middle, low, high], with its 95% interval


class Loss(TypedDict):
    """Points lost beside the original, with the paired 95% interval."""

    points: float
    low: float
    high: float
    n: int
    needed: int | None  # about how many rows would tell whether the limit is kept, where these do not
    of: NotRequired[Literal["accuracy", "agreement"]]
    error: NotRequired[float]  # the standard error of the points
    exact: NotRequired[bool]  # nothing is rounded and every answer is the original's: nothing is lost, by proof


class Ratios(TypedDict):
    """How many times better than the original."""

    latency: Ratio
    throughput: Ratio
    busy: NotRequired[float]  # processors that other work kept busy in rounds that count; absent where none was
    size: NotRequired[float]
    memory: NotRequired[float]


class Gate(TypedDict):
    """What the check of the reopened file found."""

    samples: int
    max_difference: float
    tolerance: float
    labels_equal: int
    passed: bool
    beside: NotRequired[Literal["network", "file"]]


class SearchEnd(TypedDict):
    """How a file answers the validation rows."""

    points: float
    agreement: float
    high: NotRequired[float]


class Search(TypedDict):
    """What the search for layers to leave in float found; `full`: all in 8 bits, `kept`: as the file is."""

    full: SearchEnd
    kept: SearchEnd
    groups: int
    reason: Reason
    rows: NotRequired[int]
    error_left: NotRequired[float]


class GroupGain(TypedDict):
    """The share of the error that goes when a group of layers alone stays in float."""

    group: str
    gain: float
    in_float: bool


class LayerSparsity(TypedDict):
    """How much of a layer is zero."""

    layer: str
    sparsity: float
    weights: int


class Learned(TypedDict, total=False):
    """What a training within a pass came to."""

    epochs: int
    best_epoch: float
    validation: float
    train_seconds: float
    train_rows: int
    learning_rate: float


class Student(TypedDict, total=False):
    """What a student is: another model, or the original's own layers without some."""

    student: str  # empty for the original's own layers
    student_weights: Weights
    layers_before: int
    layers_kept: list[int]


class PassFacts(Learned, Student, total=False):
    """What passes changed: each says what is its own."""

    parameters: int
    parameters_before: int
    gmacs: float
    gmacs_before: float
    channel_ratio: float
    sparsity: float
    weights: int
    zeros: int
    layers: int | list[LayerSparsity]  # of a student how many, of a pruned network each
    layers_quantized: int
    teacher: str
    teacher_validation: float
    teacher_weight: float
    temperature: float
    calibration: str
    calibration_rows: int
    quantizers: int
    quantized: int
    in_float: int
    numbers: str
    batch: int
    largest_batch: int
    length: int


@dataclass(frozen=True)
class MeasuredRow:
    """What is measured of the original and of every variant alike."""

    name: str
    kind: str
    status: Status
    format: str | None = None
    n: int | None = None  # test rows
    accuracy: float | None = None  # None where the data has other labels
    interval: list[float] | None = None
    size_mb: float | None = None
    gzip_mb: float | None = None
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    throughput: float | None = None
    load_ms: float | None = None
    runtime: str | None = None
    memory_mb: float | None = None

    def as_dict(self) -> dict[str, object]:
        """The row in JSON: what is known, and None for what was looked for and is not there."""
        kept = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in kept.items() if value is not None or self._is_told(name)}

    def _is_told(self, name: str) -> bool:
        """Whether a value that is None says something."""
        if name in ("accuracy", "interval"):
            return self.n is not None
        return name == "memory_mb" and self.latency_p50_ms is not None

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        """A row as a report keeps it."""
        return cls(**{one.name: kept[one.name] for one in fields(cls) if one.name in kept})


@dataclass(frozen=True)
class OriginalRow(MeasuredRow):
    """The network that everything is measured beside."""

    parameters: int | None = None
    gmacs: float | None = None


@dataclass(frozen=True)
class VariantRow(MeasuredRow):
    """One variant: planned, then made, checked, tested and timed."""

    passes: tuple[str, ...] = ()
    parent: str = "original"
    doing: Step | None = None
    problems: tuple[Problem, ...] = ()
    offered: bool = False
    file: str | None = None  # below the run's artifacts
    sha256: str | None = None  # empty for a folder
    facts: PassFacts | None = None  # what the passes changed
    search: Search | None = None
    sensitivity: list[GroupGain] | None = None
    gate: Gate | None = None
    agreement: float | None = None
    interval_agreement: list[float] | None = None
    loss: Loss | None = None  # on the test rows
    validation_loss: Loss | None = None  # on the rows that choose between variants
    ratios: Ratios | None = None
    verdict: Finding | None = None
    seconds: float | None = None

    @classmethod
    def planned(cls, variant: Variant) -> VariantRow:
        """The row of a variant before any work."""
        return cls(variant.name, variant.kind, "waiting", passes=variant.passes, parent=variant.parent)

    @property
    def result(self) -> tuple[Loss, Ratios]:
        """What was measured beside the original. Raises `ValueError` for a variant that was not."""
        if self.loss is None or self.ratios is None:
            raise ValueError(f"{self.name} is not measured")
        return self.loss, self.ratios

    @property
    def is_over(self) -> bool:
        """Whether nothing more is done with it."""
        return self.status not in ("waiting", "running")

    def as_dict(self) -> dict[str, object]:
        """The row in JSON."""
        problems = [problem.as_dict() for problem in self.problems]
        return super().as_dict() | {"passes": list(self.passes), "problems": problems, "doing": self.doing}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> VariantRow:
        """A row as a report keeps it."""
        problems = tuple(Problem.from_dict(problem) for problem in kept.get("problems") or [])
        offered = bool(kept.get("offered"))
        return super().from_dict({**kept, "passes": tuple(kept["passes"]), "problems": problems, "offered": offered})


class DataFacts(TypedDict):
    """The data that was tested on."""

    id: str
    fingerprint: NotRequired[str | None]


class DataTested(DataFacts):
    """The same with the number of its rows that were asked."""

    test: int


class Measures(TypedDict, total=False):
    """How large what the network reads is."""

    image_size: int  # px of a picture's edge
    max_length: int  # tokens of a text
    median_tokens: int
    keeps_memory: bool  # earlier versions: whether glibc was told to keep it


class Conditions(Measures, total=False):
    """How everything was measured; empty until the original is."""

    task: str
    test: int
    test_all: int
    validation: int
    train: int
    is_labelled: bool
    threads: int
    batch: int
    limit: float
    device: str
    processor: str
    cores: int
    data: DataFacts
    labels: list[str]


class OptimizeSummary(TypedDict):
    """What a run keeps in the store of a finished report."""

    task: str
    variants: int
    done: int
    recommended: str | None
    conclusions: list[Finding]
    original: dict[str, float | list[float] | None]  # what of it stands beside a recommended variant
    best: dict[str, object] | None
    data: DataTested
    phases: dict[str, float]
    problems: list[ProblemRow]


@dataclass(frozen=True)
class OptimizeReport:
    """Everything an optimization has found so far."""

    original: OriginalRow | None = None
    variants: tuple[VariantRow, ...] = ()
    conditions: Conditions = field(default_factory=lambda: Conditions())
    recommended: str | None = None
    conclusions: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()  # what is to be known of the data beside all numbers

    @property
    def is_labelled(self) -> bool:
        """Whether accuracy was measured; otherwise agreement with the original alone."""
        return self.conditions.get("is_labelled", True)

    @property
    def measured(self) -> list[VariantRow]:
        """The variants that are done."""
        return [row for row in self.variants if row.status == "done"]

    def row(self, name: str | None) -> VariantRow | None:
        """The variant of this name."""
        return next((row for row in self.variants if row.name == name), None)

    def as_dict(self) -> dict[str, object]:
        """The report in JSON: artifacts/report.json."""
        return {
            "original": self.original.as_dict() if self.original else None,
            "variants": [row.as_dict() for row in self.variants],
            "conditions": dict(self.conditions),
            "recommended": self.recommended,
            "conclusions": list(self.conclusions),
            "problems": [problem.as_dict() for problem in self.problems],
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> OptimizeReport:
        """A report as a run keeps it."""
        original = kept.get("original")
        return cls(
            OriginalRow.from_dict(original) if original else None,
            tuple(VariantRow.from_dict(row) for row in kept.get("variants") or []),
            kept.get("conditions") or Conditions(),
            kept.get("recommended"),
            tuple(kept.get("conclusions") or ()),
            tuple(Problem.from_dict(problem) for problem in kept.get("problems") or []),
        )
