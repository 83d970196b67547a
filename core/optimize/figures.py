"""The picture of an optimization: what each variant answers rightly against how long it takes.

Marks are as large (by area) as the files; the thin line joins those that no other beats in both, the dashed one is
what may be lost. `pareto_chart` gives plain data with both themes' colours for the live component.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from core.charts.scatter import Point, View, front, front_line, key, labels, marks
from core.charts.theme import BRAND, LOOKS, TEXT, Chart, Look, Theme, Trace, layout_of_axes, resolve, shorten
from core.i18n import N_, Translator
from core.markdown import as_label
from core.optimize.rows import GroupGain, MeasuredRow, OptimizeReport, VariantRow
from core.registry.passes import KINDS, name_of

ORIGINAL = "original"
# How a variant is drawn: one colour, told apart by marker and word.
KIND_LOOKS: dict[str, Look] = {
    ORIGINAL: Look(LOOKS["random"].light, LOOKS["random"].dark, "solid", "circle", N_("Original")),
    **{
        row.id: Look(BRAND["light"], BRAND["dark"], "solid", row.marker, row.word)
        for row in KINDS.values()
        if row.marker
    },
}
_MOST_BARS = 30
_MOST_LABELS = 8


def look_of_kind(kind: str) -> Look:
    """How a variant of a kind is drawn; a plain file for another runtime is one of those."""
    return KIND_LOOKS.get(kind, KIND_LOOKS["runtime"])


def variant_word(row: MeasuredRow, _: Translator) -> str:
    """What a variant is called on charts and in tables: its passes in words."""
    return name_of("+".join(row.passes), _) if isinstance(row, VariantRow) else _(KIND_LOOKS[ORIGINAL].word)


def pareto_chart(report: OptimizeReport, _: Translator, *, keep: str) -> Chart:
    """Accuracy (agreement where the data has no labels of the model) against latency on a log axis.

    Only what was measured and agrees with its own network is drawn. While `keep` stays the same, zoom survives.
    """
    points = _points(report, _)
    view = View(points, _floor(report))
    what = _("Accuracy on the test examples") if report.is_labelled else _("Agreement with the original")
    traces = front_line(points, _) + _limit(report, view, _)
    for kind in _kinds(points):
        mine = [point for point in points if point.kind == kind]
        traces += [marks(KIND_LOOKS[kind], mine, points), key(KIND_LOOKS[kind], list(KIND_LOOKS).index(kind), _)]
    named = points if len(points) <= _MOST_LABELS else _telling(points, report)
    best = report.recommended or ""
    return {"traces": traces + labels(named, points, view, best), "layout": view.layout(what, _, keep=keep)}


def sensitivity_chart(groups: Sequence[GroupGain], _: Translator, theme: Theme) -> go.Figure:
    """What 8 bits cost each group of layers, the dearest first; those left in float are grey and hatched."""
    rows = sorted(groups, key=lambda group: -group["gain"])[:_MOST_BARS]
    bars = []
    for in_float, word, colour, shape in (
        (False, _("in 8 bits"), BRAND[theme], ""),
        (True, _("left in float"), LOOKS["random"].on(theme), "/"),
    ):
        mine = [(place, row) for place, row in enumerate(rows) if row["in_float"] == in_float]
        bars.append(
            go.Bar(
                x=[row["gain"] for _place, row in mine],
                y=[place for place, _row in mine],
                orientation="h",
                name=word,
                marker={"color": colour, "pattern": {"shape": shape}},
                customdata=[as_label(row["group"]) for _place, row in mine],
                hovertemplate="%{customdata}: %{x:.1%}<extra>%{fullData.name}</extra>",
            )
        )
    layout = resolve(layout_of_axes(_("share of the error that goes when it stays in float"), ""), theme)
    layout |= {"height": 110 + 22 * len(rows), "template": "none", "bargap": 0.3, "barmode": "overlay"}
    figure = go.Figure(bars, layout=layout)
    names = [as_label(shorten(str(row["group"]), 26)) for row in rows]
    figure.update_yaxes(autorange="reversed", tickvals=list(range(len(rows))), ticktext=names, showgrid=False)
    figure.update_xaxes(tickformat=".0%", nticks=6)
    return figure


# -- what is drawn -----------------------------------------------------------------------------------------


def _floor(report: OptimizeReport) -> float | None:
    """The score below which more is lost than may be."""
    limit = report.conditions.get("limit")
    original = score_of(report.original, report.is_labelled) if report.original else None
    return None if limit is None or original is None else original - limit / 100


def _points(report: OptimizeReport, _: Translator) -> list[Point]:
    """The original and every variant that was measured."""
    rows: list[MeasuredRow] = [report.original] if report.original else []
    points = [_point(row, report.is_labelled, _) for row in [*rows, *report.measured]]
    return [point for point in points if point is not None]


def score_of(row: MeasuredRow, is_labelled: bool) -> float | None:
    """Accuracy, or agreement with the original, which agrees with itself."""
    if is_labelled:
        return row.accuracy
    return row.agreement if isinstance(row, VariantRow) else 1.0


def _point(row: MeasuredRow, is_labelled: bool, _: Translator) -> Point | None:
    score, latency = score_of(row, is_labelled), row.latency_p50_ms
    if score is None or not latency:
        return None
    low, high = _interval(row, score, is_labelled)
    kind = row.kind if row.kind in KIND_LOOKS else "runtime"
    size = row.size_mb or 0.0
    name = as_label(variant_word(row, _))
    lines = [
        f"<b>{name}</b>",
        _("{accuracy} (95%: {low} to {high})", accuracy=_.percent(score), low=_.percent(low), high=_.percent(high))
        if high > low
        else _.percent(score),
        _("{latency} ms (p95 {p95} ms)", latency=_.number(latency, 3), p95=_.number(row.latency_p95_ms or 0, 3)),
        _.size(size * 1e6),
    ]
    return Point(row.name, name, kind, latency, score, low, high, size, "<br>".join(lines))


def _interval(row: MeasuredRow, score: float, is_labelled: bool) -> tuple[float, float]:
    """The whiskers: of the accuracy, or of what is lost of the agreement."""
    if is_labelled:
        low, high = row.interval or (score, score)
        return low, high
    loss = row.loss if isinstance(row, VariantRow) else None
    if loss is None:
        return score, score
    return max(0.0, 1 - loss["high"] / 100), min(1.0, 1 - loss["low"] / 100)


def _kinds(points: Sequence[Point]) -> list[str]:
    return [kind for kind in KIND_LOOKS if any(point.kind == kind for point in points)]


def _limit(report: OptimizeReport, view: View, _: Translator) -> list[Trace]:
    floor = _floor(report)
    if floor is None:
        return []
    return [
        {
            "type": "scatter",
            "x": [10 ** view.x[0], 10 ** view.x[1]],
            "y": [floor, floor],
            "mode": "lines",
            "name": limit_words(report.conditions["limit"], _),
            "line": {"color": TEXT, "width": 1.2, "dash": "dash"},
            "hoverinfo": "skip",
            "legendrank": 101,
        }
    ]


def limit_words(points: float, _: Translator) -> str:
    """What may be lost."""
    return _("at most 1 point lost") if points == 1 else _("at most {n} points lost", n=_.number(points))


def _telling(points: Sequence[Point], report: OptimizeReport) -> list[Point]:
    """Of many points those that are named: the original, the recommended one and the front."""
    named = {points[i].key for i in front([(point.latency_ms, point.score) for point in points])}
    named |= {ORIGINAL, str(report.recommended)}
    return [point for point in points if point.key in named]
