"""The picture of an optimization: what each variant answers rightly against how long it takes.

Marks are as large (by area) as the files; the thin line joins those that no other beats in both, the dashed one is
what may be lost. `pareto_chart` gives plain data with both themes' colours for the live component.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go

from core.figures import BRAND, LOOKS, TEXT, Look, Theme, layout_of_axes, resolve, shorten
from core.i18n import N_, Translator
from core.passes import name_of

HEIGHT = 440
ORIGINAL = "original"
# How a variant is drawn: one colour, told apart by marker and word.
KIND_LOOKS: dict[str, Look] = {
    ORIGINAL: Look(LOOKS["random"].light, LOOKS["random"].dark, "solid", "circle", N_("Original")),
    **{
        kind: Look(BRAND["light"], BRAND["dark"], "solid", marker, word)
        for kind, marker, word in (
            ("16bit", "square", N_("16 bit")),
            ("int8", "triangle-up", N_("int8")),
            ("pruned", "diamond", N_("Pruned")),
            ("distilled", "star", N_("Distilled")),
            ("runtime", "x", N_("Other runtime")),
        )
    },
}
_MOST_BARS = 30
_MOST_LABELS = 8
_SMALLEST, _LARGEST = 10.0, 36.0  # px of the marks
_PLOT = (480.0, 330.0)  # px that the points have on a middling screen: labels are placed apart for it
_CHARACTER, _LINE = 7.2, 16.0  # px of a label's letters

Report = Mapping[str, Any]
Trace = dict[str, Any]


def look_of_kind(kind: str) -> Look:
    """How a variant of a kind is drawn; a plain file for another runtime is one of those."""
    return KIND_LOOKS.get(kind, KIND_LOOKS["runtime"])


def variant_word(variant: Mapping[str, Any], _: Translator) -> str:
    """What a variant is called on charts and in tables: its passes in words."""
    is_original = not variant.get("passes")
    return _(KIND_LOOKS[ORIGINAL].word) if is_original else name_of("+".join(variant["passes"]), _)


@dataclass(frozen=True)
class _Point:
    key: str
    name: str
    kind: str
    latency_ms: float
    score: float
    low: float
    high: float
    size_mb: float
    told: str


def pareto_chart(report: Report, _: Translator, *, keep: str) -> dict[str, Any]:
    """Accuracy (agreement where the data has no labels of the model) against latency on a log axis.

    Only what was measured and agrees with its own network is drawn. While `keep` stays the same, zoom survives.
    """
    points = _points(report, _)
    view = _View(points, _floor(report))
    what = _("Accuracy on the test examples") if _is_labelled(report) else _("Agreement with the original")
    layout = layout_of_axes(_("Latency of one answer, p50 (ms, log axis)"), what)
    layout["xaxis"] = {name: value for name, value in layout["xaxis"].items() if name != "rangemode"}
    ticks = view.ticks()
    layout["xaxis"] |= {"type": "log", "range": view.x, "tickvals": ticks, "ticktext": [_.number(t) for t in ticks]}
    layout["yaxis"] |= {"range": view.y, **view.score_ticks(_)}
    layout |= {"uirevision": keep, "hovermode": "closest", "showlegend": True, "height": HEIGHT}
    traces = _front_line(points, _) + _limit(report, view, _)
    for kind in _kinds(points):
        mine = [point for point in points if point.kind == kind]
        traces += [_marks(kind, mine, points), _key(kind, _)]
    named = points if len(points) <= _MOST_LABELS else _telling(points, report)
    best = str(report.get("recommended") or "")
    return {"traces": traces + _labels(named, points, view, best), "layout": layout}


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Places of the (latency, score) pairs that no other one beats in both, the fastest first."""
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1]))
    found: list[int] = []
    for i in order:
        if not found or points[i][1] > points[found[-1]][1]:
            found.append(i)
    return found


