"""Asking models about pictures: one or several side by side, where each looked, and whole zips and folders as runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from core.errors import GraftError
from core.i18n import Translator
from core.markdown import as_code, as_text, join_markdown
from core.paths import meant_path
from core.predict.answer_tables import answers_csv, picture_row
from core.predict.answers import Cell, Ranking
from core.predict.spec import PredictSpec
from core.registry.formats import PICTURE_FILES, asked_suffixes
from core.runs import submit
from core.runs.names import model_name
from core.spec import ModelRef, parse_spec
from pages.ui import parts, state
from pages.ui.cached import answers as cached_answers
from pages.ui.cached import data as cached_data
from pages.ui.cached import models as cached_models
from pages.ui.predict import one_text

TYPES = [suffix for row in PICTURE_FILES.values() for suffix in row.offered]
MOST = 20
MOST_MODELS = 4
_PICTURE_PX, _WIDEST_PX = 180, 240


@dataclass(frozen=True)
class _Upload:
    """One uploaded picture."""

    name: str
    data: bytes


# -- some pictures -----------------------------------------------------------------------------------------


def ask(model_id: str, key: str) -> None:
    """Upload pictures; each is shown with the likeliest classes, of other models beside if wanted."""
    _ = state.words()
    models = [model_id, *_beside(model_id, key, _)]
    files = st.file_uploader(
        _("Pictures of your own"), type=TYPES, key=f"{key}_pictures", max_upload_size=25, accept_multiple_files=True
    )
    if not files:
        st.caption(_("The model answers with the classes it learned, and how sure it is."))
        return
    if len(files) > MOST:
        st.caption(_("The first {n} are answered; a zip or folder is answered whole.", n=MOST))
    with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_picture_bar"):
        looks = st.toggle(
            _("Show where it looked"),
            key=f"{key}_looks",
            help=_(
                "Grad-CAM (Selvaraju et al. 2017): the last layer that still tells places apart, each of its maps "
                "weighed by how much it speaks for the class. Yellow spoke for it most, dark blue not at all. It is as "
                "coarse as that layer, and shows what moved the answer, not whether it is right."
            ),
        )
        csv_place = st.empty()
    rows: list[dict[str, Cell]] = []
    for place, file in enumerate(files[:MOST]):
        with parts.guarded():
            rows += _show(_Upload(file.name, file.getvalue()), models, f"{key}_{place}", _, looks=looks)
    if rows:
        csv_place.download_button(
            _("Download as csv"),
            answers_csv(rows),
            "answers.csv",
            "text/csv",
            key=f"{key}_picture_csv",
            icon=":material/download:",
            on_click="ignore",
        )


def _beside(model_id: str, key: str, _: Translator) -> list[str]:
    """Other models that answer too: those whose weights are here."""
    names = {
        card.id: card.name
        for card, is_local in cached_models.models()
        if is_local and card.num_classes and card.is_trainable and not card.is_text and card.id != model_id
    }
    field = f"{key}_beside"
    if not names:
        return []
    state.keep_known(field, names)
    return st.multiselect(
        _("Others beside it"),
        list(names),
        format_func=names.__getitem__,
        max_selections=MOST_MODELS - 1,
        key=field,
        placeholder=_("none"),
        help=_("Models on this machine that answer the same pictures, side by side."),
        persist_state="session",
    )


def _show(upload: _Upload, models: Sequence[str], key: str, _: Translator, *, looks: bool) -> list[dict[str, Cell]]:
    """One picture with each model's answer; returns the rows of the csv."""
    picture, odd = cached_answers.read_told(upload.data, upload.name)
    parts.show_problems(odd)
    rows: list[dict[str, Cell]] = []
    # A cell is never narrower than what is drawn in it: in a narrow place they stand below each other.
    with st.container(border=len(models) > 1, key=f"{key}_picture"):
        grid = st.grid(len(models) + 1 + (looks and len(models) == 1), min_column_width=_WIDEST_PX)
        grid.cell().image(picture, width=_PICTURE_PX, alt=upload.name, caption=as_text(upload.name))
        for model_id in models:
            cell = grid.cell()
            with cell, parts.guarded():
                answers = _show_answers(upload, model_id, f"{key}_{model_id}", _, is_alone=len(models) == 1)
                rows.append({**picture_row(upload.name, answers), "model": model_id})
            if looks and rows and rows[-1]["model"] == model_id:
                # What one looked at stands beside its answers, that of several below theirs.
                with grid.cell() if len(models) == 1 else cell, parts.guarded():
                    _show_heat(upload, model_id, str(rows[-1]["label"]), _)
    return rows


