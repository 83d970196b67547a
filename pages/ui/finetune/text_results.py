"""What a finished text model shows of itself: its simple rival, its worst mistakes, how much it read."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.finetune.records import BaselineReport, FinetuneReport, Scores
from core.finetune.verdicts import baseline_words
from core.i18n import Translator


def show_baseline(rival: BaselineReport, test: Scores, _: Translator) -> None:
    """Whether the transformer beats word counts, with the numbers of both."""
    words = baseline_words(rival, test, _)
    if rival["better"] == "model":
        st.success(words, icon=":material/check_circle:")
    elif rival["better"] == "baseline":
        st.warning(words, icon=":material/warning:")
    else:
        st.info(words, icon=":material/balance:")


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
