"""What a finished run found, answer first: words, numbers, curves, pictures, tables, details."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core import store
from core.charts.classification import confusion_chart
from core.errors import GraftError
from core.finetune.records import FinetuneReport, FinetuneSummary, Scores, summary_of
from core.i18n import Translator
from core.runs import export as runs_export
from core.runs import kinds, manage
from core.store import Run
from pages.ui import live, parts, state, words
from pages.ui.charts import draw_curves
from pages.ui.finetune import head_results, text_results
from pages.ui.finetune.compute import show_engine
from pages.ui.predict import one_text
from pages.ui.predict import pictures as predict_pictures
from pages.ui.told import show_told

SHOWN_MISTAKES = 12


def show_result(run: Run) -> None:
    """The result of a finished fine-tuning."""
    _ = state.words()
    report, summary = store.read_report(run.id, FinetuneReport), summary_of(run)
    test = summary.get("test")
    if not test:
        st.info(_("This run kept no test result."), icon=":material/info:")
        return
    st.markdown(f"## {_answer(run, test, _)}", anchors=False)
    live.show_warnings(run)
    _show_numbers(run, test, report, _)
    head_results.show_head(summary, _)
    if "baseline" in summary:
        text_results.show_baseline(summary["baseline"], test, _)
    draw_curves([run], f"curves_{run.id}", _)
    if report:
        trial, mistakes = st.columns([2, 3], gap="large")
        with trial:
            st.header(_("Try it"), anchor=False)
            st.fragment(one_text.one_text if is_text(run) else predict_pictures.ask)(f"run/{run.id}", f"try_{run.id}")
        with mistakes:
            text_results.show_mistakes(report, _) if is_text(run) else _show_mistakes(run, report, _)
        if "without_leaks" in test:
            st.caption(_("The tables below count the test examples that are trained on too."))
        _show_confusion(report, _)
        _show_classes(report, _)
    show_details(run, _)


def is_text(run: Run) -> bool:
    """Whether a run's model reads texts."""
    return summary_of(run).get("task") == "text-classification"


def _answer(run: Run, test: Scores, _: Translator) -> str:
    low, high = (_.percent(share) for share in test["interval"])
    if is_text(run):
        return _(
            "{accuracy} of {n} test texts are told rightly (95%: {low} to {high}).",
            accuracy=_.percent(test["accuracy"]),
            n=_.number(test["n"]),
            low=low,
            high=high,
        )
    return _(
        "{accuracy} of {n} test pictures are recognised (95%: {low} to {high}).",
        accuracy=_.percent(test["accuracy"]),
        n=_.number(test["n"]),
        low=low,
        high=high,
    )


def _show_numbers(run: Run, test: Scores, report: FinetuneReport | None, _: Translator) -> None:
    summary = summary_of(run)
    against = None
    if report:
        guess = max(sum(row) for row in report["confusion"]) / max(1, report["n"])
        gain = _.number(round(100 * (test["accuracy"] - guess), 1))
        against = _("{points} points above guessing", points=gain)
    clean = test.get("without_leaks")
    if clean:
        against = _("{share} on new examples", share=_.percent(clean["accuracy"]))
    seconds = words.seconds_of(run)
    rate = summary.get("images_per_s")
    trained, total = summary.get("trainable_parameters"), summary.get("parameters")
    parts.numbers(
        [
            (
                _("Test accuracy"),
                _.percent(test["accuracy"]),
                against,
                _("The share of test examples named rightly. They were looked at once, after every choice was made."),
            ),
            (
                _("Macro-F1"),
                _.percent(test["macro_f1"]),
                _f1_beside(summary, test, _),
                _("The mean over classes of a score between precision and recall: small classes count as much."),
            ),
            (
                _("Time"),
                "–" if seconds is None else _.duration(seconds),
                None if rate is None else _("{n} examples/s while training", n=_.number(rate, 3)),
                None,
            ),
            (
                _("Parameters that learned"),
                "–" if trained is None else _.count(trained),
                None if total is None else _("of {n}", n=_.count(total)),
                None,
            ),
        ]
    )


def _f1_beside(summary: FinetuneSummary, test: Scores, _: Translator) -> str | None:
    """Beside the macro-F1: that of the examples that are not trained on too, else the validation accuracy."""
    clean, validation = test.get("without_leaks"), summary.get("val")
    if clean and "macro_f1" in clean:
        return _("{share} on new examples", share=_.percent(clean["macro_f1"]))
    return _("validation accuracy {value}", value=_.percent(validation["accuracy"])) if validation else None


# -- pictures ----------------------------------------------------------------------------------------------


