"""Measuring a model: in a process of its own, with what was timed, where the time goes, and what was odd."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import InputError, RunError, StoppedError
from core.measurement import run as measurement_run
from core.measurement import timing
from core.measurement.run import _image_blocks, _inputs, _take_batch, _text_blocks, build_measured, measure
from core.measurement.spec import MeasureSpec
from core.measurement.timing import time_alone
from core.models.catalog import get_model
from core.networks.text import TokenBatch
from core.problems import Problem
from core.progress import PhaseClock, SilentReporter
from core.runs import submit
from core.runs.kinds import check_spec
from core.spec import ModelRef
from tests.fixtures.listening import Listener

LITE0, MINILM, ABSENT = "bundled/efficientnet_lite0", "bundled/minilm-l6", "torchvision/resnet18.imagenet1k_v1"


class StillWatch:
    """A stopwatch that takes as long as it is told, and notes what it is asked."""

    pid = 0

    def __init__(self, *times_ms: float) -> None:
        self.times_ms, self.calls, self.orders = times_ms, 0, list[dict[str, Any]]()

    def time(self, kind: str, seconds: float, least: int) -> float:
        self.calls += 1
        return self.times_ms[self.calls % len(self.times_ms)]

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        self.orders.append(order)
        return {}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets of a blink: that there are numbers is tested, not how good they are."""
    for name in ("BUDGET_S", "_WARM_S", "_PROFILE_S"):
        monkeypatch.setattr(measurement_run, name, 0.05)
    monkeypatch.setattr(measurement_run._Watch, "warm_s", 0.05)


def test_network_is_timed_in_a_process_of_its_own(quick: None, tmp_path: Path) -> None:
    spec = MeasureSpec(model=ModelRef(id="torchvision/squeezenet1_1", weights="random"), batch_size=2)
    listener = Listener()
    summary = measure(spec, tmp_path, listener)
    report = json.loads((tmp_path / "artifacts" / "report.json").read_text(encoding="utf-8"))
    assert 0 < report["latency_p50_ms"] <= report["latency_p95_ms"]
    assert report["intervals"]["one"][1] <= report["intervals"]["one"][0] <= report["intervals"]["one"][2]
    assert (report["batch_size"], report["is_random"], report["image_size"]) == (2, True, 224)
    assert report["throughput"] > 0
    assert report["memory_mb"] > report["libraries_mb"] > 0
    assert sum(block["share"] for block in report["blocks"]) == pytest.approx(1)
    assert [report["blocks"][0]["name"], report["blocks"][-1]["name"]] == ["features.0", "head"]
    assert report["precision"] == "fp32"
    assert summary.keys() < report.keys()
    assert not [path for path in tmp_path.iterdir() if path.name != "artifacts"], "nothing else is left behind"


def _doubling(path: Path) -> str:
    """An ONNX file that gives twice of what it is given."""
    from onnx import TensorProto, helper, save

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in ("pixels", "logits")]
    graph = helper.make_graph([helper.make_node("Add", ["pixels", "pixels"], ["logits"])], "g", ends[:1], ends[1:])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return str(path)


def test_two_files_race_in_turns_and_are_given_more_inputs_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "_ROUND_S", 0.01)
    monkeypatch.setattr(timing, "BUDGET_S", 0.05)
    source = _doubling(tmp_path / "model.onnx")
    ones, more = ({"pixels": np.ones((n, 4), dtype=np.float32)} for n in (1, 8))
    timing.save_inputs(tmp_path / "ones.npz", {"one": [ones]})
    timing.save_inputs(tmp_path / "more.npz", {"many": [more, more]})

    def watch(name: str) -> timing.Stopwatch:
        (tmp_path / name).mkdir()
        inputs = tmp_path / "ones.npz"
        return timing.Stopwatch(source, "onnx", ["pixels"], inputs, tmp_path / name, threads=1, device="cpu")

    with watch("a") as first, watch("b") as second:
        for one in (first, second):
            one.ask({"do": "take", "inputs": str(tmp_path / "more.npz")})
        raced = timing.race(first, second, PhaseClock(SilentReporter()))
    assert all(told.low <= told.middle <= told.high for told in (raced.latency, raced.throughput))
    assert raced.latency.others >= 0
    assert timing.speed_of(first, 8)["throughput"] > 0
    assert (first.peak_mb or 0) > 10


def test_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    timing.save_inputs(tmp_path / "ones.npz", {"one": [{"pixels": np.ones((1, 4), dtype=np.float32)}]})
    (tmp_path / "model.onnx").write_bytes(b"no network")
    with pytest.raises(RunError) as caught:
        timing.Stopwatch(
            str(tmp_path / "model.onnx"), "onnx", ["pixels"], tmp_path / "ones.npz", tmp_path, threads=1, device="cpu"
        )
    assert caught.value.code == "optimize.cannot_open"


def test_weights_that_are_missing_are_told_before_anything_is_timed(home: Path) -> None:
    assert [problem.code for problem in check_spec(MeasureSpec(model=ModelRef(id=ABSENT)))] == ["weights.not_local"]
    assert not check_spec(MeasureSpec(model=ModelRef(id=ABSENT, weights="random")))
    with pytest.raises(InputError):
        submit.new_run(MeasureSpec(model=ModelRef(id=ABSENT)))


