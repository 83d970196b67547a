"""What was measured of the sentiment model that comes with Graft."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core.i18n import N_, Translator

if TYPE_CHECKING:
    from core.predict.sentiment.model import SentimentCard


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
