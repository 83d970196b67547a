"""What a run will cost, told only from what was measured here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import settings
from core.data.splits import make_split
from core.finetune import estimate as finetune_estimate
from core.finetune import memory, pace
from core.finetune.estimate import estimate_finetune
from core.finetune.pace import gauge_of, past_runs
from core.finetune.passes import Passes, count_passes, fit_work, gmacs_of
from core.finetune.spec import FinetuneSpec
from core.models.catalog import get_model
from core.spec import ModelRef
from core.store import open_store
from tests.fixtures.pasts import GAUGE, LITE0, MINILM, RESNET, START_S, TRAINER_S, asked, calibrate, middle, past


@pytest.fixture(autouse=True)
def others(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Threads of others at work, in a list that a test sets: none; two processors."""
    found = [0.0]
    monkeypatch.setattr(finetune_estimate, "others_at_work", lambda: found[0])
    monkeypatch.setattr(finetune_estimate, "usable_threads", lambda: 2)
    return found


def test_no_time_is_told_when_nothing_was_measured_here() -> None:
    found = estimate_finetune(asked())
    assert (found.time_s, found.reason, found.from_run) == (None, "estimate.unknown", None)
    assert found.memory_mb > 600, "memory and disk need no measurement"
    assert found.disk_mb > get_model(LITE0).size_mb


def _passes(spec: FinetuneSpec, rows: tuple[int, int, int], kept: float = 0.0) -> Passes:
    card = get_model(spec.model.id)
    return count_passes(spec, card, gmacs_of(card, spec.image_size or card.vision.image_size, None), rows, kept)


def test_all_passes_are_counted() -> None:
    """The validation of every epoch and of the fitted head that a training begins from; the test of both."""
    step, gmacs = 0.15, get_model(LITE0).gmacs / 4  # half the edge, a quarter of the work
    spec = asked(method="full", epochs=2, image_size=112, batch_size=32)
    found = _passes(spec, (64, 32, 96))
    assert found.learned == pytest.approx(3 * 2 * (64 * gmacs + 2 * step))
    answered = (64 + 3 * 32) * gmacs + 5 * step
    assert found.exact == pytest.approx(answered + 2 * (96 * gmacs + 3 * step))
    assert found.seen == 0, "pictures learn in the digits of the saved model"
    random = _passes(spec.model_copy(update={"model": ModelRef(id=LITE0, weights="random")}), (64, 32, 96))
    assert random.exact == pytest.approx((2 * 32 + 96) * gmacs + 5 * step), "nothing to begin from"
    last = _passes(asked(method="last", epochs=2, image_size=112), (64, 32, 96))
    assert last.seen == pytest.approx(0.75 * (96 * gmacs + 3 * step)), "the frozen part once"
    head = _passes(asked(image_size=112, epochs=9), (64, 32, 96))
    assert head == Passes(pytest.approx(96 * gmacs + 3 * step), 0.0, pytest.approx(96 * gmacs + 3 * step))
    varied = _passes(asked(image_size=112, epochs=9, augment="light"), (64, 32, 96))
    assert varied.learned > 8 * 64 * gmacs


def test_time_follows_from_the_calibration_by_hand(home: Path) -> None:
    calibrate(home)
    spec = asked(method="full", epochs=2, train_size=100, test_size=60, image_size=112)
    passes = _passes(spec, (100, 50, 60))
    learning = passes.learned / 50
    tuning = 4 * learning / (2 * 100 / 32)
    fit = fit_work(spec, (100, 50, 60), 1280, 10)
    wanted = START_S + TRAINER_S + 1.5 + 0.2 + learning + passes.exact / 80 + tuning + fit
    assert middle(spec) == pytest.approx(wanted)
    assert estimate_finetune(spec).reason is None


def test_others_at_work_make_it_longer(home: Path, others: list[float]) -> None:
    calibrate(home)
    spec = asked(method="full", epochs=20)
    alone = middle(spec)
    others[0] = 2.0
    assert 1.8 * alone < middle(spec) < 2 * alone, "of four threads on two processors each has half of one"
    others[0] = 1.0
    assert 1.4 * alone < middle(spec) < 1.5 * alone, "the libraries are loaded by one thread, which has its processor"


