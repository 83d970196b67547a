"""What a finished text model shows of itself: its simple rival, its worst mistakes, how much it read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core.finetune.records import BaselineReport, FinetuneReport, FinetuneSummary, Scores
from core.i18n import Translator
from pages.ui import state

DEFAULT_LENGTH = 128  # tokens that are read where nothing else is asked for


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


def tell_cut(report: Mapping[str, Any], max_length: int | None) -> None:
    """Before a training: what share of the texts is longer than what is read of them."""
    _ = state.words()
    tokens = report.get("tokens") or {}
    lengths = tokens.get("lengths")
    if not lengths:
        return
    limit = max_length or DEFAULT_LENGTH
    share = sum(length > limit for length in lengths) / len(lengths)
    longest = _.number(lengths[-1])
    if not share:
        told = _("No text is longer: the longest has {longest} tokens, as MiniLM-L6 counts.", longest=longest)
    else:
        told = _(
            "{share} of the texts are longer and lose their end; "
            "the longest has {longest} tokens, as MiniLM-L6 counts.",
            share=_.percent(share, 0 if share >= 0.01 else 1),
            longest=longest,
        )
    st.caption(told)


def length_words(summary: FinetuneSummary, _: Translator) -> str:
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
