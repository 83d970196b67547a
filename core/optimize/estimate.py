"""What optimizing will cost: time and memory of each variant."""

from __future__ import annotations

import statistics

from core.finetune.estimate import (
    EstimateReport,
    assumed_rows,
    known_rows,
    range_of,
    shown_at_most,
    trainable,
)
from core.finetune.memory import at_rest_mb, memory_of_mb
from core.finetune.pace import Rates, gauge_of, past_runs, read_calibration, start_s
from core.finetune.spec import FinetuneSpec
from core.hardware import this_host
from core.optimize.spec import OptimizeSpec
from core.optimize.variants import variants_of
from core.registry.passes import KINDS
from core.store import Store, open_store

_LIKE_RUNS = 5  # as many earlier runs are looked at
_VARIANT_S = 25.0  # to make, check and time one variant, its test left out
_TEST_S = 60.0  # of the original, where no number of test rows is asked for
_SEARCH_S = 60.0  # to look for the layers that int8 does not suit, where it loses too much


# -- optimizations ---------------------------------------------------------------------------------------


def estimate_optimize(spec: OptimizeSpec, store: Store | None = None) -> EstimateReport:
    """What this optimization will take on this machine. Never raises for a model or data it cannot know.

    Every variant is made, checked, tested and timed; passes that learn train as a fine-tuning of all layers does.
    """
    from core.models import weight_files

    store, card = store or open_store(), trainable(spec.model.id)
    if card is None:
        return EstimateReport(time_s=None, reason="estimate.unknown", memory_mb=0, disk_mb=0, download_mb=0)
    variants = variants_of(spec.passes, combine=spec.combine)
    values = {"model": spec.model, "data": spec.data, "train_size": spec.train_size, "test_size": spec.test_size}
    training = FinetuneSpec.model_validate({**values, "method": "full", "epochs": spec.epochs, "image_size": None})
    gmacs, known = card.gmacs * (0.5 if card.is_text else 1), known_rows(training, store)
    train, validation, test = known or assumed_rows(training)
    time_s, from_run = _variants_time(spec, gmacs, train, validation, test, store)
    memory_mb = at_rest_mb() + 5 * card.size_mb
    if any(variant.learned for variant in variants):
        memory_mb = max(memory_mb, memory_of_mb(training, card, shown_at_most(training, card), train, store))
    return EstimateReport(
        time_s=time_s,
        reason=None if time_s else "estimate.unknown",
        memory_mb=round(memory_mb, -1),
        disk_mb=round(sum(card.size_mb * KINDS[variant.kind].size_share for variant in variants), 1),
        download_mb=0.0 if weight_files.is_local(card) else card.size_mb,
        from_run=from_run,
        rows=train if known else None,
    )


def _variants_time(
    spec: OptimizeSpec, gmacs: float, train: int, validation: int, test: int, store: Store
) -> tuple[tuple[float, float] | None, str | None]:
    """Seconds from the speed of an earlier optimization of this model, else from the calibration."""
    variants, calibrated = variants_of(spec.passes, combine=spec.combine), _calibrated(spec)
    learned = {variant.learned for variant in variants if variant.learned}
    rate, from_run = _answer_rate(spec, gmacs, store)
    if rate is None:
        return None, None
    steps = 3 * spec.epochs * train * gmacs * len(learned)
    learning_rate = calibrated.learned if calibrated else rate
    # Without a number, as many rows are tested as the original answers in a minute.
    tested = test * gmacs / rate if spec.test_size else min(test * gmacs / rate, _TEST_S)
    tested += validation * gmacs / rate
    seconds = tested + len(variants) * (_VARIANT_S + tested) + steps / learning_rate
    searched = sum(variant.kind == "int8" for variant in variants) * _SEARCH_S if spec.search else 0.0
    low, high = range_of(start_s(past_runs(store)), seconds)
    return (low, high * (seconds + searched) / seconds), from_run


def _answer_rate(spec: OptimizeSpec, gmacs: float, store: Store) -> tuple[float | None, str | None]:
    """Billions of multiply-adds a second while answering, and the newest run that measured it.

    Of the last runs the middle one counts.
    """
    found = []
    for run in store.list_runs(statuses=["done"], kind="optimize", limit=50):
        rate = (run.summary.get("original") or {}).get("throughput")
        if run.host == this_host() and rate and (run.spec.get("model") or {}).get("id") == spec.model.id:
            found.append((rate * gmacs, run.id))
    if found:
        return statistics.median_high([rate for rate, _run in found[:_LIKE_RUNS]]), found[0][1]
    calibrated = _calibrated(spec)
    return (calibrated.exact if calibrated else None), None


def _calibrated(spec: OptimizeSpec) -> Rates | None:
    """What `doctor` measured of a network of this kind."""
    card, calibration = trainable(spec.model.id), read_calibration()
    return calibration.gauges.get(gauge_of(card)) if card and calibration else None
