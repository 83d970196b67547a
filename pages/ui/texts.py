"""What a finished text model shows of itself: its simple rival, a text of one's own, its worst mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core.i18n import Translator
from core.store import Run
from pages.ui import cached, parts


def show_baseline(run: Run, test: Mapping[str, Any], _: Translator) -> None:
    """Whether the transformer beats word counts, with the numbers of both."""
    rival = run.summary["baseline"]
    values = {
        "rival": _.percent(rival["accuracy"]),
        "model": _.percent(test["accuracy"]),
        "time": _.duration(rival["seconds"]),
    }
    if rival["better"] == "model":
        text = _(
            "The simple rival, word counts with a linear classifier, reaches {rival} in {time}: "
            "the network is worth it.",
            **values,
        )
        st.success(text, icon=":material/check_circle:")
    elif rival["better"] == "baseline":
        text = _(
            "Word counts with a linear classifier do better: {rival} in {time}, the network {model}. "
            "Train more of it, or take the simple one.",
            **values,
        )
        st.warning(text, icon=":material/warning:")
    else:
        text = _(
            "Word counts with a linear classifier reach {rival} in {time}: no difference to the network's "
            "{model} is shown.",
            **values,
        )
        st.info(text, icon=":material/balance:")


def try_it(run: Run, _: Translator) -> None:
    """Ask the finished model about a text of one's own."""
    st.header(_("Try it"), anchor=False)
    text = st.text_area(_("A text of your own"), key=f"try_{run.id}", max_chars=5000, height=100)
    if not (text or "").strip():
        st.caption(_("The model answers with the classes it learned, and how sure it is."))
        return
    with parts.guarded():
        with st.spinner(_("Asking the model; the first time takes some seconds")):
            predictor = cached.predictor(f"run/{run.id}")
            (answers,) = predictor.predict([text])
        label, share = answers[0]
        st.markdown(_("**{label}**, {share} sure", label=label, share=_.percent(share)))
        table = pd.DataFrame([(name, 100 * value) for name, value in answers[:5]], columns=["label", "share"])
        st.dataframe(
            table,
            hide_index=True,
            column_config={
                "label": st.column_config.TextColumn(_("Class")),
                "share": st.column_config.ProgressColumn(_("How sure"), format="%.1f%%", min_value=0, max_value=100),
            },
            key=f"answers_{run.id}",
        )
        if predictor.latency_ms is not None:
            st.caption(_("Answered in {time}.", time=_.duration(predictor.latency_ms / 1000)))


def show_mistakes(report: Mapping[str, Any], _: Translator) -> None:
    """The wrong answers the model was surest of."""
    st.header(_("Worst mistakes"), anchor=False)
    mistakes = report.get("mistakes") or []
    if not mistakes:
        st.markdown(_("None: every test text was named rightly."))
        return
    st.caption(_("The wrong answers the model was surest of. Often the label is wrong, or the text is hard."))
    table = pd.DataFrame(mistakes)
    table["confidence"] *= 100
    st.dataframe(
        table,
        hide_index=True,
        key="text_mistakes",
        column_order=["text", "true", "predicted", "confidence"],
        column_config={
            "text": st.column_config.TextColumn(_("Text"), width="large"),
            "true": st.column_config.TextColumn(_("Truth")),
            "predicted": st.column_config.TextColumn(_("Answer of the model")),
            "confidence": st.column_config.ProgressColumn(_("How sure"), format="%.0f%%", min_value=0, max_value=100),
        },
    )


def length_words(summary: Mapping[str, Any], _: Translator) -> str:
    """How much of each text was read, and what that cut or missed."""
    tokens = summary.get("tokens")
    if not tokens:
        return ""
    return _(
        "{n} tokens ({cut} of the texts are longer), {unknown} of the tokens unknown to the model",
        n=_.number(summary["max_length"]),
        cut=_.percent(tokens["share_cut"]),
        unknown=_.percent(tokens["share_unknown"]),
    )
