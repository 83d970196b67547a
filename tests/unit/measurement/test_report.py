"""What was measured here: the newest of each model, and the pictures that are drawn of it."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from core.hardware import this_host
from core.i18n import translator
from core.measurement.report import blocks_chart, drawn, list_measurements, newest_run, speed_chart
from core.measurement.spec import MeasureSpec
from core.models.catalog import get_model
from core.runs import kinds, manage
from core.runs.kinds import kind_of
from core.spec import ModelRef
from core.store import open_store
from tests.fixtures.measurements import make_measurement, make_report

_ = translator("en")
LITE0, RESNET = "bundled/efficientnet_lite0", "torchvision/resnet18.imagenet1k_v1"


def test_newest_done_measurement_of_each_model_on_this_machine_counts(home: Any) -> None:
    make_measurement(LITE0, latency_p50_ms=30.0)
    newest = make_measurement(LITE0, latency_p50_ms=20.0)
    make_measurement(LITE0, status="failed")
    make_measurement(LITE0, host="another-machine", latency_p50_ms=1.0)
    make_measurement(RESNET, weights="random", latency_p50_ms=50.0)
    found = list_measurements(open_store())
    assert set(found) == {LITE0, RESNET}
    assert (found[LITE0].run, found[LITE0].latency_p50_ms) == (newest.id, 20.0)
    assert (found[RESNET].is_random, found[LITE0].is_random) == (True, False)


def test_newest_run_of_a_model_tells_how_it_stands(home: Any) -> None:
    assert newest_run(LITE0, open_store()) is None
    make_measurement(LITE0)
    failed = make_measurement(LITE0, status="failed")
    make_measurement(LITE0, host="another-machine")
    found = newest_run(LITE0, open_store())
    assert found is not None
    assert found.id == failed.id
    assert kinds.command_line(manage.spec_of(found)) == f"python -m core measure {LITE0}"


def test_chart_shows_published_accuracy_over_latency_measured_here(home: Any) -> None:
    make_measurement(LITE0, latency_p50_ms=20.0)
    make_measurement(RESNET, weights="random", latency_p50_ms=50.0)
    make_measurement("bundled/minilm-l6")  # no accuracy on ImageNet
    cards = [get_model(one) for one in (LITE0, RESNET, "bundled/minilm-l6")]
    pairs = drawn(list_measurements(open_store()), cards)
    assert [card.id for card, _one in pairs] == [LITE0, RESNET]
    chart = speed_chart(pairs, _, keep="k")
    marks = {
        trace["marker"]["symbol"]: trace for trace in chart["traces"] if (trace.get("marker") or {}).get("opacity")
    }
    assert marks["circle"]["x"] == [20.0]
    assert marks["diamond"]["x"] == [50.0], "timed with random weights: another mark"
    assert marks["diamond"]["y"] == [pytest.approx(0.69758)]
    low, high = chart["layout"]["xaxis"]["range"]
    assert low < math.log10(20) < math.log10(50) < high
    names = [trace["text"][0] for trace in chart["traces"] if trace["mode"] == "markers+text"]
    assert sorted(names) == sorted(card.name for card, _one in pairs)


def test_of_many_models_the_unbeaten_are_named(home: Any) -> None:
    card, pairs = get_model(LITE0), []
    make_measurement(LITE0)
    measured = list_measurements(open_store())[LITE0]
    for place in range(20):
        accuracy = 70 + place if place % 4 == 0 else 60
        one = card.model_copy(update={"id": f"x/{place}", "name": f"net {place}", "metrics": {"acc@1": accuracy}})
        pairs.append((one, type(measured)(**{**vars(measured), "latency_p50_ms": 10.0 + place})))
    texts = [trace["text"][0] for trace in speed_chart(pairs, _, keep="k")["traces"] if trace["mode"] == "markers+text"]
    assert texts == [f"net {place}" for place in range(0, 20, 4)]


def test_blocks_stand_in_their_order_and_of_very_many_the_slowest() -> None:
    figure = blocks_chart(make_report(LITE0)["blocks"], _, "light")
    assert list(figure.data[0].x) == [4.0, 10.0, 6.0]
    many = [{"name": f"b{place}", "ms": float(place % 50), "share": 0.01} for place in range(100)]
    kept = list(blocks_chart(many, _, "dark").data[0].x)
    assert len(kept) == 40
    assert min(kept) == 30.0


def test_name_and_host_of_a_measurement_are_its_models_and_this_machine(home: Any) -> None:
    run = make_measurement(RESNET, weights="random")
    assert (run.host, run.kind) == (this_host(), "measure")
    assert run.name == get_model(RESNET).name
    assert time.time() - list_measurements(open_store())[RESNET].time < 60
    spec = MeasureSpec(model=ModelRef(id=RESNET, weights="random"))
    assert kind_of(spec).device(spec) == "cpu"