def sensitivity_chart(groups: Sequence[Mapping[str, Any]], _: Translator, theme: Theme) -> go.Figure:
    """What 8 bits cost each group of layers, the dearest first; those left in float are grey and hatched."""
    rows = sorted(groups, key=lambda group: -group["gain"])[:_MOST_BARS]
    bars = []
    for in_float, word, colour, shape in (
        (False, _("in 8 bits"), BRAND[theme], ""),
        (True, _("left in float"), LOOKS["random"].on(theme), "/"),
    ):
        mine = [(place, row) for place, row in enumerate(rows) if bool(row.get("in_float")) == in_float]
        bars.append(
            go.Bar(
                x=[row["gain"] for _place, row in mine],
                y=[place for place, _row in mine],
                orientation="h",
                name=word,
                marker={"color": colour, "pattern": {"shape": shape}},
                customdata=[row["group"] for _place, row in mine],
                hovertemplate="%{customdata}: %{x:.1%}<extra>%{fullData.name}</extra>",
            )
        )
    layout = resolve(layout_of_axes(_("share of the error that goes when it stays in float"), ""), theme)
    layout |= {"height": 110 + 22 * len(rows), "template": "none", "bargap": 0.3, "barmode": "overlay"}
    figure = go.Figure(bars, layout=layout)
    names = [shorten(str(row["group"]), 26) for row in rows]
    figure.update_yaxes(autorange="reversed", tickvals=list(range(len(rows))), ticktext=names, showgrid=False)
    figure.update_xaxes(tickformat=".0%", nticks=6)
    return figure


# -- what is drawn -----------------------------------------------------------------------------------------


def _is_labelled(report: Report) -> bool:
    return bool((report.get("conditions") or {}).get("is_labelled", True))


def _floor(report: Report) -> float | None:
    """The score below which more is lost than may be."""
    limit = (report.get("conditions") or {}).get("limit")
    original = (report.get("original") or {}).get("accuracy") if _is_labelled(report) else 1.0
    return None if limit is None or original is None else original - limit / 100


def _points(report: Report, _: Translator) -> list[_Point]:
    """The original and every variant that was measured."""
    original = report.get("original") or {}
    rows = [{**original, "kind": ORIGINAL, "agreement": 1.0}] if original else []
    rows += [row for row in report.get("variants") or [] if row.get("status") == "done"]
    found = [_point(row, _is_labelled(report), _) for row in rows]
    return [point for point in found if point is not None]


def _point(row: Mapping[str, Any], is_labelled: bool, _: Translator) -> _Point | None:
    score, latency = row.get("accuracy" if is_labelled else "agreement"), row.get("latency_p50_ms")
    if score is None or not latency:
        return None
    low, high = _interval(row, score, is_labelled)
    kind = row["kind"] if row["kind"] in KIND_LOOKS else "runtime"
    size = float(row.get("size_mb") or 0.0)
    name = variant_word(row, _)
    lines = [
        f"<b>{name}</b>",
        _("{accuracy} (95%: {low} to {high})", accuracy=_.percent(score), low=_.percent(low), high=_.percent(high))
        if high > low
        else _.percent(score),
        _("{latency} ms (p95 {p95} ms)", latency=_.number(latency, 3), p95=_.number(row.get("latency_p95_ms") or 0, 3)),
        _.size(size * 1e6),
    ]
    return _Point(str(row["name"]), name, kind, float(latency), float(score), low, high, size, "<br>".join(lines))


def _interval(row: Mapping[str, Any], score: float, is_labelled: bool) -> tuple[float, float]:
    """The whiskers: of the accuracy, or of what is lost of the agreement."""
    if is_labelled:
        low, high = row.get("interval") or (score, score)
        return float(low), float(high)
    loss = row.get("loss") or {}
    if loss.get("low") is None or loss.get("high") is None:
        return score, score
    return max(0.0, 1 - loss["high"] / 100), min(1.0, 1 - loss["low"] / 100)


