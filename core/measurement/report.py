"""What was measured of models on this machine, as numbers for tables and as a picture: accuracy against latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from core.charts.scatter import Point, View, front, front_line, key, labels, marks
from core.charts.theme import BRAND, LOOKS, Chart, Look, Theme, layout_of_axes, resolve, shorten
from core.hardware import this_host
from core.i18n import N_, Translator
from core.markdown import as_label
from core.measurement.records import BlockTime, MeasurementSummary, summary_of
from core.models.card import ModelCard
from core.store import Run, Store

_MOST_LABELS = 10
_MOST_BLOCKS = 40
_LOOKS = {
    False: Look(BRAND["light"], BRAND["dark"], "solid", "circle", N_("Measured with its weights")),
    True: Look(LOOKS["random"].light, LOOKS["random"].dark, "solid", "diamond", N_("Timed with random weights")),
}


@dataclass(frozen=True)
class Measurement:
    """How fast a model is on this machine, by its newest measurement. Latencies are of one example at a time.

    `memory_mb`: the peak of a process that does nothing else, libraries included. `is_random`: random weights were
    timed, which is as fast.
    """

    model: str
    run: str
    time: float
    latency_p50_ms: float
    latency_p95_ms: float
    batch_size: int
    throughput: float  # examples each second, in batches of `batch_size`
    memory_mb: float | None
    load_s: float
    is_random: bool


def list_measurements(store: Store) -> dict[str, Measurement]:
    """The newest finished measurement on this machine of each model, by model id."""
    measurements: dict[str, Measurement] = {}
    for run in store.list_runs(kind="measure", statuses=["done"]):
        summary = summary_of(run)
        if run.host == this_host() and summary is not None:
            measurement = _read(run, summary)
            measurements.setdefault(measurement.model, measurement)
    return measurements


def _read(run: Run, summary: MeasurementSummary) -> Measurement:
    return Measurement(
        model=str(summary["model"]),
        run=run.id,
        time=run.ended_at or run.created_at,
        latency_p50_ms=float(summary["latency_p50_ms"]),
        latency_p95_ms=float(summary["latency_p95_ms"]),
        batch_size=int(summary["batch_size"]),
        throughput=float(summary["throughput"]),
        memory_mb=summary.get("memory_mb"),
        load_s=float(summary["load_s"]),
        is_random=bool(summary["is_random"]),
    )


def newest_run(model_id: str, store: Store) -> Run | None:
    """The newest measurement of a model that was asked for on this machine, in whatever state."""
    for run in store.list_runs(kind="measure", limit=500):
        if run.spec["model"]["id"] == model_id and run.host in (None, this_host()):
            return run
    return None


def drawn(measured: Mapping[str, Measurement], cards: Sequence[ModelCard]) -> list[tuple[ModelCard, Measurement]]:
    """Of what was measured the models whose accuracy on ImageNet is published: those that the chart can show."""
    known = [card for card in cards if card.id in measured and card.source != "run" and not card.is_text]
    return [(card, measured[card.id]) for card in known if "acc@1" in card.metrics]


def speed_chart(pairs: Sequence[tuple[ModelCard, Measurement]], _: Translator, *, keep: str) -> Chart:
    """Published accuracy on ImageNet against latency measured here, each mark as large (by area) as its file.

    The thin line joins those that no other beats in both; of many the names on it alone are written.
    """
    points = [_point(card, measured, _) for card, measured in pairs]
    view = View(points)
    traces = front_line(points, _)
    for is_random, look in _LOOKS.items():
        mine = [point for point in points if point.kind == str(is_random)]
        traces += [marks(look, mine, points), key(look, int(is_random), _)] if mine else []
    on_front = [points[place] for place in front([(point.latency_ms, point.score) for point in points])]
    named = points if len(points) <= _MOST_LABELS else on_front
    return {
        "traces": traces + labels(named, points, view),
        "layout": view.layout(_("Accuracy on ImageNet, as published"), _, keep=keep),
    }


def _point(card: ModelCard, measured: Measurement, _: Translator) -> Point:
    accuracy, latency = card.metrics["acc@1"] / 100, measured.latency_p50_ms
    lines = [
        f"<b>{as_label(card.name)}</b>",
        _.percent(accuracy),
        _("{latency} ms (p95 {p95} ms)", latency=_.number(latency, 3), p95=_.number(measured.latency_p95_ms, 3)),
        _.size(card.size_mb * 2**20),
    ]
    kind = str(measured.is_random)
    return Point(
        card.id, as_label(card.name), kind, latency, accuracy, accuracy, accuracy, card.size_mb, "<br>".join(lines)
    )


def blocks_chart(blocks: Sequence[BlockTime], _: Translator, theme: Theme) -> go.Figure:
    """Where the time of one answer goes, block by block from input to output; of very many the slowest."""
    slowest = sorted(range(len(blocks)), key=lambda place: -blocks[place]["ms"])[:_MOST_BLOCKS]
    rows = [blocks[place] for place in sorted(slowest)]
    bar = go.Bar(
        x=[row["ms"] for row in rows],
        y=list(range(len(rows))),
        orientation="h",
        marker={"color": BRAND[theme]},
        customdata=[[as_label(row["name"]), row["share"]] for row in rows],
        hovertemplate="%{customdata[0]}: %{x:.3g} ms (%{customdata[1]:.1%})<extra></extra>",
    )
    layout = resolve(layout_of_axes(_("ms for one example"), ""), theme)
    layout |= {"height": 80 + 22 * len(rows), "template": "none", "bargap": 0.3, "showlegend": False}
    figure = go.Figure([bar], layout=layout)
    names = [as_label(shorten(str(row["name"]), 26)) for row in rows]
    figure.update_yaxes(autorange="reversed", tickvals=list(range(len(rows))), ticktext=names, showgrid=False)
    return figure
