"""Runs that were started together: which is better, their curves, a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.charts.theme import look_of
from core.i18n import Translator
from core.messages import explain
from core.problems import Problem
from core.runs import marks
from core.runs import siblings as runs_siblings
from core.runs.siblings import SiblingRow
from core.store import Run, open_store
from pages.ui import live, words
from pages.ui.cached import machine as cached_machine
from pages.ui.charts import draw_curves


def show_comparison(group: str, siblings: Sequence[Run], _: Translator) -> None:
    """Runs that were started together: the conclusion, the curves of all, the table."""
    compared = runs_siblings.compare_siblings(group, open_store())
    if compared["conclusion"]:
        st.markdown(f"## {explain(Problem.from_dict(compared['conclusion']), _)}", anchors=False)
    live.show_warnings(*siblings)
    begun = [run for run in siblings if cached_machine.fresh_curves(run.id).curve("train/loss").last is not None]
    if begun:
        draw_curves(begun, f"group_{group}", _)
    rows = [_comparison_row(row, _) for row in compared["rows"]]
    shown = [name for name in rows[0] if name not in ("clean", "beside") or any(row[name] for row in rows)]
    bar = st.column_config.ProgressColumn(_("Test accuracy"), format="%.1f%%", min_value=0, max_value=100)
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key="comparison",
        column_order=shown,
        placeholder="–",
        column_config={
            "method": st.column_config.TextColumn(_("Method"), pinned=True),
            "status": _("Status"),
            "accuracy": bar,
            "interval": _("95% interval"),
            "clean": _("Without what is trained on too"),
            "beside": words.beside_column(_),
            "seconds": st.column_config.NumberColumn(_("Time (s)"), format="%.0f"),
            "learned": st.column_config.NumberColumn(_("Parameters that learned"), format="compact"),
            "memory": st.column_config.NumberColumn(_("Peak memory (MB)"), format="%.0f"),
        },
    )


def _comparison_row(row: SiblingRow, _: Translator) -> dict[str, Any]:
    interval, clean = row["interval"], row.get("without_leaks")
    return {
        "method": _(look_of({"method": row["method"], "model": row}).word),
        "status": words.status_words(row["status"], _),
        "accuracy": None if row["accuracy"] is None else 100 * row["accuracy"],
        "interval": " – ".join(_.percent(share) for share in interval) if interval else "",
        "clean": words.accuracy_words(clean, _) or None,
        "beside": marks.words_of(row["problems"], _) or None,
        "seconds": row["seconds"],
        "learned": row["trainable_parameters"],
        "memory": row["peak_memory_mb"],
    }