@pytest.mark.parametrize(("one_ms", "batch"), [(20.0, 32), (500.0, 16), (3_000.0, 2), (9_000.0, 1)])
def test_batch_that_would_take_too_long_is_cut_and_told(one_ms: float, batch: int, tmp_path: Path) -> None:
    watch, problems = StillWatch(one_ms), list[Problem]()
    small = get_model(MINILM)
    assert _take_batch(watch, small, 32, tmp_path, problems) == batch  # type: ignore[arg-type]
    assert [problem.code for problem in problems] == ([] if batch == 32 else ["measure.batch_cut"])
    assert (tmp_path / "batch.npz").exists() == (batch > 1)
    assert [order["do"] for order in watch.orders] == (["take", "warm"] if batch > 1 else [])


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What other work does in each round; nothing when the list is empty."""
    rounds = list[float]()

    class Still:
        def __init__(self, *_: int) -> None:
            self.asked = 0

        def take(self) -> float:
            self.asked += 1  # before each round, and after it
            return rounds.pop(0) if rounds and self.asked % 2 == 0 else 0.0

    monkeypatch.setattr("core.measurement.timing.Load", Still)
    return rounds


def test_timing_ends_when_the_time_is_known_or_the_budget_spent(load: list[float]) -> None:
    clock = PhaseClock(SilentReporter())
    steady = StillWatch(10.0, 10.1)
    times = time_alone(steady, ["one", "many"], clock, 60.0, lambda _: None)  # type: ignore[arg-type]
    assert steady.calls == 2 * 8
    assert times["one"].span == pytest.approx([10.0, 10.0, 10.0], rel=0.02)
    assert times["one"].others == 0
    restless, told = StillWatch(10.0, 30.0, 20.0, 90.0), list[float]()
    times = time_alone(restless, ["one"], clock, 0.0, told.append)  # type: ignore[arg-type]
    assert restless.calls == len(told) == 3
    assert times["one"].high > 2 * times["one"].middle, "an uncertain time says so"


def test_disturbed_rounds_are_repeated_and_do_not_count(load: list[float]) -> None:
    load += [0.0, 2.0, 2.0]
    slowed = StillWatch(10.0, 10.0, 90.0, 80.0, *[10.0] * 20)
    times = time_alone(slowed, ["one"], PhaseClock(SilentReporter()), 60.0, lambda _: None)  # type: ignore[arg-type]
    assert slowed.calls == 8 + 2
    assert times["one"].span == pytest.approx([10.0, 10.0, 10.0])
    assert not times["one"].is_disturbed


def test_repeating_has_an_end_and_what_stays_disturbed_is_told(load: list[float]) -> None:
    load += [2.0] * 100
    slowed = StillWatch(10.0)
    times = time_alone(slowed, ["one"], PhaseClock(SilentReporter()), 0.0, lambda _: None)  # type: ignore[arg-type]
    assert slowed.calls == 2 * 3
    assert times["one"].is_disturbed
    assert times["one"].others == pytest.approx(2.0)


def test_timing_stops_on_request(load: list[float]) -> None:
    class Stops(SilentReporter):
        def should_stop(self) -> bool:
            return True

    with pytest.raises(StoppedError):
        time_alone(StillWatch(1.0), ["one"], PhaseClock(Stops()), 60.0, lambda _: None)  # type: ignore[arg-type]


def test_blocks_of_a_text_encoder_are_its_layers_and_it_answers_with_features() -> None:
    network = build_measured(ModelRef(id=MINILM, weights="random"))
    shown = _inputs(get_model(MINILM), 1, 20, 0)
    batch = TokenBatch(*(torch.from_numpy(value) for value in shown.values()))
    with torch.inference_mode():
        names = [name for name, ms in _text_blocks(network, batch) if ms >= 0]
        assert network(batch).shape == (1, 384)
    assert names == ["embeddings", *(f"layer {place}" for place in range(1, 7)), "head"]
    assert not network.layers[0]._forward_hooks


def test_blocks_of_a_picture_network_together_are_the_whole_answer() -> None:
    network = build_measured(ModelRef(id=LITE0))
    pixels = torch.from_numpy(_inputs(get_model(LITE0), 1, 0, 0)["pixels"])
    assert pixels.shape == (1, 3, 224, 224)
    with torch.inference_mode():
        names = [name for name, _ in _image_blocks(network, pixels)]
    assert names == ["stem", *(f"blocks.{place}" for place in range(7)), "head"]


def test_tokens_are_of_the_vocabulary_and_never_special() -> None:
    shown = _inputs(get_model(MINILM), 3, 128, 0)
    assert shown["input_ids"].shape == (3, 128)
    assert 1000 < shown["input_ids"].min() <= shown["input_ids"].max() < get_model(MINILM).reading.vocabulary
    assert np.all(shown["attention_mask"] == 1)


def test_text_model_of_the_hub_is_built_from_its_card_with_random_weights() -> None:
    card = get_model("hub/sentence-transformers/all-MiniLM-L6-v2")
    network = build_measured(ModelRef(id=card.id, weights="random"))
    kept = sum(p.numel() for p in network.net.parameters())
    assert kept == card.parameters - 384 * 385, "all but the pooler"
    batch = TokenBatch(*(torch.from_numpy(value) for value in _inputs(card, 2, 8, 0).values()))
    with torch.inference_mode():
        assert network(batch).shape == (2, 384)