def test_a_run_beside_others_does_not_teach_that_this_machine_is_slow(home: Path) -> None:
    calibrate(home)
    spec = asked(method="full", train_size=800, test_size=100)
    past("quiet", spec, 50.0)
    quiet = middle(spec)
    alone = {"train": 49.0, "validate": 0.5, "test": 0.5}
    phases = {name: 4 * seconds for name, seconds in alone.items()}
    for name in ("busy", "busier", "busiest"):
        past(name, spec, 0, summary={"phases": phases, "alone": alone})
    assert middle(spec) == pytest.approx(quiet), "it is counted as it would have been"
    alone = {name: 2 * seconds for name, seconds in alone.items()}  # what no count tells: caches, memory
    for name in ("noisy", "noisier", "noisiest"):
        past(name, spec, 0, summary={"phases": phases, "alone": alone})
    assert middle(spec) == pytest.approx(quiet), "those that were left alone count"


def test_kinds_of_network_have_paces_of_their_own(home: Path) -> None:
    assert [gauge_of(get_model(name)) for name in (LITE0, RESNET, MINILM)] == ["depthwise", "dense", "attention"]
    assert gauge_of(get_model(MINILM), 256) == "long", "attention grows with the square of the length"
    calibrate(home)
    assert estimate_finetune(asked(model={"id": RESNET}, method="full")).time_s is None
    calibrate(home, gauges={"depthwise": GAUGE, "dense": {**GAUGE, "learned": 200.0}})
    dense, slow = (past_or_calibrated(asked(model={"id": RESNET}, method="full"), learned) for learned in (200.0, 50.0))
    assert dense < slow


def past_or_calibrated(spec: FinetuneSpec, learned: float) -> float:
    gauges = {"dense": {**GAUGE, "learned": learned}}
    path = settings.home() / "calibration.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "gauges": gauges}), encoding="utf-8")
    return middle(spec)


def test_frozen_part_is_counted_once_when_it_is_kept(home: Path) -> None:
    calibrate(home)
    once, often = (middle(asked(epochs=epochs)) - START_S for epochs in (1, 20))
    assert often == once
    once, often = (middle(asked(epochs=epochs, augment="light")) - START_S for epochs in (1, 20))
    assert often > 5 * once


def test_work_grows_with_what_learns(home: Path) -> None:
    calibrate(home)
    methods = [{"method": "head"}, {"method": "last", "last_blocks": 2}, {"method": "full"}]
    times = [middle(asked(**values)) for values in methods]
    assert times == sorted(times)
    memory = [estimate_finetune(asked(**values)).memory_mb for values in methods]
    assert memory == sorted(memory)
    assert len(set(memory)) == 3


def test_speed_of_an_earlier_run_counts_more_than_the_calibration(home: Path) -> None:
    calibrate(home)
    spec = asked(method="full", train_size=800, test_size=100)
    before = middle(spec)
    past("a", spec, 500.0)
    found = estimate_finetune(spec)
    assert found.from_run == "a"
    learned = _passes(spec, (800, 160, 100)).learned
    assert middle(spec) == pytest.approx(before + 499.0 - learned / 50, rel=0.05)
    assert middle(spec.model_copy(update={"epochs": 10})) == pytest.approx(2 * middle(spec), rel=0.05)


def test_one_slow_run_does_not_make_the_next_ones_slow() -> None:
    spec = asked(method="full", train_size=800, test_size=100)
    for name, seconds in (("a", 50.0), ("b", 52.0), ("slow", 500.0)):
        past(name, spec, seconds)
    assert middle(spec) < 75
    past("slow-again", asked(method="last", train_size=800, test_size=100), 500.0)
    past("once-more", asked(method="last", train_size=800, test_size=100), 50.0)
    assert middle(asked(method="last", train_size=800, test_size=100)) < 75, "of two the faster one"


def test_what_is_in_the_cache_is_not_computed_again(home: Path) -> None:
    spec = asked(train_size=800, test_size=100)
    kept = {"engine": {"cached_rows": 0, "computed_rows": 1100, "features": "abc"}}
    phases = {"features": 100.0, "fit": 1.0, "test": 10.0}
    past("first", spec, 0, summary={**kept, "phases": phases})
    fresh = middle(spec)
    assert fresh > 90, "the cache was emptied since"
    (home / "cache" / "features" / "abc").mkdir(parents=True)
    assert middle(spec) < 12
    assert middle(asked(train_size=800, test_size=100, epochs=40)) < 12
    other = asked(train_size=800, test_size=100, image_size=96)
    assert finetune_estimate.kept_share(other, (800, 100, 100), open_store()) == 0


