"""The picture of an optimization: what is drawn, what is not, and how."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from core.charts.scatter import front
from core.charts.theme import BRAND, LOOKS
from core.i18n import translator
from core.optimize.figures import KIND_LOOKS, limit_words, pareto_chart, sensitivity_chart
from core.optimize.rows import OptimizeReport
from core.registry.passes import name_of
from tests.fixtures.optimizations import make_report, make_spec

_ = translator("en")


def _chart(**values: Any) -> dict[str, Any]:
    labelled = values.pop("labelled", True)
    return pareto_chart(OptimizeReport.from_dict(make_report(make_spec(**values), labelled=labelled)), _, keep="run")


def _marks(chart: dict[str, Any]) -> list[dict[str, Any]]:
    return [trace for trace in chart["traces"] if (trace.get("marker") or {}).get("opacity")]


def test_front_holds_what_no_other_beats_in_both() -> None:
    assert front([(1, 0.7), (2, 0.9), (3, 0.8), (4, 0.95), (2, 0.85), (4, 0.9)]) == [0, 1, 3]
    assert front([]) == []


def test_colours_and_markers_are_those_of_the_look() -> None:
    wanted = {"original": "circle", "16bit": "square", "int8": "triangle-up", "pruned": "diamond", "distilled": "star"}
    assert {kind: look.marker for kind, look in KIND_LOOKS.items()} == {**wanted, "runtime": "x"}
    assert KIND_LOOKS["original"].colour == LOOKS["random"].colour
    assert all(look.colour == BRAND for kind, look in KIND_LOOKS.items() if kind != "original")


def test_only_what_was_measured_and_agrees_is_drawn() -> None:
    told = json.dumps(_marks(_chart()))
    assert "Static int8" in told
    for absent in ("Magnitude pruning", "torch.export", "Dynamic int8"):  # broken, failed, refused
        assert absent not in told


def test_area_of_a_mark_is_that_of_its_file() -> None:
    marks = {trace["marker"]["symbol"]: trace for trace in _marks(_chart())}
    original, int8 = marks["circle"]["marker"]["size"][0], marks["triangle-up"]["marker"]["size"][0]
    assert (original / int8) ** 2 == pytest.approx(3.5, rel=0.05)


def test_limit_lies_below_the_original_by_what_may_be_lost() -> None:
    (line,) = [trace for trace in _chart(max_drop=2.5)["traces"] if (trace.get("line") or {}).get("dash") == "dash"]
    assert line["y"] == [pytest.approx(0.789 - 0.025)] * 2
    assert line["name"] == "at most 2.5 points lost"
    assert limit_words(1.0, _) == "at most 1 point lost"


def test_agreement_is_drawn_where_the_data_has_no_labels_of_the_model() -> None:
    chart = _chart(labelled=False)
    original = next(trace for trace in _marks(chart) if trace["marker"]["symbol"] == "circle")
    assert original["y"] == [1.0]
    assert "Agreement" in chart["layout"]["yaxis"]["title"]["text"]
    assert max(chart["layout"]["yaxis"]["tickvals"]) <= 1


@pytest.mark.parametrize("combine", [True, False])
def test_points_lie_in_view_and_few_are_named(combine: bool) -> None:
    chart = _chart(combine=combine)
    low, high = chart["layout"]["xaxis"]["range"]
    bottom, top = chart["layout"]["yaxis"]["range"]
    for trace in _marks(chart):
        assert all(low < math.log10(x) < high for x in trace["x"])
        assert all(bottom < y < top for y in trace["y"])
    names = [trace["text"][0] for trace in chart["traces"] if trace["mode"] == "markers+text"]
    assert "Original" in names
    assert "<b>Static int8</b>" in names
    assert len(names) <= 8


def test_nothing_measured_is_an_empty_picture() -> None:
    assert pareto_chart(OptimizeReport(), _, keep="run")["traces"] == []


def test_chains_are_told_in_words() -> None:
    assert name_of("prune_magnitude+static_int8", _) == "Magnitude pruning + Static int8"
    assert name_of("prune_magnitude+onnx", _) == "Magnitude pruning"
    assert name_of("qat+static_int8", _) == "Quantization-aware training"
    assert name_of("onnx", _) == "ONNX"


def test_layers_left_in_float_are_marked() -> None:
    groups = [{"group": "a", "gain": 0.1, "in_float": False}, {"group": "b", "gain": 0.3, "in_float": True}]
    figure = sensitivity_chart(groups, _, "light")
    hatched = next(bar for bar in figure.data if bar.marker.pattern.shape == "/")
    assert list(hatched.customdata) == ["b"]
    assert list(hatched.y) == [0]
