"""The tables of a comparison: which trainings are done, every size and family, and the curves of one training."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from core.charts.curve_data import read_curves
from core.charts.curves import CURVES, RunCurves, curve_chart
from core.compare.figure_words import family_word
from core.compare.figures import family_look
from core.compare.grid import SCRATCH
from core.compare.records import CellRow, ComparedSize, CompareReport
from core.compare.report import cell_word, clean_words, interval_words, p_words, points_words, size_rows
from core.i18n import Translator
from core.store import Run, open_store
from pages.ui import state
from pages.ui.charts import curves_alt, draw_chart

_GLYPHS = {"done": "✓", "running": "●", "waiting": "○", "failed": "✕"}
_MOST_GLYPHS = 5


def show_cell_grid(report: CompareReport, _: Translator) -> None:
    """Which trainings are done, at work, waiting or failed, by family and size."""
    cells = report.get("cells") or []
    table: dict[str, dict[str, str]] = {}
    for name in dict.fromkeys(sorted((cell["family"] for cell in cells), key=lambda name: name != SCRATCH)):
        mine = [cell for cell in cells if cell["family"] == name]
        row = table.setdefault(family_word(name, _), {})
        for size in sorted({cell["size"] for cell in mine}):
            row[_.number(size)] = _glyphs([cell["status"] for cell in mine if cell["size"] == size])
    st.dataframe(pd.DataFrame.from_dict(table, orient="index"), key="cell_grid")
    names = {"done": _("done"), "running": _("at work"), "waiting": _("waiting"), "failed": _("failed")}
    st.caption(" · ".join(f"{_GLYPHS[status]} {word}" for status, word in names.items()))


def _glyphs(statuses: list[str]) -> str:
    """A glyph for each repeat; counts where they are many."""
    order = [status for name in _GLYPHS for status in statuses if status == name]
    if len(order) <= _MOST_GLYPHS:
        return "".join(_GLYPHS[status] for status in order)
    return " ".join(f"{_GLYPHS[name]}{order.count(name)}" for name in _GLYPHS if name in order)


def show_sizes(report: CompareReport, _: Translator) -> None:
    """Every size and family: accuracy, its difference to training from scratch, and what it cost."""
    rows = size_rows(report)
    if not rows:
        return
    st.header(_("By size and start"), anchor=False)
    table = [_size_cells(row, _) for row in rows]
    shown = [name for name in table[0] if name not in ("dominated", "clean") or any(row[name] for row in table)]
    number = st.column_config.NumberColumn
    st.dataframe(
        pd.DataFrame(table),
        hide_index=True,
        key="by_size",
        column_order=shown,
        placeholder="–",
        column_config={
            "size": number(_("Examples"), format="localized"),
            "family": st.column_config.TextColumn(_("Start")),
            "accuracy": st.column_config.ProgressColumn(
                _("Accuracy"), format="%.1f%%", min_value=0, max_value=100, width=105
            ),
            "interval": st.column_config.TextColumn(
                _("95% interval"), help=_("≥: some of these trainings were still improving when they ended.")
            ),
            "clean": st.column_config.TextColumn(
                _("Without what is trained on too"),
                help=_("On the test examples alone that stand nowhere among the training examples."),
            ),
            "versus": st.column_config.TextColumn(
                _("Points over scratch"), help=_("With its 95% interval, on the same test examples.")
            ),
            "p": st.column_config.TextColumn(
                "p",
                help=_(
                    "How often chance alone would bring such a difference among all that are tested here. Below 0.05 "
                    "counts as shown."
                ),
            ),
            "seconds": number(_("Training (s)"), format="%.1f"),
            "learned": number(_("Parameters"), format="compact", help=_("Those that learned.")),
            "memory": number(_("Memory (MB)"), format="%.0f", help=_("At its peak.")),
            "dominated": st.column_config.TextColumn(
                _("Dominated by"), help=_("This other start is at least as accurate at this size and trains no slower.")
            ),
        },
    )


def _size_cells(row: ComparedSize, _: Translator) -> dict[str, Any]:
    better = row.get("dominated_by")
    return {
        "size": row["size"],
        "family": family_word(row["family"], _),
        "accuracy": 100 * row["accuracy"],
        "interval": ("≥ " if row.get("unconverged") else "") + interval_words(row["low"], row["high"], _),
        "clean": clean_words(row, _) or None,
        "versus": points_words(row["versus"], _) or None,
        "p": p_words(row["versus"], _) or None,
        "seconds": row["seconds"],
        "learned": row.get("trainable_parameters"),
        "memory": row.get("peak_memory_mb"),
        "dominated": _(family_look(better).word) if better else None,
    }


# -- one training ------------------------------------------------------------------------------------------


def show_cells(run: Run, report: CompareReport, _: Translator) -> None:
    """All trainings in a table; the curves of the one that is chosen there or in the list."""
    order = {family["family"]: rank for rank, family in enumerate(report.get("families") or [])}
    cells = [cell for cell in report.get("cells") or [] if cell["status"] in ("done", "failed", "running")]
    cells.sort(key=lambda cell: (cell["size"], order.get(cell["family"], 9), cell["seed"]))
    if not cells:
        return
    st.header(_("One training"), anchor=False, help=_("Choose a row, or a line of the list, to see its curves."))
    table, chosen = f"cells_{run.id}", f"cell_{run.id}"
    by_id = {cell["id"]: cell for cell in cells}

    def take_row() -> None:
        rows = state.recall(table)["selection"]["rows"]
        if rows and rows[0] < len(cells):
            state.remember(chosen, cells[rows[0]]["id"])

    _cell_table(cells, table, take_row, _)
    if state.recall(chosen) not in by_id:
        state.forget(chosen)
    picked = st.selectbox(
        _("Learning curves of"),
        list(by_id),
        index=None,
        format_func=lambda cell_id: cell_word(by_id[cell_id], _),
        key=chosen,
        placeholder=_("choose a training"),
    )
    if picked:
        _draw_cell(run, by_id[picked], _)


def _cell_table(cells: list[CellRow], key: str, take_row: Any, _: Translator) -> None:
    words = {"done": _("done"), "running": _("at work"), "failed": _("failed")}
    converged = {True: _("yes"), False: _("still improving"), None: None}
    rows = [
        {
            "size": cell["size"],
            "family": family_word(cell["family"], _),
            "seed": cell["seed"],
            "status": f"{_GLYPHS[cell['status']]} {words[cell['status']]}",
            "accuracy": None if cell.get("accuracy") is None else 100 * cell["accuracy"],
            "clean": 100 * clean["accuracy"] if (clean := cell.get("without_leaks")) else None,
            "seconds": cell.get("train_seconds"),
            "steps": cell.get("steps"),
            "converged": converged.get(cell.get("converged")),
        }
        for cell in cells
    ]
    number = st.column_config.NumberColumn
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key=key,
        on_select=take_row,
        selection_mode="single-row",
        column_order=[name for name in rows[0] if name != "clean" or any(row["clean"] is not None for row in rows)],
        placeholder="–",
        height=min(260, 40 + 35 * len(rows)),
        column_config={
            "size": number(_("Examples"), format="localized"),
            "family": st.column_config.TextColumn(_("Start")),
            "seed": number(_("Seed"), format="localized"),
            "status": st.column_config.TextColumn(_("Status")),
            "accuracy": st.column_config.ProgressColumn(_("Accuracy"), format="%.1f%%", min_value=0, max_value=100),
            "clean": number(_("Without what is trained on too"), format="%.1f%%"),
            "seconds": number(_("Training (s)"), format="%.1f"),
            "steps": number(_("Steps"), format="localized"),
            "converged": st.column_config.TextColumn(_("Converged")),
        },
    )


def _draw_cell(run: Run, cell: CellRow, _: Translator) -> None:
    names = [f"{cell['id']}/{part}/{what}" for part in ("train", "val") for what in ("loss", "accuracy")]
    curves = read_curves(open_store(), run.id, names)
    if not any(len(curve.x) for curve in curves.values()):
        st.caption(_("This training kept no curves."))
        return
    interval = cell.get("interval")
    for column, what in zip(st.columns(2, gap="medium"), CURVES, strict=True):
        drawn = RunCurves(
            name=cell_word(cell, _),
            look=family_look(cell["family"]),
            train=curves[f"{cell['id']}/train/{what}"],
            validation=curves[f"{cell['id']}/val/{what}"],
            best_epoch=cell.get("best_epoch"),
            test=(cell["accuracy"], interval[0], interval[1]) if interval else None,
        )
        title = _("Loss") if what == "loss" else _("Accuracy")
        chart = curve_chart([drawn], what, _, keep=f"{run.id}-{cell['id']}")
        with column:
            st.markdown(f"**{title}**")
            draw_chart(chart, f"cell_curve_{what}_{run.id}", curves_alt(title, [drawn], what, _))
