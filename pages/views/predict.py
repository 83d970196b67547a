"""Predict: ask the sentiment model, a published model or one's own about texts and pictures."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.models.card import ModelCard
from core.models.weight_files import not_local
from core.predict.spec import SENTIMENT
from core.runs import queue
from core.store import open_store
from pages.ui import parts, state
from pages.ui import words as ui_words
from pages.ui.cached import answers as cached_answers
from pages.ui.cached import models as cached_models
from pages.ui.predict import one_text, sentiment_card
from pages.ui.predict import other_tasks as predict_other_tasks
from pages.ui.predict import pictures as predict_pictures
from pages.ui.predict import texts as predict_texts

_ = state.words()


def models_for(kind: str) -> dict[str, tuple[ModelCard | None, bool]]:
    """What can be asked: models with classes of their own, one's own runs first, then what is here."""
    choices: dict[str, tuple[ModelCard | None, bool]] = {SENTIMENT: (None, True)} if kind == "texts" else {}
    for card, is_local in cached_models.models():
        if card.num_classes and card.is_trainable and card.is_text == (kind == "texts"):
            choices[card.id] = (card, is_local)
    return choices


def model_words(model_id: str, card: ModelCard | None, is_local: bool) -> str:
    """A model in one line."""
    if card is None:
        return _("Sentiment, Chinese and English (comes with Graft)")
    words = [card.name]
    if card.is_text and card.text and card.text.languages:
        words.append(ui_words.language_words(card.text.languages, _))
    elif not card.is_default and card.tag:
        words.append(card.tag)
    if card.source == "run":
        words.append(_("your run"))
    elif not card.is_text:  # what the name of a published text model says
        words.append(_.plural("{n} class", "{n} classes", card.num_classes))
    if not is_local:
        words.append(_("not on this machine"))
    return " · ".join(words)


def pick_model(kind: str) -> tuple[str, ModelCard | None, bool]:
    """Choose what answers."""
    choices = models_for(kind)
    key = f"predict_model_{kind}"
    if state.recall(key) not in choices:
        state.forget(key)
    chosen = st.selectbox(
        _("Model"),
        list(choices),
        format_func=lambda model_id: model_words(model_id, *choices[model_id]),
        key=key,
        persist_state="session",
    )
    card, is_local = choices[chosen]
    return chosen, card, is_local


def show_about(card: ModelCard | None) -> None:
    """What is known of the model that answers."""
    with st.expander(_("About this model"), key="about_model", icon=":material/info:"):
        if card is None:
            sentiment_card.show_sentiment(cached_models.sentiment_card(), _)
        else:
            parts.link("models", _("Its card"), ":material/deployed_code:", model=card.id)


def ask_texts(model_id: str) -> None:
    """One text, many lines, or a file."""
    ways: dict[str, Any] = {
        "one": (_("One text"), one_text.one_text),
        "lines": (_("Many lines"), predict_texts.many_lines),
        "file": (_("A file"), predict_texts.a_file),
    }
    way = st.segmented_control(
        _("What to answer"),
        list(ways),
        default="one",
        required=True,
        format_func=lambda name: ways[name][0],
        key="predict_way",
        label_visibility="collapsed",
        persist_state="session",
    )
    st.fragment(ways[way or "one"][1])(model_id, "predict")


def ask_chosen(kind: str, model_id: str, card: ModelCard | None, is_local: bool) -> None:
    """What the chosen model is asked, or why it cannot be."""
    if model_id == SENTIMENT:
        cached_answers.warm_up()
    if card is not None and not is_local:
        parts.show_problems([not_local(card)])
    elif kind == "pictures":
        predict_pictures.ask_some_or_many(model_id, "predict")
    else:
        ask_texts(model_id)
    show_about(card)


queue.pump()
if state.query("run"):
    predict_texts.show_file_run(open_store().get_run(state.query("run")))
else:
    parts.head(_("Predict"), _("Ask about a sentence, a file of texts, or pictures; nothing leaves this machine."))
    kinds = {"texts": _("Text"), "pictures": _("Pictures"), "tasks": _("Other tasks")}
    if predict_other_tasks.from_address():
        state.remember("predict_kind", "tasks")
    wanted = state.query("model")
    if wanted:  # another page sent this model along
        wanted_kind = "texts" if wanted in models_for("texts") else "pictures"
        state.remember("predict_kind", wanted_kind)
        state.remember(f"predict_model_{wanted_kind}", wanted)
        state.set_query(model="")
    left, right = st.columns([2, 5], vertical_alignment="bottom")
    with left:
        kind = st.segmented_control(
            _("Ask about"),
            list(kinds),
            default="texts",
            required=True,
            format_func=kinds.__getitem__,
            key="predict_kind",
            persist_state="session",
        )
    if kind == "tasks":
        predict_other_tasks.choose_and_ask()
    else:
        predict_other_tasks.leave()
        with right:
            chosen = pick_model(kind or "texts")
        ask_chosen(kind or "texts", *chosen)
