"""Fine-tune: choose a model, data and methods; watch them learn; read what came out."""

from __future__ import annotations

import streamlit as st

from core.finetune.recipe import ANY_ROWS, span_words, usual_rate
from core.finetune.spec import FinetuneSpec
from core.messages import explain
from core.problems import Problem
from core.registry.methods import METHODS
from core.runs import queue
from core.spec import ModelRef
from core.store import Run, open_store
from pages.ui import forms, live, parts, pickers, start, state
from pages.ui.finetune import results as finetune_results
from pages.ui.finetune import siblings as finetune_siblings
from pages.ui.runs import line

_ = state.words()


def choose() -> None:
    """The form, and beside it what it will cost."""
    form = forms.Form("ft")
    left, right = st.columns([2, 3], gap="large")
    with left:
        card = pickers.pick_model(form)
        pickers.pick_data(form)
        methods = [method for method in METHODS if state.recall(f"ft_method_{method}")] or ["head"]
        empty = {
            "train_size": _("all"),
            "test_size": _("all"),
            "patience": _("never"),
            "max_length": _("what covers 95%"),
        }
        if card:
            form.task = card.task
            if not card.has_attention:
                reason = explain(Problem("model.no_attention", values={"id": card.name}), _)
                form.unavailable["method"] = {row.id: reason for row in METHODS.values() if row.needs_attention}
            rates = [usual_rate(ModelRef(id=card.id), methods[0], rows) for rows in (1, ANY_ROWS)]
            empty["lr"] = span_words(rates)
            empty["image_size"] = "" if card.is_text else str(card.vision.image_size)
        forms.draw_fields(FinetuneSpec, form, skip=("model", "data"), many=("method",), placeholders=empty)
    with right:
        start.offer(form)


def show_run(run: Run) -> None:
    """One run: at work, finished, or ended in another way."""
    parts.head(run.name, line.one_line(run, _))
    with live.actions(run, "finetune", _("New training"), _) as bar:
        if run.sibling_group:
            parts.link("finetune", _("Compare with its siblings"), ":material/compare_arrows:", group=run.sibling_group)
        if run.status == "done":
            parts.link("predict", _("Ask it"), ":material/chat:", model=f"run/{run.id}")
            parts.link("optimize", _("Make it smaller"), ":material/speed:", model=f"run/{run.id}")
            parts.link("finetune", _("Train it further"), ":material/model_training:", model=f"run/{run.id}")
            finetune_results.export_button(run, _)
    if run.is_active:
        live.follow([run.id], "live", bar)
        return
    if run.status == "done":
        finetune_results.show_result(run)
        return
    live.show_end(run, _)


def show_group(group: str) -> None:
    """Runs that were started together, side by side."""
    runs = sorted(open_store().list_runs(sibling_group=group), key=lambda run: run.created_at)
    if not runs:
        st.info(_("There are no runs of this comparison any more."), icon=":material/info:")
        return
    parts.head(_("{n} methods compared", n=len(runs)), line.one_line(runs[0], _))
    bar = st.container(horizontal=True, vertical_alignment="center", key="group_actions")
    with bar:
        parts.link("finetune", _("New training"), ":material/add:")
    if any(run.is_active for run in runs):
        live.follow([run.id for run in runs], "group", bar)
    else:
        finetune_siblings.show_comparison(group, runs, _)
        for run in runs:
            line.run_link(run, _)


queue.pump()
start.take_choices("ft")
if state.query("run"):
    show_run(open_store().get_run(state.query("run")))
elif state.query("group"):
    show_group(state.query("group"))
else:
    parts.head(_("Fine-tune"), _("Teach a pretrained network your own classes and watch it learn."))
    start.show_refused("ft")
    choose()
