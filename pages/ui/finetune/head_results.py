"""What a finished training shows of its fitted head: how held-out rows were told, and what more than a head brought."""

from __future__ import annotations

import streamlit as st

from core.finetune.records import FinetuneSummary, cross_validation_of
from core.finetune.verdicts import cross_validation_words, probe_words
from core.i18n import Translator


def show_head(summary: FinetuneSummary, _: Translator) -> None:
    """The cross-validated accuracy beside the test, and the training against the head it began from."""
    test, probe = summary["test"], summary.get("probe")
    held_out = cross_validation_of(summary)
    if held_out is not None:
        st.markdown(cross_validation_words(held_out, test["n"], _))
    if probe is None:
        return
    words = probe_words(probe, test, _)
    if probe["better"] == "model":
        st.success(words, icon=":material/check_circle:")
    elif probe["better"] == "probe":
        st.warning(words, icon=":material/warning:")
    else:
        st.info(words, icon=":material/balance:")
