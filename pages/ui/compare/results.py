"""What a comparison found, answer first: words, numbers, charts, laws, tables, single trainings, conditions, files."""

from __future__ import annotations

from typing import Literal, cast

import streamlit as st

from core import store
from core.compare.figure_words import family_word, headline, main_family, worth_words
from core.compare.figures import figure_html, size_chart, time_chart
from core.compare.grid import SCRATCH
from core.compare.records import CompareReport
from core.compare.report import (
    beside,
    cells_csv,
    clean_conclusions,
    clean_words,
    conclusions,
    failed_cells,
    held_equal,
    law_words,
    markdown_report,
    not_held_equal,
    size_rows,
)
from core.compare.spec import CompareSpec
from core.i18n import Translator, translator
from core.problems import Problem
from core.spec import parse_spec
from core.store import Run
from pages.ui import live, parts, state
from pages.ui.charts import draw_chart
from pages.ui.compare.tables import show_cell_grid, show_cells, show_sizes
from pages.ui.finetune import results as finetune_results
from pages.ui.told import show_told

_MOST_FAILURES = 8


def show_ended(run: Run) -> None:
    """Everything a comparison has found: all of it when done, what there is when it ended before."""
    _ = state.words()
    report = _read_report(run)
    live.show_ending(run, _, is_empty=report is None)
    if report is None:
        return
    _show_answer(run, report, _)
    show_charts(run, report, _)
    _show_laws(report, _)
    if run.status != "done":
        show_cell_grid(report, _)
    _show_failures(report, _)
    show_sizes(report, _)
    show_cells(run, report, _)
    _show_conditions(run, report, _)
    _show_downloads(run, report, _)
    show_told(run, _)
    live.show_command(run, _)


def show_so_far(run: Run) -> None:
    """A comparison at work: what is known from the trainings that are done."""
    _ = state.words()
    report = _read_report(run)
    if not report or not any(family["sizes"] for family in report.get("families") or []):
        st.caption(_("The first points appear when their trainings are done."))
    if not report:
        return
    sentences = conclusions(report, _)
    if sentences:
        st.markdown(f"**{_('So far')}**\n" + "".join(f"\n- {sentence}" for sentence in sentences))
    show_charts(run, report, _)
    show_cell_grid(report, _)
    _show_failures(report, _)
    if report.get("families"):
        show_sizes(report, _)
        show_cells(run, report, _)


def _read_report(run: Run) -> CompareReport | None:
    return cast(CompareReport | None, store.read_report(run.id))


# -- the answer --------------------------------------------------------------------------------------------


def _show_answer(run: Run, report: CompareReport, _: Translator) -> None:
    cells = report.get("cells") or []
    done = sum(cell["status"] == "done" for cell in cells)
    sentences = conclusions(report, _)
    if run.status != "done":
        kept = _("{done} of {n} trainings are done.", done=_.number(done), n=_.number(len(cells)))
        st.markdown(f"**{kept}** {_('Resuming trains only the others.')}")
    if not sentences:
        st.markdown(f"## {_('Nothing can be concluded yet: too few trainings are done.')}", anchors=False)
        _show_beside(report, _)
        return
    st.markdown(f"## {sentences[0]}", anchors=False)
    if sentences[1:]:
        st.markdown("\n".join(f"- {sentence}" for sentence in sentences[1:]))
    _show_beside(report, _)
    _show_numbers(report, _)


def _show_beside(report: CompareReport, _: Translator) -> None:
    """What is to be known beside the answer, and the answer without the test examples that are trained on too."""
    parts.show_problems(Problem.from_dict(problem) for problem in report.get("problems") or [])
    clean = clean_conclusions(report, _)
    if clean:
        st.markdown(f"**{_('Without what is trained on too')}**\n" + "".join(f"\n- {sentence}" for sentence in clean))


def _show_numbers(report: CompareReport, _: Translator) -> None:
    """The smallest and the largest size with both starts, the worth in labels, the time: at most four numbers."""
    main, rows = main_family(report), size_rows(report)
    scratch = {row["size"]: row for row in rows if row["family"] == SCRATCH}
    mine = {row["size"]: row for row in rows if row["family"] == main and row["size"] in scratch}
    if main is None or not mine:
        return
    numbers: list[tuple[str, str, str | None, str | None]] = []
    for size in sorted({min(mine), max(mine)}):
        against = _("scratch {value}", value=_.percent(scratch[size]["accuracy"]))
        numbers.append((_("At {n} examples", n=_.number(size)), _.percent(mine[size]["accuracy"]), against, None))
    worth = headline(report)
    if worth:
        label = _("{n} examples equal", n=_.number(worth["size"]))
        numbers.append((label, worth_words(worth, _), _("from scratch"), None))
    last = max(mine)
    against = _("scratch {value}", value=_.duration(scratch[last]["seconds"]))
    numbers.append((_("Training at {n}", n=_.number(last)), _.duration(mine[last]["seconds"]), against, None))
    st.caption(_("{family}, beside training from scratch:", family=family_word(main, _)))
    parts.numbers(numbers, key="compare_numbers")
    clean = [
        _("{share} at {size}", share=clean_words(mine[size], _), size=_.number(size))
        for size in sorted({min(mine), last})
        if mine[size]["clean"]
    ]
    if clean:
        st.caption(_("Without what is trained on too: {value}", value=_.listed(clean)))


