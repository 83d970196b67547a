"""Asking a text model: one text while it is typed, many lines at once, a whole file as a run; and why."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pandas as pd
import streamlit as st

from core import runs
from core.answers import AnsweredRow, AnswersSummary, Cell, Piece, TextAnswer, answers_csv
from core.catalog import get_model
from core.errors import GraftError, Problem
from core.figures import LOOKS, Theme
from core.i18n import N_, Translator
from core.messages import explain
from core.registry.formats import asked_suffixes, listed_words
from core.specs import SENTIMENT, PredictSpec
from core.store import RESUMABLE, Run
from pages.ui import cached, live, parts, state

MOST_LINES = 500
MOST_CHARS = 5000  # of one text: all of it is explained word by word
SHOWN_PIECES = 3
EXAMPLES = (
    "这部电影真是太棒了，演员的表演非常出色，剧情也很吸引人。",
    "我从未看过如此糟糕的电影，简直是在浪费时间。",
    "这部电影还行，没有特别出彩的地方，但也不难看。",
    "A warm, funny film with a cast that clearly enjoyed every minute.",
    "The plot falls apart halfway, and nobody seems to care.",
    "Not great, not terrible.",
)
# The classes that have a word and a face of their own; other models' classes keep the names they were given.
_FACES = {
    "positive": (":material/sentiment_satisfied:", "green", N_("Positive")),
    "negative": (":material/sentiment_dissatisfied:", "red", N_("Negative")),
    "unsure": (":material/sentiment_neutral:", "gray", N_("Unsure")),
}
_HALVES = {"sentiment/en": N_("the English half"), "sentiment/zh": N_("the Chinese half")}


def label_words(label: str, _: Translator, *, inside: bool = False) -> str:
    """A class in the reader's words; `inside` a sentence it begins small, unless it is a name."""
    if label not in _FACES:
        return label
    word = _(_FACES[label][2])
    return word.lower() if inside else word


# -- one text ----------------------------------------------------------------------------------------------


def one_text(model_id: str, key: str) -> None:
    """A text that is answered while it is typed, with the words that carried the answer."""
    _ = state.words()
    field = f"{key}_text"
    text = st.text_input(
        _("A text in Chinese or English") if model_id == SENTIMENT else _("A text of your own"),
        key=field,
        live="100ms",
        placeholder=_("type or paste; the answer follows"),
        persist_state="session",
    )
    answered = st.container(key=f"{key}_answered")
    if model_id == SENTIMENT:  # below the answer: on a phone that comes first
        with st.container(horizontal=True, gap="small", key=f"{key}_examples"):
            for place, example in enumerate(EXAMPLES):
                st.button(example, key=f"{key}_example_{place}", on_click=state.remember, args=(field, example))
    with answered, parts.guarded():
        if not (text or "").strip():
            st.caption(_("The answer comes with how sure the model is, and the words that spoke for it."))
            return
        with st.spinner(_("Asking the model; the first time takes some seconds"), show_time=True):
            model = cached.text_model(model_id)
            (answer,) = model.answer([text[:MOST_CHARS]])
        show_answer(answer, model.latency_ms, _)
        if len(text) > MOST_CHARS:
            st.caption(_("Only the first {n} characters are read here.", n=_.number(MOST_CHARS)))
        if answer.probabilities:
            show_why(*model.explain(text[:MOST_CHARS]), _)


