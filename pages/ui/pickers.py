"""Choosing a model, a data set or a file: the same on every page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import streamlit as st

from core.i18n import Translator
from core.models.card import ModelCard
from core.paths import meant_path
from core.registry.formats import upload_suffixes
from pages.ui import parts, state
from pages.ui.cached import data as cached_data
from pages.ui.cached import models as cached_models
from pages.ui.forms import Form

UPLOAD, FOLDER = "upload:new", "path:new"
# What a newcomer's texts are first trained with: it comes with Graft.
TEXT_MODEL = "bundled/minilm-l6"


# -- models and data ---------------------------------------------------------------------------------------


def pick_model(
    form: Form,
    *,
    asks_weights: bool = True,
    suits: Callable[[ModelCard, bool], bool] | None = None,
    help_: str = "",
) -> ModelCard | None:
    """Choose a model that can be trained, what is on this machine first, and (unless both are wanted) its weights.

    `suits` is asked of each model and whether its weights are here.
    """
    _ = state.words()
    pairs = [pair for pair in cached_models.models() if pair[0].is_trainable and (suits is None or suits(*pair))]
    cards = {card.id: card for card, _is_local in pairs}
    local = {card.id for card, is_local in pairs if is_local}
    key = f"{form.key}_model"
    options = list(cards)
    bundled = next((model_id for model_id in options if model_id.startswith("bundled/")), options[0])
    if state.recall(key) not in cards:
        state.remember(key, bundled)
    chosen = st.selectbox(
        _("Model"),
        options,
        format_func=lambda model_id: model_line(cards[model_id], model_id in local, _),
        key=key,
        help=help_ or _("The network to begin with: pretrained on a million photos, or on billions of words."),
        persist_state="session",
    )
    weights = _pick_weights(form) if asks_weights else "pretrained"
    form.slots["model"] = st.container(key=f"{key}_problems")
    form.values["model"] = {"id": chosen, "weights": weights}
    return cards.get(chosen) if chosen else None


def _pick_weights(form: Form) -> str:
    _ = state.words()
    names = {"pretrained": _("Pretrained weights"), "random": _("Random weights")}
    return st.radio(
        _("Begin with"),
        list(names),
        horizontal=True,
        format_func=names.__getitem__,
        key=f"{form.key}_weights",
        help=_("Random weights know nothing: they show what pretraining is worth."),
        persist_state="session",
    )


def model_line(card: ModelCard, is_local: bool, _: Translator) -> str:
    """A model in one line of a list."""
    tag = "" if card.is_default or card.tag in card.name.replace(" ", "_") else card.tag
    which = _("your run") if card.source == "run" else tag
    return _line(card.name, which, card.parameters, card.metrics.get("acc@1"), is_local, _)


@lru_cache(maxsize=8192)  # a list has two thousand lines, and is drawn at every click
def _line(name: str, which: str, parameters: int, accuracy: float | None, is_local: bool, _: Translator) -> str:
    words = [name, which, _("{n} parameters", n=_.count(parameters))]
    words += [] if accuracy is None else [_.percent(accuracy / 100)]
    words += [] if is_local else [_("not on this machine")]
    return " · ".join(word for word in words if word)


def pick_data(form: Form) -> str | None:
    """Choose a data set, upload one, or name a folder of this machine. Returns its id, None while there is none."""
    _ = state.words()
    key = f"{form.key}_data"
    names = {data_id: card.name for data_id, card in cached_data.data_sets().items()}
    next_ = state.recall(f"{key}_next")
    if next_:  # an upload of the run before: it can be chosen now
        state.forget(f"{key}_next")
        state.remember(key, next_)
    extra = {UPLOAD: _("Upload a zip or a table …"), FOLDER: _("A folder or file on this machine …")}
    chosen_before = state.recall(key)
    if isinstance(chosen_before, str) and chosen_before not in names | extra:
        names = {**names, chosen_before: chosen_before}
    chosen = st.selectbox(
        _("Data"),
        [*names, *extra],
        format_func=lambda data_id: extra.get(data_id) or names[data_id],
        key=key,
        help=_("Labelled pictures in a folder for each class, or a table with a text and a label in each row."),
        persist_state="session",
    )
    data_id: str | None = chosen
    if chosen == UPLOAD:
        data_id = None
        uploaded = upload_zip(f"{key}_upload")
        if uploaded:
            state.remember(f"{key}_next", uploaded)
            st.rerun()
    elif chosen == FOLDER:
        data_id = ask_path(f"{key}_path")
    form.slots["data"] = st.container(key=f"{key}_problems")
    columns = state.recall(f"{key}_columns") or {}
    form.values["data"] = {"id": data_id, **columns.get(data_id, {})} if data_id else None
    return data_id


def as_query(data: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, str]:
    """A checked data set as parts of Fine-tune's address: its columns, and a model that reads its kind."""
    query = {"data": str(data["id"])}
    query |= {name: data[name] for name in ("text_column", "label_column") if data.get(name)}
    return query | ({"model": TEXT_MODEL} if report.get("task") == "text-classification" else {})


def ask_path(key: str) -> str | None:
    """A folder or file of this machine as a data id."""
    _ = state.words()
    path = st.text_input(
        _("Folder or file on this machine"),
        key=key,
        placeholder="/home/me/pictures",
        help=_(
            "A folder with one folder for each class, a zip of it, parquet, or a table of texts. Nothing is copied."
        ),
        persist_state="session",
    )
    return f"path:{meant_path(path)}" if path and path.strip() else None


def upload_zip(key: str) -> str | None:
    """Take in a zip; returns the id of the data set when one has just arrived."""
    _ = state.words()
    limit = cached_data.upload_limit_mb()
    file = st.file_uploader(
        _("A zip of class folders, or a table of texts"),
        type=upload_suffixes(),
        key=key,
        max_upload_size=limit,
        help=_("Pictures: a zip with one folder for each class. Texts: a table with a text and its label in each row."),
    )
    st.caption(_("At most {size}. Larger data: name its folder on this machine.", size=_.size(limit * 1e6)))
    if file is None or state.recall(f"{key}_taken") == file.file_id:
        return None
    data_id: str | None = None
    with parts.guarded():
        with st.spinner(_("Checking the file")):
            data_id = cached_data.store_upload(file, file.name)
        state.remember(f"{key}_taken", file.file_id)
    return data_id
