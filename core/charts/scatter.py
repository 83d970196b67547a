"""The plane of correctness against latency: points as large as files, their names placed apart, and the front.

`core.optimize.figures` draws the variants of one network on it, `core.measurement.report` the networks that were timed
here. Traces are plain data with both themes' colours, for the live component.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from core.charts.theme import BRAND, TEXT, Layout, Look, Trace, layout_of_axes
from core.i18n import Translator

HEIGHT = 440
_SMALLEST, _LARGEST = 10.0, 36.0  # px of the marks
_PLOT = (480.0, 330.0)  # px that the points have on a middling screen: labels are placed apart for it
_CHARACTER, _LINE = 7.2, 16.0  # px of a label's letters

_Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """One mark: `low` to `high` are its whiskers, `told` is what hovering tells."""

    key: str
    name: str
    kind: str
    latency_ms: float
    score: float
    low: float
    high: float
    size_mb: float
    told: str


class View:
    """The part of the plane that is shown, with room for marks and labels around the points."""

    def __init__(self, points: Sequence[Point], floor: float | None = None) -> None:
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
            values = [float(f"{step * 10**e:.3g}") for e in exponents for step in steps if low < step * 10**e < high]
            if len(values) >= 3:
                break
        return values

    def score_ticks(self, _: Translator) -> dict[str, list[Any]]:
        """Shares in view, none above one."""
        span = self.y[1] - self.y[0]
        step = next((step for step in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1) if span / step <= 7), 0.2)
        first, last = math.ceil(max(0.0, self.y[0]) / step), math.floor(min(1.0, self.y[1]) / step + 1e-9)
        shares = [round(i * step, 4) for i in range(first, last + 1)]
        return {"tickvals": shares, "ticktext": [_.percent(share, 1 if step < 0.01 else 0) for share in shares]}

    def px(self, point: Point) -> tuple[float, float]:
        """Where a point lies on a middling screen, from the upper left."""
        x = (math.log10(point.latency_ms) - self.x[0]) / (self.x[1] - self.x[0])
        return x * _PLOT[0], (self.y[1] - point.score) / (self.y[1] - self.y[0]) * _PLOT[1]

    def layout(self, what: str, _: Translator, *, keep: str) -> Layout:
        """Axes and legend; `what` names the score. While `keep` stays the same, zoom survives."""
        layout = layout_of_axes(_("Latency of one answer, p50 (ms, log axis)"), what)
        layout["xaxis"] = {name: value for name, value in layout["xaxis"].items() if name != "rangemode"}
        ticks = self.ticks()
        layout["xaxis"] |= {
            "type": "log", "range": self.x, "tickvals": ticks, "ticktext": [_.number(t) for t in ticks],
        }  # fmt: skip
        layout["yaxis"] |= {"range": self.y, **self.score_ticks(_)}
        return layout | {"uirevision": keep, "hovermode": "closest", "showlegend": True, "height": HEIGHT}


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Places of the (latency, score) pairs that no other one beats in both, the fastest first."""
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1]))
    places: list[int] = []
    for i in order:
        if not places or points[i][1] > points[places[-1]][1]:
            places.append(i)
    return places


def front_line(points: Sequence[Point], _: Translator) -> list[Trace]:
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


def marks(look: Look, mine: Sequence[Point], points: Sequence[Point]) -> Trace:
    """The marks of some of the points, each as large (by area) as its file among all."""
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
        **({"error_y": _whiskers(look, mine)} if any(point.high > point.low for point in mine) else {}),
        "hovertemplate": "%{text}<extra></extra>",
    }


def _whiskers(look: Look, mine: Sequence[Point]) -> Trace:
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, point.high - point.score) for point in mine],
        "arrayminus": [max(0.0, point.score - point.low) for point in mine],
        "color": look.colour,
        "thickness": 1.5,
        "width": 4,
    }


def _diameter(point: Point, points: Sequence[Point]) -> float:
    """Px of a mark whose area is that of the file among the files."""
    largest = max((other.size_mb for other in points), default=0.0)
    return max(_SMALLEST, _LARGEST * math.sqrt(point.size_mb / largest)) if largest > 0 else _SMALLEST


def key(look: Look, rank: int, _: Translator) -> Trace:
    """A look in the legend, its mark of one size whatever the files weigh."""
    marker = {"symbol": look.marker, "size": 11, "color": look.colour}
    base = {"type": "scatter", "x": [None], "y": [None], "mode": "markers"}
    return {**base, "name": _(look.word), "marker": marker, "legendrank": rank}


# -- labels ------------------------------------------------------------------------------------------------


def labels(named: Sequence[Point], points: Sequence[Point], view: View, best: str = "") -> list[Trace]:
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


def _line_boxes(points: Sequence[Point], view: View) -> list[_Box]:
    """The line of the front as a row of small boxes."""
    ends = [view.px(points[i]) for i in front([(point.latency_ms, point.score) for point in points])]
    boxes = []
    for (x0, y0), (x1, y1) in pairwise(ends):
        for step in range(1, 20):
            x, y = x0 + (x1 - x0) * step / 20, y0 + (y1 - y0) * step / 20
            boxes.append((x - (x1 - x0) / 40, y - 4, x + (x1 - x0) / 40, y + 4))
    return boxes


def _mark_box(point: Point, points: Sequence[Point], view: View) -> _Box:
    x, y = view.px(point)
    half = _diameter(point, points) / 2
    return x - half, y - half, x + half, y + half


def _whisker_box(point: Point, view: View) -> _Box:
    x, top = view.px(replace(point, score=point.high))
    _x, bottom = view.px(replace(point, score=point.low))
    return x - 4, top, x + 4, bottom


def _label_boxes(point: Point, points: Sequence[Point], view: View) -> dict[str, _Box]:
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
