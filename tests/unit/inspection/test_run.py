"""Inspecting a model: what the report holds, what is refused, how memory is counted, and how it is read."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from core.errors import InputError
from core.i18n import translator
from core.inspection.memory_baseline import read_baseline
from core.inspection.memory_trace import Ledger, Trace
from core.inspection.report import layer_rows, memory_rows, parameter_chart, tuning_rows
from core.inspection.run import inspect, take_apart
from core.inspection.spec import InspectSpec
from core.models.catalog import get_model
from core.networks.meta import fake_tensors
from core.progress import SilentReporter
from core.runs import manage
from core.spec import parse_spec
from core.store import open_store

SQUEEZE = "torchvision/squeezenet1_1.imagenet1k_v1"


def _spec(model: str = SQUEEZE, **values: object) -> InspectSpec:
    return parse_spec(InspectSpec, {"model": {"id": model}, **values})


@pytest.fixture(scope="module")
def report() -> dict[str, object]:
    """One inspection for all tests that read it."""
    return json.loads(json.dumps(take_apart(_spec(image_size=64))))


def test_report_tells_layers_memory_and_tuning_and_is_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.inspection.memory_baseline.measure_baseline", lambda: None)
    monkeypatch.setattr("core.inspection.memory.estimate_memory", lambda *_: {})
    (home / "run").mkdir()
    summary = inspect(_spec(), home / "run", SilentReporter())
    kept = json.loads((home / "run" / "artifacts" / "report.json").read_text(encoding="utf-8"))
    assert summary["parameters"] == kept["parameters"] == get_model(SQUEEZE).parameters == 1_235_496
    assert summary["versions"]["torch"] == torch.__version__
    assert kept["gmacs"] == pytest.approx(0.349, abs=0.001)
    assert "SqueezeNet" in kept["structure"]
    assert sum(block["parameters"] for block in kept["blocks"]) == kept["parameters"]
    assert kept["blocks"][-1]["name"] == "head"


def test_memory_grows_with_batch_and_with_what_learns(report) -> None:
    memory = report["memory"]
    full, head = memory["training"]["full"]["fp32"], memory["training"]["head"]["fp32"]
    assert full["1"] < full["8"] < full["32"] < full["128"]
    assert max(head["32"], memory["training"]["last"]["fp32"]["32"]) < full["32"]
    assert memory["training"]["full"]["bf16"]["128"] < full["128"]
    assert memory["inference"]["fp32"]["1"] > memory["baseline"]["inference_mb"]
    assert "lora" not in memory["training"], "it has no attention"


def test_a_size_that_the_network_cannot_see_is_refused() -> None:
    with pytest.raises(InputError, match="multiple of 14"):
        take_apart(_spec("torchvision/vit_h_14.imagenet1k_swag_e2e_v1", image_size=100))


def test_an_architecture_that_transformers_lacks_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    card = get_model("hub/google-bert/bert-base-uncased").model_copy(update={"architecture": "not-there"})
    monkeypatch.setattr("core.inspection.run.get_model", lambda _id: card)
    with pytest.raises(InputError, match="cannot build not-there"):
        take_apart(_spec(card.id))


# -- memory ----------------------------------------------------------------------------------------------


def test_a_pass_keeps_what_the_way_back_needs() -> None:
    """Two layers and a ReLU, counted by hand: 10,007 examples stand for the batch, all in 4 bytes."""
    with fake_tensors():
        net = nn.Sequential(nn.Linear(10, 20, bias=False), nn.ReLU(), nn.Linear(20, 5, bias=False))
        with Ledger(net) as ledger:
            x = torch.zeros(10_007, 10)
            out = net(x)
            ledger.turn = len(ledger.events)
            del out
    whole = Trace(ledger.events)
    # Input, first layer (until the ReLU has run), ReLU, second layer: 10 + 20 + 20 are alive, then 10 + 20 + 5.
    assert whole.live_bytes(1) == 4 * (10 + 20 + 20)
    assert whole.live_bytes(7) == 7 * whole.live_bytes(1)


def test_weights_that_do_not_learn_have_no_gradients() -> None:
    trace = Trace([(1, 0, 4), (2, 100, 0), (3, 50, 0), (-3, 0, 0)], turn=2)
    assert trace.live_bytes(1) == 154
    assert trace.without_gradients().live_bytes(1) == 104, "what was made on the way forward stays"


def test_a_heap_grows_where_no_hole_fits() -> None:
    big, small = 10_000, 1_000
    again = Trace([(1, big, 0), (2, small, 0), (-1, 0, 0), (3, small, 0), (4, big, 0)])
    assert again.live_bytes(1) == big + 2 * small
    assert again.heap_bytes(1) == 2 * big + small, "the small one lies in the hole that the big one needs"
    joined = Trace([(1, big, 0), (2, big, 0), (-1, 0, 0), (-2, 0, 0), (3, 2 * big, 0)])
    assert joined.heap_bytes(1) == 2 * big


def test_baseline_says_where_it_is_from(home: Path) -> None:
    assert read_baseline(500.0) == {"inference_mb": 500.0, "training_mb": 500.0, "training_from": "this process"}
    facts = {"host": "another machine", "torch": torch.__version__, "training_mb": 900.0}
    (home / "baselines.json").write_text(json.dumps(facts), encoding="utf-8")
    assert read_baseline(500.0)["training_mb"] == 500.0


# -- reading ---------------------------------------------------------------------------------------------


def test_layers_fold_by_depth_and_are_found_however_deep(report) -> None:
    _ = translator("en")
    shallow = layer_rows(report, 1, "", _)
    assert [row["path"] for row in shallow] == ["", "features", "classifier"]
    found = layer_rows(report, 1, "Conv2d squeeze", _)
    assert len(found) == 8
    assert all("squeeze" in row["path"] for row in found)
    assert found[0]["input"].count("×") == 2
    assert not layer_rows(report, 9, "nothing like it", _)


def test_picture_holds_every_parameter_once(report) -> None:
    figure = parameter_chart(report, translator("zh_CN"), "dark")
    trace = figure.data[0]
    assert sum(trace.values) == report["parameters"]
    assert set(trace.parents) - {""} <= set(trace.ids)


def test_tables_tell_ways_and_what_fits(report) -> None:
    _ = translator("en")
    rows = tuning_rows(report, 2, _)
    assert [row["key"] for row in rows] == ["head", "last", "full"]
    assert rows[0]["parameters"] < rows[1]["parameters"] < rows[2]["parameters"]
    need = report["memory"]["inference"]["fp32"]["8"]
    fits, not_ = (memory_rows(report, free, _)[0]["8"] for free in (2 * need, need))
    assert (fits[0], not_[0]) == ("✓", "✕")


def test_an_inspection_is_used_again_unless_torch_is_another() -> None:
    store, spec = open_store(), _spec()
    assert manage.latest_inspection(spec) is None
    for name, version in (("in-1", torch.__version__), ("in-2", "0.0.1")):
        store.create_run(name, kind="inspect", name=name, spec=spec.model_dump(mode="json"))
        store.update_run(name, status="done", ended_at=time.time(), summary={"versions": {"torch": version}})
    found = manage.latest_inspection(spec)
    assert found is not None
    assert found.id == "in-1"
    assert manage.latest_inspection(_spec(image_size=96)) is None
