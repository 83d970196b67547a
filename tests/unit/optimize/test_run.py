"""The course of an optimization on a tiny trained network: made, opened again, tested, timed, judged, kept."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper
from PIL import Image

from core.data.images import load_images
from core.errors import DataError, InputError, RunError, StoppedError
from core.evaluate import write_predictions
from core.finetune.spec import FinetuneSpec
from core.measurement import timing
from core.measurement.rounds import Median
from core.networks.image import build_classifier, save_classifier
from core.optimize import original as optimize_original
from core.optimize import run as optimize_run
from core.optimize import steps
from core.optimize.export import export_onnx, export_program
from core.optimize.int8_search import groups_of
from core.optimize.passes.base import FileResult, NetworkResult, PassContext
from core.optimize.report import raise_if_nothing_worked
from core.optimize.rows import VariantRow
from core.optimize.spec import OptimizeSpec
from core.optimize.trained_model import load_trained_model
from core.optimize.variants import Variant, variants_of
from core.optimize.verdicts import TAKEN
from core.problems import Problem
from core.progress import PhaseClock, SilentReporter
from core.runs import submit
from core.runs.kinds import check_spec
from core.spec import DataRef, ModelRef
from core.store import open_store
from tests.fixtures.homes import living_in
from tests.fixtures.pictures import seeing

SMALL = "torchvision/squeezenet1_1"


class Listener(SilentReporter):
    """Stops when a phase begins."""

    def __init__(self, stop_at: str = "") -> None:
        self.stop_at, self.phases = stop_at, list[str]()

    def phase(self, code: str, **values: object) -> None:
        self.phases.append(f"{code} {values.get('name', '')}".strip())

    def should_stop(self) -> bool:
        return bool(self.stop_at) and self.stop_at in self.phases


def train() -> str:
    """A network for digits, as a training run leaves it (its values are random, the same each time): its model id."""
    asked = {
        "model": {"id": SMALL, "weights": "random"},
        "data": {"id": "builtin/digits"},
        "method": "full",
        "epochs": 1,
        "train_size": 200,
        "image_size": 32,
    }
    run = submit.new_run(FinetuneSpec.model_validate(asked))
    data = load_images(DataRef(id="builtin/digits"), seeing(32, 32), train_size=200, seed=0, reporter=SilentReporter())
    network = build_classifier(ModelRef(id=SMALL, weights="random"), data.labels, seed=0, image_size=32)
    test = {"accuracy": 0.1, "interval": [0.0, 0.2], "n": len(data.test), "macro_f1": 0.1}
    save_classifier(network.eval(), run.folder / "artifacts" / "model", data={"id": data.id}, test=test)
    known = {"id": data.id, "fingerprint": data.fingerprint, "train": len(data.train), "test": len(data.test)}
    open_store().update_run(run.id, status="done", summary={"data": known})
    return f"run/{run.id}"


@pytest.fixture
def trained() -> str:
    return train()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The ONNX file of the network that `train` makes."""
    with living_in(tmp_path_factory.mktemp("exported")) as home:
        loaded = load_trained_model(make_spec(train(), "onnx"), PhaseClock(SilentReporter()))
        export_onnx(loaded, loaded.model, home / "model.onnx")
        return (home / "model.onnx").read_bytes()


