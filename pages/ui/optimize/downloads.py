"""Which variants are offered, and their bundles to download."""

from __future__ import annotations

import streamlit as st

from core.i18n import Translator
from core.messages import explain, explain_finding
from core.optimize.figures import variant_word
from core.optimize.rows import OptimizeReport, VariantRow
from core.store import Run
from pages.ui.cached import runs as cached_runs

_MOST_FILES = 5


# -- files -------------------------------------------------------------------------------------------------


def offered(report: OptimizeReport) -> list[VariantRow]:
    """The variants that may be downloaded, the recommended one first."""
    rows = [row for row in report.variants if row.offered]
    return sorted(rows, key=lambda row: (row.name != report.recommended, row.latency_p50_ms or 0))


def show_downloads(run: Run, report: OptimizeReport, _: Translator) -> None:
    rows = offered(report)
    if not rows:
        return
    st.header(
        _("Take it along"),
        anchor=False,
        help=_("A zip with the file, its preprocessing and examples to check it by; it needs no Graft to be used."),
    )
    first = [row for row in rows if _keeps_limit(row, report)] or rows[:_MOST_FILES]
    with st.container(key="optimize_files"):
        for row in first[:_MOST_FILES]:
            _download(run, row, row.name == report.recommended, _)
    more = [row for row in rows if row not in first[:_MOST_FILES]]
    if more:
        label = _.plural("{n} more file", "{n} more files", len(more))
        with st.expander(label, key="optimize_more_files", icon=":material/folder_zip:"):
            for row in more:
                _download(run, row, False, _)


def _keeps_limit(row: VariantRow, report: OptimizeReport) -> bool:
    """Whether a variant is shown to lose no more than may be lost."""
    limit = report.conditions.get("limit")
    return row.name == report.recommended or (limit is not None and row.loss is not None and row.loss["high"] <= limit)


def _download(run: Run, row: VariantRow, is_best: bool, _: Translator) -> None:
    closed = cached_runs.why_closed(run.id, row.name, run, row) if run.is_from_outside else ()
    if closed:
        st.caption(f":material/lock: {explain(closed[0], _)}")
        return
    left, right = st.columns([1, 3], vertical_alignment="center")
    with left:
        st.download_button(
            variant_word(row, _),
            lambda: cached_runs.bundle(run, row.name).open("rb"),
            file_name=f"{run.id}-{row.name}.zip",
            mime="application/zip",
            key=f"download_{row.name}_{run.id}",
            icon=":material/download:",
            on_click="ignore",
            type="primary" if is_best else "secondary",
            width="stretch",
        )
    right.markdown(explain_finding(row.verdict, _) if row.verdict else _.size((row.size_mb or 0) * 1e6))
