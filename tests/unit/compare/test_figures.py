"""The pictures of a comparison: what is drawn, in which looks, and that they survive half a report."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from core.charts.theme import LOOKS
from core.compare.figure_words import headline, main_family, worth_words
from core.compare.figures import family_look, figure_html, size_chart, stacked_figure, time_chart
from core.i18n import translator
from tests.fixtures.comparisons import make_report, make_spec

ENGLISH, CHINESE = translator("en"), translator("zh_CN")


def report_of(done: int | None = None, **spec: Any) -> dict[str, Any]:
    return make_report(make_spec(**spec), done)


def means(chart: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in chart["traces"] if "error_y" in trace}


def test_families_are_drawn_in_the_looks_of_their_methods() -> None:
    chart = size_chart(report_of(methods=["head", "full"]), ENGLISH, keep="k")
    drawn = means(chart)
    assert set(drawn) == {"From scratch", "Pretrained, head only", "Pretrained, all layers"}
    scratch, head = drawn["From scratch"], drawn["Pretrained, head only"]
    assert (scratch["line"]["dash"], scratch["marker"]["symbol"]) == ("dash", "circle")
    assert scratch["line"]["color"] == LOOKS["random"].colour
    assert head["marker"]["symbol"] == LOOKS["head"].marker == family_look("head").marker


def test_whiskers_reach_from_the_low_to_the_high_end() -> None:
    report = report_of()
    row = report["families"][0]["sizes"][0]
    bars = means(size_chart(report, ENGLISH, keep="k"))["From scratch"]["error_y"]
    assert bars["array"][0] == pytest.approx(row["high"] - row["accuracy"])
    assert bars["arrayminus"][0] == pytest.approx(row["accuracy"] - row["low"])


def test_marker_is_hollow_and_explained_where_trainings_still_improved() -> None:
    chart = size_chart(report_of(), ENGLISH, keep="k")
    colours = means(chart)["From scratch"]["marker"]["color"]
    assert [colour == LOOKS["random"].colour for colour in colours] == [True, True, True, False, False]
    assert "still improving: at least this" in [trace.get("name") for trace in chart["traces"]]


def test_law_is_drawn_where_there_is_one_only() -> None:
    chart = size_chart(report_of(), ENGLISH, keep="k")
    assert sum(trace.get("fill") == "toself" for trace in chart["traces"]) == 2
    report = report_of(sizes=[100, 200])
    assert not any(trace.get("name") == "fitted law" for trace in size_chart(report, ENGLISH, keep="k")["traces"])


def test_axis_shows_every_planned_size_from_the_first_point_on() -> None:
    begun, done = (size_chart(report_of(n), ENGLISH, keep="k")["layout"]["xaxis"] for n in (1, None))
    assert begun["range"] == done["range"]
    assert done["tickvals"] == [100, 500, 1000, 5000, 10_000]
    assert done["type"] == "log"


def test_names_stand_at_the_lines_for_three_families_and_in_the_legend_for_more() -> None:
    few = size_chart(report_of(methods=["head", "full"]), ENGLISH, keep="k")
    many = size_chart(report_of(methods=["head", "last", "full"]), ENGLISH, keep="k")
    assert not any(trace["showlegend"] for trace in means(few).values())
    assert all(trace["showlegend"] for trace in means(many).values())
    labels = [t for t in few["traces"] if t.get("mode") == "text" and t["textfont"]["size"] == 13]
    low, high = few["layout"]["yaxis"]["range"]
    heights = sorted(trace["y"][0] for trace in labels)
    assert all(low <= y <= high for y in heights)
    assert all(b - a > 0.12 * (high - low) for a, b in itertools.pairwise(heights))


def test_headline_is_the_main_family_at_the_smallest_size_that_can_be_told() -> None:
    found = [
        {"family": "head", "size": 100, "accuracy": 0.5, "scratch_size": 300, "kind": "about"},
        {"family": "full", "size": 100, "accuracy": 0.5, "scratch_size": None, "kind": "refused"},
        {"family": "full", "size": 500, "accuracy": 0.7, "scratch_size": 1900, "kind": "about"},
    ]
    spoken_of = [{"code": "compare.gap_remains", "values": {"family": "full"}}]
    assert headline({"equivalents": found, "conclusions": spoken_of}) == found[2]
    assert headline({"equivalents": found[1:2], "conclusions": spoken_of}) is None
    learning = {**found[2], "kind": "more_than", "reason": {"code": "compare.labels_still_learning", "values": {}}}
    assert headline({"equivalents": [learning], "conclusions": spoken_of}) is None
    assert headline({}) is None


def test_main_family_is_the_most_accurate_where_no_conclusion_names_one() -> None:
    report = {**report_of(methods=["head", "full"]), "conclusions": []}
    assert main_family(report) == "full"
    assert main_family(report_of(0)) is None


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"kind": "about", "scratch_size": 2431, "low": 1902, "high": 3099}, "≈ 2,400"),
        ({"kind": "more_than", "scratch_size": 10_000, "low": None, "high": None}, "> 10,000"),
        ({"kind": "at_most", "scratch_size": 2431, "low": None, "high": 3099}, "≤ 2,400"),
        ({"kind": "at_most", "scratch_size": 1250, "low": None, "high": None}, "≤ 1,250"),
        ({"kind": "between", "scratch_size": None, "low": 1000, "high": 5000}, "1,000 – 5,000"),
    ],
)
def test_equivalence_is_told_no_finer_than_it_is_known(found: dict[str, Any], words: str) -> None:
    assert worth_words(found, ENGLISH) == words
    report = report_of()
    report |= {"equivalents": [{"family": "head", "size": 100, "accuracy": 0.7, **found}]}
    chart = size_chart(report, ENGLISH, keep="k")
    said = [str(trace.get("text", [""])[0]).strip() for trace in chart["traces"]]
    assert f"<b>{words} examples from scratch</b>" in said


def test_time_is_told_in_units_people_use() -> None:
    layout = time_chart(report_of(), CHINESE, keep="k")["layout"]
    assert layout["yaxis"]["type"] == "log"
    assert "1 分" in layout["yaxis"]["ticktext"]


@pytest.mark.parametrize("done", [0, 1, 16, None])
@pytest.mark.parametrize("spec", [{}, {"scratch": False}, {"sizes": [100]}, {"seeds": 1, "methods": ["head", "lora"]}])
def test_charts_of_any_report_are_plain_data(done: int | None, spec: dict[str, Any]) -> None:
    report = report_of(done, **spec)
    for chart in (size_chart(report, CHINESE, keep="k"), time_chart(report, CHINESE, keep="k")):
        json.dumps(chart, allow_nan=False)
        assert all(len(trace["x"]) == len(trace["y"]) for trace in chart["traces"])
    stacked_figure(report, CHINESE)


def test_charts_are_carried_away_as_a_page_of_their_own() -> None:
    page = figure_html(report_of(), "Lite0 <digits>", ["100 are worth 900."], CHINESE)
    assert "Lite0 &lt;digits&gt;" in page
    assert "<li>100 are worth 900.</li>" in page
    assert 'lang="zh-CN"' in page
    assert "<script src=" not in page
