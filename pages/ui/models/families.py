"""Families of models: what each brought, when, in which paper, and the way to its models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from core.models.card import ModelCard
from core.models.families import FAMILIES, GROUP_NAMES, Family
from pages.ui import parts, state


def show(cards: Sequence[ModelCard]) -> None:
    """The families of a group, the youngest first; each leads to its models."""
    _ = state.words()
    counts = Counter(card.family for card in cards)
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    with left:
        group = st.segmented_control(
            _("Families for"),
            list(GROUP_NAMES),
            default="vision",
            required=True,
            format_func=lambda name: _(GROUP_NAMES[name]),
            key="families_group",
            persist_state="session",
        )
    wanted = right.text_input(
        _("Search"),
        key="families_search",
        icon=":material/search:",
        placeholder=_("name or year"),
        live="100ms",
        persist_state="session",
    )
    words = (wanted or "").lower().split()
    families = [
        family
        for family in FAMILIES.values()
        if family.group == group
        and counts[family.name]
        and all(word in f"{family.name} {family.year}".lower() for word in words)
    ]
    st.caption(_.plural("{n} family", "{n} families", len(families)))
    if not families:
        st.info(_("No family fits."), icon=":material/filter_alt_off:")
    with st.grid(3, min_column_width=300, key="families_grid"):
        for family in sorted(families, key=lambda family: (-family.year, family.name)):
            _show(family, counts[family.name])


def _show(family: Family, n: int) -> None:
    _ = state.words()
    with st.container(border=True, key=f"family_{family.name}", height="stretch"):
        st.markdown(f"#### {family.name} · {family.year}")
        st.markdown(_(family.brought))
        if family.paper:
            st.markdown(f"[{family.paper}]({family.url})" if family.url else family.paper)
        parts.link("models", _.plural("{n} model", "{n} models", n), ":material/arrow_forward:", family=family.name)
