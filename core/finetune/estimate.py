"""What a training will cost: time, memory and disk, from the nearest earlier run or this machine's calibration."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from core import settings
from core.data.splits import train_and_validation
from core.data.token_lengths import MOST_READ, covering_length
from core.errors import GraftError
from core.finetune.memory import memory_of_mb
from core.finetune.spec import FinetuneSpec
from core.hardware import this_host
from core.registry.methods import METHODS
from core.spec import parse_spec
from core.store import Run, Store, open_store

if TYPE_CHECKING:
    from core.models.card import ModelCard


LOW, HIGH = 0.72, 1.4  # the true time lies in this range of the estimate in most cases; its ends are 1.94 times apart
START_S = 6.0  # libraries, model, data that is already cached
_DEFAULT_ROWS = 2000  # stands for the size of a data set nobody has read yet
_USUAL_TOKENS = 64  # of a text, where nothing is known of its length
_READ_TOKENS = 128  # at most, of a text, where nothing is asked for and nobody has looked into the texts
_LIKE_RUNS = 5  # as many of the most alike runs are looked at: one that was slow does not count


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
    known = known_rows(spec, store)
    rows = known or assumed_rows(spec)
    time_s, reason, from_run = _time(spec, card, rows, store)
    train, pictures = rows[0], sum(rows)
    disk_mb = pictures * size * size * 3 / 1e6 + _feature_mb(spec, card, pictures, size) + 3 * _learned_mb(spec, card)
    needs_download = spec.model.weights == "pretrained" and not weight_files.is_local(card)
    return EstimateReport(
        time_s=time_s,
        reason=reason,
        memory_mb=round(memory_of_mb(spec, card, shown_at_most(spec, card), train, store), -1),
        disk_mb=round(disk_mb + card.size_mb, 1),
        download_mb=card.size_mb if needs_download else 0.0,
        from_run=from_run,
        rows=train if known else None,
    )


def shown_at_most(spec: FinetuneSpec, card: ModelCard) -> int:
    """The edge of the pictures, or the tokens of the longest texts."""
    if card.is_text:
        return min(spec.max_length or _covering(spec, open_store()), card.reading.max_length)
    return spec.image_size or card.vision.image_size


def gmacs_of(card: ModelCard, size: int, tokens: int | None) -> float:
    """Billions of multiply-adds for one picture of this edge, or for a text of so many tokens (None: as usual)."""
    if card.is_text:
        return card.gmacs * (_USUAL_TOKENS if tokens is None else tokens) / 128
    return card.gmacs * (size / card.vision.image_size) ** 2


def _tokens_of(spec: FinetuneSpec, store: Store) -> int | None:
    """Tokens of a usual text of this data, as an earlier run found them, no more than are read."""
    for run in store.list_runs(statuses=["done"], kind="finetune", limit=200):
        median = (run.summary.get("tokens") or {}).get("median")
        if median and (run.spec.get("data") or {}).get("id") == spec.data.id:
            return min(int(median), spec.max_length or MOST_READ)
    return None


def _covering(spec: FinetuneSpec, store: Store) -> int:
    """Tokens that are read of each text where nothing is asked for, as far as these texts were looked into."""
    from core.store import read_report

    for run in store.list_runs(statuses=["done"], kind="import", limit=200):
        if (run.spec.get("data") or {}).get("id") == spec.data.id:
            lengths = ((read_report(run.id) or {}).get("tokens") or {}).get("lengths")
            return covering_length(lengths, MOST_READ) if lengths else _READ_TOKENS
    return _READ_TOKENS


# -- time ----------------------------------------------------------------------------------------------


def _time(
    spec: FinetuneSpec, card: ModelCard, rows: tuple[int, int, int], store: Store
) -> tuple[tuple[float, float] | None, str | None, str | None]:
    """(seconds, why none can be told, the run whose speed they are based on)."""
    size = 0 if card.is_text else spec.image_size or card.vision.image_size
    gmacs = gmacs_of(card, size, _tokens_of(spec, store))
    work = work_of(spec, gmacs, *rows, kept_share(spec, sum(rows), store))
    nearest = nearest_run(spec, store)
    if nearest is not None:
        run, rate = nearest
        seconds = _around_s(spec, store) + work.total / rate
        return (LOW * seconds, HIGH * seconds), None, run.id
    calibration = read_calibration()
    if card.is_text:  # doctor times a network for pictures
        return None, "estimate.no_texts_yet", None
    if calibration is None:
        return None, "estimate.unknown", None
    seconds = _around_s(spec, store) + work.forward / calibration["forward_gmacs_per_s"]
    seconds += 3 * work.learning / calibration["learning_gmacs_per_s"]
    return (LOW * seconds, HIGH * seconds), None, None


def _around_s(spec: FinetuneSpec, store: Store) -> float:
    """Seconds of a run beside its computing: libraries, data, saving, as runs on this machine took, on the same data
    where there were any."""
    same, others = list[float](), list[float]()
    for run in store.list_runs(statuses=["done"], kind="finetune", limit=50):
        if run.host == this_host() and not run.attempt and run.started_at and run.ended_at:
            seconds = max(0.0, run.ended_at - run.started_at - _computing_s(run))
            (same if (run.spec.get("data") or {}).get("id") == spec.data.id else others).append(seconds)
    known = (same or others)[:_LIKE_RUNS]
    return statistics.median_low(known) if known else START_S


def _computing_s(run: Run) -> float:
    phases = run.summary.get("phases") or {}
    computing = ("autotune", "compile", "features", "fit", "train", "validate", "test")
    return sum(float(phases.get(name, 0.0)) for name in computing)


def kept_share(spec: FinetuneSpec, rows: int, store: Store) -> float:
    """The share of the rows whose way through the frozen part an earlier run left in the cache."""
    if METHODS[spec.method].kept is None or spec.augment != "none":
        return 0.0
    asked = spec.model_dump(mode="json")
    most = 0
    for run in store.list_runs(statuses=["done"], kind="finetune", limit=200):
        engine = run.summary.get("engine") or {}
        same = all(run.spec.get(name) == asked[name] for name in ("model", "data", "image_size", "max_length"))
        same = same and all(run.spec.get(name) == asked[name] for name in _CUTS if name in asked)
        if same and engine.get("features") and (settings.folder("cache") / "features" / engine["features"]).is_dir():
            most = max(most, int(engine.get("cached_rows") or 0) + int(engine.get("computed_rows") or 0))
    return min(1.0, most / max(1, rows))


# What tells where a network is cut, and in which precision it is read.
_CUTS = ("method", "last_blocks", "precision", "augment")


def work_of(spec: FinetuneSpec, gmacs: float, train: int, validation: int, test: int, kept: float = 0.0) -> _Work:
    """All passes of a run: what is frozen and not augmented runs once, everything else in each epoch.

    `kept`: the share of the rows that an earlier run took through the frozen part.
    """
    method = METHODS[spec.method]
    share = method.costs.work.at(spec.last_blocks)
    is_cached = method.kept is not None and spec.augment == "none"
    frozen = (1 - share) * gmacs
    looked = validation * -(-spec.epochs // spec.validate_every)
    prefix_rows = spec.epochs * train + looked + test
    if is_cached:
        prefix_rows = round((1 - kept) * (train + validation + test))
    forward = prefix_rows * frozen + (looked + test) * share * gmacs
    return _Work(forward=forward, learning=spec.epochs * train * share * gmacs)


def nearest_run(spec: FinetuneSpec, store: Store) -> tuple[Run, float] | None:
    """The most alike finished run of this machine, and how many billions of multiply-adds a second like runs do.

    Only runs in the same way, of the same kind of network, tell it: a head is forward passes, a whole network mostly
    steps back, and a network for texts does several times as much a second as one for pictures. Of the most alike
    the middle one counts.
    """
    card = trainable(spec.model.id)
    found: list[tuple[tuple[int, ...], Run, float]] = []
    for run in store.list_runs(statuses=["done"], kind="finetune", limit=200):
        if run.spec.get("method") != spec.method:
            continue
        rate = _rate_of(run)
        other = trainable((run.spec.get("model") or {}).get("id") or "")
        if rate is None or card is None or other is None or other.is_text != card.is_text:
            continue
        alike = [run.spec.get("model") == spec.model.model_dump(mode="json")]
        alike += [run.spec.get(name) == getattr(spec, name) for name in ("last_blocks", "image_size", "batch_size")]
        found.append((tuple(map(int, alike)), run, rate))
    if not found:
        return None
    best = max(likeness for likeness, _run, _rate in found)
    most_alike = [(run, rate) for likeness, run, rate in found if likeness == best][:_LIKE_RUNS]
    return most_alike[0][0], statistics.median_high([rate for _run, rate in most_alike])


def _rate_of(run: Run) -> float | None:
    from core.models import catalog

    summary = run.summary
    data, phases = summary.get("data") or {}, summary.get("phases") or {}
    if run.host != this_host() or run.attempt or not data or not phases:
        return None
    try:
        spec = parse_spec(FinetuneSpec, run.spec)
        card = catalog.get_model(spec.model.id)
    except GraftError:
        return None
    engine = summary.get("engine") or {}
    rows = [int(data.get(name, 0)) for name in ("train", "validation", "test")]
    cached = int(engine.get("cached_rows") or 0)
    if cached > sum(rows) / 2:  # it mostly read what an earlier run had computed: no speed can be told from the rest
        return None
    spec = spec.model_copy(update={"epochs": summary.get("epochs_done") or spec.epochs})
    size = 0 if card.is_text else summary.get("image_size") or card.vision.image_size
    gmacs = gmacs_of(card, size, (summary.get("tokens") or {}).get("median"))
    work = work_of(spec, gmacs, rows[0], rows[1], rows[2], cached / max(1, sum(rows)))
    seconds = _computing_s(run)
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


# -- disk -----------------------------------------------------------------------------------


def _learned_share(spec: FinetuneSpec) -> float:
    return METHODS[spec.method].costs.learned.at(spec.last_blocks)


def _learned_mb(spec: FinetuneSpec, card: ModelCard) -> float:
    """The tensors that learn with their two Adam moments, as a checkpoint holds them."""
    return 3 * 4 * card.parameters * _learned_share(spec) / 1e6


def _feature_mb(spec: FinetuneSpec, card: ModelCard, pictures: int, size: int) -> float:
    """Kept outputs of the frozen part, two bytes a number."""
    kept = METHODS[spec.method].kept
    if kept is None or spec.augment != "none":
        return 0.0
    if card.is_text:
        states = _USUAL_TOKENS if kept.states is None else kept.states
        return pictures * card.reading.hidden * states * 2 / 1e6
    return pictures * kept.of_picture(size) * 2 / 1e6
