"""Compare: what does pretraining buy? From scratch against pretrained, from few examples to many, live."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.runs import queue
from core.store import RESUMABLE, Run, open_store
from pages.ui import live, parts, start, state, words
from pages.ui.compare import form as compare_form
from pages.ui.compare import results as compare_results
from pages.ui.runs import line

_ = state.words()


def show_run(run: Run) -> None:
    """One comparison: at work, finished, or ended in another way."""
    parts.head(run.name, line.grid_line(run, _))
    bar = actions(run)
    if run.is_active:
        live.follow([run.id], "compare", bar, compare_results.show_so_far)
    else:
        compare_results.show_ended(run)


def actions(run: Run) -> Any:
    """What can be done with a comparison, in one row, which is returned."""
    bar = st.container(horizontal=True, vertical_alignment="center", key="run_actions")
    with bar:
        if not run.is_active:
            words.badge(run.status)
        parts.link("compare", _("New comparison"), ":material/add:")
        parts.link("runs", _("Its record"), ":material/history:", run=run.id)
        if run.status in RESUMABLE:
            live.resume_button(run, _)
    return bar


queue.pump()
start.take_choices("cmp")
if state.query("run"):
    show_run(open_store().get_run(state.query("run")))
else:
    parts.head(
        _("Compare"), _("See what pretraining buys: from scratch against pretrained, from few examples to many.")
    )
    refused = state.recall("cmp_refused")
    if refused:
        parts.show_problems(refused)
        state.forget("cmp_refused")
    compare_form.choose()
