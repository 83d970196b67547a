"""Bringing a run that was exported elsewhere."""

from __future__ import annotations

import streamlit as st

from core.errors import GraftError
from core.problems import Problem
from pages.ui import parts, state
from pages.ui.cached import data as cached_data
from pages.ui.cached import runs as cached_runs


def offer() -> None:
    """A place to drop an exported run; what is to be said of it stays until the next one."""
    _ = state.words()
    brought = state.recall("brought_run")
    with st.expander(_("Bring a run from another machine"), key="bring_run", icon=":material/upload:"):
        st.caption(
            _("The zip that “Download all” makes. It is looked through first; nothing that could run code is kept.")
        )
        round_, limit = state.recall("bring_round", 0), cached_data.upload_limit_mb()
        key = f"run_archive_{round_}"
        file = st.file_uploader(_("Exported run"), type="zip", key=key, max_upload_size=limit)
        st.caption(_("Larger ones: `python -m core run-import FILE`."))
    if file is not None:
        try:
            run_id, name, problems = cached_runs.bring_run(file, file.name)
            state.remember("brought_run", (run_id, name, problems))
        except GraftError as error:
            state.remember("brought_run", ("", "", list(error.problems)))
        state.remember("bring_round", round_ + 1)  # an empty place for the next one
        st.rerun()
    if brought:
        _tell(*brought)


def _tell(run_id: str, name: str, problems: list[Problem]) -> None:
    _ = state.words()
    if run_id:
        st.info(_("{name} is here now.", name=name), icon=":material/check_circle:")
    parts.show_problems(problems)
    if run_id:
        parts.link("runs", _("Open its record"), ":material/history:", run=run_id)
