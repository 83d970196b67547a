"""What a training will cost: time, memory and disk, from the nearest earlier run or this machine's calibration."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from core import settings
from core.data.splits import train_and_validation
from core.data.token_lengths import MOST_READ, covering_length
from core.errors import GraftError
from core.finetune.disk import disk_of_mb
from core.finetune.memory import memory_of_mb
from core.finetune.pace import Pace, Past, around_s, fits_s, pace_of, past_runs
from core.finetune.passes import USUAL_TOKENS, Passes, Rows, count_passes, gmacs_of, is_fitted
from core.finetune.spec import FinetuneSpec
from core.hardware import others_at_work, usable_threads
from core.registry.methods import METHODS
from core.store import Run, Store, open_store

if TYPE_CHECKING:
    from core.models.card import ModelCard


LOW, HIGH = 0.72, 1.4  # the true time lies in this range of the estimate in most cases; its ends are 1.94 times apart
_DEFAULT_ROWS = 2000  # stands for the size of a data set nobody has read yet
_READ_TOKENS = 128  # at most, of a text, where nothing is asked for and nobody has looked into the texts
_PICTURE_S, _TEXT_S = 0.004, 0.0002  # to read one for the first time
# As `core.finetune.autotune` has it: trainings that are longer have other ways of computing timed, for so long.
_WORTH_TIMING_S, _TUNING_S = 60.0, 10.0


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


def trainable(model_id: str) -> ModelCard | None:
    """The card of a model that can be trained here; None for one that cannot, or that nobody knows."""
    from core.models import catalog

    try:
        card = catalog.get_model(model_id)
    except GraftError:
        return None
    return card if card.is_trainable else None


def estimate_finetune(spec: FinetuneSpec, store: Store | None = None, *, timed: bool = True) -> EstimateReport:
    """What this fine-tuning will take on this machine; with `timed`, its time too.

    Never raises for a model or data it cannot know.
    """
    from core.models import weight_files

    store, card = store or open_store(), trainable(spec.model.id)
    if card is None:
        return EstimateReport(time_s=None, reason="estimate.unknown", memory_mb=0, disk_mb=0, download_mb=0)
    known = known_rows(spec, store)
    rows = known or assumed_rows(spec)
    time_s, reason, from_run = _time(spec, card, rows, store) if timed else (None, None, None)
    needs_download = spec.model.weights == "pretrained" and not weight_files.is_local(card)
    return EstimateReport(
        time_s=time_s,
        reason=reason,
        memory_mb=round(memory_of_mb(spec, card, shown_at_most(spec, card), rows[0], store), -1),
        disk_mb=round(disk_of_mb(spec, card, rows) + card.size_mb, 1),
        download_mb=card.size_mb if needs_download else 0.0,
        from_run=from_run,
        rows=rows[0] if known else None,
    )


def shown_at_most(spec: FinetuneSpec, card: ModelCard) -> int:
    """The edge of the pictures, or the tokens of the longest texts."""
    if card.is_text:
        return min(spec.max_length or _covering(spec, open_store()), card.reading.max_length)
    return spec.image_size or card.vision.image_size


def tokens_of(spec: FinetuneSpec, store: Store) -> float | None:
    """Tokens of a text of this data on average, no more than are read; None where nobody has counted them."""
    most = spec.max_length or _covering(spec, store)
    for run in store.list_runs(statuses=["done"], limit=200):
        if (run.spec.get("data") or {}).get("id") != spec.data.id:
            continue
        if run.kind == "import":
            lengths = _lengths(run)
            if lengths:
                return statistics.fmean(min(length, most) for length in lengths)
        told = run.summary.get("tokens") or {} if run.kind == "finetune" else {}
        if told.get("median"):
            return min(float(told.get("mean") or told["median"]), most)
    return None


def _lengths(run: Run) -> list[int]:
    """Tokens of the texts that an import has looked into."""
    from core.store import find_report

    return ((find_report(run.id) or {}).get("tokens") or {}).get("lengths") or []


def _covering(spec: FinetuneSpec, store: Store) -> int:
    """Tokens that are read of each text where nothing is asked for, as far as these texts were looked into."""
    for run in store.list_runs(statuses=["done"], kind="import", limit=200):
        if (run.spec.get("data") or {}).get("id") == spec.data.id:
            lengths = _lengths(run)
            return covering_length(lengths, MOST_READ) if lengths else _READ_TOKENS
    return _READ_TOKENS


# -- time ----------------------------------------------------------------------------------------------


def _time(
    spec: FinetuneSpec, card: ModelCard, rows: Rows, store: Store
) -> tuple[tuple[float, float] | None, str | None, str | None]:
    """(seconds, why none can be told, the run whose speed they are based on)."""
    size = 0 if card.is_text else spec.image_size or card.vision.image_size
    tokens = tokens_of(spec, store) if card.is_text else None
    passes = count_passes(spec, card, gmacs_of(card, size, tokens), rows, kept_share(spec, rows, store))
    past = past_runs(store)
    pace = pace_of(spec, card, (tokens or USUAL_TOKENS) if card.is_text else size, passes, past)
    if pace is None:
        return None, "estimate.no_texts_yet" if card.is_text else "estimate.unknown", None
    start = around_s(spec, card, past) + _data_s(spec, card, rows, past)
    longest = shown_at_most(spec, card) / max(1.0, tokens or USUAL_TOKENS) if card.is_text else 1.0
    computing = pace.seconds(passes) + fits_s(spec, card, rows, past)
    computing += _tuning_s(spec, passes, rows, pace, past, longest)
    return range_of(start, computing), None, pace.from_run


def range_of(start_s: float, computing_s: float) -> tuple[float, float]:
    """From and to: what one thread and then all of them take alone, beside what others do on the machine now."""
    others, threads = others_at_work(), usable_threads()
    seconds = start_s * max(1.0, (1 + others) / threads) + computing_s * max(1.0, (threads + others) / threads)
    return LOW * seconds, HIGH * seconds


def _data_s(spec: FinetuneSpec, card: ModelCard, rows: Rows, past: list[Past]) -> float:
    """Seconds to read the rows: decoded pictures are kept, in each size."""
    if spec.data.id.startswith("builtin/"):
        return 0.2
    same = [one for one in past if one.spec.data.id == spec.data.id and one.card.is_text == card.is_text]
    each = [one.of("data") / max(1, sum(one.rows)) for one in same]
    if card.is_text:
        return sum(rows) * (statistics.median_low(each) if each else _TEXT_S)
    if any(one.spec.image_size == spec.image_size and sum(one.rows) >= sum(rows) for one in same):
        return min(one.of("data") for one in same)
    return sum(rows) * (max(each) if each else _PICTURE_S)


def _tuning_s(spec: FinetuneSpec, passes: Passes, rows: Rows, pace: Pace, past: list[Past], longest: float) -> float:
    """Seconds in which ways to compute are timed: four steps of each, of one alone where the training is short.

    The texts of such a step are `longest` times as long as usual ones: it is padded to the longest of any rows.
    """
    if is_fitted(spec) or spec.precision != "auto":
        return 0.0
    names = ("model", "image_size", "batch_size", "method", "last_blocks")
    if any(all(getattr(one.spec, name) == getattr(spec, name) for name in names) for one in past):
        return 0.0
    steps = max(1.0, spec.epochs * rows[0] / spec.batch_size)
    learning = passes.learned / pace.rates.learned
    once = 4 * learning / steps * longest
    return once if learning < _WORTH_TIMING_S else min(_TUNING_S, 2 * once) + once


def kept_share(spec: FinetuneSpec, rows: Rows, store: Store) -> float:
    """The share of the rows that are kept whose way through the frozen part an earlier run left in the cache."""
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
    return min(1.0, most / max(1, rows[0] + rows[1] + (rows[2] if is_fitted(spec) else 0)))


# What tells where a network is cut, and in which precision it is read.
_CUTS = ("method", "last_blocks", "precision", "augment")


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
            from core.store import find_report

            counts = (find_report(run.id) or {}).get("counts")
            if isinstance(counts, dict) and counts.get("train"):
                return _splits({name: sum(values) for name, values in counts.items()})
        drew_all = run.kind == "finetune" and not run.spec.get("train_size") and not run.spec.get("test_size")
        told = run.summary.get("data") or {}
        rows = [n for name in ("train", "validation", "test") if isinstance(n := told.get(name), int)]
        if drew_all and len(rows) == 3:  # a run that was brought may tell less
            return rows[0] + rows[1], 0, rows[2]
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
