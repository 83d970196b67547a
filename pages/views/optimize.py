"""Optimize: make a trained model smaller and faster, and see on one's own data what each way costs."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.runs import queue
from core.store import RESUMABLE, Run, open_store
from pages.ui import live, parts, start, state, words
from pages.ui.finetune import results as finetune_results
from pages.ui.optimize import form as optimize_form
from pages.ui.optimize import results as optimize_results
from pages.ui.runs import line

_ = state.words()


def show_run(run: Run) -> None:
    """One optimization: at work, finished, or ended in another way."""
    parts.head(run.name, line.optimize_line(run, _))
    bar = actions(run)
    if run.is_active:
        live.follow([run.id], "optimize", bar, optimize_results.show_so_far)
    else:
        optimize_results.show_found(run)


def actions(run: Run) -> Any:
    """What can be done with an optimization, in one row, which is returned."""
    bar = st.container(horizontal=True, vertical_alignment="center", key="run_actions")
    with bar:
        if not run.is_active:
            words.badge(run.status)
        parts.link("optimize", _("New optimization"), ":material/add:")
        parts.link("runs", _("Its record"), ":material/history:", run=run.id)
        if run.parent:
            parts.link("finetune", _("The run it began with"), ":material/model_training:", run=run.parent)
        if run.status == "done":
            finetune_results.export_button(run, _)
        if run.status in RESUMABLE:
            live.resume_button(run, _)
    return bar


queue.pump()
if state.query("data") and state.query("model"):  # both were chosen elsewhere: the model brings no data along
    state.remember("opt_data_of", state.query("model"))
elif state.query("model"):
    state.forget("opt_data_of")
start.take_choices("opt")
if state.query("run"):
    show_run(open_store().get_run(state.query("run")))
else:
    parts.head(
        _("Optimize"), _("Make a trained model smaller and faster, and see on your own data what each way costs.")
    )
    refused = state.recall("opt_refused")
    if refused:
        parts.show_problems(refused)
        state.forget("opt_refused")
    optimize_form.choose()
