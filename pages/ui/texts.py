"""What a finished text model shows of itself: its simple rival, its worst mistakes, how much it read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core.i18n import Translator
from core.store import Run


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
