"""Settings: folders and their sizes, caches to clear, and what can be set from outside."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core import settings
from pages.ui import parts, state
from pages.ui.cached import data as cached_data
from pages.ui.cached import machine as cached_machine
from pages.ui.cached import models as cached_models
from pages.ui.models import weights as models_weights

_ = state.words()
CACHES = {
    "pixels": _("Decoded pictures"),
    "features": _("Features of frozen parts"),
    "facts": _("What is known of picture files"),
    "onnx": _("Prepared fast paths"),
}


def show_folders() -> None:
    """Where everything lies and how much room it takes."""
    st.header(_("Folders"), anchor=False)
    home = settings.home()
    names = {
        "runs": _("Runs and their models"),
        "uploads": _("Uploaded data"),
        "asked": _("Files to be answered"),
        "exports": _("Exports"),
        "cache": _("Caches"),
    }
    rows = [
        {"what": word, "size": _.size(cached_models.folder_bytes(str(home / name))), "folder": str(home / name)}
        for name, word in names.items()
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key="folders",
        column_config={"what": _("What"), "size": _("Size"), "folder": _("Folder")},
    )
    st.caption(_("{size} free on this disk.", size=_.size(cached_machine.free_disk() * 1e6)))


def show_caches() -> None:
    """What is kept to save time; deleting it costs time and nothing else."""
    st.header(_("Caches"), anchor=False)
    st.caption(_("Kept to save time. Deleting them costs time at the next run, nothing else."))
    sizes = cached_data.cache_bytes()
    for kind, size in sizes.items():
        left, right = st.columns([3, 1], vertical_alignment="center")
        left.markdown(f"{CACHES.get(kind, kind)} · **{_.size(size)}**")
        label = _("Clear")
        if right.button(label, key=f"clear_{kind}", icon=":material/delete_sweep:", disabled=not size, width="stretch"):
            clear(kind)
    if any(sizes.values()) and st.button(_("Clear all"), key="clear_all", icon=":material/delete_sweep:"):
        clear(None)
    limit = settings.get("GRAFT_CACHE_GB")
    st.caption(_("At most {n} GB are kept; the least recently used goes first.", n=limit))


def clear(kind: str | None) -> None:
    """Clear a cache and say how much room that made."""
    with parts.guarded():
        state.remember("cache_freed", cached_data.empty_cache(kind))
        st.rerun()


def show_table() -> None:
    """Every setting with its value now."""
    st.header(_("Set from outside"), anchor=False)
    st.caption(_("These are environment variables: set them before starting Graft."))
    rows = [
        {"name": item.name, "value": settings.shown(item.name) or "–", "help": _(item.help)}
        for item in settings.SETTINGS.values()
    ]
    config = {
        "name": st.column_config.Column(_("Name")),
        "value": st.column_config.Column(_("Now")),
        "help": st.column_config.TextColumn(_("What it does"), width="large"),
    }
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="settings_table", column_config=config)


parts.head(_("Settings"), _("Where Graft keeps things, how much room they take, and what can be changed."))
freed = state.recall("cache_freed")
if freed is not None:
    st.info(_("{size} freed.", size=_.size(freed)), icon=":material/check_circle:")
    state.forget("cache_freed")
st.markdown(_("The language is switched in the side bar; light and dark in the menu at the top right."))
left, right = st.columns(2, gap="large")
with left:
    show_folders()
with right:
    show_caches()
models_weights.show_all()
show_table()
