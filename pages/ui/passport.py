"""The card of one model: what it is, what it was trained to see, what is published of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.catalog import SMALLEST_PX, ModelCard, is_local
from core.i18n import N_, Translator
from pages.ui import parts, state

_SOURCES = {
    "bundled": N_("comes with Graft"),
    "torchvision": "torchvision",
    "hub": "Hugging Face",
    "run": N_("your run"),
}


def source_words(card: ModelCard, _: Translator) -> str:
    """Where a model comes from."""
    return _(_SOURCES[card.source])


def plain(text: str) -> str:
    """A publisher's note without the marks of its markup."""
    return re.sub(r"`+([^`<]+?)\s*(?:<[^>]*>)?`+_*", r"\1", text)


_LANGUAGES = {"en": N_("English"), "zh": N_("Chinese"), "multilingual": N_("many languages")}


def language_words(codes: Sequence[str], _: Translator) -> str:
    """Languages a model reads."""
    return _(", ").join(_(_LANGUAGES[code]) for code in codes)


def reads_words(card: ModelCard, _: Translator) -> str:
    """Whether a model is for pictures or for texts, and of which languages."""
    if not card.is_text:
        return _("pictures")
    languages = language_words(card.reading.languages, _)
    return _("texts") + (f": {languages}" if languages else "")


def _seeing(card: ModelCard, _: Translator) -> list[tuple[str, str]]:
    how = card.vision
    size = _("at least {size} px", size=max(SMALLEST_PX, card.min_size))
    if card.size_multiple > 1:
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
    """One model: what it is, what it was trained to see, what is published of it."""
    _ = state.words()
    parts.head(card.name, f"{card.family} · {source_words(card, _)} · `{card.id}`")
    has_weights = is_local(card)
    with st.container(horizontal=True, key="model_actions", vertical_alignment="center"):
        parts.link("models", _("All models"), ":material/arrow_back:")
        parts.primary_link("finetune", _("Fine-tune this"), ":material/model_training:", model=card.id)
        if has_weights and card.num_classes:
            parts.link("predict", _("Ask it"), ":material/chat:", model=card.id)
            parts.link("optimize", _("Make it smaller"), ":material/speed:", model=card.id)
        if has_weights:
            st.badge(_("on this machine"), icon=":material/check_circle:", color="green")
        else:
            st.badge(_("weights are not on this machine"), icon=":material/cloud_off:", color="gray")
    accuracy = card.metrics.get("acc@1")
    at = _("for 128 tokens") if card.is_text else _("at {size} px", size=card.vision.image_size)
    parts.numbers(
        [
            (_("Accuracy"), "–" if accuracy is None else _.percent(accuracy / 100), card.metrics_on or None, None),
            (_("Parameters"), _.count(card.parameters), None, None),
            (_("GMACs"), _.number(card.gmacs, 3), at, None),
            (_("Size"), _.size(card.size_mb * 2**20), None, None),
        ]
    )
    top5 = card.metrics.get("acc@5")
    parts.facts(
        [
            (_("Published weights"), card.tag),
            (_("Top-5 accuracy"), "" if top5 is None else _.percent(top5 / 100)),
            (_("Classes"), _.number(card.num_classes) if card.num_classes else _("none of its own")),
            *(_reading(card, _) if card.is_text else _seeing(card, _)),
            (_("Licence"), _(card.licence) if card.licence else _("not stated by the publisher")),
            (_("Recipe"), card.recipe),
            (_("Notes"), plain(card.notes)),
            (_("File"), card.file_name),
            (_("From"), card.url),
        ],
        key="model_facts",
    )
    if not has_weights and card.is_text:
        st.info(
            _(
                "Put the repository {url} into this machine's Hugging Face cache to use it here.",
                url=card.url,
            ),
            icon=":material/download:",
        )
    elif not has_weights:
        st.info(
            _(
                "Put {file} from {url} into the torch hub cache to use these weights, or begin with random weights.",
                file=f"`{card.file_name}`",
                url=card.url,
            ),
            icon=":material/download:",
        )


_SETS = {
    "sst2": N_("English film sentences (SST-2)"),
    "imdb": N_("English film reviews (IMDB)"),
    "reviews-en": N_("Hard English reviews (Graft)"),
    "hotel": N_("Chinese hotels (ChnSentiCorp)"),
    "thirty": N_("Chinese films and shopping"),
}


def show_sentiment(card: Mapping[str, Any], _: Translator) -> None:
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
