"""The live chart: a component of its own around `Plotly.react`, which keeps zoom and hover while points arrive.

Streamlit's own chart is mounted anew at every change of data. Plotly's script comes from the installed
package, so that no page needs the network.
"""

from __future__ import annotations

import importlib.resources
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.charts.curves import CURVES, CurveKind, RunCurves, curve_chart
from core.charts.theme import look_of
from core.files import forget_unfinished, replacing
from core.i18n import Translator
from core.store import Run
from pages.ui import state
from pages.ui.cached import machine as cached_machine

_curve_component = st.components.v2.component(
    "graft_curve",
    html='<div class="graft-curve" role="figure" style="width:100%;min-height:300px"></div>',
    js=(Path(__file__).parent / "assets" / "chart.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def serve_plotly() -> str:
    """Put the installed Plotly's own script where this server gives it out, in `static` beside its app.py; returns its
    address."""
    context = get_script_run_ctx()
    assert context is not None
    name = f"plotly-{importlib.metadata.version('plotly')}.min.js"
    put_plotly(Path(context.main_script_path).parent / "static" / name)
    return f"app/static/{name}"


def put_plotly(target: Path) -> None:
    """Copy the installed Plotly's own script, unless it is there; those of other versions go."""
    if target.exists():
        return
    target.parent.mkdir(exist_ok=True)
    with (
        importlib.resources.as_file(importlib.resources.files("plotly") / "package_data/plotly.min.js") as source,
        replacing(target) as unfinished,
    ):
        shutil.copyfile(source, unfinished)
    for old in target.parent.glob("plotly-*.min.js"):
        if old != target:
            old.unlink(missing_ok=True)
    forget_unfinished(target.parent)


def draw_chart(chart: Mapping[str, Any], key: str, alt: str) -> None:
    """Draw a chart of `core.charts.theme` (traces and layout in both themes' colours); `alt` tells it in a sentence."""
    _ = state.words()
    saves = {"png": _("Download as PNG"), "svg": _("Download as SVG")}
    data = {**chart, "src": serve_plotly(), "alt": alt, "name": f"graft-{key}", "words": saves}
    _curve_component(key=key, data=data, height="content")


def draw_curves(runs: Sequence[Run], key: str, _: Translator) -> None:
    """Loss and accuracy of one run or several, side by side."""
    keep = f"{key}-{'-'.join(run.id for run in runs)}"
    columns = st.columns(2, gap="medium")
    for column, what in zip(columns, CURVES, strict=True):
        drawn = [_curves_of(run, what, name) for run, name in zip(runs, _short_names(runs, _), strict=True)]
        title = _("Loss") if what == "loss" else _("Accuracy")
        chart = curve_chart(drawn, what, _, keep=keep)
        with column:
            st.markdown(f"**{title}**")
            draw_chart(chart, f"{key}_{what}", curves_alt(title, drawn, what, _))


def _short_names(runs: Sequence[Run], _: Translator) -> list[str]:
    """Names for a legend: the method where that tells the runs apart, else the run's own name."""
    methods = [_(look_of(run.spec).word) for run in runs]
    if len(set(methods)) == len(runs):
        return methods
    names = [run.name for run in runs]
    return names if len(set(names)) == len(runs) else [f"{run.name} ({run.id[-3:]})" for run in runs]


def _curves_of(run: Run, what: CurveKind, name: str) -> RunCurves:
    buffer = cached_machine.fresh_curves(run.id)
    test = run.summary.get("test") or {}
    scores = test.get("without_leaks") or test
    look = look_of(run.spec)
    return RunCurves(
        name=name,
        look=look,
        train=buffer.curve(f"train/{what}"),
        validation=buffer.curve(f"val/{what}"),
        best_epoch=run.summary.get("best_epoch"),
        # A head may be fitted, in more passes than there were to be epochs.
        planned=run.spec.get("epochs") if run.is_active and run.spec.get("method") != "head" else None,
        test=(scores["accuracy"], *scores["interval"]) if scores else None,
        is_test_clean="without_leaks" in test and bool(test["without_leaks"]),
        is_fitted="fit" in run.summary,
    )


def curves_alt(title: str, drawn: Sequence[RunCurves], what: CurveKind, _: Translator) -> str:
    """A chart in a sentence, for those who do not see it."""
    ends = []
    for run in drawn:
        last = run.validation.last
        value = "–" if last is None else (_.percent(last) if what == "accuracy" else _.number(last, 3))
        ends.append(_("{name}: validation {value}", name=run.name, value=value))
    return _("{title} over epochs. {runs}", title=title, runs="; ".join(ends))