def test_what_a_run_takes_beside_computing_is_known_from_others(home: Path) -> None:
    calibrate(home)
    before = middle(asked(image_size=112))
    phases = {"data": 1.0, "features": 0.1, "fit": 0.1, "save": 3.0}
    alone = {**phases, "libraries": 12.0, "save": 2.0}
    past("head", asked(train_size=800), 0, summary={"phases": phases, "alone": alone})
    assert middle(asked(image_size=112)) == pytest.approx(before - START_S - 1.5 + 14.0, abs=0.5)
    # What no phase tells, as long as it would have been alone.
    past("new", asked(train_size=800), 0, summary={"phases": phases}, started_at=1000.0, ended_at=1030.0)
    newest = past_runs(open_store())[0]
    assert newest.around_s == pytest.approx(3.0 + 25.8)


def test_texts_are_priced_by_texts_alone(home: Path) -> None:
    calibrate(home, gauges={"depthwise": GAUGE})
    past("pictures", asked(method="full"), 10.0)
    text = asked(model={"id": MINILM}, data={"id": "upload/texts"}, method="full")
    found = estimate_finetune(text)
    assert (found.time_s, found.reason, found.from_run) == (None, "estimate.no_texts_yet", None)
    calibrate(home)
    assert estimate_finetune(text).time_s is not None, "doctor times a network for texts too"
    past("texts", text, 10.0)
    assert estimate_finetune(text).from_run == "texts"


def test_time_of_texts_grows_with_their_length_on_average(home: Path) -> None:
    calibrate(home)
    text = asked(model={"id": MINILM}, data={"id": "upload/texts"}, method="full", epochs=50)
    past("t", text, 0, summary={"phases": {}, "tokens": {"median": 20, "mean": 80.0}})
    long = middle(text)
    past("t2", text, 0, summary={"phases": {}, "tokens": {"median": 20, "mean": 20.0}})
    assert long > 2 * middle(text)
    store = open_store()
    store.create_run("im-1", kind="import", name="i", spec={"data": text.data.model_dump(mode="json")})
    (store.get_run("im-1").folder / "artifacts").mkdir(parents=True)
    report = {"tokens": {"lengths": [20, 140]}, "counts": {"train": [1000, 1000]}}
    (store.get_run("im-1").folder / "artifacts" / "report.json").write_text(json.dumps(report), encoding="utf-8")
    store.update_run("im-1", status="done")
    assert finetune_estimate.tokens_of(text, store) == 80
    assert finetune_estimate.tokens_of(text.model_copy(update={"max_length": 100}), store) == 60
    short = text.model_copy(update={"epochs": 1, "train_size": 64})
    learning = count_passes(short, get_model(MINILM), gmacs_of(get_model(MINILM), 0, 80), (64, 16, 400)).learned / 50
    timed = middle(short) - middle(short.model_copy(update={"precision": "bf16"}))
    assert timed == pytest.approx(4 * learning / 2 * 144 / 80), "steps that are timed are padded to the longest text"


def test_a_way_is_priced_by_the_same_way_alone() -> None:
    past("head", asked(), 0, summary={"phases": {"features": 10.0, "fit": 1.0, "test": 1.0}})
    assert estimate_finetune(asked()).time_s is not None
    assert estimate_finetune(asked(method="last")).time_s is None


# What was told and came: MB of real trainings on digits (64 px) and of short texts, `python -m bench estimates`.
@pytest.mark.parametrize(
    ("values", "came"),
    [
        ({"method": "head", "image_size": 64}, 1143),
        ({"method": "full", "image_size": 64}, 1367),
        ({"method": "last", "image_size": 64}, 1197),
        ({"method": "full", "image_size": 64, "batch_size": 128}, 2206),
    ],
)
def test_memory_is_told_within_a_fifth(values: dict[str, Any], came: float) -> None:
    assert estimate_finetune(asked(**values)).memory_mb == pytest.approx(came, rel=0.2)


