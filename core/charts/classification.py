"""How a classifier does: its confusion matrix, and each class by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.charts.theme import BRAND, LOOKS, Theme, layout_of_axes, resolve, shorten
from core.evaluate import ClassificationReport
from core.i18n import Translator
from core.markdown import as_label

_SCALE = {
    "light": ["#FFFFFF", "#BFDBEE", "#4A9ACA", "#0072B2", "#003F66"],
    "dark": ["#0E1512", "#1A445F", "#246D98", "#56B4E9", "#C3E5F8"],
}


def _figure(traces: Sequence[Any], theme: Theme, *, x: str = "", y: str = "", height: int = 320) -> go.Figure:
    """A figure in Graft's one template."""
    layout = resolve(layout_of_axes(x, y), theme)
    return go.Figure(list(traces), layout={**layout, "height": height, "template": "none"})


def confusion_chart(report: ClassificationReport, _: Translator, theme: Theme) -> go.Figure:
    """Which class was taken for which: rows are the truth, columns the answer, shaded by the share of the row.

    Up to 15 classes every cell carries its count; above that colour and hover tell, and the picture grows.
    """
    labels = [as_label(shorten(label)) for label in report["labels"]]
    named = [as_label(label) for label in report["labels"]]
    counts = np.array(report["confusion"], dtype=np.int64)
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    size = len(labels)
    trace = go.Heatmap(
        z=shares,
        x=list(range(size)),
        y=list(range(size)),
        customdata=np.dstack(
            [
                counts,
                np.array(named)[:, None].repeat(size, 1),
                np.array(named)[None].repeat(size, 0),
            ]
        ),
        text=[[str(n) if n else "" for n in row] for row in counts] if size <= 15 else None,
        texttemplate="%{text}" if size <= 15 else None,
        colorscale=_SCALE[theme],
        zmin=0,
        zmax=1,
        xgap=1 if size <= 30 else 0,
        ygap=1 if size <= 30 else 0,
        colorbar={
            "title": {"text": _("share of the true class"), "side": "right"},
            "tickformat": ".0%",
            "thickness": 12,
        },
        hovertemplate=_("{truth} taken for {answer}: {n} ({share})").format(
            truth="%{customdata[1]}", answer="%{customdata[2]}", n="%{customdata[0]}", share="%{z:.0%}"
        )
        + "<extra></extra>",
    )
    height = 140 + min(760, max(240, size * 26))
    figure = _figure([trace], theme, x=_("answer of the model"), y=_("truth"), height=height)
    every = max(1, size // 40)
    ticks = {"tickvals": list(range(0, size, every)), "ticktext": labels[::every], "showgrid": False}
    is_slanted = sum(map(len, labels)) > 60
    # Too many names to set side by side: the rows carry them, and hovering tells both.
    figure.update_xaxes(**ticks, tickangle=-45 if is_slanted else 0, showticklabels=size <= 40, constrain="domain")
    figure.update_yaxes(**ticks, autorange="reversed")
    return figure


def class_chart(counts: Mapping[str, Sequence[int]], labels: Sequence[str], _: Translator, theme: Theme) -> go.Figure:
    """How many pictures each class has, split by split, the largest class first."""
    words = {"train": _("training"), "validation": _("validation"), "test": _("test")}
    total = np.sum([list(values) for values in counts.values()], axis=0)
    order = np.argsort(-total, kind="stable")[:60]
    names = [as_label(shorten(labels[i], 28)) for i in order]
    fills = {"train": BRAND[theme], "validation": LOOKS["head"].on(theme), "test": LOOKS["random"].on(theme)}
    bars = [
        go.Bar(
            y=list(range(len(order))),
            x=[values[i] for i in order],
            orientation="h",
            name=words.get(split) or as_label(split),
            marker={"color": fills.get(split, LOOKS["last"].on(theme)), "pattern": {"shape": shape}},
            customdata=[as_label(labels[i]) for i in order],
            hovertemplate="%{customdata}: %{x}<extra>%{fullData.name}</extra>",
        )
        for (split, values), shape in zip(counts.items(), ("", "/", "."), strict=False)
    ]
    figure = _figure(bars, theme, x=_("examples"), height=110 + 24 * len(order))
    figure.update_layout(barmode="stack", bargap=0.25)
    figure.update_yaxes(autorange="reversed", tickvals=list(range(len(order))), ticktext=names, showgrid=False)
    return figure
