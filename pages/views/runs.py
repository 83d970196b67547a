"""Runs: everything that ever ran; open, compare, name, resume, repeat, export and delete."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.runs import queue
from core.runs.kinds import KINDS
from core.store import Run, open_store
from pages.ui import parts, state, words
from pages.ui.charts import draw_curves
from pages.ui.runs import archive, record, table

_ = state.words()


def find() -> tuple[list[Run], int]:
    """The newest runs that fit words, status and kind, and how many fit."""
    left, middle, right = st.columns([3, 4, 2], vertical_alignment="bottom")
    text = left.text_input(
        _("Search"),
        key="runs_search",
        placeholder=_("name, tag, note or id"),
        icon=":material/search:",
        persist_state="session",
    )
    chosen = middle.multiselect(
        _("Status"),
        list(words.STATUSES),
        format_func=lambda status: words.status_words(status, _),
        key="runs_status",
        placeholder=_("any"),
        persist_state="session",
    )
    word_of = {"": _("All kinds"), **{kind: _(row.word) for kind, row in KINDS.items()}}.__getitem__
    kind = right.selectbox(_("Kind"), ["", *KINDS], format_func=word_of, key="runs_kind", persist_state="session")
    return open_store().find_runs((text or "").split(), statuses=chosen, kind=kind, limit=table.MOST)


def show_selected(chosen: list[Run]) -> None:
    """What can be done with the selected runs."""
    trainings = [run for run in chosen if run.kind == "finetune"]
    with st.container(horizontal=True, key="selected_actions", vertical_alignment="center"):
        st.markdown(_.plural("{n} selected", "{n} selected", len(chosen)))
        if len(chosen) == 1:
            parts.link(KINDS[chosen[0].kind].view, _("Open"), ":material/open_in_full:", run=chosen[0].id)
            parts.link("runs", _("Record"), ":material/history:", run=chosen[0].id)
        if st.button(_("Delete"), key="delete_selected", icon=":material/delete:"):
            record.ask_delete([run.id for run in chosen])
    if len(trainings) > 1:
        st.header(_("Compared"), anchor=False, help=_("At most five: more colours cannot be told apart."))
        draw_curves(trainings[:5], "runs_compared", _)
        show_differences(trainings[:5])


def show_differences(runs: Sequence[Run]) -> None:
    """Settings in which runs differ, side by side."""
    settings = {run.name + f" ({run.id[-3:]})": record.settings_of(run, _) for run in runs}
    compared = pd.DataFrame(settings)
    different = compared[compared.nunique(axis=1) > 1]
    st.header(_("Settings that differ"), anchor=False)
    if different.empty:
        st.caption(_("None: all settings are the same."))
        return
    st.dataframe(different, key="runs_differences")


def show_list() -> None:
    """The whole list, or what to do while it is empty."""
    parts.head(_("Runs"), _("Everything that ever ran here. Select rows to compare, open or delete them."))
    record.tell_set_aside()
    if not open_store().list_runs(limit=1):
        with parts.empty(
            _("Nothing ran yet"),
            _("Every training and every data check is kept here, with its settings, curves and results."),
            icon=":material/history:",
            key="no_runs",
        ):
            parts.link("finetune", _("Fine-tune on digits"), ":material/model_training:", data="builtin/digits")
        return
    shown, n = find()
    if not shown:
        st.info(_("No run fits these filters."), icon=":material/filter_alt_off:")
        return
    chosen = table.show_table(shown, _)
    if n > len(shown):
        st.caption(_("The newest {most} of {n} runs. Search to find the others.", most=len(shown), n=_.number(n)))
    else:
        st.caption(_.plural("{n} run", "{n} runs", n))
    if chosen:
        show_selected(chosen)


queue.pump()
if state.query("run"):
    record.show_record(open_store().get_run(state.query("run")))
else:
    show_list()
    archive.offer()
