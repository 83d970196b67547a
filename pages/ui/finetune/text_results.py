"""What a finished text model shows of itself: its simple rival, its worst mistakes, how much it read."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.finetune.records import BaselineReport, FinetuneReport, Scores
from core.i18n import Translator


def show_baseline(rival: BaselineReport, test: Scores, _: Translator) -> None:
    """Whether the transformer beats word counts, with the numbers of both."""
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


def show_mistakes(report: FinetuneReport, _: Translator) -> None:
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
            "text": st.column_config.TextColumn(_("Text"), width="medium"),
            "true": st.column_config.TextColumn(_("Truth"), width="small"),
            "predicted": st.column_config.TextColumn(_("Answer"), width="small"),
            "confidence": st.column_config.ProgressColumn(
                _("How sure"), width="small", format="%.0f%%", min_value=0, max_value=100
            ),
        },
    )