def _show_mistakes(run: Run, report: FinetuneReport, _: Translator) -> None:
    st.header(_("Worst mistakes"), anchor=False)
    mistakes = report.get("mistakes") or []
    if not mistakes:
        st.markdown(_("None: every test picture was named rightly."))
        return
    st.caption(_("The wrong answers the model was surest of. Often the label is wrong, or the picture is hard."))
    shown = [row for row in mistakes[:SHOWN_MISTAKES] if (run.folder / "artifacts" / row["file"]).is_file()]
    with st.grid(min_column_width=140, key=f"mistakes_{run.id}"):
        for row in shown:
            caption = _(
                "{answer} ({share}) instead of {truth}",
                answer=row["predicted"],
                share=_.percent(row["confidence"], 0),
                truth=row["true"],
            )
            st.image(run.folder / "artifacts" / row["file"], caption=caption, width=128, alt=caption)


# -- tables ------------------------------------------------------------------------------------------------


def _show_confusion(report: FinetuneReport, _: Translator) -> None:
    st.header(
        _("What is taken for what (confusion matrix)"),
        anchor=False,
        help=_("Rows are the truth, columns what the model said; the diagonal is right."),
    )
    pairs = _confused(report)
    if pairs:
        truth, answer, n = pairs[0]
        st.markdown(
            _("Most often: {truth} taken for {answer}, {n} times.", truth=truth, answer=answer, n=n)
            if n > 1
            else _("No two classes were confused more than once.")
        )
    figure = confusion_chart(report, _, state.theme())
    st.plotly_chart(
        figure,
        theme=None,
        key="confusion",
        config={"displaylogo": False, "modeBarButtons": [["toImage"]]},
        alt=_confusion_alt(report, pairs, _),
    )
    if len(report["labels"]) > 15 and pairs:
        table = pd.DataFrame(pairs[:20], columns=["truth", "answer", "n"])
        st.dataframe(
            table,
            hide_index=True,
            key="confused_pairs",
            column_config={"truth": _("Truth"), "answer": _("Answer of the model"), "n": _("Examples")},
        )


def _confused(report: FinetuneReport) -> list[tuple[str, str, int]]:
    """Pairs of classes that were taken for each other, the most frequent first."""
    labels, counts = report["labels"], report["confusion"]
    pairs = [(labels[i], labels[j], int(n)) for i, row in enumerate(counts) for j, n in enumerate(row) if i != j and n]
    return sorted(pairs, key=lambda pair: -pair[2])


def _confusion_alt(report: FinetuneReport, pairs: Sequence[tuple[str, str, int]], _: Translator) -> str:
    listed = "; ".join(f"{truth} → {answer}: {n}" for truth, answer, n in pairs[:5])
    return _("Confusion matrix of {n} classes. {pairs}", n=len(report["labels"]), pairs=listed)


def _show_classes(report: FinetuneReport, _: Translator) -> None:
    st.header(_("Class by class"), anchor=False)
    table = pd.DataFrame(report["per_class"]).sort_values("f1", na_position="last")
    table[["f1", "recall", "precision"]] *= 100
    bar: dict[str, Any] = {"format": "%.1f%%", "min_value": 0, "max_value": 100}
    share = st.column_config.ProgressColumn
    st.dataframe(
        table,
        hide_index=True,
        key="per_class",
        placeholder="–",
        column_order=["label", "f1", "recall", "precision", "n"],
        column_config={
            "label": st.column_config.TextColumn(_("Class"), pinned=True),
            "f1": share(_("F1"), help=_("Between precision and recall; the worst class first."), **bar),
            "recall": share(
                _("Found"), help=_("Recall: of the examples of this class, how many were named so."), **bar
            ),
            "precision": share(
                _("Right"), help=_("Precision: of the answers of this name, how many were right."), **bar
            ),
            "n": st.column_config.NumberColumn(_("Test examples")),
        },
    )


# -- details -----------------------------------------------------------------------------------------------


def show_details(run: Run, _: Translator) -> None:
    """How it was computed, the command, the log: folded away."""
    with st.expander(_("How it was computed"), key=f"details_{run.id}", icon=":material/memory:"):
        show_told(run, _)
        show_engine(run, _)
        st.markdown(_("The same on the command line:"))
        st.code(kinds.command_line(manage.spec_of(run)), language=None, wrap_lines=True)
    live.show_log(run, _, key=f"log_{run.id}", label=_("Log"))


def export_button(run: Run, _: Translator) -> None:
    """The whole run as one zip, packed when it is asked for."""

    def pack() -> Any:
        return runs_export.export_run(run.id).open("rb")

    try:
        st.download_button(
            _("Download all"),
            pack,
            file_name=f"{run.id}.zip",
            mime="application/zip",
            key=f"export_{run.id}",
            icon=":material/download:",
            on_click="ignore",
            help=_("Model, settings, measurements, predictions and log in one zip that needs no Graft to be read."),
        )
    except GraftError as error:
        parts.show_problems(error.problems)
