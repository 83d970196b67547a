"""The live curves of runs, as plain data that the page's own chart draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.charts.curve_data import Curve
from core.charts.theme import GRID, TEXT, Chart, Layout, Look, Trace, layout_of_axes
from core.i18n import Translator
from core.markdown import as_label

_EPOCHS_IN_VIEW = 50  # a longer run scales as it grows, else its beginning would be a dot
# Comparing more runs of one method than there are colours: the next lines differ by dash.
_DASHES = ("solid", "dot", "dashdot", "longdash", "longdashdot")

CurveKind = Literal["loss", "accuracy"]
CURVES: tuple[CurveKind, ...] = ("loss", "accuracy")


@dataclass(frozen=True, slots=True)
class RunCurves:
    """One run in a chart: its name in the legend, how it is drawn, and what it reached."""

    name: str
    look: Look
    train: Curve
    validation: Curve
    best_epoch: float | None = None
    test: tuple[float, float, float] | None = None  # value, low, high
    is_test_clean: bool = False  # the test is of the rows alone that are not trained on too
    planned: int | None = None  # epochs, while the run is at work
    is_fitted: bool = False  # in passes to an optimum: there are no epochs, and none is chosen


def curve_chart(runs: Sequence[RunCurves], what: CurveKind, _: Translator, *, keep: str) -> Chart:
    """Data and layout of a chart for the live component: training thin, validation thick, the test a diamond.

    While `keep` stays the same, zoom and hover survive new points.
    """
    traces: list[Trace] = []
    looks: list[Look] = []
    for run in runs:
        dash = run.look.dash if run.look not in looks else _DASHES[looks.count(run.look) % len(_DASHES)]
        looks.append(run.look)
        traces += _curves_of(run, dash, what, _, is_alone=len(runs) == 1)
    across = _("Pass") if runs and all(run.is_fitted for run in runs) else _("Epoch")
    layout = layout_of_axes(across, _("Loss") if what == "loss" else _("Accuracy"))
    layout |= {"uirevision": keep, "hovermode": "closest", "shapes": _chosen_epochs(runs), "showlegend": True}
    layout["height"] += 22 * max(0, len(runs) - 2)  # a legend line for each run
    planned = max((run.planned or 0 for run in runs), default=0)
    if 0 < planned <= _EPOCHS_IN_VIEW:  # the curve grows into the room that is left
        layout["xaxis"]["range"] = [0, planned]
    if what == "accuracy":
        layout["yaxis"] |= {"tickformat": ".0%"}
        layout["yaxis"]["range"] = _share_range(runs)
    if len(runs) == 1 and runs[0].best_epoch is not None and not runs[0].is_fitted:
        layout["annotations"] = [_note(runs[0].best_epoch, _("chosen epoch"))]
    return {"traces": traces, "layout": layout}


def _curves_of(run: RunCurves, dash: str, what: CurveKind, _: Translator, *, is_alone: bool) -> list[Trace]:
    colour, percent = run.look.colour, "%{y:.1%}" if what == "accuracy" else "%{y:.3f}"
    training, checked, name = _("training"), _("validation"), as_label(run.name)
    if not is_alone:
        training, checked = f"{name}, {training}", name
    epoch = _("epoch")
    base: Trace = {"type": "scatter"} if is_alone else {"type": "scatter", "legendgroup": name}
    marked = len(run.validation.x) <= 40
    traces = [
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
        word = _("test, without what is trained on too") if run.is_test_clean else _("test")
        traces.append(_test_mark(run, base, word, is_alone=is_alone))
    return [trace for trace in traces if trace["x"]]


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
    if len(runs) != 1 or runs[0].best_epoch is None or runs[0].is_fitted:
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


def _plain(values: Any) -> list[float]:
    return [float(f"{value:.5g}") for value in values]
