"""Searching the Hugging Face hub for models beyond the catalogue; only when somebody asks, and never offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core import settings
from pages.ui import parts, state
from pages.ui.cached import models as cached_models


def show() -> None:
    """A question to the hub, and the models it names."""
    _ = state.words()
    if settings.is_offline():
        st.info(
            _("The offline switch is on (GRAFT_OFFLINE=1): the hub is not asked. The catalogue needs no network."),
            icon=":material/cloud_off:",
        )
        return
    with st.form("hub_search", border=False):
        left, right = st.columns([4, 1], vertical_alignment="bottom")
        text = left.text_input(
            _("Search the Hugging Face hub"), key="hub_text", placeholder=_("for example chinese sentiment")
        )
        right.form_submit_button(_("Search"), icon=":material/travel_explore:", type="primary", width="stretch")
    if not (text or "").strip():
        st.caption(_("The words are sent to {endpoint}; nothing else is.", endpoint=cached_models.hub_endpoint()))
        return
    with parts.guarded():
        with st.spinner(_("Asking the hub")):
            rows = cached_models.search_hub(text.strip())
        if not rows:
            st.info(_("The hub knows no model by these words."), icon=":material/search_off:")
            return
        _show_rows(rows)


def _show_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    _ = state.words()
    number, words = st.column_config.NumberColumn, st.column_config.TextColumn
    event = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key="hub_table",
        on_select="rerun",
        selection_mode="single-cell",
        placeholder="–",
        column_config={
            "id": words(_("Model"), width="medium", pinned=True),
            "task": words(_("Task")),
            "downloads": number(_("Downloads"), help=_("In the last 30 days, as the hub counts.")),
            "likes": number(_("Likes")),
            "licence": words(_("Licence")),
            "url": st.column_config.LinkColumn(_("Page")),
            "is_gated": st.column_config.CheckboxColumn(
                _("Asks for consent"), help=_("Its terms must be accepted on its page before it can be downloaded.")
            ),
        },
    )
    st.caption(_("Click a model to open its card and download it."))
    if event.selection.cells:
        state.set_query(model=str(rows[event.selection.cells[0][0]]["id"]))
        st.rerun()