class _View:
    """The part of the plane that is shown, with room for marks and labels around the points."""

    def __init__(self, points: Sequence[_Point], floor: float | None) -> None:
        latencies = [math.log10(point.latency_ms) for point in points] or [0.0]
        span = max(0.4, max(latencies) - min(latencies))
        self.x = [min(latencies) - 0.16 * span, max(latencies) + 0.16 * span]
        scores = [value for point in points for value in (point.low, point.high, point.score)]
        scores += [] if floor is None else [floor]
        low, high = (min(scores), max(scores)) if scores else (0.0, 1.0)
        room = max(0.01, 0.14 * (high - low))
        self.y = [max(-0.02, low - room), min(1 + room, high + room)]

    def ticks(self) -> list[float]:
        """1, 2, 5, 10 … as far as they lie within; finer ones where these are too few."""
        low, high = 10 ** self.x[0], 10 ** self.x[1]
        exponents = range(math.floor(self.x[0]), math.ceil(self.x[1]) + 1)
        for steps in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7), tuple(i / 10 for i in range(10, 100))):
            found = [float(f"{step * 10**e:.3g}") for e in exponents for step in steps if low < step * 10**e < high]
            if len(found) >= 3:
                break
        return found

    def score_ticks(self, _: Translator) -> dict[str, list[Any]]:
        """Shares in view, none above one."""
        span = self.y[1] - self.y[0]
        step = next((step for step in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1) if span / step <= 7), 0.2)
        first, last = math.ceil(max(0.0, self.y[0]) / step), math.floor(min(1.0, self.y[1]) / step + 1e-9)
        shares = [round(i * step, 4) for i in range(first, last + 1)]
        return {"tickvals": shares, "ticktext": [_.percent(share, 1 if step < 0.01 else 0) for share in shares]}

    def px(self, point: _Point) -> tuple[float, float]:
        """Where a point lies on a middling screen, from the upper left."""
        x = (math.log10(point.latency_ms) - self.x[0]) / (self.x[1] - self.x[0])
        return x * _PLOT[0], (self.y[1] - point.score) / (self.y[1] - self.y[0]) * _PLOT[1]


def _kinds(points: Sequence[_Point]) -> list[str]:
    return [kind for kind in KIND_LOOKS if any(point.kind == kind for point in points)]


def _diameter(point: _Point, points: Sequence[_Point]) -> float:
    """Px of a mark whose area is that of the file among the files."""
    largest = max((other.size_mb for other in points), default=0.0)
    return max(_SMALLEST, _LARGEST * math.sqrt(point.size_mb / largest)) if largest > 0 else _SMALLEST


def _key(kind: str, _: Translator) -> Trace:
    """A kind in the legend, its mark of one size whatever its files weigh."""
    look = KIND_LOOKS[kind]
    marker = {"symbol": look.marker, "size": 11, "color": look.colour}
    base = {"type": "scatter", "x": [None], "y": [None], "mode": "markers"}
    return {**base, "name": _(look.word), "marker": marker, "legendrank": list(KIND_LOOKS).index(kind)}


def _marks(kind: str, mine: Sequence[_Point], points: Sequence[_Point]) -> Trace:
    look = KIND_LOOKS[kind]
    return {
        "type": "scatter",
        "x": [point.latency_ms for point in mine],
        "y": [point.score for point in mine],
        "text": [point.told for point in mine],
        "mode": "markers",
        "showlegend": False,
        "marker": {
            "symbol": look.marker,
            "size": [round(_diameter(point, points), 1) for point in mine],
            "color": look.colour,
            "opacity": 0.85,
            "line": {"width": 0},
        },
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, point.high - point.score) for point in mine],
            "arrayminus": [max(0.0, point.score - point.low) for point in mine],
            "color": look.colour,
            "thickness": 1.5,
            "width": 4,
        },
        "hovertemplate": "%{text}<extra></extra>",
    }


def _front_line(points: Sequence[_Point], _: Translator) -> list[Trace]:
    """The thin line through what no other beats in speed and accuracy."""
    places = front([(point.latency_ms, point.score) for point in points])
    if len(places) < 2:
        return []
    return [
        {
            "type": "scatter",
            "x": [points[i].latency_ms for i in places],
            "y": [points[i].score for i in places],
            "mode": "lines",
            "name": _("beaten by none (Pareto front)"),
            "legendrank": 100,
            "line": {"color": BRAND, "width": 1.2},
            "hoverinfo": "skip",
        }
    ]


def _limit(report: Report, view: _View, _: Translator) -> list[Trace]:
    floor = _floor(report)
    if floor is None:
        return []
    return [
        {
            "type": "scatter",
            "x": [10 ** view.x[0], 10 ** view.x[1]],
            "y": [floor, floor],
            "mode": "lines",
            "name": limit_words((report.get("conditions") or {})["limit"], _),
            "line": {"color": TEXT, "width": 1.2, "dash": "dash"},
            "hoverinfo": "skip",
            "legendrank": 101,
        }
    ]


def limit_words(points: float, _: Translator) -> str:
    """What may be lost."""
    return _("at most 1 point lost") if points == 1 else _("at most {n} points lost", n=_.number(points))


