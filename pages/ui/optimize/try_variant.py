"""Trying a variant: the original and it answer the same picture or text, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from core.i18n import Translator
from core.markdown import as_text
from core.optimize.figures import variant_word
from core.optimize.rows import OptimizeReport
from core.predict.spec import PredictSpec
from core.runs import kinds
from core.spec import parse_spec
from core.store import Run
from pages.ui import parts, state
from pages.ui.cached import answers as cached_answers
from pages.ui.cached import runs as cached_runs
from pages.ui.predict import one_text
from pages.ui.predict.pictures import TYPES

_SHOWN = 5

Answer = tuple[list[tuple[str, float]], float]


def ask(run: Run, report: OptimizeReport) -> None:
    """Choose a variant and give it a picture or a text; the original answers beside."""
    _ = state.words()
    rows = {row.name: row for row in report.variants if row.offered}
    names, best = list(rows), report.recommended
    is_text = report.conditions.get("task") == "text-classification"
    left, right = st.columns([1, 2])
    with left:
        name = st.selectbox(
            _("Variant"),
            names,
            index=names.index(best) if best in names else 0,
            format_func=lambda name: variant_word(rows[name], _),
            key=f"try_variant_{run.id}",
        )
    with right:
        given = _text(run, _) if is_text else _picture(run, _)
    if given is None:
        st.caption(_("Both answer it side by side, with the time each takes."))
    else:
        _show_both(run, name, variant_word(rows[name], _), given)
    asked = {"model": run.spec["model"]["id"], "variant": f"{run.id}/{name}", "file": "FILE-OR-FOLDER"}
    many = _("A whole table, folder or zip, on the command line")
    with st.expander(many, key=f"try_command_{run.id}", icon=":material/terminal:"):
        st.code(kinds.command_line(parse_spec(PredictSpec, asked)), language=None, wrap_lines=True)


def _show_both(run: Run, name: str, word: str, given: Any) -> None:
    """What the original and the variant of this name answer, side by side."""
    _ = state.words()
    with parts.guarded():
        with st.spinner(_("Asking both; the first time takes some seconds")):
            original = _answer(cached_answers.predictor(run.spec["model"]["id"]), given)
            variant = _answer(cached_runs.optimized(run.id, name), given)
        one, two = st.columns(2, gap="large")
        with one:
            _show(_("Original"), original, f"try_original_{run.id}", _)
        with two:
            _show(word, variant, f"try_answer_{run.id}", _)
        st.caption(_("One answer each, while the page works too: the times in the table were measured with care."))


def _text(run: Run, _: Translator) -> str | None:
    text = st.text_input(_("A text of your own"), key=f"try_text_{run.id}", max_chars=one_text.MOST_CHARS)
    return (text or "").strip() or None


def _picture(run: Run, _: Translator) -> Any:
    file = st.file_uploader(_("A picture of your own"), type=TYPES, key=f"try_picture_{run.id}", max_upload_size=25)
    picture = None
    if file is None:
        return None
    with parts.guarded():
        picture, odd = cached_answers.read_told(file.getvalue(), file.name)
        st.image(picture, width=140, alt=file.name, caption=as_text(file.name))
        parts.show_problems(odd)
    return picture


def _answer(model: Any, given: Any) -> Answer:
    """The likeliest classes, and the time of the second of two answers, all included: the first one warms up."""
    ways: dict[bool, Callable[[], list[tuple[str, float]]]] = {
        True: lambda: list(model.answer([given])[0].probabilities.items()),
        False: lambda: model.predict([given])[0],
    }
    take = ways[isinstance(given, str)]
    take()
    began = time.perf_counter()
    shares = take()
    return shares, (time.perf_counter() - began) * 1000


def _show(title: str, answer: Answer, key: str, _: Translator) -> None:
    shares, latency_ms = answer
    st.markdown(f"**{as_text(title)}**")
    if shares:
        label, share = shares[0]
        word = one_text.label_words(label, _)
        st.markdown(f"### {_('{label}, {share} sure', label=word, share=_.percent(share))}", anchors=False)
    st.caption(_("Answered in {time}.", time=_.duration(latency_ms / 1000)))
    table = pd.DataFrame(
        [(one_text.label_words(name, _), 100 * value) for name, value in shares[:_SHOWN]], columns=["label", "share"]
    )
    config = {"label": _("Class"), "share": one_text.sure_column(_)}
    st.dataframe(table, hide_index=True, column_config=config, key=key)
