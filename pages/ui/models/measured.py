"""How fast a model is on this machine: the button that measures it, what was found, and all models in one picture."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core import store
from core.errors import GraftError
from core.i18n import Translator
from core.markdown import as_code
from core.measurement.records import MeasurementReport
from core.measurement.report import Measurement, blocks_chart, drawn, list_measurements, newest_run, speed_chart
from core.measurement.spec import MeasureSpec
from core.messages import explain
from core.models.card import ModelCard
from core.models.weight_files import is_local, not_local
from core.problems import Problem
from core.runs import submit
from core.spec import ModelRef
from core.store import open_store
from pages.ui import live, parts, state
from pages.ui.cached import models as cached_models
from pages.ui.charts import draw_chart


def show(card: ModelCard) -> None:
    """A model's speed here: measured before, being measured now, or a click away."""
    _ = state.words()
    run = newest_run(card.id, open_store())
    if run is not None and run.is_active:
        st.caption(_("The network is timed in a process of its own; the page may be closed meanwhile."))
        live.follow_check(run.id)
        return
    if run is not None and run.status != "done":
        live.show_reason(run, _)
    done = list_measurements(open_store()).get(card.id)  # what ended a moment ago counts
    report = store.read_report(done.run, MeasurementReport) if done is not None else None
    if done is not None and report is not None:
        _show_numbers(card, done, report, _)
    if card.is_trainable:
        _ask(card, done is not None, _)
    elif done is None:
        st.info(explain(Problem("measure.not_measurable", values={"id": card.name}), _), icon=":material/timer_off:")
    if done is not None and report is not None:
        _show_blocks(report, _)


# -- asking ------------------------------------------------------------------------------------------------


def _ask(card: ModelCard, has_numbers: bool, _: Translator) -> None:
    """The button; where weights are missing it is greyed, and random ones are offered beside."""
    has_weights = is_local(card)
    if not has_numbers:
        st.markdown(
            _("How fast it is here: one at a time and in batches, block by block, and the memory it takes."),
        )
    label = _("Measure again") if has_numbers else _("Measure on this machine")
    with st.container(horizontal=True, vertical_alignment="center", key="measure_actions"):
        kind: Any = "secondary" if has_numbers or not has_weights else "primary"
        if st.button(label, key="measure_go", type=kind, icon=":material/timer:", disabled=not has_weights):
            _start(card, "pretrained")
        if not has_weights and st.button(
            _("Time it with random weights"),
            key="measure_random",
            icon=":material/casino:",
            help=_("The same network with random numbers answers nonsense, and takes as long."),
        ):
            _start(card, "random")
        st.caption(_("about half a minute; large networks take longer"))
    if not has_weights:
        st.caption(explain(not_local(card), _))


def _start(card: ModelCard, weights: Any) -> None:
    try:
        submit.submit(MeasureSpec(model=ModelRef(id=card.id, weights=weights)))
    except GraftError as error:
        parts.show_problems(error.problems)
        return
    st.rerun()


# -- what was found ----------------------------------------------------------------------------------------


def _show_numbers(card: ModelCard, done: Measurement, report: MeasurementReport, _: Translator) -> None:
    one = _("one text of {n} tokens", n=report["tokens"]) if card.is_text else _("one picture")
    each = _("{n} texts/s", n=_.number(done.throughput, 3))
    if not card.is_text:
        each = _("{n} pictures/s", n=_.number(done.throughput, 3))
    many = _("{n} at once", n=done.batch_size) if done.batch_size > 1 else _("one at a time")
    memory = "–" if done.memory_mb is None else _.size(done.memory_mb * 1e6)
    libraries = _("libraries alone {size}", size=_.size(report["libraries_mb"] * 1e6))
    ends = _ends(report["intervals"]["one"], _)
    p95 = _("{time} for 95 of 100", time=_.duration(done.latency_p95_ms / 1000))
    parts.numbers(
        [
            (
                _("Time of an answer"),
                _.duration(done.latency_p50_ms / 1000),
                p95,
                _("Half are faster. For {what}. 95%: {low} to {high}.", what=one, **ends),
            ),
            (_("Throughput"), each, many, None),
            (_("Memory"), memory, libraries, _("The most that a process which does nothing else took.")),
            (
                _("Loading"),
                _.duration(done.load_s),
                None,
                _("From the file to the first answer, when the libraries are loaded already."),
            ),
        ],
        key="measured_numbers",
    )
    if done.is_random:
        st.info(
            _("Timed with random weights: its speed and memory are those of the published ones."),
            icon=":material/casino:",
        )
    parts.show_problems(Problem.from_dict(problem) for problem in report["problems"])
    st.caption(f"{_conditions(report, _)} {_.time(done.time)}")
    parts.link("runs", _("Its record"), ":material/history:", run=done.run)


def _ends(interval: list[float], _: Translator) -> dict[str, str]:
    """The ends of the interval of a time in milliseconds."""
    return {name: _.duration(edge / 1000) for name, edge in zip(("low", "high"), interval[1:], strict=True)}


def _conditions(report: MeasurementReport, _: Translator) -> str:
    """What the numbers hold for."""
    words = _(
        "{runtime}, {precision}, {threads} threads of {processor}.",
        runtime=report["runtime"],
        precision=report["precision"],
        threads=report["threads"],
        processor=report["processor"],
    )
    if "short_p50_ms" in report:
        short = _.duration(report["short_p50_ms"] / 1000)
        words += " " + _("A short text of {n} tokens: {time}.", n=report["short_tokens"], time=short)
    else:
        words += " " + _("Pictures of {size} px.", size=report["image_size"])
    return words


def _show_blocks(report: MeasurementReport, _: Translator) -> None:
    st.header(
        _("Where the time goes"),
        anchor=False,
        help=_("Each block timed by itself for one example, from input to output; the middle of several repeats."),
    )
    blocks = report["blocks"]
    slowest = max(blocks, key=lambda block: block["ms"])
    st.markdown(
        _(
            "The slowest of {n} blocks is {name}: {time}, {share} of the whole.",
            n=len(blocks),
            name=as_code(slowest["name"]),
            time=_.duration(slowest["ms"] / 1000),
            share=_.percent(slowest["share"], 0),
        )
    )
    figure = blocks_chart(blocks, _, state.theme())
    alt = _("Time of each block. {blocks}", blocks="; ".join(f"{one['name']}: {one['ms']:.3g} ms" for one in blocks))
    st.plotly_chart(figure, key="measured_blocks", theme=None, config={"displayModeBar": False}, alt=alt)


# -- all models --------------------------------------------------------------------------------------------


def chart() -> None:
    """Published accuracy against latency measured here, of every model that has both."""
    _ = state.words()
    measured = cached_models.measurements()
    pairs = drawn(measured, [card for card, _local in cached_models.models()])
    if not measured:
        parts.empty(
            _("Nothing was measured here yet"),
            _("Open a model and press “Measure on this machine”: half a minute, and it stands in this picture."),
            icon=":material/timer:",
            key="nothing_measured",
        )
        return
    if not pairs:
        st.caption(_("Measured models with a published accuracy on ImageNet appear in this picture; none was yet."))
        return
    in_words = "; ".join(
        f"{card.name}: {_.percent(card.metrics['acc@1'] / 100)}, {_.duration(one.latency_p50_ms / 1000)}"
        for card, one in pairs
    )
    st.caption(_("Up and left is better. Each mark is as large as the model's file."))
    alt = _("Accuracy against latency. {models}", models=in_words)
    draw_chart(speed_chart(pairs, _, keep="measured"), "measured", alt)