def test_memory_grows_with_the_rows_as_it_was_measured() -> None:
    """`python -m bench large`: MB above 1,000 rows, of a head on 100,000 and on a million texts of 100 characters."""
    texts, pictures = get_model(MINILM), get_model(LITE0)
    head = asked(model={"id": MINILM})
    few = memory.rows_mb(head, texts, 640)
    assert memory.rows_mb(head, texts, 79_000) - few == pytest.approx(630, rel=0.2)
    assert memory.rows_mb(head, texts, 799_000) - few == pytest.approx(740, rel=0.2), "too many to be fitted at once"
    assert memory.rows_mb(asked(), pictures, 79_000) < memory.rows_mb(asked(), pictures, 24_000), "fitted at once"
    past("a", head, 10.0, summary={"peak_memory_mb": 1200.0, "max_length": 64, "data": {"train": 640}})
    told = memory.memory_of_mb(head, texts, 64, 79_000, open_store())
    assert told == pytest.approx(1200 + 630, rel=0.1), "beside what a like run of few rows took"


def test_memory_grows_with_the_length_of_texts() -> None:
    text = {"model": {"id": MINILM}, "data": {"id": "upload/texts"}, "method": "full", "train_size": 2000}
    told = [estimate_finetune(asked(**text, max_length=length)).memory_mb for length in (64, 128, 256, 512)]
    assert estimate_finetune(asked(**text)).memory_mb == told[1], "nobody has looked into these texts"
    open_store().create_run("im-1", kind="import", name="i", spec={"data": text["data"]})
    run = open_store().get_run("im-1")
    (run.folder / "artifacts").mkdir(parents=True)
    report = {"tokens": {"lengths": [40] * 10 + [250] * 10}}
    (run.folder / "artifacts" / "report.json").write_text(json.dumps(report), encoding="utf-8")
    open_store().update_run("im-1", status="done")
    assert estimate_finetune(asked(**text)).memory_mb == told[2], "256 tokens cover them"
    assert told == sorted(told)
    assert told[2] > 3500, "256 tokens reached 4,757 MB in fp32"


def test_memory_that_was_measured_counts_more_than_what_is_worked_out() -> None:
    past("a", asked(method="full", image_size=64), 10.0, summary={"peak_memory_mb": 3000.0, "image_size": 64})
    assert estimate_finetune(asked(method="full", image_size=64)).memory_mb == 3000
    twice = estimate_finetune(asked(method="full", image_size=64, batch_size=64)).memory_mb
    assert twice == pytest.approx(3000 + 32 * 5.24, abs=20)


def test_most_alike_run_is_taken() -> None:
    past("other-way", asked(method="last"), 10.0)
    past("same", asked(method="full"), 10.0)
    past("other-batch", asked(method="full", batch_size=8), 10.0)
    past("other-model", asked(model={"id": RESNET}, method="full"), 10.0)
    assert estimate_finetune(asked(method="full")).from_run == "same"
    assert estimate_finetune(asked(method="last")).from_run == "other-way"
    assert estimate_finetune(asked(model={"id": RESNET}, method="full")).from_run == "other-model"


def test_another_kind_of_network_tells_nothing() -> None:
    past("a", asked(model={"id": RESNET}, method="full"), 10.0)
    assert estimate_finetune(asked(method="full")).time_s is None


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "elsewhere"},
        {"attempt": 1},
        {"status": "failed"},
        {"summary": {"engine": {"cached_rows": 1000}, "phases": {"features": 9.0, "fit": 9.0, "test": 9.0}}},
        {"summary": {"phases": {}}},
        {"spec": {"model": {"id": "hub/gone/model"}, "data": {"id": "builtin/digits"}, "method": "head"}},
        {"spec": {"colour": "red"}},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_run_that_tells_nothing_about_this_machine_is_passed_over(changes: dict[str, Any]) -> None:
    past("a", asked(), 10.0, **changes)
    assert estimate_finetune(asked()).time_s is None


def test_download_is_counted_only_when_weights_are_wanted_and_not_here() -> None:
    size = get_model(RESNET).size_mb
    assert estimate_finetune(asked(model={"id": RESNET})).download_mb == size
    random = {"id": RESNET, "weights": "random"}
    assert estimate_finetune(asked(model=random, method="full")).download_mb == 0
    assert estimate_finetune(asked()).download_mb == 0


def test_unknown_model_gives_a_reason_and_no_numbers() -> None:
    found = estimate_finetune(asked(model={"id": "torchvision/nothing"}))
    assert (found.time_s, found.reason, found.memory_mb) == (None, "estimate.unknown", 0)