# -- charts and laws ---------------------------------------------------------------------------------------


def show_charts(run: Run, report: CompareReport, _: Translator) -> None:
    """Accuracy and training time against size, side by side."""
    if not any(family["sizes"] for family in report.get("families") or []):
        return
    with st.container(key="size_charts"):
        left, right = st.columns([3, 2], gap="medium")
        with left:
            st.markdown(f"**{_('Accuracy')}**")
            chart = size_chart(report, _, keep=run.id)
            draw_chart(chart, f"sizes_{run.id}", _alt(report, "accuracy", _))
            if report.get("without_leaks"):
                st.caption(_("With the test examples that are trained on too. The table below tells both."))
        with right:
            st.markdown(f"**{_('Training time')}**")
            draw_chart(time_chart(report, _, keep=run.id), f"times_{run.id}", _alt(report, "seconds", _))


def _alt(report: CompareReport, what: Literal["accuracy", "seconds"], _: Translator) -> str:
    """A chart in a sentence, for those who do not see it."""
    curves = []
    for family in report["families"]:
        values = [
            f"{_.number(row['size'])}: {_.percent(row[what]) if what == 'accuracy' else _.duration(row[what])}"
            for row in family["sizes"]
        ]
        curves.append(f"{family_word(family['family'], _)} {', '.join(values)}")
    title = _("Accuracy") if what == "accuracy" else _("Training time")
    return _("{title} by training examples. {families}", title=title, families="; ".join(curves))


def _show_laws(report: CompareReport, _: Translator) -> None:
    laws = [words for family in report.get("families") or [] if (words := law_words(family, _))]
    if laws:
        st.header(
            _("How accuracy grows with examples"),
            anchor=False,
            help=_(
                "Errors often fall with the number of examples n as a + b · n^−c: a is what no number of examples "
                "removes, c how fast the rest goes. The dotted line is this law, fitted; its band is 95% sure."
            ),
        )
        st.markdown("\n".join(f"- {words}" for words in laws))


def _show_failures(report: CompareReport, _: Translator) -> None:
    failures = failed_cells(report, _)
    if failures:
        more = [_("and {n} more", n=len(failures) - _MOST_FAILURES)] if len(failures) > _MOST_FAILURES else []
        title = _.plural("{n} training failed", "{n} trainings failed", len(failures))
        lines = "\n".join(f"- {sentence}" for sentence in failures[:_MOST_FAILURES] + more)
        st.error(f"**{title}**\n\n{lines}", icon=":material/error:")


# -- conditions and files ----------------------------------------------------------------------------------


def _show_conditions(run: Run, report: CompareReport, _: Translator) -> None:
    spec = parse_spec(CompareSpec, run.spec)
    left, right = st.columns(2, gap="large")
    with left:
        st.header(_("What was held equal"), anchor=False)
        st.markdown("\n".join(f"- {sentence}" for sentence in held_equal(spec, report, _)))
    with right:
        st.header(_("What was not"), anchor=False)
        st.markdown("\n".join(f"- {sentence}" for sentence in not_held_equal(spec, report, run.summary, _)))


def _show_downloads(run: Run, report: CompareReport, _: Translator) -> None:
    st.header(_("Take it along"), anchor=False)
    plain = translator(state.language())
    files = [
        (_("All trainings (csv)"), lambda: cells_csv(report), "csv", "text/csv"),
        (
            _("Charts (HTML)"),
            lambda: figure_html(
                report, run.name, [*conclusions(report, plain), *beside(report, plain)], plain
            ).encode(),
            "html",
            "text/html",
        ),
        (_("Report (Markdown)"), lambda: markdown_report(run, report, _).encode(), "md", "text/markdown"),
    ]
    with st.container(horizontal=True, key="compare_files"):
        for label, make, ending, mime in files:
            st.download_button(
                label,
                make,
                file_name=f"{run.id}.{ending}",
                mime=mime,
                key=f"download_{ending}_{run.id}",
                icon=":material/download:",
                on_click="ignore",
            )
        finetune_results.export_button(run, _)
    st.caption(_("A chart alone: the buttons at its upper right save it as PNG or SVG."))