def _show_answers(upload: _Upload, model_id: str, key: str, _: Translator, *, is_alone: bool) -> Ranking:
    with st.spinner(_("Asking the model; the first time takes some seconds")):
        answers, latency_ms = cached_answers.picture_answers(model_id, upload.data)
    label, share = answers[0]
    if not is_alone:
        st.caption(as_text(model_name(ModelRef(id=model_id))))
    st.markdown(_("**{label}**, {share} sure", label=label, share=_.percent(share)))
    table = pd.DataFrame([(name, 100 * value) for name, value in answers], columns=["label", "share"])
    st.dataframe(
        table,
        hide_index=True,
        column_config={"label": _("Class"), "share": one_text.sure_column(_)},
        key=f"{key}_answers",
    )
    if latency_ms is not None:
        st.caption(_("Answered in {time}.", time=_.duration(latency_ms / 1000)))
    return answers


def _show_heat(upload: _Upload, model_id: str, label: str, _: Translator) -> None:
    with st.spinner(_("Looking where it looked")):
        drawn, grid = cached_answers.heat(model_id, upload.data, label)
    if grid is None:
        st.caption(_("No single place spoke for {label}.", label=label))
        return
    words = _("What spoke for {label}, on a grid of {rows} × {columns}", label=label, rows=grid[0], columns=grid[1])
    st.image(drawn, width=_WIDEST_PX, alt=words, caption=words)


# -- a zip or folder ---------------------------------------------------------------------------------------


def ask_album(model_id: str, key: str) -> None:
    """Upload a zip, or name a folder of this machine, and start answering all its pictures."""
    _ = state.words()
    file = st.file_uploader(
        _("A zip of pictures"),
        type=asked_suffixes("pictures"),
        key=f"{key}_zip",
        max_upload_size=cached_data.upload_limit_mb(),
    )
    typed = st.text_input(
        _("Or a folder or zip on this machine"),
        key=f"{key}_folder",
        placeholder="/my/pictures",
        persist_state="session",
    )
    path = (typed or "").strip()
    if file is None and not path:
        st.caption(
            _("What comes back is a table: each picture with its five likeliest classes and how sure the model is.")
        )
        return
    with parts.guarded():
        label = _("Answer all pictures")
        if file is not None:
            path = cached_answers.store_asked(file, file.name, file.file_id)
            count, names, problems = cached_answers.peek_album(path)
            parts.show_problems(problems)
            st.caption(_("It begins with {names}.", names=join_markdown(_(", "), map(as_code, names))))
            label = _.plural("Answer {n} picture", "Answer {n} pictures", count)
        if st.button(label, key=f"{key}_album_go", type="primary", icon=":material/play_arrow:"):
            _start(model_id, path)


def _start(model_id: str, path: str) -> None:
    asked = {"model": model_id, "file": str(meant_path(path.removeprefix("path:")))}
    try:
        run = submit.submit(parse_spec(PredictSpec, asked))
    except GraftError as error:
        parts.show_problems(error.problems)
        return
    state.set_query(run=run.id)
    st.rerun()


def ask_some_or_many(model_id: str, key: str) -> None:
    """Some pictures at once, or a zip or folder of many."""
    _ = state.words()
    ways: dict[str, Any] = {"some": (_("Some pictures"), ask), "album": (_("A zip or folder"), ask_album)}
    way = st.segmented_control(
        _("What to answer"),
        list(ways),
        default="some",
        required=True,
        format_func=lambda name: ways[name][0],
        key=f"{key}_picture_way",
        label_visibility="collapsed",
        persist_state="session",
    )
    st.fragment(ways[way or "some"][1])(model_id, key)
