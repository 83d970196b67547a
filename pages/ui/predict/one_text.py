"""One text answered at once: the answer, how sure, and which words carried it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.charts.theme import LOOKS, Theme
from core.i18n import N_, Translator
from core.markdown import Markdown, as_text, join_markdown
from core.messages import explain
from core.predict.answers import Piece, TextAnswer
from core.predict.spec import SENTIMENT
from core.problems import Problem
from pages.ui import parts, state
from pages.ui.cached import answers as cached_answers

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
    "declined": (":material/translate:", "gray", N_("Not answered")),
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
            model = cached_answers.text_model(model_id)
            (answer,) = model.answer([text[:MOST_CHARS]])
        show_answer(answer, model.latency_ms, _)
        if len(text) > MOST_CHARS:
            st.caption(_("Only the first {n} characters are read here.", n=_.number(MOST_CHARS)))
        if answer.probabilities:
            label, pieces = model.explain(text[:MOST_CHARS])
            show_why(label, pieces, _)


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
            told = (Markdown(f"{_quoted(piece.text)} {_signed(piece.weight, _)}") for piece in strong)
            named = join_markdown(_(", "), told)
            lines.append(_("Strongest for {label}: {words}", label=name, words=named))
    st.caption("  \n".join(lines) or _("No single part moved the answer."))


def _quoted(text: str) -> Markdown:
    return Markdown(f"“{as_text(text.strip()[:40])}”")


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