# -- rows ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", [{"train": 8}, {"train": 8, "validation": {"100": 2}, "test": 3}, {}])
def test_run_that_does_not_tell_its_rows_is_passed_over(told: dict[str, Any]) -> None:
    wanted = finetune_estimate.known_rows(asked(), open_store())
    past("a", asked(), 10.0, summary={"data": told})
    assert finetune_estimate.known_rows(asked(), open_store()) == wanted


def _read(data_id: str, home: Path, **splits: int) -> None:
    """An import of two classes with so many pictures in each split."""
    store = open_store()
    store.create_run("im", kind="import", name="im", spec={"data": {"id": data_id}})
    store.update_run("im", status="done")
    folder = home / "runs" / "im" / "artifacts"
    folder.mkdir(parents=True)
    counts = {name: [n // 2, n - n // 2] for name, n in splits.items()}
    (folder / "report.json").write_text(json.dumps({"counts": counts}), encoding="utf-8")


@pytest.mark.parametrize("train_size", [None, 10, 400, 990, 5000])
@pytest.mark.parametrize(
    "splits",
    [
        {"train": 1000, "test": 300},
        {"train": 1000, "validation": 70, "test": 300},
        {"train": 1000, "validation": 70},
        {"train": 1001},
        {"train": 60, "test": 10},
    ],
    ids=str,
)
def test_rows_are_those_that_the_split_will_draw(splits: dict[str, int], train_size: int | None, home: Path) -> None:
    _read("upload/mine", home, **splits)
    spec = asked(data={"id": "upload/mine"}, train_size=train_size, test_size=200)
    targets = np.concatenate([np.arange(n) % 2 for n in splits.values()]).astype(np.int64)
    ends = np.cumsum([0, *splits.values()])
    official = {name: np.arange(ends[i], ends[i + 1]) for i, name in enumerate(splits)}
    drawn = make_split(targets, official, train_size=train_size, test_size=200, seed=0)
    wanted = (len(drawn.train), len(drawn.validation), len(drawn.test))
    assert finetune_estimate.known_rows(spec, open_store()) == wanted
    assert estimate_finetune(spec).rows == wanted[0]


def test_rows_are_those_of_an_earlier_run_when_nobody_imported_the_data() -> None:
    data = {"id": "upload/mine"}
    assert estimate_finetune(asked(data=data)).rows is None, "assumed, and said so"
    past("part", asked(data=data, train_size=30), 10.0)
    assert estimate_finetune(asked(data=data)).rows is None
    past("all", asked(data=data), 10.0)
    assert estimate_finetune(asked(data=data)).rows == 800


@pytest.mark.parametrize(("is_ready", "around"), [(True, 2.0), (False, 2.0 + START_S + TRAINER_S)])
@pytest.mark.parametrize("was_ready", [True, False])
def test_loading_is_counted_only_where_it_will_happen(
    home: Path, is_ready: bool, around: float, was_ready: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrate(home)
    spec = asked(method="full")
    alone = (
        {"model": 2.0, "libraries": 0.0, "train": 5.0} if was_ready else {"model": 5.0, "libraries": 5.0, "train": 5.0}
    )
    past("ft-1", spec, 10.0, summary={"alone": alone, "was_ready": was_ready})
    monkeypatch.setattr(pace.ready, "is_there", lambda: is_ready)
    assert pace.around_s(spec, get_model(LITE0), past_runs(open_store())) == pytest.approx(around)


@pytest.mark.parametrize("was_ready", [True, False])
def test_what_a_copy_shares_is_not_counted_twice(home: Path, was_ready: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = asked(method="full", image_size=64)
    monkeypatch.setattr(memory.ready, "is_there", lambda: False)
    cold = estimate_finetune(spec).memory_mb
    monkeypatch.setattr(memory.ready, "is_there", lambda: True)
    assert estimate_finetune(spec).memory_mb == pytest.approx(cold - memory._SHARED_MB, abs=10)
    facts = {"image_size": 64, "peak_memory_mb": 2000.0, "was_ready": was_ready}
    past("ft-1", spec, 10.0, summary=facts)
    assert estimate_finetune(spec).memory_mb == pytest.approx(2000 if was_ready else 2000 - memory._SHARED_MB, abs=10)