def show_answer(answer: TextAnswer, latency_ms: float | None, _: Translator) -> None:
    """The label as a heading, how sure, by whom and how fast."""
    if answer.reason:
        st.info(explain(Problem(answer.reason), _), icon=":material/sentiment_neutral:")
        return
    likeliest = next(iter(answer.probabilities))
    share = _.percent(answer.probabilities[likeliest])
    icon, colour, _word = _FACES.get(answer.label, (":material/label:", "green", ""))
    if answer.label == "unsure":
        words = _("Unsure, leaning to {label}: {share}", label=label_words(likeliest, _, inside=True), share=share)
    else:
        words = _("{label}, {share} sure", label=label_words(answer.label, _), share=share)
    st.markdown(f"## :{colour}[{icon}] {words}", anchors=False)
    by = _(_HALVES[answer.model]) if answer.model in _HALVES else ""
    if latency_ms is not None:
        time = _.duration(latency_ms / 1000)
        st.caption(
            _("Answered by {model} in {time}.", model=by, time=time) if by else _("Answered in {time}.", time=time)
        )
    if len(answer.probabilities) > 2:
        rows = [(label_words(name, _), 100 * value) for name, value in list(answer.probabilities.items())[:5]]
        st.dataframe(
            pd.DataFrame(rows, columns=["label", "share"]),
            hide_index=True,
            column_config={"label": _("Class"), "share": sure_column(_)},
            key=f"answer_{state.session_id()}",
        )


def sure_column(_: Translator) -> Any:
    """A column of confidences in percent."""
    return st.column_config.ProgressColumn(_("How sure"), width="small", format="%.1f%%", min_value=0, max_value=100)


def show_why(label: str, pieces: Sequence[Piece], _: Translator) -> None:
    """The text with the parts that spoke for a class underlined, those against it underlined with waves."""
    word = label_words(label, _, inside=True)
    other = label_words("negative", _, inside=True) if label == "positive" else _("against it")
    help_ = _(
        "How much each part moved the answer, in log-odds. Chinese: exactly. Other models: "
        "what the answer loses when the word is left out."
    )
    st.markdown(f"**{_('Why')}**", help=help_)
    st.html(_drawn(pieces, word, other, state.theme()))
    ranked = sorted(
        (piece for piece in pieces if any(map(str.isalnum, piece.text))), key=lambda piece: -abs(piece.weight)
    )
    lines = []
    for sign, name in ((1, word), (-1, other)):
        strong = [piece for piece in ranked if sign * piece.weight > 0.05][:SHOWN_PIECES]
        if strong:
            named = _(", ").join(f"{_quoted(piece.text)} {_signed(piece.weight, _)}" for piece in strong)
            lines.append(_("Strongest for {label}: {words}", label=name, words=named))
    st.caption("  \n".join(lines) or _("No single part moved the answer."))


def _quoted(text: str) -> str:
    return f"“{plain_words(text.strip()[:40])}”"


def plain_words(text: str) -> str:
    """A text as it stands, whatever Markdown would make of it."""
    for sign in "\\`*_[]$~:<>#":
        text = text.replace(sign, f"\\{sign}")
    return text


def _signed(weight: float, _: Translator) -> str:
    return ("+" if weight > 0 else "−") + _.number(abs(weight), 2)


def _drawn(pieces: Sequence[Piece], word: str, other: str, theme: Theme) -> str:
    """The text as HTML: straight or wavy lines, thicker where more was said; colours only repeat that."""
    most = max((abs(piece.weight) for piece in pieces), default=0) or 1
    colours = {1: LOOKS["last"].on(theme), -1: LOOKS["full"].on(theme)}
    spans = []
    for piece in pieces:
        text, strength = html.escape(piece.text), abs(piece.weight) / most
        if strength < 0.08 or not any(map(str.isalnum, piece.text)):
            spans.append(text)
            continue
        spans.append(f'<span style="{_line(1 if piece.weight > 0 else -1, strength, colours)}">{text}</span>')
    legend = " &nbsp; ".join(
        f'<span style="{_line(sign, 0.6, colours)}">{html.escape(name)}</span>'
        for sign, name in ((1, word), (-1, other))
    )
    return (
        f'<div style="font-size:1.15rem;line-height:2.1;overflow-wrap:anywhere">{"".join(spans)}</div>'
        f'<div style="font-size:.875rem;opacity:.85;margin-top:.25rem">{legend}</div>'
    )


