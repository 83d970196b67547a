"""What a fine-tuning leaves behind: its report and its summary, as they stand in `report.json` and in the run's row.

What older versions of Graft did not write is `NotRequired`.
"""

from __future__ import annotations

from typing import Literal, NotRequired, cast

from typing_extensions import TypedDict

from core.evaluate import ClassificationReport, CleanScores
from core.problems import ProblemRow
from core.store import Run


class Mistake(TypedDict):
    """A wrong answer on the test rows: a picture lies in a file, a text stands here."""

    row: int
    true: str
    predicted: str
    confidence: float
    file: NotRequired[str]  # below artifacts/
    text: NotRequired[str]


class RivalScores(TypedDict):
    """What the test says of a rival."""

    accuracy: float
    interval: list[float]
    macro_f1: float
    ece: NotRequired[float]
    without_leaks: NotRequired[
        CleanScores | None
    ]  # where test rows are trained on too: the others; None: there are none


class Lead(TypedDict, total=False):
    """How far a training is ahead of its rival, on the test rows that are not trained on too; empty of no rows."""

    difference: float
    difference_interval: list[float]
    p: float
    tested_on: int


class BaselineReport(RivalScores, Lead):
    """The simple rival of a text model, on the same test rows; the difference is the network's lead."""

    kind: str  # "words" or "characters"
    seconds: float
    trained_on: int
    better: Literal["model", "baseline"] | None


class CrossValidated(TypedDict):
    """What cross-validation measured: every row that is learned from, told by a head that had not seen it."""

    accuracy: float
    interval: list[float]
    n: int
    folds: int


class FitFacts(TypedDict):
    """How a head was fitted: the strength of its penalty, and on how many rows, in how many passes over them."""

    strength: float
    trained_on: int
    passes: int
    has_converged: bool
    cross_validation: NotRequired[CrossValidated]  # not of fewer than two contents


class StartFacts(TypedDict):
    """The fitted head that a training of more than the head began from."""

    strength: float
    trained_on: int
    seconds: float
    cross_validation: NotRequired[CrossValidated]


class ProbeReport(StartFacts, RivalScores, Lead):
    """That head alone on the same test rows; the difference is the lead of the training that began from it."""

    better: Literal["model", "probe"] | None


class HeadReport(TypedDict, total=False):
    """What a run says of its fitted head: of one that is all that learned, or of one that the training began from."""

    fit: FitFacts
    probe: ProbeReport


class TaskReport(TypedDict, total=False):
    """What only some tasks report."""

    baseline: BaselineReport


class Beside(TypedDict, total=False):
    """What is to be known beside the numbers of a test."""

    problems: list[ProblemRow]
    without_leaks: CleanScores | None  # where test rows are trained on too: the others; None: there are none


class FinetuneReport(ClassificationReport):
    """`artifacts/report.json`: the test, its worst mistakes, and the simple rival of a text model."""

    mistakes: NotRequired[list[Mistake]]
    baseline: NotRequired[BaselineReport]
    problems: NotRequired[list[ProblemRow]]
    without_leaks: NotRequired[CleanScores | None]
    fit: NotRequired[FitFacts]
    probe: NotRequired[ProbeReport]


class BestEpoch(TypedDict):
    """The epoch that was chosen on the validation rows; 0 is the fitted head that a training began from."""

    epoch: int
    step: int
    accuracy: float
    loss: float


class Scores(TypedDict):
    """The test as the summary and the model's own facts tell it."""

    accuracy: float
    interval: list[float]
    n: int
    macro_f1: float
    loss: NotRequired[float]
    without_leaks: NotRequired[CleanScores | None]


class ValidationScores(TypedDict):
    accuracy: float
    n: int


class DataFacts(TypedDict):
    """Which data a run read, and how many rows of each split."""

    id: str
    fingerprint: str
    labels: list[str]
    train: int
    validation: int
    test: int


class EngineFacts(TypedDict):
    """How a run computed: see `core.finetune.autotune.ComputeChoice`."""

    precision: str
    layout: str
    threads: int
    device: str
    prefix: str
    prefix_precision: str | None
    cached_rows: int
    computed_rows: int
    features: NotRequired[str | None]  # the folder of the cache that keeps them


class TokenFacts(TypedDict):
    """How long the texts are, and what of them the model did not read or know."""

    median: int
    mean: NotRequired[float]
    share_cut: float
    share_unknown: float


class TaskFacts(TypedDict):
    """What the summary says of one kind of input only."""

    image_size: NotRequired[int]
    max_length: NotRequired[int]
    tokens: NotRequired[TokenFacts]
    baseline: NotRequired[BaselineReport]


class FinetuneSummary(TaskFacts, total=False):
    """What stands in the row of a run; of one that has not ended well, nothing or a part."""

    test: Scores
    val: ValidationScores
    best_epoch: int
    epochs_done: int
    train_seconds: float
    images_per_s: float | None
    parameters: int
    trainable_parameters: int
    peak_memory_mb: float
    data: DataFacts
    engine: EngineFacts
    task: str
    learning_rate: float
    fit: FitFacts
    probe: ProbeReport
    phases: dict[str, float]
    alone: dict[str, float]  # the seconds of each phase, loading the libraries too, without others at work
    problems: list[ProblemRow]


def cross_validation_of(found: FinetuneSummary | FinetuneReport | HeadReport) -> CrossValidated | None:
    """How held-out rows were told by the fitted head; None where none was fitted, or of too few rows."""
    if "fit" in found:
        return found["fit"].get("cross_validation")
    return found["probe"].get("cross_validation") if "probe" in found else None


def summary_of(run: Run) -> FinetuneSummary:
    """What the row of a fine-tuning says."""
    return cast(FinetuneSummary, run.summary)


class TimingRow(TypedDict):
    """One line of the table behind the choice of an engine; without a rate, the reason why it was not timed."""

    part: str
    option: str
    images_per_s: float | None
    reason: str
