"""Models: one library of every pretrained model, to narrow down, compare, inspect, measure and try."""

from __future__ import annotations

import streamlit as st

from core.models.catalog import get_model
from core.models.weight_files import is_local
from core.runs import queue
from core.store import open_store
from pages.ui import parts, state
from pages.ui.cached import models as cached_models
from pages.ui.models import card as models_card
from pages.ui.models import families as models_families
from pages.ui.models import hub_search as models_hub_search
from pages.ui.models import measured as models_measured
from pages.ui.models import side_by_side
from pages.ui.models import table as models_table

_ = state.words()
WAYS = {
    "table": _("All models"),
    "families": _("Families"),
    "measured": _("Measured here"),
    "hub": _("Search the hub"),
}


def show_library() -> None:
    """The table, the families, what was measured here, and what the hub has beyond the catalogue."""
    parts.head(_("Models"), _("Every pretrained model in one table. Open one to see what it is made of and try it."))
    if state.query("family"):  # a family leads to its models
        state.remember("models_way", "table")
    way = st.segmented_control(
        _("Look at"),
        list(WAYS),
        default="table",
        required=True,
        format_func=WAYS.__getitem__,
        key="models_way",
        label_visibility="collapsed",
        persist_state="session",
    )
    if way == "families":
        st.fragment(models_families.show)([card for card, _local in cached_models.models()])
    elif way == "measured":
        models_measured.chart()
    elif way == "hub":
        models_hub_search.show()
    else:
        st.fragment(models_table.show)()


queue.pump()
if state.query("run"):  # a download, an inspection or a measurement leads to its model
    asked = open_store().get_run(state.query("run")).spec.get("model")
    state.set_query(run="", model=str(asked["id"] if isinstance(asked, dict) else asked))
if state.query("model"):
    models_card.show_card(get_model(state.query("model")))
elif state.query("beside"):
    cards = [get_model(model_id) for model_id in state.query("beside").split(",")[: side_by_side.MOST]]
    side_by_side.show([(card, is_local(card)) for card in cards], cached_models.measurements())
else:
    show_library()