def _line(sign: int, strength: float, colours: dict[int, str]) -> str:
    style = "solid" if sign > 0 else "wavy"
    return (
        f"text-decoration:underline {style} {colours[sign]};text-decoration-thickness:{1 + round(3 * strength)}px;"
        "text-underline-offset:5px;text-decoration-skip-ink:none"
    )


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
            answers, latency_ms = cached.answers(model_id, tuple(lines))
        rows: list[AnsweredRow] = [
            {"text": line, "label": answer.label, "confidence": answer.confidence, "model": answer.model}
            for line, answer in zip(lines, answers, strict=True)
        ]
        counts = {
            label: sum(row["label"] == label for row in rows) for label in dict.fromkeys(r["label"] for r in rows)
        }
        show_counts(counts, len(rows), _)
        show_rows(rows, f"{key}_table", _)
        if latency_ms is not None:
            st.caption(_("{time} for each text.", time=_.duration(latency_ms / 1000)))
        st.download_button(
            _("Download as csv"),
            answers_csv(cast(list[dict[str, Cell]], rows)),
            "answers.csv",
            "text/csv",
            key=f"{key}_download",
            icon=":material/download:",
            on_click="ignore",
        )


def show_counts(counts: Mapping[str, int], total: int, _: Translator) -> None:
    """How many texts got each of the commonest answers."""
    common = sorted(counts.items(), key=lambda pair: -pair[1])[:4]
    parts.numbers(
        [(label_words(label, _) or _("Empty"), _.number(n), _.percent(n / max(1, total)), None) for label, n in common],
        key="answer_counts",
    )


def show_rows(rows: Sequence[AnsweredRow], key: str, _: Translator) -> None:
    """Texts, or pictures by their files, with their answers."""
    table = pd.DataFrame(rows)
    table["label"] = [label_words(label, _) for label in table["label"]]
    table["confidence"] = 100 * table["confidence"].astype(float)
    st.dataframe(
        table,
        hide_index=True,
        key=key,
        column_order=[name for name in ("file", "text", "label", "confidence") if name in table],
        placeholder="–",
        column_config={
            "file": st.column_config.TextColumn(_("File"), width="medium"),
            "text": st.column_config.TextColumn(_("Text"), width="medium"),
            "label": st.column_config.TextColumn(_("Answer"), width="small"),
            "confidence": sure_column(_),
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
        max_upload_size=cached.upload_limit_mb(),
        help=_(
            "{formats} with a column of texts, or a txt with one text in each line.", formats=_.either(listed_words())
        ),
    )
    if file is None:
        st.caption(_("What comes back is the same table with the answer, how sure it is, and what answered."))
        return
    with parts.guarded():
        path = cached.store_asked(file, file.name, file.file_id)
        preview = cached.peek(path)
        parts.show_problems(preview.problems)
        columns = list(preview.table)
        column = st.selectbox(
            _("Column with the texts"), columns, columns.index(preview.column), key=f"{key}_column_{file.file_id}"
        )
        st.dataframe(pd.DataFrame(preview.table), hide_index=True, key=f"{key}_preview")
        label = _.plural("Answer {n} text", "Answer {n} texts", preview.rows)
        if st.button(label, key=f"{key}_start", type="primary", icon=":material/play_arrow:"):
            try:
                run = runs.submit(PredictSpec(model=model_id, file=path, text_column=column))
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
        words = [_("Texts from column {column}.", column=f"**{summary['column']}**")]
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
            parts.badge(run.status)
        parts.link("predict", _("Ask again"), ":material/arrow_back:")
        parts.link("runs", _("Its record"), ":material/history:", run=run.id)
        if run.status in RESUMABLE:
            live.resume_button(run, _)
    if run.is_active:
        live.follow_check(run.id)
        return
    report = runs.read_report(run.id) if run.status == "done" else None
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
        path.read_bytes,
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
