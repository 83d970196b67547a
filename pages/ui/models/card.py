"""The card of one model: what it is, what it was trained to see, what is published of it."""

from __future__ import annotations

import re

import streamlit as st

from core.i18n import N_, Translator
from core.markdown import Markdown, as_code, join_markdown
from core.models.card import SMALLEST_PX, ModelCard
from core.models.families import get_family
from core.models.weight_files import is_local
from pages.ui import parts, state
from pages.ui.models import inside as models_inside
from pages.ui.models import measured as models_measured
from pages.ui.models import weights as models_weights
from pages.ui.predict import one_text
from pages.ui.predict import other_tasks as predict_other_tasks
from pages.ui.predict import pictures as predict_pictures
from pages.ui.words import language_words, plain, source_words

# Of pictures that are not square.
_MADE_SQUARE = {
    "center": N_("cutting the middle out"),
    "squash": N_("squeezing"),
    "border": N_("adding a border in the mean colour"),
}


def _seeing(card: ModelCard, _: Translator) -> list[tuple[str, str]]:
    how = card.vision
    size = _("at least {size} px", size=max(SMALLEST_PX, card.min_size))
    if card.is_fixed_size:
        size = _("no other")
    elif card.size_multiple > 1:
        size += ", " + _("a multiple of {n}", n=card.size_multiple)
    return [
        (_("Picture size"), f"{how.image_size} px ({size})"),
        (_("Resized to"), f"{how.resize_size} px, {how.interpolation}"),
        *([(_("Made square by"), _(_MADE_SQUARE[how.crop_mode]))] if how.crop_mode in _MADE_SQUARE else []),
        (_("Mean of the colours"), ", ".join(f"{value:g}" for value in how.mean)),
        (_("Spread of the colours"), ", ".join(f"{value:g}" for value in how.std)),
    ]


def _reading(card: ModelCard, _: Translator) -> list[tuple[str, str]]:
    how = card.reading
    return [
        (_("Languages"), language_words(how.languages, _)),
        (_("Layers"), f"{how.layers} × {how.hidden}"),
        (_("Vocabulary"), _("{n} tokens", n=_.number(how.vocabulary))),
        (_("Reads at most"), _("{n} tokens", n=_.number(how.max_length))),
    ]


_ADDRESS = re.compile(r"https://[A-Za-z0-9.-]+(/[A-Za-z0-9._~/-]*)?")


def show_card(card: ModelCard) -> None:
    """One model: what is published of it, what it is made of, how fast it is here, and what it answers."""
    _ = state.words()
    parts.head(card.name, join_markdown(" · ", [card.family, source_words(card, _), as_code(card.id)]))
    has_weights = is_local(card)
    _actions(card, has_weights, _)
    _numbers(card, _)
    models_weights.show(card)
    ways = {"about": _("About"), "inside": _("Inside"), "measured": _("Measured here")}
    if has_weights and (card.num_classes or card.tasks or not card.is_trainable):
        ways["try"] = _("Try it")
    asked = state.query("look")
    way = st.segmented_control(
        _("Look at"),
        list(ways),
        default=asked if asked in ways else "about",
        required=True,
        format_func=ways.__getitem__,
        key=f"card_way_{card.id}",
        label_visibility="collapsed",
    )
    state.set_query(look="" if way == "about" else str(way))  # the address leads back to the same view
    if way == "inside":
        models_inside.show(card)
    elif way == "measured":
        models_measured.show(card)
    elif way == "try":
        _try(card)
    else:
        _about(card, _)


def _actions(card: ModelCard, has_weights: bool, _: Translator) -> None:
    with st.container(horizontal=True, key="model_actions", vertical_alignment="center"):
        parts.link("models", _("All models"), ":material/arrow_back:")
        if card.is_trainable:
            way = parts.primary_link if has_weights else parts.link  # without weights, getting them comes first
            way("finetune", _("Fine-tune this"), ":material/model_training:", model=card.id)
        if has_weights and card.num_classes and card.is_trainable:
            parts.link("predict", _("Ask it"), ":material/chat:", model=card.id)
            parts.link("optimize", _("Make it smaller"), ":material/speed:", model=card.id)
        if has_weights:
            st.badge(_("on this machine"), icon=":material/check_circle:", color="green")
        else:
            st.badge(_("weights are not on this machine"), icon=":material/cloud_off:", color="gray")


def _numbers(card: ModelCard, _: Translator) -> None:
    accuracy = card.metrics.get("acc@1")
    at = _("for 128 tokens") if card.is_text else None
    if card.preprocessing:
        at = _("at {size} px", size=card.preprocessing.image_size)
    parts.numbers(
        [
            (_("Accuracy"), "–", None, None)
            if accuracy is None
            else (_("Accuracy"), _.percent(accuracy / 100), card.metrics_on or None, None),
            (_("Parameters"), _.count(card.parameters) if card.parameters else "–", None, None),
            (_("GMACs"), _.number(card.gmacs, 3) if card.gmacs else "–", at, None),
            (_("Size"), _.size(card.size_mb * 2**20) if card.size_mb else "–", None, None),
        ]
    )


def _about(card: ModelCard, _: Translator) -> None:
    top5 = card.metrics.get("acc@5")
    family = get_family(card.family)
    if family:
        st.markdown(f"**{family.name} ({family.year}).** {_(family.brought)}")
        if family.paper:
            st.markdown(f"[{family.paper}]({family.url})" if family.url else family.paper)
    parts.facts(
        [
            (_("Published weights"), card.tag),
            (_("Top-5 accuracy"), "" if top5 is None else _.percent(top5 / 100)),
            (_("Classes"), _.number(card.num_classes) if card.num_classes else _("none of its own")),
            *(_seeing(card, _) if card.preprocessing else []),
            *(_reading(card, _) if card.text else []),
            (_("Licence"), str(_(card.licence)) if card.licence else _("not stated by the publisher")),
            (_("Recipe"), card.recipe),
            (_("Notes"), plain(card.notes)),
            (_("File"), card.file_name),
            (_("From"), Markdown(card.url) if _ADDRESS.fullmatch(card.url) else card.url),
        ],
        key="model_facts",
    )


def _try(card: ModelCard) -> None:
    """Ask the model at once: a picture, a text, or what its task takes."""
    if not card.is_trainable or not card.num_classes:
        predict_other_tasks.ask(card)
    elif card.is_text:
        st.fragment(one_text.one_text)(card.id, "card")
    else:
        predict_pictures.ask(card.id, "card")
