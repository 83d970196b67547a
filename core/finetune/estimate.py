"""What a training will cost: time, memory and disk, from the nearest earlier run or this machine's calibration."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from core import settings
from core.data.splits import train_and_validation
from core.errors import GraftError
from core.finetune.spec import FinetuneSpec
from core.hardware import this_host
from core.registry.methods import METHODS
from core.spec import parse_spec
from core.store import Run, Store, open_store

if TYPE_CHECKING:
    from core.models.card import ModelCard


LOW, HIGH = 0.7, 1.5  # the true time lies in this range of the estimate in most cases
START_S = 6.0  # libraries, model, data that is already cached
_BYTES_PER_MAC = 0.045  # activations kept for the backward pass of a convolutional net, by its multiply-adds
LIBRARIES_MB = 600.0
_DEFAULT_ROWS = 2000  # stands for the size of a data set nobody has read yet
_USUAL_TOKENS = 64  # of a text, where nothing is known of its length


class EstimateReport(BaseModel):
    """A range of seconds, or the reason why none can be told; memory and disk in MB."""

    model_config = ConfigDict(frozen=True)

    time_s: tuple[float, float] | None
    reason: str | None = None  # code of core.messages, when time_s is None
    memory_mb: float
    disk_mb: float
    download_mb: float
    from_run: str | None = None  # the run whose speed this is based on; None with a time: the calibration
    rows: int | None = None  # training pictures counted with; None: assumed, the data was never read


@dataclass(frozen=True)
class _Work:
    """One job in billions of multiply-adds."""

    forward: float
    learning: float  # of the forward passes through what learns: a third of a learning step's cost

    @property
    def total(self) -> float:
        return self.forward + 3 * self.learning


def trainable(model_id: str) -> ModelCard | None:
    """The card of a model that can be trained here; None for one that cannot, or that nobody knows."""
    from core.models import catalog

    try:
        card = catalog.get_model(model_id)
    except GraftError:
        return None
    return card if card.is_trainable else None


def estimate_finetune(spec: FinetuneSpec, store: Store | None = None) -> EstimateReport:
    """What this fine-tuning will take on this machine. Never raises for a model or data it cannot know."""
    from core.models import weight_files

    store, card = store or open_store(), trainable(spec.model.id)
    if card is None:
        return EstimateReport(time_s=None, reason="estimate.unknown", memory_mb=0, disk_mb=0, download_mb=0)
    size = 0 if card.is_text else spec.image_size or card.vision.image_size
    gmacs = gmacs_of(card, size, spec.max_length)
    known = known_rows(spec, store)
    train, validation, test = known or assumed_rows(spec)
    time_s, from_run = _time(spec, gmacs, train, validation, test, store)
    pictures = train + validation + test
    disk_mb = pictures * size * size * 3 / 1e6 + _feature_mb(spec, card, pictures, size) + 3 * _learned_mb(spec, card)
    needs_download = spec.model.weights == "pretrained" and not weight_files.is_local(card)
    return EstimateReport(
        time_s=time_s,
        reason=None if time_s else "estimate.unknown",
        memory_mb=round(memory_of_mb(spec, card, gmacs), -1),
        disk_mb=round(disk_mb + card.size_mb, 1),
        download_mb=card.size_mb if needs_download else 0.0,
        from_run=from_run,
        rows=train if known else None,
    )


def gmacs_of(card: ModelCard, size: int, max_length: int | None) -> float:
    """Billions of multiply-adds for one picture of this edge, or for a text of usual length."""
    if card.is_text:
        return card.gmacs * min(max_length or _USUAL_TOKENS, _USUAL_TOKENS) / 128
    return card.gmacs * (size / card.vision.image_size) ** 2


# -- time ----------------------------------------------------------------------------------------------


def _time(
    spec: FinetuneSpec, gmacs: float, train: int, validation: int, test: int, store: Store
) -> tuple[tuple[float, float] | None, str | None]:
    work = work_of(spec, gmacs, train, validation, test)
    nearest = nearest_run(spec, store)
    if nearest is not None:
        run, rate = nearest
        seconds = START_S + work.total / rate
        return (LOW * seconds, HIGH * seconds), run.id
    calibration = read_calibration()
    if calibration is None:
        return None, None
    seconds = START_S + work.forward / calibration["forward_gmacs_per_s"]
    seconds += 3 * work.learning / calibration["learning_gmacs_per_s"]
    return (LOW * seconds, HIGH * seconds), None


def work_of(spec: FinetuneSpec, gmacs: float, train: int, validation: int, test: int) -> _Work:
    """All passes of a run: what is frozen and not augmented runs once, everything else in each epoch."""
    method = METHODS[spec.method]
    share = method.costs.work.at(spec.last_blocks)
    is_cached = method.kept is not None and spec.augment == "none"
    frozen = (1 - share) * gmacs
    looked = validation * -(-spec.epochs // spec.validate_every)
    prefix_rows = train + validation + test if is_cached else spec.epochs * train + looked + test
    forward = prefix_rows * frozen + (looked + test) * share * gmacs
    return _Work(forward=forward, learning=spec.epochs * train * share * gmacs)


def nearest_run(spec: FinetuneSpec, store: Store) -> tuple[Run, float] | None:
    """The most alike finished run of this machine, and its speed in billions of multiply-adds a second."""
    best: tuple[tuple[int, ...], Run, float] | None = None
    for run in store.list_runs(statuses=["done"], kind="finetune", limit=200):
        rate = _rate_of(run)
        if rate is None:
            continue
        other = run.spec
        model = (other.get("model") or {}).get("id") == spec.model.id
        likeness = (
            int(model),
            int(other.get("method") == spec.method),
            int(other.get("image_size") == spec.image_size),
            int(other.get("batch_size") == spec.batch_size),
        )
        if not model and other.get("method") != spec.method:
            continue  # another net in another way tells nothing
        if best is None or likeness > best[0]:
            best = (likeness, run, rate)
    return None if best is None else (best[1], best[2])


def _rate_of(run: Run) -> float | None:
    from core.models import catalog

    summary = run.summary
    data, phases = summary.get("data") or {}, summary.get("phases") or {}
    if run.host != this_host() or run.attempt or not data or not phases:
        return None
    engine = summary.get("engine") or {}
    if engine.get("cached_rows"):  # it read features that an earlier run had computed: faster than a fresh one
        return None
    try:
        spec = parse_spec(FinetuneSpec, run.spec)
        card = catalog.get_model(spec.model.id)
    except GraftError:
        return None
    spec = spec.model_copy(update={"epochs": summary.get("epochs_done") or spec.epochs})
    size = 0 if card.is_text else summary.get("image_size") or card.vision.image_size
    gmacs = gmacs_of(card, size, summary.get("max_length"))
    work = work_of(spec, gmacs, data.get("train", 0), data.get("validation", 0), data.get("test", 0))
    computing = ("autotune", "compile", "train", "validate", "test")
    seconds = sum(float(phases.get(name, 0.0)) for name in computing)
    return work.total / seconds if seconds > 0 and work.total > 0 else None


def read_calibration() -> dict[str, float] | None:
    """What `doctor` measured on this machine; None before that or when the file says something else."""
    try:
        values = json.loads((settings.home() / "calibration.json").read_text(encoding="utf-8"))
        if values["host"] != this_host():
            return None
        rates = {name: float(values[name]) for name in ("forward_gmacs_per_s", "learning_gmacs_per_s")}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return rates if all(rate > 0 for rate in rates.values()) else None


# -- rows ----------------------------------------------------------------------------------------------


def known_rows(spec: FinetuneSpec, store: Store) -> tuple[int, int, int] | None:
    """Training, validation and test rows as the split will draw them; None for data nobody has read."""
    counts = _counts(spec, store)
    if counts is None:
        return None
    pool, own_validation, all_test = counts
    test = min(spec.test_size or all_test, all_test)
    return *train_and_validation(pool, spec.train_size, own_validation), test


def _counts(spec: FinetuneSpec, store: Store) -> tuple[int, int, int] | None:
    """Rows to train on, of a validation split of their own, and to test on: from a report or an earlier run."""
    for run in store.list_runs(statuses=["done"], limit=200):
        if (run.spec.get("data") or {}).get("id") != spec.data.id:
            continue
        if run.kind == "import":
            from core.store import read_report

            counts = (read_report(run.id) or {}).get("counts")
            if isinstance(counts, dict) and counts.get("train"):
                return _splits({name: sum(values) for name, values in counts.items()})
        data = run.summary.get("data") or {}
        if run.kind == "finetune" and not run.spec.get("train_size") and not run.spec.get("test_size") and data:
            return int(data["train"]) + int(data["validation"]), 0, int(data["test"])
    if spec.data.id == "builtin/digits":
        return 1437, 0, 360
    return None


def _splits(totals: dict[str, int]) -> tuple[int, int, int]:
    """As `core.data.splits` does: the validation split stands in for a test, else a fifth is held out."""
    pool, validation, test = (totals.get(name, 0) for name in ("train", "validation", "test"))
    if test:
        return pool, validation, test
    if validation:
        return pool, 0, validation
    held_out = max(1, round(0.2 * pool))
    return max(1, pool - held_out), 0, held_out


def assumed_rows(spec: FinetuneSpec) -> tuple[int, int, int]:
    train = spec.train_size or _DEFAULT_ROWS
    return train, max(50, min(1000, train // 5)), spec.test_size or _DEFAULT_ROWS


# -- memory and disk -----------------------------------------------------------------------------------


def _learned_share(spec: FinetuneSpec) -> float:
    return METHODS[spec.method].costs.learned.at(spec.last_blocks)


def _learned_mb(spec: FinetuneSpec, card: ModelCard) -> float:
    """The tensors that learn with their two Adam moments, as a checkpoint holds them."""
    return 3 * 4 * card.parameters * _learned_share(spec) / 1e6


def memory_of_mb(spec: FinetuneSpec, card: ModelCard, gmacs: float) -> float:
    """Libraries, weights, gradients and moments of what learns, and the activations of a batch."""
    weights = 4 * card.parameters / 1e6
    learned = 3 * weights * _learned_share(spec)
    kept = METHODS[spec.method].costs.activations
    activations = spec.batch_size * gmacs * 1e9 * _BYTES_PER_MAC * kept / 1e6
    return LIBRARIES_MB + weights + learned + activations


def _feature_mb(spec: FinetuneSpec, card: ModelCard, pictures: int, size: int) -> float:
    """Kept outputs of the frozen part, two bytes a number."""
    kept = METHODS[spec.method].kept
    if kept is None or spec.augment != "none":
        return 0.0
    if card.is_text:
        states = _USUAL_TOKENS if kept.states is None else kept.states
        return pictures * card.reading.hidden * states * 2 / 1e6
    return pictures * kept.of_picture(size) * 2 / 1e6
