"""The table of all models: filters that answer while one types, a click that opens a card, ticks that compare."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from core import settings
from core.i18n import Translator
from core.measurement.report import Measurement
from core.models.card import ModelCard
from core.models.search import search_models
from core.registry.tasks import HUB_TASKS
from pages.ui import parts, state
from pages.ui import words as ui_words
from pages.ui.cached import models as cached_models
from pages.ui.models import side_by_side

Pairs = list[tuple[ModelCard, bool]]


def show() -> None:
    """Filters and table; drawn anew by itself while somebody types."""
    with parts.guarded():
        _ = state.words()
        pairs = cached_models.models()
        local = {card.id for card, is_local in pairs if is_local}
        asked = _ask(pairs, _)
        cards = search_models([card for card, _local in pairs], local, **asked)
        counted = _("{n} of {total} models", n=_.number(len(cards)), total=_.number(len(pairs)))
        st.caption(" · ".join([counted, *_told(asked, _)]))
        if cards:
            _table(cards, local, _)
        else:
            st.info(_("No model fits these filters."), icon=":material/filter_alt_off:")
        words = asked["text"].strip()
        if words and not settings.is_offline():
            label, icon = _("Search the hub for “{words}” too", words=words), ":material/travel_explore:"
            if st.button(label, key="models_to_hub", type="tertiary", icon=icon, on_click=_to_hub):
                st.rerun()


def _to_hub() -> None:
    """The hub is asked what was typed here."""
    state.remember("hub_text", str(state.recall("models_search", "")).strip())
    state.remember("models_way", "hub")


def _ask(pairs: Pairs, _: Translator) -> dict[str, Any]:
    """What the reader narrows down to, as `search_models` takes it."""
    if state.query("family"):  # the page of families sent one along
        state.remember("models_family", [state.query("family")])
        state.set_query(family="")
    top = st.columns([4, 3, 4, 2], vertical_alignment="bottom")
    text = top[0].text_input(
        _("Search"),
        key="models_search",
        placeholder=_("name, family, language or id"),
        icon=":material/search:",
        live="100ms",
        persist_state="session",
    )
    task = top[1].selectbox(
        _("What it does"),
        list(HUB_TASKS),
        None,
        key="models_task",
        format_func=lambda name: _(HUB_TASKS[name].words),
        placeholder=_("everything"),
        persist_state="session",
    )
    families = sorted({card.family for card, _local in pairs})
    family = top[2].multiselect(
        _("Family"), families, key="models_family", placeholder=_("all families"), persist_state="session"
    )
    with top[3].popover(_("More filters"), icon=":material/tune:", width="stretch", key="models_more"):
        more = _ask_more(_)
    return {"text": text or "", "task": task or "", "families": family, **more}


def _ask_more(_: Translator) -> dict[str, Any]:
    most = st.number_input(
        _("Most parameters (M)"),
        min_value=0.1,
        value=None,
        step=1.0,
        format="%g",
        key="models_size",
        placeholder=_("any"),
        persist_state="session",
    )
    least = st.number_input(
        _("Least accuracy (%)"),
        min_value=0.0,
        max_value=100.0,
        value=None,
        step=1.0,
        format="%g",
        key="models_accuracy",
        help=_("As published for ImageNet: the share of pictures whose first answer is right."),
        placeholder=_("any"),
        persist_state="session",
    )
    source = st.selectbox(
        _("Source"),
        list(ui_words.SOURCES),
        None,
        key="models_source",
        format_func=lambda name: _(ui_words.SOURCES[name]),
        placeholder=_("all"),
        persist_state="session",
    )
    local = st.toggle(_("Only on this machine"), key="models_local", persist_state="session")
    commerce = st.toggle(
        _("Licence allows commerce"),
        key="models_commercial",
        help=_("By the name of the published licence. Read it before you rely on it."),
        persist_state="session",
    )
    return {
        "max_parameters_m": most,
        "min_accuracy": least,
        "sources": [source] if source else [],
        "only_local": local,
        "commercial": commerce,
    }


def _told(asked: dict[str, Any], _: Translator) -> list[str]:
    """The filters that are folded away, in words: none narrows the table unseen."""
    words = []
    if asked["max_parameters_m"]:
        words.append(_("at most {n} M parameters", n=_.number(asked["max_parameters_m"])))
    if asked["min_accuracy"]:
        words.append(_("accuracy of at least {share}", share=_.percent(asked["min_accuracy"] / 100)))
    words += [_(ui_words.SOURCES[source]) for source in asked["sources"]]
    words += [_("only on this machine")] if asked["only_local"] else []
    words += [_("licence allows commerce")] if asked["commercial"] else []
    return words


def row_of(card: ModelCard, is_local: bool, measured: Measurement | None, _: Translator) -> dict[str, Any]:
    """One model in the table."""
    return {
        "name": card.name,
        "reads": ui_words.reads_words(card, _),
        "family": card.family,
        "accuracy": card.metrics.get("acc@1"),
        "parameters": card.parameters / 1e6 if card.parameters else None,
        "gmacs": card.gmacs or None,
        "latency": measured and measured.latency_p50_ms,
        "throughput": measured and measured.throughput,
        "size": card.size_mb * 1.048576,
        "local": is_local,
        "tag": card.tag.replace("_", " "),
        "licence": _(card.licence) if card.licence else "",
        "source": ui_words.source_words(card, _),
        "id": card.id,
    }


def _table(cards: list[ModelCard], local: set[str], _: Translator) -> None:
    measured = cached_models.measurements()
    bar = st.container(horizontal=True, vertical_alignment="center", key="models_bar")
    rows = [row_of(card, card.id in local, measured.get(card.id), _) for card in cards]
    event = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key="models_table",
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"],
        placeholder="–",
        height=min(640, 40 + 35 * len(cards)),
        column_config=_columns(_, any(card.id in measured for card in cards)),
    )
    chosen = [cards[place] for place in event.selection.rows if place < len(cards)]
    cells = event.selection.cells
    if cells and not chosen and cells[0][0] < len(cards):
        state.set_query(model=cards[cells[0][0]].id)
        st.rerun()
    with bar:
        _offer(chosen, _)


def _offer(chosen: list[ModelCard], _: Translator) -> None:
    """What can be done with the rows that are ticked."""
    if not chosen:
        st.caption(_("Click a model to open its card; tick up to {n} to see them side by side.", n=side_by_side.MOST))
    elif len(chosen) == 1:
        parts.link("models", _("Open {model}", model=chosen[0].name), ":material/open_in_full:", model=chosen[0].id)
        st.caption(_("Tick another one to compare."))
    elif len(chosen) <= side_by_side.MOST:
        label = _("Compare {n} side by side", n=len(chosen))
        parts.link("models", label, ":material/view_column:", beside=",".join(card.id for card in chosen))
    else:
        st.caption(_("{n} are ticked; at most {most} stand side by side.", n=len(chosen), most=side_by_side.MOST))


def _columns(_: Translator, has_measured: bool) -> dict[str, Any]:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    here = _("Measured on this machine, one at a time.")
    return {
        "name": text(_("Model"), width="medium", pinned=True),
        "tag": text(_("Weights"), help=_("Which of the published weights of this network.")),
        "reads": text(_("For")),
        "family": text(_("Family")),
        "accuracy": st.column_config.ProgressColumn(
            _("Accuracy"), format="%.1f%%", min_value=0, max_value=100, help=_("As published, mostly on ImageNet.")
        ),
        "parameters": number(_("Parameters (M)"), format="%.1f"),
        "gmacs": number(_("GMACs"), format="%.2f", help=_("Billions of multiply-adds for one picture or 128 tokens.")),
        "latency": number(_("Time here (ms)"), format="%.1f", help=here) if has_measured else None,
        "throughput": number(_("Each second here"), format="%.0f", help=_("Measured on this machine, in batches."))
        if has_measured
        else None,
        "size": number(_("Size (MB)"), format="%.1f"),
        "local": st.column_config.CheckboxColumn(_("Here"), help=_("The weights are on this machine.")),
        "licence": text(_("Licence")),
        "source": text(_("Source")),
        "id": text("id"),
    }
