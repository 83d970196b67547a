"""What a model is made of: its layers, its parameters as a picture, what tuning would train, the memory it needs."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core import store
from core.charts.theme import LOOKS
from core.i18n import Translator
from core.inspection.records import InspectionReport, Tuning, tuning_of
from core.inspection.report import deepest, layer_rows, memory_rows, parameter_chart, tuning_rows
from core.inspection.spec import InspectSpec
from core.models.card import ModelCard
from core.registry.methods import METHODS
from core.runs import manage, submit
from core.spec import ModelRef
from core.store import Run
from pages.ui import live, parts, state
from pages.ui.cached import machine as cached_machine


def show(card: ModelCard) -> None:
    """The inspection of a model: begun on the first visit, read from then on."""
    _ = state.words()
    st.header(_("What it is made of"), anchor=False)
    spec = InspectSpec(model=ModelRef(id=card.id))
    run = manage.latest_inspection(spec) or submit.submit(spec)
    report = store.read_report(run.id, InspectionReport) if run.status == "done" else None
    if run.is_active:
        st.caption(_("The network is taken apart without its weights: some seconds, once."))
        live.follow_check(run.id)
    elif report is None:
        _show_failure(run, spec, _)
    else:
        show_report(report, _)


def _show_failure(run: Run, spec: InspectSpec, _: Translator) -> None:
    live.show_end(run, _)
    if st.button(_("Take it apart again"), key="inspect_again", icon=":material/refresh:"):
        submit.submit(spec)
        st.rerun()


def show_report(report: InspectionReport, _: Translator) -> None:
    """Everything an inspection found: the answer in words, the picture, the layers, tuning, memory, the printout."""
    st.markdown(_in_words(report, _))
    caption = _("Each strip is a module as wide as its share of the parameters; what lies below it is inside it.")
    st.caption(caption + " " + _("Green is the backbone, blue the head. Select one to look into it."))
    with st.container(key="anatomy_chart"):
        alt = _("Parameters of every module of {name}; the table below has the same.", name=report["name"])
        st.plotly_chart(parameter_chart(report, _, state.theme()), theme=None, key="parameter_chart", alt=alt)
    st.fragment(_show_layers)(report)
    tuning = tuning_of(report)
    if tuning is not None:
        st.fragment(_show_tuning)(report, tuning)
    _show_memory(report, _)
    with st.expander(_("The structure as torch prints it"), key="anatomy_structure", icon=":material/account_tree:"):
        st.code(report["structure"], language=None, height=480)


def _in_words(report: InspectionReport, _: Translator) -> str:
    """What the network is made of, in a sentence or two."""
    published, shown = report["published"], report["input"]
    head = sum(row["parameters"] for row in report["blocks"] if row["name"] == "head")
    sizes = [f"{shown['size']} px"] if "size" in shown else []
    sizes += [_("{n} tokens", n=shown["tokens"])] if "tokens" in shown else []
    sizes += [_.duration(shown["seconds"])] if "seconds" in shown else []
    words = _(
        "{parameters} parameters in {n} blocks; {macs} billion multiply-adds for one example of {size}.",
        parameters=_.number(report["parameters"]),
        n=_.number(len(report["blocks"]) - bool(head)),
        macs=_.number(report["gmacs"], 3),
        size=" + ".join(sizes),
    )
    if head:
        words += " " + _("{share} of the parameters are in the head.", share=_.percent(head / report["parameters"]))
    is_published = str(report["id"]).startswith("torchvision/")  # the others' are counted, when the table is made
    if published["parameters"] != report["parameters"]:
        words += " " + _("In the table of models: {n} parameters.", n=_.number(published["parameters"]))
    elif is_published:
        words += " " + _("The parameters are as many as published.")
    return words


def _show_layers(report: InspectionReport) -> None:
    with parts.guarded():
        _ = state.words()
        left, right = st.columns([3, 2], vertical_alignment="bottom")
        text = left.text_input(
            _("Search the layers"),
            key="layers_search",
            placeholder=_("name, kind, or part"),
            icon=":material/search:",
            live="100ms",
        )
        most = deepest(report)
        depth = right.slider(_("Levels shown"), 1, max(2, most), min(2, most), key="layers_depth", disabled=bool(text))
        rows = layer_rows(report, depth, text or "", _)
        st.caption(_("{n} of {total} modules", n=len(rows), total=len(report["layers"])))
        number, bar = st.column_config.NumberColumn, st.column_config.ProgressColumn
        st.dataframe(
            pd.DataFrame(rows),
            hide_index=True,
            key="layers_table",
            height=min(520, 40 + 35 * max(1, len(rows))),
            placeholder="",
            column_config={
                "layer": st.column_config.TextColumn(_("Layer"), width="medium", pinned=True),
                "kind": st.column_config.TextColumn(_("Kind")),
                "block": number(_("Block"), help=_("Which block this belongs to, counted from the input.")),
                "part": st.column_config.TextColumn(_("Part")),
                "input": st.column_config.TextColumn(_("Input"), help=_("The shape for one example.")),
                "output": st.column_config.TextColumn(_("Output")),
                "parameters": number(_("Parameters"), format="localized"),
                "parameter_share": bar(_("Share of parameters"), format="%.1f%%", min_value=0, max_value=100),
                "macs": number(_("MACs (millions)"), format="%.1f", help=_("Multiply-adds for one example.")),
                "mac_share": bar(_("Share of MACs"), format="%.1f%%", min_value=0, max_value=100),
                "path": st.column_config.TextColumn(_("Full name")),
            },
        )


def _show_tuning(report: InspectionReport, tuning: Tuning) -> None:
    with parts.guarded():
        _ = state.words()
        st.header(_("What each way of tuning trains"), anchor=False)
        last = st.slider(
            _("Last blocks"), 1, max(2, tuning.blocks), min(2, tuning.blocks), key="tuning_last", width=360
        )
        rows = tuning_rows(report, last, _)
        theme = state.theme()
        colours = {row["method"]: LOOKS[row["key"]].on(theme) for row in rows}
        table = pd.DataFrame(rows).drop(columns="key")
        st.dataframe(
            table.style.map(lambda word: f"color: {colours[word]}; font-weight: 600", subset=["method"]),
            hide_index=True,
            key="tuning_table",
            column_config={
                "method": st.column_config.TextColumn(_("Way")),
                "what": st.column_config.TextColumn(_("Trains"), width="medium"),
                "parameters": st.column_config.NumberColumn(_("Parameters"), format="localized"),
                "share": st.column_config.ProgressColumn(
                    _("Share of all"), format="%.2f%%", min_value=0, max_value=100
                ),
            },
        )
        caption = _("Counted with a new head for {n} classes.", n=tuning.classes)
        refused = [row for name, row in METHODS.items() if tuning.whole.get(name, False) is None]
        caption = " ".join([caption, *(_(row.refusal) for row in refused)])
        st.caption(caption)


def _show_memory(report: InspectionReport, _: Translator) -> None:
    st.header(_("Memory it needs"), anchor=False)
    free_mb = cached_machine.machine().free_memory_mb
    table = pd.DataFrame(memory_rows(report, free_mb, _))
    batches = {name: _("batch {n}", n=name) for name in table.columns if name not in ("way", "precision")}
    text = st.column_config.TextColumn
    st.dataframe(
        table,
        hide_index=True,
        key="memory_table",
        column_config={
            "way": text(_("Way"), pinned=True),
            "precision": text(_("Precision")),
            **{name: text(word) for name, word in batches.items()},
        },
    )
    memory = report["memory"]
    st.caption(
        _(
            "Worked out from the shapes of everything that is alive at once, for the whole process on the processor: "
            "{base} of it are the libraries. ✓ fits into the {free} that are free here, ✕ does not.",
            base=_.size(memory["baseline"]["inference_mb"] * 1e6),
            free=_.size(free_mb * 1e6),
        )
    )