@pytest.fixture
def soon_exported(exported: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is there at once, where exporting is not what is tested."""
    monkeypatch.setattr(steps, "export_onnx", lambda _trained, _network, path: path.write_bytes(exported))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timings that say little, soon."""
    monkeypatch.setattr(timing, "_ROUND_S", 0.01)
    monkeypatch.setattr(timing, "LEAST_ROUNDS", 2)
    monkeypatch.setattr(timing, "BUDGET_S", 0.2)


@pytest.fixture
def untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No processes and no timings, where these are not what is tested."""

    class Still:
        peak_mb = 100.0

        def __init__(self, *_: Any, **__: Any) -> None: ...

        def __enter__(self) -> Still:
            return self

        def __exit__(self, *_: object) -> None: ...

        def time(self, *_: Any) -> float:
            return 1.0

    speed = {"latency_p50_ms": 1.0, "latency_p95_ms": 1.0, "throughput": 1.0, "load_ms": 1.0, "runtime": "none"}
    twice = Median(2.0, 1.9, 2.1, rounds=8, others=0.0)
    for module in (optimize_run, steps):
        monkeypatch.setattr(module, "speed_of", lambda _: speed)
    monkeypatch.setattr(steps, "Stopwatch", Still)
    monkeypatch.setattr(steps, "race", lambda *_: timing.Race(twice, twice))


def make_spec(model: str, *passes: str, **values: Any) -> OptimizeSpec:
    base = {"model": {"id": model}, "data": {"id": "builtin/digits"}, "passes": passes, "test_size": 100}
    return OptimizeSpec.model_validate({**base, **values})


def read_report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "artifacts" / "report.json").read_text(encoding="utf-8"))
    return found


def test_course_measures_keeps_and_resumes(
    trained: str, quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec(trained, "onnx", "dynamic_int8", "static_int8", search=False)
    with pytest.raises(StoppedError):
        optimize_run.optimize(spec, tmp_path, Listener(stop_at="make static_int8"), resume=False)
    stopped = {row["name"]: row for row in read_report(tmp_path)["variants"]}
    assert {name: row["status"] for name, row in stopped.items()} == {
        "onnx": "done", "dynamic_int8": "refused", "static_int8": "waiting",
    }  # fmt: skip

    # How fast the original is today would give other rows: the variants must share theirs.
    monkeypatch.setattr(optimize_original, "_test_rows", lambda *_: pytest.fail("rows were drawn anew"))
    again = Listener()
    summary = optimize_run.optimize(spec, tmp_path, again, resume=True)
    report = read_report(tmp_path)
    rows = {row["name"]: row for row in report["variants"]}
    assert rows["onnx"] | {"ratios": 0} == stopped["onnx"] | {"ratios": 0}  # not made again
    assert "make onnx" not in again.phases
    check_measured(rows["static_int8"], tmp_path)
    assert rows["onnx"]["agreement"] == 1.0
    assert (rows["onnx"]["loss"]["exact"], rows["onnx"]["loss"]["high"]) == (True, 0.0), "though 100 rows tell little"
    assert rows["static_int8"]["validation_loss"]["n"] == report["conditions"]["validation"]
    assert rows["onnx"]["gate"]["beside"] == "network"
    assert rows["static_int8"]["ratios"]["size"] > 2
    first = report["original"]
    assert first["latency_p50_ms"] > 0
    assert first["n"] == 100
    assert first["memory_mb"] > 50
    assert report["recommended"] == summary["recommended"]
    if report["recommended"]:
        assert rows[report["recommended"]]["verdict"]["code"] in TAKEN


def check_measured(row: dict[str, Any], folder: Path) -> None:
    assert row["status"] == "done", row["problems"]
    assert row["offered"]
    assert row["parent"] == "original"
    path = folder / "artifacts" / row["file"]
    assert path.stat().st_size == pytest.approx(row["size_mb"] * 1e6)
    assert 0 < row["latency_p50_ms"] <= row["latency_p95_ms"]
    assert row["throughput"] > 0
    assert row["memory_mb"] > 10
    low, high = row["interval"]
    assert low <= row["accuracy"] <= high
    middle, low, high = row["ratios"]["latency"]
    assert low <= middle <= high
    assert row["loss"]["low"] <= row["loss"]["points"] <= row["loss"]["high"]
    for name in ("preprocessing.json", "expected.json"):
        assert (path.parent / name).is_file()


def test_what_fails_or_answers_otherwise_is_kept_apart_and_not_offered(
    trained: str, untimed: None, soon_exported: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(name: str, context: PassContext) -> FileResult:
        if name == "half":
            raise RunError("optimize.cannot_export", format="torch.export", detail="no such operator")
        path = context.folder / "model.onnx"
        model = onnx.load(context.onnx())
        for tensor in model.graph.initializer:
            if tensor.data_type == TensorProto.FLOAT:
                tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(1.1), tensor.name))
        onnx.save(model, path)
        return FileResult(path)

    monkeypatch.setattr(optimize_run, "check_pass", lambda *_: [])
    monkeypatch.setattr(steps, "run_pass", other)
    optimize_run.optimize(make_spec(trained, "onnx", "half"), tmp_path, Listener(), resume=False)
    report = read_report(tmp_path)
    broken, failed = report["variants"]
    assert (broken["status"], failed["status"]) == ("broken", "failed")
    assert not broken["offered"]
    assert not failed["offered"]
    assert (tmp_path / "artifacts" / broken["file"]).exists()
    assert [problem["code"] for problem in broken["problems"]] == ["optimize.gate_differs"]
    assert [problem["code"] for problem in failed["problems"]] == ["optimize.cannot_export"]
    assert report["recommended"] is None


def test_a_run_in_which_nothing_worked_fails_with_the_reason() -> None:
    why = Problem("optimize.cannot_export", values={"format": "ONNX", "detail": "no such operator"})
    planned = [VariantRow.planned(variant) for variant in variants_of(["onnx", "half"], combine=False)]
    rows = [replace(row, status="failed", problems=(why,)) for row in planned]
    with pytest.raises(RunError, match="no such operator"):
        raise_if_nothing_worked(rows)
    raise_if_nothing_worked([rows[0], replace(rows[1], status="done")])


def test_chains_start_from_what_the_passes_before_learned(
    trained: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[tuple[str, float]]()

    def learns(name: str, context: PassContext) -> NetworkResult:
        network: Any = copy.deepcopy(context.network)
        seen.append((name, float(network.head.linear.bias.detach().mean())))
        with torch.no_grad():
            network.head.linear.bias += 1.0
        return NetworkResult(network, {name: True})

    monkeypatch.setattr(steps, "run_pass", learns)
    spec = make_spec(trained, "prune_magnitude", "prune_gradual", combine=True)
    clock = PhaseClock(SilentReporter())
    bench = steps.Bench(load_trained_model(spec, clock), tmp_path, tmp_path, clock, 1)
    ends, rows = {}, {}
    for variant in variants_of(spec.passes, combine=True):
        rows[variant.name] = steps.learn(bench, variant, VariantRow.planned(variant))
        network: Any = bench.context_of(variant).network
        ends[variant.name] = float(network.head.linear.bias.detach().mean())
    first = seen[0][1]
    assert [name for name, _ in seen] == ["prune_magnitude", "prune_gradual", "prune_gradual"]  # none learns twice
    assert [round(value - first) for _, value in seen] == [0, 0, 1]
    assert {name: round(value - first) for name, value in ends.items()} == {
        "prune_magnitude": 1, "prune_gradual": 1, "prune_magnitude+prune_gradual": 2,
    }  # fmt: skip
    chain = rows["prune_magnitude+prune_gradual"]
    assert chain.parent == "prune_magnitude"
    assert chain.facts == {"prune_magnitude": True, "prune_gradual": True}


def test_test_rows_are_those_of_the_training_run(trained: str) -> None:
    loaded = load_trained_model(make_spec(trained, "onnx", seed=7), PhaseClock(SilentReporter()))
    known = open_store().get_run(trained.partition("/")[2]).summary["data"]
    assert len(loaded.data.train) == known["train"] == 200
    assert len(loaded.data.test) == known["test"]
    assert not set(loaded.data.test.tolist()) & set(loaded.data.train.tolist())


def test_data_that_changed_since_training_is_refused(trained: str) -> None:
    store, run_id = open_store(), trained.partition("/")[2]
    summary = store.get_run(run_id).summary
    summary["data"]["fingerprint"] = "another"
    store.update_run(run_id, summary=summary)
    with pytest.raises(DataError) as refused:
        load_trained_model(make_spec(trained, "onnx"), PhaseClock(SilentReporter()))
    assert [problem.code for problem in refused.value.problems] == ["optimize.data_changed"]


def test_a_split_that_is_drawn_otherwise_than_in_training_is_refused(trained: str) -> None:
    loaded = load_trained_model(make_spec(trained, "onnx"), PhaseClock(SilentReporter()))
    kept = open_store().get_run(trained.partition("/")[2]).folder / "artifacts" / "predictions.parquet"
    shares = np.full((len(loaded.data.test), 10), 0.1)
    for shift, is_refused in ((0, False), (1, True)):
        write_predictions(kept, loaded.data.test + shift, loaded.data.targets[loaded.data.test], shares)
        if is_refused:
            with pytest.raises(DataError, match="divided builtin/digits otherwise"):
                load_trained_model(make_spec(trained, "onnx"), PhaseClock(SilentReporter()))
        else:
            load_trained_model(make_spec(trained, "onnx"), PhaseClock(SilentReporter()))


def test_a_network_without_classes_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        load_trained_model(
            make_spec("bundled/minilm-l6", "onnx", data={"id": "builtin/reviews-en"}), PhaseClock(SilentReporter())
        )  # fmt: skip
    assert [problem.code for problem in refused.value.problems] == ["model.no_classifier"]


def test_other_labels_are_measured_by_agreement(
    trained: str, untimed: None, soon_exported: None, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    for label in ("left", "right"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(60):
            pixels = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / label / f"{number}.png")
    spec = make_spec(trained, "onnx", data={"id": f"path:{tmp_path / 'data'}"}, test_size=20)
    optimize_run.optimize(spec, tmp_path, Listener(), resume=False)
    report = read_report(tmp_path)
    assert report["conditions"]["is_labelled"] is False
    row = report["variants"][0]
    assert row["accuracy"] is None
    assert row["loss"]["of"] == "agreement"
    assert row["loss"]["points"] == 0.0
    assert report["conclusions"][-1]["code"] == "optimize.labels_differ"


# -- what is asked for ----------------------------------------------------------------------------------------


def test_variants_chain_and_know_their_parents() -> None:
    plain = variants_of(["static_int8", "onnx", "prune_magnitude"], combine=False)
    assert [variant.name for variant in plain] == ["onnx", "static_int8", "prune_magnitude"]
    chained = {
        variant.name: variant.parent
        for variant in variants_of(["distill", "prune_magnitude", "static_int8"], combine=True)
    }
    assert chained == {
        "static_int8": "original",
        "distill": "original",
        "distill+static_int8": "distill",
        "prune_magnitude": "original",
        "prune_magnitude+static_int8": "prune_magnitude",
        "distill+prune_magnitude": "distill",
        "distill+prune_magnitude+static_int8": "distill+prune_magnitude",
    }
    assert [variant.name for variant in variants_of(["qat"], combine=False)] == ["qat+static_int8"]
    assert Variant(("qat", "static_int8")).kind == "int8"


def test_passes_are_checked_by_name_and_sorted() -> None:
    assert make_spec(SMALL, "static_int8", "onnx").passes == ("onnx", "static_int8")
    with pytest.raises(ValueError, match="int9"):
        make_spec(SMALL, "int9")


def test_a_refused_way_warns_while_another_is_left(trained: str) -> None:
    both = check_spec(make_spec(trained, "onnx", "dynamic_int8"))
    assert [(p.code, p.severity) for p in both] == [("optimize.dynamic_on_convolutions", "warning")]
    alone = check_spec(make_spec(trained, "dynamic_int8"))
    assert [(p.code, p.severity) for p in alone] == [("optimize.dynamic_on_convolutions", "error")]
    assert [p.code for p in check_spec(make_spec(trained))] == ["optimize.no_passes"]


# -- files ----------------------------------------------------------------------------------------------------


def test_files_name_layers_and_tell_nothing_of_this_machine(trained: str, exported: bytes, tmp_path: Path) -> None:
    loaded = load_trained_model(make_spec(trained, "onnx"), PhaseClock(SilentReporter()))
    (tmp_path / "model.onnx").write_bytes(exported)
    export_program(loaded, loaded.model, tmp_path / "model.pt2")
    here = str(Path(optimize_run.__file__).parents[2]).encode()
    for name in ("model.onnx", "model.pt2"):
        assert here not in (tmp_path / name).read_bytes()
    model = onnx.load(tmp_path / "model.onnx")
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    assert any(name.startswith("head.linear/") for name in names)
    assert 1 < len(groups_of(model)) <= 20
