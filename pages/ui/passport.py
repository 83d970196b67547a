"""The card of one model: what it is, what it was trained to see, what is published of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core.catalog import SMALLEST_PX, ModelCard, is_local
from core.catalog_search import READS
from core.families import get_family
from core.i18n import N_, Translator
from core.registry.tasks import HUB_TASKS
from pages.ui import anatomy, asking, getting, measuring, other_tasks, parts, pictures, state

if TYPE_CHECKING:
    from core.sentiment import SentimentCard

SOURCES = {
    "bundled": N_("comes with Graft"),
    "torchvision": "torchvision",
    "timm": "timm",
    "hub": "Hugging Face",
    "run": N_("your run"),
}


def source_words(card: ModelCard, _: Translator) -> str:
    """Where a model comes from."""
    return _(SOURCES[card.source])


def plain(text: str) -> str:
    """A publisher's note without the marks of its markup."""
    return re.sub(r"`+([^`<]+?)\s*(?:<[^>]*>)?`+_*", r"\1", text)


def language_words(codes: Sequence[str], _: Translator) -> str:
    """Languages a model reads."""
    return _(", ").join(_(READS[code]) for code in codes)


def reads_words(card: ModelCard, _: Translator) -> str:
    """What a model takes in: pictures, texts and of which languages, both, or speech."""
    languages = language_words(card.text.languages, _) if card.text else ""
    words = [_("pictures")] if card.preprocessing else []
    words += [_("texts") + (f": {languages}" if languages else "")] if card.text else []
    if not words:
        words = [_("speech") if "sounds" in HUB_TASKS[card.task].reads else _("texts")]
    return " + ".join(words)


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


def show_card(card: ModelCard) -> None:
    """One model: what is published of it, what it is made of, how fast it is here, and what it answers."""
    _ = state.words()
    parts.head(card.name, f"{card.family} · {source_words(card, _)} · `{card.id}`")
    has_weights = is_local(card)
    _actions(card, has_weights, _)
    _numbers(card, _)
    getting.show(card)
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
        anatomy.show(card)
    elif way == "measured":
        measuring.show(card)
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
            (_("Licence"), _(card.licence) if card.licence else _("not stated by the publisher")),
            (_("Recipe"), card.recipe),
            (_("Notes"), plain(card.notes)),
            (_("File"), card.file_name),
            (_("From"), card.url),
        ],
        key="model_facts",
    )


def _try(card: ModelCard) -> None:
    """Ask the model at once: a picture, a text, or what its task takes."""
    if not card.is_trainable or not card.num_classes:
        other_tasks.ask(card)
    elif card.is_text:
        st.fragment(asking.one_text)(card.id, "card")
    else:
        pictures.ask(card.id, "card")


_SETS = {
    "sst2": N_("English film sentences (SST-2)"),
    "imdb": N_("English film reviews (IMDB)"),
    "reviews-en": N_("Hard English reviews (Graft)"),
    "hotel": N_("Chinese hotels (ChnSentiCorp)"),
    "thirty": N_("Chinese films and shopping"),
}


def show_sentiment(card: SentimentCard, _: Translator) -> None:
    """How the sentiment model was made and what it scores, as measured when it was made."""
    en, zh = card["en"], card["zh"]
    st.markdown(
        _(
            "English: MiniLM-L6 with adapters (LoRA, rank {rank}) trained on {n} sentences of film reviews. "
            "It reads the first {length} tokens.",
            rank=en["rank"],
            n=_.number(sum(en["trained_on"].values())),
            length=en["max_length"],
        )
    )
    st.markdown(
        _(
            "Chinese: runs of one to three characters with a weight each (TF-IDF, logistic regression), trained on "
            "{n} reviews of hotels, books and goods; no text of a test is among them.",
            n=_.number(sum(zh["trained_on"].values())),
        )
    )
    st.markdown(
        _(
            "It was made to tell praise from complaint in reviews. Irony, news, plain facts and other languages it "
            "reads badly. Below {share} it says unsure.",
            share=_.percent(card["unsure_below"], 0),
        )
    )
    scores = en["scores"] | zh["scores"]
    rows = [
        {
            "set": _(_SETS[name]),
            "n": row["n"],
            "accuracy": 100 * row["accuracy"],
            "low": 100 * row["interval"][0],
            "high": 100 * row["interval"][1],
            "ece": row["ece"],
            "answered": 100 * row["answered"],
            "right": 100 * row["accuracy_answered"],
        }
        for name, row in sorted(scores.items(), key=lambda pair: list(_SETS).index(pair[0]))
    ]
    number = st.column_config.NumberColumn
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key="sentiment_scores",
        column_config={
            "set": st.column_config.TextColumn(_("Measured on"), width="medium"),
            "n": number(_("Texts")),
            "accuracy": number(_("Accuracy"), format="%.1f%%", help=_("The likelier class on every text.")),
            "low": number(_("95% from"), format="%.1f%%"),
            "high": number(_("to"), format="%.1f%%"),
            "ece": number(
                _("Calibration error"),
                format="%.3f",
                help=_("How far the stated confidence is from the share that is right, on average (ECE)."),
            ),
            "answered": number(_("Sure"), format="%.0f%%", help=_("The share of texts it does not call unsure.")),
            "right": number(_("Right when sure"), format="%.1f%%"),
        },
    )
    st.caption(
        _(
            "SST-2: its validation sentences. IMDB, and reviews written for Graft to be hard: never trained on. "
            "ChnSentiCorp: its test reviews. Films and shopping: thirty sentences written before a model was chosen."
        )
    )
    st.caption(_("Measured once when the model was made; `python -m bench sentiment` measures it again."))
