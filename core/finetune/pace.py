"""How fast this machine trains when it is left alone: from its earlier runs, else from what `doctor` timed.

What a run took is counted as it would have been without others at work (`PhaseClock.alone`), and of runs that are alike
those that were disturbed least count: a run beside three busy jobs does not teach the next one that it is slow.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core import ready, settings
from core.errors import GraftError
from core.finetune.passes import (
    Passes,
    Rows,
    begins_fitted,
    count_passes,
    fit_work,
    gmacs_of,
    is_fitted,
    trains_exactly,
)
from core.finetune.spec import FinetuneSpec
from core.hardware import this_host
from core.registry.methods import METHODS
from core.spec import parse_spec
from core.store import Run, Store

if TYPE_CHECKING:
    from core.models.card import ModelCard

# Kinds of network that do so much work in so much time; what attention takes grows with the square of the length.
Gauge = Literal["depthwise", "dense", "attention", "long"]
LONG_TOKENS = 128
# Networks of plain convolutions, by the family of their card; the others without attention have depthwise ones, which
# wait for memory and do a third as much in the same time.
_DENSE = frozenset(
    {"AlexNet", "VGG", "GoogLeNet", "Inception", "ResNet", "ResNet-D", "Wide ResNet", "SqueezeNet", "DenseNet", "DLA"}
)
_START_S, _TRAINER_S = (
    5.0,
    3.0,
)  # to load the libraries, and for more than a fit the Trainer, where it was never measured
_AROUND_S = {False: 1.5, True: 4.0}  # of a run beside that and its computing: pictures; texts, with their simple rival
_FITS_PER_S = 0.006  # billions of multiplications, where no fit was measured
_COMPUTING = ("data", "autotune", "compile", "features", "fit", "train", "validate", "test")
_LIKE_RUNS = 5
_LEAST_S = 0.25  # what was shorter tells no speed
_DISTURBED = 1.3  # so many times longer than alone


@dataclass(frozen=True)
class Rates:
    """Billions of multiply-adds a second, by the kind of pass (`Passes`)."""

    seen: float
    learned: float
    exact: float


@dataclass(frozen=True)
class Calibration:
    """What `doctor` measured on this machine."""

    gauges: dict[str, Rates]
    start_s: float | None = None
    trainer_s: float | None = None
    fits_per_s: float | None = None


@dataclass(frozen=True)
class Pace:
    """How fast the passes of one training are done here, and on which run that is based (None: on `doctor`)."""

    rates: Rates
    from_run: str | None

    def seconds(self, passes: Passes) -> float:
        """Of so much work."""
        rates = self.rates
        return passes.seen / rates.seen + passes.learned / rates.learned + passes.exact / rates.exact


def gauge_of(card: ModelCard, shown: float = 0.0) -> Gauge:
    """What kind of network it is, by what holds it up; `shown`: tokens of a text. Pictures are some 200 patches."""
    if card.is_text:
        return "attention" if shown < LONG_TOKENS else "long"
    if card.has_attention:
        return "long"
    return "dense" if card.family in _DENSE else "depthwise"


def read_calibration() -> Calibration | None:
    """What `doctor` measured on this machine; None before that or when the file says something else."""
    try:
        kept = json.loads((settings.home() / "calibration.json").read_text(encoding="utf-8"))
        if kept["host"] != this_host():
            return None
        if "gauges" not in kept:  # as version 0.1 kept it, of the bundled network for pictures
            forward, learning = float(kept["forward_gmacs_per_s"]), float(kept["learning_gmacs_per_s"])
            gauges = {"depthwise": Rates(forward, learning, learning)}
            start_s = trainer_s = fits_per_s = None
        else:
            gauges = {
                name: Rates(**{kind: float(rates[kind]) for kind in _KINDS}) for name, rates in kept["gauges"].items()
            }
            start_s, trainer_s = (
                None if kept[name] is None else float(kept[name]) for name in ("start_s", "trainer_s")
            )
            fits_per_s = float(kept["fits_per_s"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    numbers = [getattr(rates, kind) for rates in gauges.values() for kind in _KINDS]
    numbers += [number for number in (start_s, trainer_s, fits_per_s) if number is not None]
    return Calibration(gauges, start_s, trainer_s, fits_per_s) if gauges and min(numbers) > 0 else None


_KINDS = ("seen", "learned", "exact")


# -- earlier runs ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Past:
    """A finished training of this machine that was done in one go."""

    run: Run
    spec: FinetuneSpec
    card: ModelCard
    rows: Rows
    kept: float  # the share of its rows that it found in the cache
    shown: float  # px, or tokens of a text on average
    alone: dict[str, float]
    was_ready: bool  # its libraries were there when it began
    slowed: float  # how many times longer it took than without others at work

    def of(self, *phases: str) -> float:
        """Seconds of some phases."""
        return sum(self.alone.get(phase, 0.0) for phase in phases)

    @property
    def passes(self) -> Passes:
        """What it computed."""
        size, tokens = (0, self.shown) if self.card.is_text else (int(self.shown), None)
        return count_passes(self.spec, self.card, gmacs_of(self.card, size, tokens), self.rows, self.kept)

    @property
    def fit_s(self) -> float:
        """Seconds that fitting its head took, without the features that it is fitted to."""
        if is_fitted(self.spec):
            return self.of("fit")
        known = (read_calibration() or Calibration({})).fits_per_s or _FITS_PER_S
        return min(self.of("fit") / 2, fit_work(self.spec, self.rows, *head_shape(self.card, self.run)) / known)

    @property
    def around_s(self) -> float:
        """Seconds beside data and computing: libraries, the network, saving, and what no phase tells."""
        named = sum(seconds for phase, seconds in self.alone.items() if phase not in _COMPUTING)
        if not self.run.started_at or not self.run.ended_at:
            return named
        counted = dict(self.run.summary.get("phases") or {})
        told = sum(counted.values()) + self.alone.get("libraries", 0.0) * self.slowed
        return named + max(0.0, self.run.ended_at - self.run.started_at - told) / self.slowed

    def rate(self, kind: str) -> float | None:
        """Billions of multiply-adds a second of one kind of pass; None where too little of it was done."""
        work = getattr(self.passes, kind)
        between = self.of("validate") + (max(0.0, self.of("fit") - self.fit_s) if begins_fitted(self.spec) else 0.0)
        seconds = {"seen": self.of("features"), "learned": self.of("train"), "exact": self.of("test")}
        is_cut = METHODS[self.spec.method].kept is not None and self.spec.augment == "none"
        if not is_fitted(self.spec):
            if is_cut:  # of what lies between, a part is frozen and another learns: nothing is told of either
                exact = (1 + begins_fitted(self.spec)) * count_passes(
                    self.spec.model_copy(update={"method": "head", "augment": "none"}),
                    self.card, self._gmacs, (0, 0, self.rows[2]),
                ).exact  # fmt: skip
                work = {"seen": 0.0, "learned": work, "exact": exact}[kind]
            else:
                seconds["exact" if trains_exactly(self.spec, self.card) else "seen"] += between
        if kind != "learned" and is_fitted(self.spec) and self.kept > 0.5:
            return None  # it mostly read what an earlier run had computed
        return work / seconds[kind] if work > 0 and seconds[kind] >= _LEAST_S else None

    @property
    def _gmacs(self) -> float:
        size, tokens = (0, self.shown) if self.card.is_text else (int(self.shown), None)
        return gmacs_of(self.card, size, tokens)


def head_shape(card: ModelCard, run: Run | None) -> tuple[int, int]:
    """Features that a head answers from and classes that it answers with, as far as they are known."""
    labels = ((run.summary.get("data") or {}).get("labels") or []) if run else []
    return (card.reading.hidden if card.is_text else 1280), len(labels) or (2 if card.is_text else 10)


def past_runs(store: Store) -> list[Past]:
    """The newest first."""
    found = (_past(run) for run in store.list_runs(statuses=["done"], kind="finetune", limit=100))
    return [past for past in found if past is not None]


def _past(run: Run) -> Past | None:
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
    train, validation, test = (int(data.get(name, 0)) for name in ("train", "validation", "test"))
    spec = spec.model_copy(update={"epochs": summary.get("epochs_done") or spec.epochs})
    engine, tokens = summary.get("engine") or {}, summary.get("tokens") or {}
    through = train + validation + (test if is_fitted(spec) else 0)
    kept = min(1.0, int(engine.get("cached_rows") or 0) / max(1, through))
    shown = (tokens.get("mean") or tokens.get("median") or 0) if card.is_text else summary.get("image_size")
    alone = dict(summary.get("alone") or phases)
    took = sum(phases.values())
    slowed = max(1.0, took / max(1e-9, sum(alone.get(phase, 0.0) for phase in phases)))
    shown = float(shown or (64 if card.is_text else card.vision.image_size))
    return Past(run, spec, card, (train, validation, test), kept, shown, alone, bool(summary.get("was_ready")), slowed)


def least_disturbed(found: Iterable[Past]) -> list[Past]:
    """At most five: the newest of those that others left alone, else those that they disturbed least."""
    every = list(found)
    quiet = [past for past in every if past.slowed <= _DISTURBED]
    return (quiet or sorted(every, key=lambda past: past.slowed))[:_LIKE_RUNS]


# -- what they tell --------------------------------------------------------------------------------------


def pace_of(spec: FinetuneSpec, card: ModelCard, shown: float, needed: Passes, past: list[Past]) -> Pace | None:
    """How fast the passes of this training will be; None where of a kind that it needs nothing was measured here."""
    calibrated = (read_calibration() or Calibration({})).gauges.get(gauge_of(card, shown))
    found, runs = dict[str, float](), list[str]()
    for kind in _KINDS:
        like = _most_alike(spec, card, shown, kind, past)
        if like:
            rates = [rate for one in like if (rate := one.rate(kind)) is not None]
            found[kind] = statistics.median_high(rates)
            if getattr(needed, kind) > 0:
                runs.append(like[0].run.id)
        elif calibrated is not None:
            found[kind] = getattr(calibrated, kind)
    for kind, other in (("seen", "exact"), ("exact", "seen")):
        if kind not in found and other in found:
            found[kind] = found[other]
    if any(getattr(needed, kind) > 0 and kind not in found for kind in _KINDS):
        return None
    return Pace(Rates(*(found.get(kind, 1.0) for kind in _KINDS)), runs[0] if runs else None)


def _most_alike(spec: FinetuneSpec, card: ModelCard, shown: float, kind: str, past: list[Past]) -> list[Past]:
    """Runs that tell of a kind of pass: of the same kind of network, what learns in the same way; the most alike."""

    def likeness(one: Past) -> tuple[bool, ...]:
        is_near = 0.7 <= one.shown / max(1.0, shown) <= 1.4
        same = (one.card.base or one.card.id) == (card.base or card.id)
        return same, is_near, one.spec.batch_size == spec.batch_size

    found = []
    for one in past:
        same_way = one.spec.method == spec.method and one.spec.last_blocks == spec.last_blocks
        if gauge_of(one.card, one.shown) != gauge_of(card, shown) or one.card.is_text != card.is_text:
            continue
        if (kind != "learned" or same_way) and one.rate(kind) is not None:
            found.append(one)
    if not found:
        return []
    best = max(map(likeness, found))
    return least_disturbed(one for one in found if likeness(one) == best)


def around_s(spec: FinetuneSpec, card: ModelCard, past: list[Past]) -> float:
    """Seconds of a run beside data and computing, as the last ones took: on the same data, else of the same kind."""
    fits = is_fitted(spec)
    like = [one for one in past if is_fitted(one.spec) == fits and one.card.is_text == card.is_text]
    found = least_disturbed(one for one in like if one.spec.data.id == spec.data.id) or least_disturbed(like)
    trainer = 0.0 if fits else (read_calibration() or Calibration({})).trainer_s or _TRAINER_S
    loading, is_ready = start_s(past) + trainer, ready.is_there()
    if found:
        beside = statistics.median_low([max(0.0, one.around_s - (0 if one.was_ready else loading)) for one in found])
    else:
        beside = _AROUND_S[card.is_text]
    return beside + (0.0 if is_ready else loading)


def start_s(past: list[Past]) -> float:
    """Seconds until a worker has loaded what it needs, where it is started from nothing."""
    cold = [one for one in past if "libraries" in one.alone and not one.was_ready]
    found = [one.alone["libraries"] for one in least_disturbed(cold)]
    if found:
        return statistics.median_low(found)
    return (read_calibration() or Calibration({})).start_s or _START_S


def fits_s(spec: FinetuneSpec, card: ModelCard, rows: Rows, past: list[Past]) -> float:
    """Seconds to fit the head, of this training or that it begins from."""
    like = least_disturbed(one for one in past if is_fitted(one.spec) and one.card.is_text == card.is_text)
    same = next((one for one in past if one.spec.data.id == spec.data.id), None)
    work = fit_work(spec, rows, *head_shape(card, same.run if same else None))
    rates = [
        done / one.fit_s
        for one in like
        if one.fit_s >= _LEAST_S and (done := fit_work(one.spec, one.rows, *head_shape(one.card, one.run)))
    ]
    if rates:
        return work / statistics.median_high(rates)
    return work / ((read_calibration() or Calibration({})).fits_per_s or _FITS_PER_S)