# -- labels ------------------------------------------------------------------------------------------------

_Box = tuple[float, float, float, float]


def _telling(points: Sequence[_Point], report: Report) -> list[_Point]:
    """Of many points those that are named: the original, the recommended one and the front."""
    named = {points[i].key for i in front([(point.latency_ms, point.score) for point in points])}
    named |= {ORIGINAL, str(report.get("recommended"))}
    return [point for point in points if point.key in named]


def _labels(named: Sequence[_Point], points: Sequence[_Point], view: _View, best: str) -> list[Trace]:
    """Names beside their marks, each on the side where it touches the least; `best` is written boldly."""
    taken = [_mark_box(point, points, view) for point in points] + _line_boxes(points, view)
    taken += [_whisker_box(point, view) for point in points]
    sides = []
    for point in named:
        boxes = _label_boxes(point, points, view)
        freest = min(boxes, key=lambda side: _cost(boxes[side], taken))
        taken.append(boxes[freest])
        sides.append(freest)
    return [
        {
            "type": "scatter",
            "x": [point.latency_ms],
            "y": [point.score],
            "mode": "markers+text",
            "text": [f"<b>{point.name}</b>" if point.key == best else point.name],
            "textposition": side,
            "textfont": {"color": TEXT, "size": 12},
            # As large as the mark it belongs to, so that the text keeps clear of it.
            "marker": {
                "size": [round(_diameter(point, points), 1)],
                "color": "rgba(0,0,0,0)",
                "line": {"width": 0},
            },
            "cliponaxis": False,
            "showlegend": False,
            "hoverinfo": "skip",
        }
        for point, side in zip(named, sides, strict=True)
    ]


def _line_boxes(points: Sequence[_Point], view: _View) -> list[_Box]:
    """The line of the front as a row of small boxes."""
    ends = [view.px(points[i]) for i in front([(point.latency_ms, point.score) for point in points])]
    found = []
    for (x0, y0), (x1, y1) in pairwise(ends):
        for step in range(1, 20):
            x, y = x0 + (x1 - x0) * step / 20, y0 + (y1 - y0) * step / 20
            found.append((x - (x1 - x0) / 40, y - 4, x + (x1 - x0) / 40, y + 4))
    return found


def _mark_box(point: _Point, points: Sequence[_Point], view: _View) -> _Box:
    x, y = view.px(point)
    half = _diameter(point, points) / 2
    return x - half, y - half, x + half, y + half


def _whisker_box(point: _Point, view: _View) -> _Box:
    x, top = view.px(replace(point, score=point.high))
    _x, bottom = view.px(replace(point, score=point.low))
    return x - 4, top, x + 4, bottom


def _label_boxes(point: _Point, points: Sequence[_Point], view: _View) -> dict[str, _Box]:
    """Where the name would stand on each side, the preferred one first."""
    x, y = view.px(point)
    half, wide = _diameter(point, points) / 2 + 3, _CHARACTER * sum(1 + (ord(c) > 0x2E7F) for c in point.name)
    up, down, right, left = y - half - _LINE, y + half + _LINE, x + half + wide, x - half - wide
    return {
        "middle right": (x + half, y - _LINE / 2, right, y + _LINE / 2),
        "middle left": (left, y - _LINE / 2, x - half, y + _LINE / 2),
        "top center": (x - wide / 2, up, x + wide / 2, y - half),
        "bottom center": (x - wide / 2, y + half, x + wide / 2, down),
        "top right": (x, up, x + wide, y - half),
        "top left": (x - wide, up, x, y - half),
        "bottom right": (x, y + half, x + wide, down),
        "bottom left": (x - wide, y + half, x, down),
    }


def _cost(box: _Box, taken: Sequence[_Box]) -> float:
    """How much of a label would lie on others or outside."""
    left, top, right, bottom = box
    wide = max(0.0, min(right, _PLOT[0]) - max(left, 0.0)) * max(0.0, min(bottom, _PLOT[1]) - max(top, 0.0))
    outside = (right - left) * (bottom - top) - wide
    return 3 * outside + sum(
        max(0.0, min(right, r) - max(left, l_)) * max(0.0, min(bottom, b) - max(top, t)) for l_, t, r, b in taken
    )
