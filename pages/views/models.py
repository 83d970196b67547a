"""Models: every network there is, as a table to narrow down and as cards."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from core.catalog import ModelCard, get_model
from pages.ui import cached, parts, passport, state

_ = state.words()


def row_of(card: ModelCard, has_weights: bool) -> dict[str, Any]:
    """One model in the table."""
    return {
        "name": card.name,
        "tag": card.tag.replace("_", " "),
        "reads": passport.reads_words(card, _),
        "family": card.family,
        "accuracy": card.metrics.get("acc@1"),
        "parameters": card.parameters / 1e6,
        "gmacs": card.gmacs,
        "size": card.size_mb * 1.048576,
        "local": has_weights,
        "source": passport.source_words(card, _),
        "id": card.id,
    }


def narrow(pairs: list[tuple[ModelCard, bool]]) -> list[tuple[ModelCard, bool]]:
    """Search, family, size, accuracy, and whether the weights are here."""
    top = st.columns([3, 3, 2], vertical_alignment="bottom")
    text = top[0].text_input(
        _("Search"),
        key="models_search",
        placeholder=_("name, family, language or id"),
        icon=":material/search:",
        live="100ms",
        persist_state="session",
    )
    families = sorted({card.family for card, _local in pairs})
    family = top[1].multiselect(
        _("Family"), families, key="models_family", placeholder=_("all families"), persist_state="session"
    )
    only_local = top[2].toggle(_("Only on this machine"), key="models_local", persist_state="session")
    bottom = st.columns(2)
    most = bottom[0].number_input(
        _("At most this many parameters (millions)"), 0.1, None, None, 1.0, "%g", "models_size", placeholder=_("any")
    )
    least = bottom[1].number_input(
        _("At least this accuracy on ImageNet (%)"),
        0.0,
        100.0,
        None,
        1.0,
        "%g",
        "models_accuracy",
        placeholder=_("any"),
    )
    wanted = (text or "").lower().split()
    return [
        (card, has_weights)
        for card, has_weights in pairs
        if all(
            word in f"{card.id} {card.name} {card.family} {passport.reads_words(card, _)}".lower() for word in wanted
        )
        and (not family or card.family in family)
        and (has_weights or not only_local)
        and (most is None or card.parameters <= most * 1e6)
        and (least is None or (card.source != "run" and card.metrics.get("acc@1", 0) >= least))
    ]


def show_table() -> None:
    """The table; a selected row opens its card."""
    parts.head(_("Models"), _("Every network that can be fine-tuned here. Select one to see its card."))
    pairs = cached.models()
    shown = narrow(pairs)
    st.caption(_("{n} of {total} models", n=len(shown), total=len(pairs)))
    if not shown:
        st.info(_("No model fits these filters."), icon=":material/filter_alt_off:")
        return
    number = st.column_config.NumberColumn
    event = st.dataframe(
        pd.DataFrame([row_of(card, has_weights) for card, has_weights in shown]),
        hide_index=True,
        key="models_table",
        on_select="rerun",
        selection_mode="single-row",
        placeholder="–",
        height=min(640, 40 + 35 * len(shown)),
        column_config={
            "name": st.column_config.TextColumn(_("Model"), width="medium", pinned=True),
            "tag": st.column_config.TextColumn(_("Weights"), help=_("Which of the published weights of this network.")),
            "reads": st.column_config.TextColumn(_("For")),
            "family": st.column_config.TextColumn(_("Family")),
            "accuracy": st.column_config.ProgressColumn(
                _("Accuracy"), format="%.1f%%", min_value=0, max_value=100, help=_("As published, mostly on ImageNet.")
            ),
            "parameters": number(_("Parameters (M)"), format="%.1f"),
            "gmacs": number(
                _("GMACs"), format="%.2f", help=_("Billions of multiply-adds for one picture or 128 tokens.")
            ),
            "size": number(_("Size (MB)"), format="%.1f"),
            "local": st.column_config.CheckboxColumn(_("Here"), help=_("The weights are on this machine.")),
            "source": st.column_config.TextColumn(_("Source")),
            "id": st.column_config.TextColumn("id"),
        },
    )
    if event.selection.rows:
        state.set_query(model=shown[event.selection.rows[0]][0].id)
        st.rerun()


if state.query("model"):
    passport.show_card(get_model(state.query("model")))
else:
    show_table()
