"""The table of everything that ever ran: how it ended, what it reached, and what is to be known beside that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.charts.theme import look_of
from core.i18n import Translator
from core.runs.kinds import KINDS
from core.runs.marks import accuracy_of, mark_words
from core.store import Run
from pages.ui import words

MOST = 500  # rows: a longer table is searched, not read


def row_of(run: Run, _: Translator) -> dict[str, Any]:
    """One run in the table."""
    accuracy = accuracy_of(run)
    return {
        "name": run.name,
        "status": words.status_words(run.status, _),
        "accuracy": None if accuracy is None else 100 * accuracy,
        "beside": None if accuracy is None else mark_words(run, _) or None,
        "method": _(look_of(run.spec).word) if run.kind == "finetune" else _(KINDS[run.kind].word),
        "begun": pd.Timestamp(run.created_at, unit="s", tz="UTC").tz_convert(st.context.timezone or "UTC"),
        "took": words.seconds_of(run),
        "tags": run.tags,
        "note": run.note,
    }


def show_table(shown: Sequence[Run], _: Translator) -> list[Run]:
    """The table; returns the runs that are selected."""
    rows = [row_of(run, _) for run in shown]
    event = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_order=[name for name in rows[0] if name != "beside" or any(row["beside"] for row in rows)],
        key="runs_table",
        on_select="rerun",
        selection_mode="multi-row",
        placeholder="–",
        height=min(560, 40 + 35 * len(shown)),
        column_config={
            "name": st.column_config.TextColumn(_("Run"), width=270),
            "status": st.column_config.TextColumn(_("Status")),
            "accuracy": st.column_config.ProgressColumn(
                _("Test accuracy"), format="%.1f%%", min_value=0, max_value=100
            ),
            "beside": words.beside_column(_),
            "method": st.column_config.TextColumn(_("Method")),
            "begun": st.column_config.DatetimeColumn(_("Begun"), format=_("D MMM, HH:mm")),
            "took": st.column_config.NumberColumn(_("Took (s)"), format="%.0f"),
            "tags": st.column_config.ListColumn(_("Tags")),
            "note": st.column_config.TextColumn(_("Note")),
        },
    )
    return [shown[i] for i in event.selection.rows if i < len(shown)]
