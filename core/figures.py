"""Every picture of numbers: colours, lines and markers that mean the same on every page.

The live curves are drawn in the browser by the page's own component, so `curve_chart` gives plain data
with both themes' colours; everything else is a Plotly figure in the theme asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sequential

from core.curves import Curve
from core.evaluate import ClassificationReport
from core.i18n import N_, Translator
from core.registry.methods import METHODS

Theme = Literal["light", "dark"]
# Plotly's own schema, with a colour for each theme where it wants one.
Trace = dict[str, Any]
Layout = dict[str, Any]


class Chart(TypedDict):
    """What the live component draws."""

    traces: list[Trace]
    layout: Layout


@dataclass(frozen=True, slots=True)
class Look:
    """How one meaning is drawn everywhere: a colour for each theme, a dash, a marker, a word."""

    light: str
    dark: str
    dash: str
    marker: str
    word: str

    @property
    def colour(self) -> dict[str, str]:
        return {"light": self.light, "dark": self.dark}

    def on(self, theme: Theme) -> str:
        return self.light if theme == "light" else self.dark


LOOKS: dict[str, Look] = {
    "random": Look("#6B7280", "#9CA3AF", "dash", "circle", N_("From scratch")),
    **{row.id: Look(row.light, row.dark, row.dash, row.marker, row.word) for row in METHODS.values()},
}
BRAND = {"light": "#1B7F5C", "dark": "#4CC38A"}
TEXT = {"light": "#16211C", "dark": "#E7F0EB"}
GRID = {"light": "#E3E9E6", "dark": "#26322D"}
FONT = "'Source Sans', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"
_SCALE = {
    "light": ["#FFFFFF", "#BFDBEE", "#4A9ACA", "#0072B2", "#003F66"],
    "dark": ["#0E1512", "#1A445F", "#246D98", "#56B4E9", "#C3E5F8"],
}
_EPOCHS_IN_VIEW = 50  # a longer run scales as it grows, else its beginning would be a dot
# Comparing more runs of one method than there are colours: the next lines differ by dash.
_DASHES = ("solid", "dot", "dashdot", "longdash", "longdashdot")


def look_of(spec: Mapping[str, Any]) -> Look:
    """How a fine-tuning is drawn: by its method; grey and dashed when it began with random weights."""
    if (spec.get("model") or {}).get("weights") == "random":
        return LOOKS["random"]
    return LOOKS.get(str(spec.get("method")), LOOKS["head"])


@dataclass(frozen=True, slots=True)
class RunCurves:
    """One run in a chart: its name in the legend, how it is drawn, and what it reached."""

    name: str
    look: Look
    train: Curve
    validation: Curve
    best_epoch: float | None = None
    test: tuple[float, float, float] | None = None  # value, low, high
    planned: int | None = None  # epochs, while the run is at work


def curve_chart(runs: Sequence[RunCurves], what: Literal["loss", "accuracy"], _: Translator, *, keep: str) -> Chart:
    """Data and layout of a chart for the live component: training thin, validation thick, the test a diamond.

    While `keep` stays the same, zoom and hover survive new points.
    """
    traces: list[Trace] = []
    looks: list[Look] = []
    for run in runs:
        dash = run.look.dash if run.look not in looks else _DASHES[looks.count(run.look) % len(_DASHES)]
        looks.append(run.look)
        traces += _curves_of(run, dash, what, _, is_alone=len(runs) == 1)
    layout = layout_of_axes(_("Epoch"), _("Loss") if what == "loss" else _("Accuracy"))
    layout |= {"uirevision": keep, "hovermode": "closest", "shapes": _chosen_epochs(runs), "showlegend": True}
    layout["height"] += 22 * max(0, len(runs) - 2)  # a legend line for each run
    planned = max((run.planned or 0 for run in runs), default=0)
    if 0 < planned <= _EPOCHS_IN_VIEW:  # the curve grows into the room that is left
        layout["xaxis"]["range"] = [0, planned]
    if what == "accuracy":
        layout["yaxis"] |= {"tickformat": ".0%"}
        layout["yaxis"]["range"] = _share_range(runs)
    if len(runs) == 1 and runs[0].best_epoch is not None:
        layout["annotations"] = [_note(runs[0].best_epoch, _("chosen epoch"))]
    return {"traces": traces, "layout": layout}


def _curves_of(run: RunCurves, dash: str, what: str, _: Translator, *, is_alone: bool) -> list[Trace]:
    colour, percent = run.look.colour, "%{y:.1%}" if what == "accuracy" else "%{y:.3f}"
    training, checked = _("training"), _("validation")
    if not is_alone:
        training, checked = f"{run.name}, {training}", run.name
    epoch = _("epoch")
    base: Trace = {"type": "scatter"} if is_alone else {"type": "scatter", "legendgroup": run.name}
    marked = len(run.validation.x) <= 40
    found = [
        {
            **base,
            "x": _plain(run.train.x),
            "y": _plain(run.train.y),
            "mode": "lines",
            "name": training,
            "opacity": 0.55,
            "showlegend": is_alone,
            "line": {"color": colour, "width": 1.2},
            "hovertemplate": f"{percent}<br>{epoch} %{{x:.2f}}<extra>{training}</extra>",
        },
        {
            **base,
            "x": _plain(run.validation.x),
            "y": _plain(run.validation.y),
            "mode": "lines+markers" if marked else "lines",
            "name": checked,
            "line": {"color": colour, "width": 3, "dash": dash},
            "marker": {"symbol": run.look.marker, "size": 8, "color": colour},
            "hovertemplate": f"{percent}<br>{epoch} %{{x:.0f}}<extra>{checked}</extra>",
        },
    ]
    if what == "accuracy" and run.test is not None and run.best_epoch is not None:
        found.append(_test_mark(run, base, _("test"), is_alone=is_alone))
    return [trace for trace in found if trace["x"]]


def _test_mark(run: RunCurves, base: Trace, word: str, *, is_alone: bool) -> Trace:
    assert run.test is not None
    value, low, high = run.test
    error = {"type": "data", "symmetric": False, "array": [high - value], "arrayminus": [value - low]}
    return {
        **base,
        "x": [run.best_epoch],
        "y": [value],
        "mode": "markers",
        "name": word,
        "showlegend": is_alone,
        "marker": {"symbol": "diamond", "size": 12, "color": run.look.colour, "line": {"width": 1.5, "color": TEXT}},
        "error_y": {**error, "color": run.look.colour, "thickness": 1.5, "width": 5},
        "hovertemplate": f"%{{y:.1%}} ({low:.1%} – {high:.1%})<extra>{word}</extra>",
    }


def _chosen_epochs(runs: Sequence[RunCurves]) -> list[Layout]:
    if len(runs) != 1 or runs[0].best_epoch is None:
        return []
    line = {"color": GRID, "width": 2, "dash": "dot"}
    x = runs[0].best_epoch
    return [
        {
            "type": "line",
            "xref": "x",
            "yref": "paper",
            "x0": x,
            "x1": x,
            "y0": 0,
            "y1": 1,
            "line": line,
            "layer": "below",
        }
    ]


def _note(x: float, text: str) -> Layout:
    place = {"xref": "x", "yref": "paper", "yanchor": "bottom", "xanchor": "right"}
    return {"x": x, "y": 0, "text": text, "showarrow": False, "font": {"size": 11}, **place}


def _share_range(runs: Sequence[RunCurves]) -> list[float] | None:
    """A line chart of shares may begin above zero, but never above one, and never narrower than ten points."""
    values = np.concatenate([curve.y for run in runs for curve in (run.train, run.validation)] or [np.zeros(0)])
    if not len(values):
        return None
    low = max(0.0, min(float(values.min()), 0.9) - 0.03)
    return [low, min(1.02, max(float(values.max()), low + 0.1) + 0.03)]


def layout_of_axes(x: str, y: str) -> Layout:
    """The layout that all charts share, with the titles of both axes; colours for both themes."""
    axis = {"gridcolor": GRID, "zeroline": False, "automargin": True, "linecolor": GRID}
    return {
        "height": 300,
        "margin": {"l": 8, "r": 8, "t": 34, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": TEXT, "size": 13, "family": FONT},
        "hoverlabel": {"font": {"size": 13}},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": LOOKS["random"].colour, "activecolor": TEXT},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
        "xaxis": {**axis, "title": {"text": x}, "rangemode": "tozero"},
        "yaxis": {**axis, "title": {"text": y}},
    }


def _plain(values: Any) -> list[float]:
    return [float(f"{value:.5g}") for value in values]


def resolve(value: Any, theme: Theme) -> Any:
    """Colours given for both themes, reduced to one."""
    if isinstance(value, dict):
        if set(value) == {"light", "dark"}:
            return value[theme]
        return {name: resolve(part, theme) for name, part in value.items()}
    return [resolve(part, theme) for part in value] if isinstance(value, list) else value


def _figure(traces: Sequence[Any], theme: Theme, *, x: str = "", y: str = "", height: int = 320) -> go.Figure:
    """A figure in Graft's one template."""
    layout = resolve(layout_of_axes(x, y), theme)
    return go.Figure(list(traces), layout={**layout, "height": height, "template": "none"})


