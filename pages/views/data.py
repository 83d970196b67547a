"""Data: what there is, bring your own, and what a check finds in it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core import store
from core.data.spec import ImportSpec
from core.errors import GraftError
from core.markdown import Markdown, as_code, as_text
from core.problems import Problem
from core.runs import queue, submit
from core.spec import parse_spec
from core.store import Run, open_store
from pages.ui import live, parts, pickers, start, state
from pages.ui.cached import data as cached_data
from pages.ui.data import report as data_report

_ = state.words()


def check(data_id: str, text_column: str | None = None, label_column: str | None = None) -> None:
    """Start a check of a data set and go to it."""
    try:
        data = {"id": data_id, "text_column": text_column, "label_column": label_column}
        run = submit.submit(parse_spec(ImportSpec, {"data": data}))
    except GraftError as error:
        state.remember("data_refused", error.problems)
        return
    state.set_query(run=run.id)


def latest_check(data_id: str) -> Run | None:
    """The newest check of a data set that ended well."""
    runs = open_store().list_runs(kind="import", statuses=["done"], limit=200)
    return next((run for run in runs if (run.spec.get("data") or {}).get("id") == data_id), None)


def show_list() -> None:
    """What there is, and two ways to bring more."""
    parts.head(_("Data"), _("Labelled pictures and texts to learn from: what is here, and how to bring your own."))
    start.show_refused("data")
    sets = list(cached_data.data_sets().items())
    with st.grid(min_column_width=260, key="data_cards"):
        for data_id, card in sets:
            show_one(data_id, card)
    st.header(_("Bring your own"), anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        uploaded = pickers.upload_zip("data_upload")
        if uploaded:
            check(uploaded)
            st.rerun()
    with right:
        path = pickers.ask_path("data_path")
        if st.button(_("Check this"), key="data_check_path", icon=":material/fact_check:", disabled=not path) and path:
            check(path)
            st.rerun()


def show_one(data_id: str, card: Any) -> None:
    """One data set as a card."""
    with st.container(border=True, key=f"data_{data_id}", height="stretch"):
        st.markdown(f"**{as_text(card.name)}**")
        note = as_text(_(card.note) + (f" · {_.size(card.bytes)}" if card.bytes else ""))
        st.markdown(f":gray[{note}]")
        done = latest_check(data_id)
        with st.container(horizontal=True, gap="small"):
            if done:
                parts.link("data", _("Open"), ":material/open_in_full:", run=done.id)
            else:
                st.button(
                    _("Check"), key=f"check_{data_id}", icon=":material/fact_check:", on_click=check, args=(data_id,)
                )
            query = {"data": data_id}
            if done:
                query = pickers.as_query(done.spec["data"], store.read_report(done.id) or {})
            parts.link("finetune", _("Fine-tune on this"), ":material/model_training:", **query)
            is_upload = data_id.startswith("upload/")
            if is_upload and st.button(_("Delete"), key=f"delete_{data_id}", icon=":material/delete:"):
                ask_delete(data_id, card)


def ask_delete(data_id: str, card: Any) -> None:
    """Ask before an upload is deleted, with its size."""

    @st.dialog(_("Delete for good?"), icon=":material/delete:")
    def dialog() -> None:
        with parts.guarded():
            used = [
                run for run in open_store().list_runs(limit=500) if (run.spec.get("data") or {}).get("id") == data_id
            ]
            st.markdown(
                _("{name} takes {size}.", name=Markdown(f"**{as_text(card.name)}**"), size=_.size(card.bytes or 0))
            )
            if used:
                st.markdown(
                    _.plural(
                        "{n} run used it: it stays, and cannot be repeated.",
                        "{n} runs used it: they stay, and cannot be repeated.",
                        len(used),
                    )
                )
            if st.button(_("Delete"), key="data_delete_confirmed", type="primary", icon=":material/delete:"):
                cached_data.delete_upload(data_id)
                st.rerun()

    dialog()


def show_check(run: Run) -> None:
    """One check: at work, done, or ended in another way."""
    asked = run.spec["data"]
    parts.head(run.name, _("What is in this data set: {id}", id=as_code(asked["id"])))
    with st.container(horizontal=True, vertical_alignment="center", key="data_actions"):
        parts.link("data", _("All data"), ":material/arrow_back:")
        if not run.is_active:
            again = _("Check again")
            st.button(again, key="check_again", icon=":material/refresh:", on_click=check, args=tuple(asked.values()))
        report = store.read_report(run.id) if run.status == "done" else None
        if report and report.get("planned"):
            query = pickers.as_query(asked, report)
            parts.primary_link("finetune", _("Fine-tune on this"), ":material/model_training:", **query)
            parts.link("compare", _("See what pretraining buys on it"), ":material/stacked_line_chart:", **query)
    if run.is_active:
        live.follow_check(run.id)
    elif report is None:
        live.show_end(run, _)
        columns = next((str(p["values"]["columns"]) for p in run.error or [] if "columns" in p["values"]), "")
        data_report.choose_columns([], [name for name in columns.split(", ") if name], check, asked["id"])
    else:
        parts.show_problems(Problem.from_dict(problem) for problem in report["problems"])
        data_report.choose_columns(report.get("columns", []), report.get("all_columns", []), check, asked["id"])
        data_report.show_report(report)


queue.pump()
if state.query("run"):
    show_check(open_store().get_run(state.query("run")))
else:
    show_list()
