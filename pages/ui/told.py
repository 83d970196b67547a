"""What was told of a run before it began, beside what happened, in one line."""

from __future__ import annotations

import streamlit as st

from core.i18n import Translator
from core.runs.told import told_of
from core.store import Run
from pages.ui.words import rough


def show_told(run: Run, _: Translator) -> None:
    """Nothing for a run of which nothing was told, or that was not done in one go."""
    told = told_of(run)
    if told is None or told.seconds is None:
        return
    before = _("no time")
    if told.time_s is not None:
        low, high = (_.duration(rough(seconds)) for seconds in told.time_s)
        before = _("{low} to {high}", low=low, high=high)
    happened = _.duration(told.seconds)
    if told.peak_mb is not None:
        before = f"{before}, {_.size(told.memory_mb * 1e6)}"
        happened = f"{happened}, {_.size(told.peak_mb * 1e6)}"
    st.caption(_("Told before it began: {before}. It took {happened}.", before=before, happened=happened))
