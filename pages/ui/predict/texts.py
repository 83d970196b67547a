"""Asking a text model: one text while it is typed, many lines at once, a whole file as a run; and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

import pandas as pd
import streamlit as st

from core import store
from core.errors import GraftError
from core.i18n import Translator
from core.markdown import Markdown, as_text
from core.messages import explain
from core.models.catalog import get_model
from core.predict.answer_tables import answers_csv, made_safe
from core.predict.answers import AnsweredRow, AnswersSummary, Cell, TextAnswer, not_answered
from core.predict.spec import SENTIMENT, PredictSpec
from core.problems import Problem
from core.registry.formats import asked_suffixes, listed_words
from core.runs import submit
from core.spec import parse_spec
from core.store import RESUMABLE, Run
from pages.ui import live, parts, state
from pages.ui import words as ui_words
from pages.ui.cached import answers as cached_answers
from pages.ui.cached import data as cached_data
from pages.ui.predict.one_text import EXAMPLES, label_words, sure_column

MOST_LINES = 500


# -- many lines --------------------------------------------------------------------------------------------


def many_lines(model_id: str, key: str) -> None:
    """Lines answered at once, as a table and as a csv."""
    _ = state.words()
    text = st.text_area(
        _("One text in each line"),
        key=f"{key}_lines",
        height=200,
        placeholder="\n".join(EXAMPLES[:4]),
        persist_state="session",
    )
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    if len(lines) > MOST_LINES:
        parts.show_problems([Problem("predict.too_many_lines", values={"n": len(lines), "limit": MOST_LINES})])
        return
    label = _.plural("Answer {n} text", "Answer {n} texts", len(lines))
    if st.button(label, key=f"{key}_go", type="primary", icon=":material/play_arrow:", disabled=not lines):
        state.remember(f"{key}_asked", (model_id, lines))
    if not lines or state.recall(f"{key}_asked") != (model_id, lines):
        return
    with parts.guarded():
        with st.spinner(_("Asking the model; the first time takes some seconds"), show_time=True):
            answers, latency_ms = cached_answers.answers(model_id, tuple(lines))
        rows = [_row(line, answer) for line, answer in zip(lines, answers, strict=True)]
        reasons = Counter(answer.reason for answer in answers if answer.reason)
        parts.show_problems(not_answered(reasons, len(rows)))
        counts = {
            label: sum(row["label"] == label for row in rows) for label in dict.fromkeys(r["label"] for r in rows)
        }
        show_counts(counts, len(rows), _)
        show_rows(rows, f"{key}_table", _)
        if latency_ms is not None:
            st.caption(_("{time} for each text.", time=_.duration(latency_ms / 1000)))
        st.download_button(
            _("Download as csv"),
            answers_csv(cast(list[dict[str, Cell]], [_with_sentence(row, _) for row in rows])),
            "answers.csv",
            "text/csv",
            key=f"{key}_download",
            icon=":material/download:",
            on_click="ignore",
        )


def _row(text: str, answer: TextAnswer) -> AnsweredRow:
    row: AnsweredRow = {
        "text": text,
        "label": answer.label,
        "confidence": answer.confidence,
        "model": answer.model,
    }
    if answer.reason:
        row["reason"] = answer.reason
    return row


def _with_sentence(row: AnsweredRow, _: Translator) -> AnsweredRow:
    """A row whose reason is told in words."""
    return row | {"reason": explain(Problem(row["reason"]), _)} if row.get("reason") else row


def show_counts(counts: Mapping[str, int], total: int, _: Translator) -> None:
    """How many texts got each of the commonest answers."""
    common = sorted(counts.items(), key=lambda pair: -pair[1])[:4]
    parts.numbers(
        [(label_words(label, _) or _("Empty"), _.number(n), _.percent(n / max(1, total)), None) for label, n in common],
        key="answer_counts",
    )


def show_rows(rows: Sequence[AnsweredRow], key: str, _: Translator) -> None:
    """Texts, or pictures by their files, with their answers."""
    table = pd.DataFrame([_with_sentence(row, _) for row in rows])
    table["label"] = [label_words(label, _) for label in table["label"]]
    table["confidence"] = 100 * table["confidence"].astype(float)
    st.dataframe(
        table,
        hide_index=True,
        key=key,
        column_order=[name for name in ("file", "text", "label", "confidence", "reason") if name in table],
        placeholder="–",
        column_config={
            "file": st.column_config.TextColumn(_("File"), width="medium"),
            "text": st.column_config.TextColumn(_("Text"), width="medium"),
            "label": st.column_config.TextColumn(_("Answer"), width="small"),
            "confidence": sure_column(_),
            "reason": st.column_config.TextColumn(_("Not answered because"), width="medium"),
        },
    )


# -- a file ------------------------------------------------------------------------------------------------


def a_file(model_id: str, key: str) -> None:
    """Upload a table, see which column is read, and start answering it."""
    _ = state.words()
    file = st.file_uploader(
        _("A table of texts"),
        type=asked_suffixes("texts"),
        key=f"{key}_file",
        max_upload_size=cached_data.upload_limit_mb(),
        help=_(
            "{formats} with a column of texts, or a txt with one text in each line.", formats=_.either(listed_words())
        ),
    )
    if file is None:
        st.caption(_("What comes back is the same table with the answer, how sure it is, and what answered."))
        return
    with parts.guarded():
        path = cached_answers.store_asked(file, file.name, file.file_id)
        preview = cached_data.peek(path)
        parts.show_problems(preview.problems)
        columns = list(preview.table)
        column = st.selectbox(
            _("Column with the texts"), columns, columns.index(preview.column), key=f"{key}_column_{file.file_id}"
        )
        st.dataframe(pd.DataFrame(preview.table), hide_index=True, key=f"{key}_preview")
        label = _.plural("Answer {n} text", "Answer {n} texts", preview.rows)
        if st.button(label, key=f"{key}_start", type="primary", icon=":material/play_arrow:"):
            try:
                run = submit.submit(parse_spec(PredictSpec, {"model": model_id, "file": path, "text_column": column}))
            except GraftError as error:
                parts.show_problems(error.problems)
                return
            state.set_query(run=run.id)
            st.rerun()


def _is_of_pictures(run: Run) -> bool:
    """Whether a run answers pictures: as its summary tells, or before there is one its model."""
    if "kind" in run.summary:
        return bool(run.summary["kind"] == "pictures")
    model = run.spec["model"]
    try:
        return model != SENTIMENT and not get_model(model).is_text
    except GraftError:  # the model was deleted meanwhile
        return False


def _how_answered(summary: AnswersSummary, _: Translator) -> str:
    """Where the texts stood, and how many were answered each second."""
    if summary.get("kind") == "pictures":
        rate = summary.get("pictures_per_s")
        words = [_("{n} pictures each second.", n=_.number(rate, 3))] if rate else []
    else:
        rate = summary.get("texts_per_s")
        words = [_("Texts from column {column}.", column=Markdown(f"**{as_text(summary['column'])}**"))]
        words += [_("{n} texts each second.", n=_.number(rate, 3))] if rate else []
    return " ".join(words)


def show_file_run(run: Run) -> None:
    """A file at work, answered, or ended in another way."""
    _ = state.words()
    purpose = _("Texts of a file, answered one after another; the page may be closed meanwhile.")
    if _is_of_pictures(run):
        purpose = _("Pictures of a folder or zip, answered one after another; the page may be closed meanwhile.")
    parts.head(run.name, purpose)
    with st.container(horizontal=True, vertical_alignment="center", key="answer_actions"):
        if not run.is_active:
            ui_words.badge(run.status)
        parts.link("predict", _("Ask again"), ":material/arrow_back:")
        parts.link("runs", _("Its record"), ":material/history:", run=run.id)
        if run.status in RESUMABLE:
            live.resume_button(run, _)
    if run.is_active:
        live.follow_check(run.id)
        return
    report = store.read_report(run.id) if run.status == "done" else None
    if report is None:
        live.show_end(run, _)
        return
    summary = cast(AnswersSummary, run.summary)
    has_pictures = _is_of_pictures(run)
    words = _.plural("{n} text answered", "{n} texts answered", summary["rows"])
    if has_pictures:
        words = _.plural("{n} picture answered", "{n} pictures answered", summary["rows"])
    st.markdown(f"## {words}", anchors=False)
    show_counts(summary["counts"], summary["rows"], _)
    parts.show_problems(Problem.from_dict(problem) for problem in summary["problems"])
    path = run.folder / "artifacts" / "answers.csv"
    st.download_button(
        _("Download the answers") if has_pictures else _("Download the answered table"),
        (lambda: made_safe(path)) if run.is_from_outside else path.read_bytes,
        f"{run.name.rpartition(' · ')[2]}-answers.csv",
        "text/csv",
        key="answers_download",
        type="primary",
        icon=":material/download:",
        on_click="ignore",
    )
    st.caption(_how_answered(summary, _))
    show_rows(report["rows"], "answers_table", _)
    if summary["rows"] > len(report["rows"]):
        st.caption(_("The first {n} are shown; the file has all.", n=_.number(len(report["rows"]))))
