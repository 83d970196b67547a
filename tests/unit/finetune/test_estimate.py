"""What a run will cost, told only from what was measured here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.data.splits import make_split
from core.finetune import estimate as finetune_estimate
from core.finetune.estimate import HIGH, LOW, EstimateReport, estimate_finetune, read_calibration
from core.finetune.spec import FinetuneSpec
from core.hardware import this_host
from core.models.catalog import get_model
from core.optimize.estimate import estimate_optimize
from core.optimize.spec import OptimizeSpec
from core.spec import parse_spec
from core.store import open_store
from tests.fixtures.optimizations import make_optimization

LITE0 = "bundled/efficientnet_lite0"
MINILM = "bundled/minilm-l6"
RESNET = "torchvision/resnet18.imagenet1k_v1"


def _spec(**values: object) -> FinetuneSpec:
    return parse_spec(FinetuneSpec, {"model": {"id": LITE0}, "data": {"id": "builtin/digits"}, **values})


def _calibrate(home: Path, **changes: object) -> None:
    values = {"host": this_host(), "forward_gmacs_per_s": 100.0, "learning_gmacs_per_s": 50.0, **changes}
    (home / "calibration.json").write_text(json.dumps(values), encoding="utf-8")


def _done(name: str, spec: FinetuneSpec, seconds: float, /, **changes: Any) -> None:
    """A finished training of 1000 pictures that took so long."""
    store = open_store()
    store.create_run(name, kind="finetune", name=name, spec=spec.model_dump(mode="json"))
    summary = {
        "data": {"train": 800, "validation": 200, "test": 100},
        "phases": {"data": 500.0, "train": seconds - 1, "validate": 0.5, "test": 0.5},
        "epochs_done": spec.epochs,
        "engine": {"cached_rows": 0},
    }
    columns = {"status": "done", "host": this_host(), **changes}
    store.update_run(name, summary={**summary, **columns.pop("summary", {})}, **columns)


def _middle(spec: FinetuneSpec) -> float:
    found = estimate_finetune(spec).time_s
    assert found is not None
    low, high = found
    assert high / low == pytest.approx(HIGH / LOW)
    return low / LOW


def test_no_time_is_told_when_nothing_was_measured_here() -> None:
    found = estimate_finetune(_spec())
    assert (found.time_s, found.reason, found.from_run) == (None, "estimate.unknown", None)
    assert found.memory_mb > 600, "memory and disk need no measurement"
    assert found.disk_mb > get_model(LITE0).size_mb


def test_time_follows_from_the_calibration_by_hand(home: Path) -> None:
    _calibrate(home)
    spec = _spec(method="full", epochs=2, train_size=100, test_size=60, image_size=112)
    gmacs = get_model(LITE0).gmacs / 4  # half the edge, a quarter of the work
    forward = (2 * 50 + 60) * gmacs / 100.0
    learning = 3 * 2 * 100 * gmacs / 50.0
    assert _middle(spec) == pytest.approx(finetune_estimate.START_S + forward + learning)
    assert estimate_finetune(spec).reason is None


def test_frozen_part_is_counted_once_when_it_is_kept(home: Path) -> None:
    _calibrate(home)
    start = finetune_estimate.START_S
    once, often = (_middle(_spec(epochs=epochs)) - start for epochs in (1, 20))
    assert often < 1.2 * once
    once, often = (_middle(_spec(epochs=epochs, augment="light")) - start for epochs in (1, 20))
    assert often > 10 * once


def test_work_grows_with_what_learns(home: Path) -> None:
    _calibrate(home)
    methods = [{"method": "head"}, {"method": "last", "last_blocks": 2}, {"method": "full"}]
    times = [_middle(_spec(**values)) for values in methods]
    assert times == sorted(times)
    memory = [estimate_finetune(_spec(**values)).memory_mb for values in methods]
    assert memory == sorted(memory)
    assert len(set(memory)) == 3


def test_speed_of_an_earlier_run_counts_more_than_the_calibration(home: Path) -> None:
    _calibrate(home)
    spec = _spec(train_size=800, test_size=100)
    _done("a", spec, 50.0)
    found = estimate_finetune(spec)
    assert found.from_run == "a"
    work = finetune_estimate.work_of(spec, get_model(LITE0).gmacs, 800, 160, 100).total
    done = finetune_estimate.work_of(spec, get_model(LITE0).gmacs, 800, 200, 100).total
    assert _middle(spec) == pytest.approx(finetune_estimate.START_S + 50.0 * work / done)


def test_one_slow_run_does_not_make_the_next_ones_slow() -> None:
    spec = _spec(train_size=800, test_size=100)
    for name, seconds in (("a", 50.0), ("b", 52.0), ("slow", 500.0)):
        _done(name, spec, seconds)
    found = _middle(spec)
    assert found < finetune_estimate.START_S + 60
    _done("slow-again", _spec(train_size=800, test_size=100, method="full"), 500.0)
    _done("once-more", _spec(train_size=800, test_size=100, method="full"), 50.0)
    assert _middle(_spec(train_size=800, test_size=100, method="full")) < 70, "of two the faster one"


def test_what_is_in_the_cache_is_not_computed_again(home: Path) -> None:
    spec = _spec(train_size=800, test_size=100)
    kept = {"engine": {"cached_rows": 0, "computed_rows": 1100, "features": "abc"}}
    _done("first", spec, 100.0, summary=kept)
    fresh = _middle(spec)
    assert fresh > 90, "the cache was emptied since"
    (home / "cache" / "features" / "abc").mkdir(parents=True)
    assert _middle(spec) < finetune_estimate.START_S + 5
    assert _middle(_spec(train_size=800, test_size=100, epochs=40)) < 60
    assert _middle(_spec(train_size=800, test_size=100, augment="light")) > 90
    other = _spec(train_size=800, test_size=100, image_size=96)
    assert finetune_estimate.kept_share(other, 1000, open_store()) == 0


def test_what_a_run_takes_beside_computing_is_known_from_others(home: Path) -> None:
    _calibrate(home)
    before = _middle(_spec(method="full"))
    _done("head", _spec(train_size=800), 10.0, started_at=1000.0, ended_at=1030.0)
    assert _middle(_spec(method="full")) == pytest.approx(before - finetune_estimate.START_S + 20)


def test_texts_are_priced_by_texts_alone(home: Path) -> None:
    _calibrate(home)  # doctor times a network for pictures
    _done("pictures", _spec(), 10.0)
    text = _spec(model={"id": MINILM}, data={"id": "upload/texts"})
    found = estimate_finetune(text)
    assert (found.time_s, found.reason, found.from_run) == (None, "estimate.no_texts_yet", None)
    _done("texts", text, 10.0)
    assert estimate_finetune(text).from_run == "texts"


def test_a_way_is_priced_by_the_same_way_alone() -> None:
    _done("head", _spec(), 10.0)
    assert estimate_finetune(_spec(method="last")).time_s is None


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
    assert estimate_finetune(_spec(**values)).memory_mb == pytest.approx(came, rel=0.2)


def test_memory_grows_with_the_length_of_texts() -> None:
    text = {"model": {"id": MINILM}, "data": {"id": "upload/texts"}, "method": "full", "train_size": 2000}
    told = [estimate_finetune(_spec(**text, max_length=length)).memory_mb for length in (64, 128, 256, 512)]
    assert estimate_finetune(_spec(**text)).memory_mb == told[1], "nobody has looked into these texts"
    open_store().create_run("im-1", kind="import", name="i", spec={"data": text["data"]})
    run = open_store().get_run("im-1")
    (run.folder / "artifacts").mkdir(parents=True)
    report = {"tokens": {"lengths": [40] * 10 + [250] * 10}}
    (run.folder / "artifacts" / "report.json").write_text(json.dumps(report), encoding="utf-8")
    open_store().update_run("im-1", status="done")
    assert estimate_finetune(_spec(**text)).memory_mb == told[2], "256 tokens cover them"
    assert told == sorted(told)
    assert told[2] > 3500, "256 tokens reached 4,757 MB in fp32"


def test_memory_that_was_measured_counts_more_than_what_is_worked_out() -> None:
    _done("a", _spec(method="full", image_size=64), 10.0, summary={"peak_memory_mb": 3000.0, "image_size": 64})
    assert estimate_finetune(_spec(method="full", image_size=64)).memory_mb == 3000
    twice = estimate_finetune(_spec(method="full", image_size=64, batch_size=64)).memory_mb
    assert twice == pytest.approx(3000 + 32 * 7.9, abs=20)


def test_most_alike_run_is_taken() -> None:
    _done("other-method", _spec(method="full"), 10.0)
    _done("same", _spec(), 10.0)
    _done("other-batch", _spec(batch_size=8), 10.0)
    _done("other-model", _spec(model={"id": RESNET}), 10.0)
    assert estimate_finetune(_spec()).from_run == "same"
    assert estimate_finetune(_spec(method="full")).from_run == "other-method"
    assert estimate_finetune(_spec(model={"id": RESNET})).from_run == "other-model"


def test_another_net_in_another_way_tells_nothing() -> None:
    _done("a", _spec(model={"id": RESNET}, method="full"), 10.0)
    assert estimate_finetune(_spec(method="head")).time_s is None


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "elsewhere"},
        {"attempt": 1},
        {"status": "failed"},
        {"summary": {"engine": {"cached_rows": 1000}}},
        {"summary": {"phases": {}}},
        {"spec": {"model": {"id": "hub/gone/model"}, "data": {"id": "builtin/digits"}, "method": "head"}},
        {"spec": {"colour": "red"}},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_run_that_tells_nothing_about_this_machine_is_passed_over(changes: dict[str, Any]) -> None:
    _done("a", _spec(), 10.0, **changes)
    assert estimate_finetune(_spec()).time_s is None


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        '{"host": "elsewhere", "forward_gmacs_per_s": 1, "learning_gmacs_per_s": 1}',
        '{"host": "HOST", "forward_gmacs_per_s": 1}',
        '{"host": "HOST", "forward_gmacs_per_s": 0, "learning_gmacs_per_s": 1}',
        '{"host": "HOST", "forward_gmacs_per_s": "fast", "learning_gmacs_per_s": 1}',
    ],
)
def test_calibration_is_none_when_it_is_not_of_this_machine(text: str | None, home: Path) -> None:
    if text is not None:
        (home / "calibration.json").write_text(text.replace("HOST", this_host()), encoding="utf-8")
    assert read_calibration() is None


def test_calibration_is_read_when_it_is_of_this_machine(home: Path) -> None:
    _calibrate(home)
    assert read_calibration() == {"forward_gmacs_per_s": 100.0, "learning_gmacs_per_s": 50.0}


def test_download_is_counted_only_when_weights_are_wanted_and_not_here() -> None:
    size = get_model(RESNET).size_mb
    assert estimate_finetune(_spec(model={"id": RESNET})).download_mb == size
    random = {"id": RESNET, "weights": "random"}
    assert estimate_finetune(_spec(model=random, method="full")).download_mb == 0
    assert estimate_finetune(_spec()).download_mb == 0


def test_unknown_model_gives_a_reason_and_no_numbers() -> None:
    found = estimate_finetune(_spec(model={"id": "torchvision/nothing"}))
    assert (found.time_s, found.reason, found.memory_mb) == (None, "estimate.unknown", 0)


# -- rows ----------------------------------------------------------------------------------------------


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
    spec = _spec(data={"id": "upload/mine"}, train_size=train_size, test_size=200)
    targets = np.concatenate([np.arange(n) % 2 for n in splits.values()]).astype(np.int64)
    ends = np.cumsum([0, *splits.values()])
    official = {name: np.arange(ends[i], ends[i + 1]) for i, name in enumerate(splits)}
    drawn = make_split(targets, official, train_size=train_size, test_size=200, seed=0)
    wanted = (len(drawn.train), len(drawn.validation), len(drawn.test))
    assert finetune_estimate.known_rows(spec, open_store()) == wanted
    assert estimate_finetune(spec).rows == wanted[0]


def test_rows_are_those_of_an_earlier_run_when_nobody_imported_the_data() -> None:
    data = {"id": "upload/mine"}
    assert estimate_finetune(_spec(data=data)).rows is None, "assumed, and said so"
    _done("part", _spec(data=data, train_size=30), 10.0)
    assert estimate_finetune(_spec(data=data)).rows is None
    _done("all", _spec(data=data), 10.0)
    assert estimate_finetune(_spec(data=data)).rows == 800


# -- optimizing ----------------------------------------------------------------------------------------


def _optimize(**values: object) -> EstimateReport:
    base = {"model": {"id": LITE0}, "data": {"id": "builtin/digits"}, "passes": ("onnx", "half"), "test_size": 300}
    return estimate_optimize(parse_spec(OptimizeSpec, base | values))


def test_time_of_an_optimization_is_told_only_after_something_was_measured(home: Path) -> None:
    found = _optimize()
    assert (found.time_s, found.reason) == (None, "estimate.unknown")
    assert found.disk_mb == pytest.approx(1.5 * get_model(LITE0).size_mb, abs=0.1)
    _calibrate(home)
    assert _optimize().time_s is not None


def test_more_variants_tests_and_epochs_take_longer(home: Path) -> None:
    _calibrate(home)
    base = _optimize().time_s
    assert base is not None
    learning = {"passes": ("onnx", "half", "prune_magnitude")}
    for more in (
        {"passes": ("onnx", "half", "export")},
        {"test_size": 360},
        learning,
        {"passes": ("onnx", "static_int8")},
    ):
        found = _optimize(**more).time_s
        assert found is not None
        assert found[1] > base[1], more
    once, twice = _optimize(**learning, epochs=1).time_s, _optimize(**learning, epochs=5).time_s
    assert once is not None
    assert twice is not None
    assert twice[0] > once[0]


def test_an_earlier_optimization_of_the_model_tells_its_speed() -> None:
    run = make_optimization("done")
    assert _optimize().from_run == run.id
    assert _optimize(model={"id": RESNET}).from_run is None


def test_unknown_model_of_an_optimization_gives_a_reason() -> None:
    assert _optimize(model={"id": "torchvision/nothing"}).reason == "estimate.unknown"