def confusion_chart(report: ClassificationReport, _: Translator, theme: Theme) -> go.Figure:
    """Which class was taken for which: rows are the truth, columns the answer, shaded by the share of the row.

    Up to 15 classes every cell carries its count; above that colour and hover tell, and the picture grows.
    """
    labels = [shorten(label) for label in report["labels"]]
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
                np.array(report["labels"])[:, None].repeat(size, 1),
                np.array(report["labels"])[None].repeat(size, 0),
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
    names = [shorten(labels[i], 28) for i in order]
    fills = {"train": BRAND[theme], "validation": LOOKS["head"].on(theme), "test": LOOKS["random"].on(theme)}
    bars = [
        go.Bar(
            y=list(range(len(order))),
            x=[values[i] for i in order],
            orientation="h",
            name=words.get(split, split),
            marker={"color": fills.get(split, LOOKS["last"].on(theme)), "pattern": {"shape": shape}},
            customdata=[labels[i] for i in order],
            hovertemplate="%{customdata}: %{x}<extra>%{fullData.name}</extra>",
        )
        for (split, values), shape in zip(counts.items(), ("", "/", "."), strict=False)
    ]
    figure = _figure(bars, theme, x=_("examples"), height=110 + 24 * len(order))
    figure.update_layout(barmode="stack", bargap=0.25)
    figure.update_yaxes(autorange="reversed", tickvals=list(range(len(order))), ticktext=names, showgrid=False)
    return figure


_HEAT = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in sequential.Cividis], dtype=np.float32)
_FAINTEST, _STRONGEST = 0.25, 0.8


def lay_heat(picture: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A picture [h, w, 3] with a map [h, w] of 0 … 1 laid over it: dark blue for nothing, yellow for the most.

    The colours (cividis, Nuñez et al. 2018) rise in brightness too, and look alike to colour-blind eyes. The stronger
    a place, the more it covers.
    """
    places = np.linspace(0, 1, len(_HEAT))
    colours = np.stack([np.interp(heat, places, _HEAT[:, channel]) for channel in range(3)], axis=-1)
    cover = (_FAINTEST + (_STRONGEST - _FAINTEST) * heat)[..., None]
    grey = picture.mean(-1, keepdims=True)  # colours of the picture would be taken for colours of the map
    drawn: NDArray[np.uint8] = np.rint(grey * (1 - cover) + colours * cover).astype(np.uint8)
    return drawn


def shorten(label: str, most: int = 18) -> str:
    """A class name that fits beside an axis."""
    return label if len(label) <= most else label[: most - 1] + "…"
