"""Asking a model of the hub what it was made for beside classes: choose a task and a model, give, see the answer."""

from __future__ import annotations

import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from core.i18n import Translator
from core.markdown import as_text
from core.messages import explain
from core.models.card import ModelCard
from core.predict.tasks.checks import check_inputs, check_needs, is_here, not_here, published_size_mb, split_labels
from core.predict.tasks.records import AnswerReport, Segment, colour_of
from core.predict.tasks.table import does, find_recommended, tasks_for
from core.problems import Problem
from core.registry.task_rows import InputField, Option, Task
from core.registry.tasks import GROUPS, TASKS
from pages.ui import parts, state
from pages.ui import words as ui_words
from pages.ui.cached import answers as cached_answers
from pages.ui.cached import models as cached_models
from pages.ui.predict import one_text
from pages.ui.predict import pictures as predict_pictures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image


_HIGHEST_PX = 560
# An input as its field holds it: a text, labels, or the bytes of a file.
Given = str | tuple[str, ...] | bytes


@dataclass(frozen=True)
class _Choice:
    """A model that may answer, and what is known of it before it is loaded."""

    id: str
    languages: tuple[str, ...]
    size_mb: float
    is_here: bool
    problems: tuple[Problem, ...]


# -- choosing ------------------------------------------------------------------------------------------------


def from_address() -> bool:
    """Take over a task and model that the address names, once; whether it named one."""
    wanted = state.query("task")
    if wanted not in TASKS or state.recall("task_in_address") == wanted:
        return False
    state.remember("task_in_address", wanted)
    state.remember("other_task", wanted)
    if state.query("model"):
        state.remember(f"task_model_{wanted}", state.query("model"))
        state.set_query(model="")
    return True


def leave() -> None:
    """Another kind of question is asked now: the address names no task any more."""
    state.set_query(task="")
    state.forget("task_in_address")


def choose_and_ask() -> None:
    """The task, the model, what it is given, and its answer."""
    _ = state.words()
    st.caption(_("These models answer as they were published; training them for such tasks is not part of Graft."))
    left, right = st.columns(2)
    with left:
        chosen = st.selectbox(
            _("Task"),
            list(TASKS),
            format_func=lambda name: f"{_(GROUPS[TASKS[name].group])} · {_(TASKS[name].name)}",
            key="other_task",
            persist_state="session",
        )
        task = TASKS[chosen]
        st.markdown(_(task.does))
    state.remember("task_in_address", task.id)
    state.set_query(task=task.id)
    with right:
        choice = _choose_model(task, _)
    _ask(task, choice, f"task_{task.id}")


def ask(card: ModelCard) -> None:
    """The same for one given model: each task it does."""
    _ = state.words()
    tasks = {task.id: task for task in tasks_for(card)}
    if not tasks:
        st.info(_("There is no task here that this model could be asked."), icon=":material/info:")
        return
    chosen = next(iter(tasks))
    if len(tasks) > 1:
        chosen = st.segmented_control(
            _("Task"), list(tasks), default=chosen, required=True, format_func=lambda name: _(tasks[name].name),
            key=f"card_task_{card.id}",
        ) or chosen  # fmt: skip
    task = tasks[chosen]
    st.markdown(_(task.does))
    _ask(task, _choice(task, card.id, card), f"card_{task.id}")


def _choices(task: Task, language: str) -> list[_Choice]:
    """Recommended models and whatever else fits on this machine: what is here first, then the reader's language."""
    here = {card.id: card for card in cached_models.hub_cards() if does(card, task)}
    ids = dict.fromkeys([row.id for row in task.models] + list(here))
    choices = [_choice(task, model_id, here.get(model_id)) for model_id in ids]
    return sorted(choices, key=lambda row: (not row.is_here, not {language, "multilingual"} & set(row.languages)))


def _choice(task: Task, model_id: str, card: ModelCard | None) -> _Choice:
    advised = find_recommended(task, model_id)
    languages = advised.languages if advised else (card.text.languages if card and card.text else ())
    local = is_here(model_id)
    problems = check_needs(task, model_id)
    problems += [] if local else [not_here(task, model_id)]
    return _Choice(model_id, languages, published_size_mb(task, model_id), local, tuple(problems))


def _choose_model(task: Task, _: Translator) -> _Choice:
    rows = {row.id: row for row in _choices(task, _.language.code)}
    key = f"task_model_{task.id}"
    if state.recall(key) not in rows:
        state.forget(key)
    chosen = st.selectbox(
        _("Model"), list(rows), format_func=lambda name: _model_words(rows[name], _), key=key, persist_state="session"
    )
    return rows[chosen]


def _model_words(row: _Choice, _: Translator) -> str:
    words = [row.id.rpartition("/")[2]]
    if row.languages:
        words.append(ui_words.language_words(row.languages, _))
    if row.is_here:
        words.append(_("on this machine"))
    elif row.size_mb:
        words.append(_("needs a download of {size}", size=_.size(row.size_mb * 2**20)))
    return " · ".join(words)


# -- asking --------------------------------------------------------------------------------------------------


@st.fragment
def _ask(task: Task, choice: _Choice, key: str) -> None:
    _ = state.words()
    left, right = st.columns([1, 2], gap="medium")
    with left:
        given = {entry.name: _field(entry, key, _) for entry in task.inputs}
        _offer_example(task, given, key, _)
        options = _options(task.options, key, _)
        values = {name: value for name, value in given.items() if value}
        missing = [problem for problem in check_inputs(task, {**values, **options}) if problem.field in options]
        ready = len(values) == len(given)
        is_asked = st.button(
            _("Answer"), key=f"{key}_go", type="primary", icon=":material/play_arrow:",
            disabled=bool(choice.problems) or not ready or bool(missing),
            help=explain(choice.problems[0], _) if choice.problems else None,
        )  # fmt: skip
    kinds = {entry.name: entry.kind for entry in task.inputs}
    inputs = tuple((name, kinds.get(name, "option"), value) for name, value in {**values, **options}.items())
    wanted = (task.id, choice.id, hash(inputs))
    if is_asked:
        state.remember(f"{key}_asked", wanted)
    with right:
        parts.show_problems(missing)
        if choice.problems:
            _tell_absent(choice, _)
        elif not ready or state.recall(f"{key}_asked") != wanted:
            st.caption(_("The answer comes here. Nothing leaves this machine."))
        else:
            with parts.guarded():
                with st.spinner(_("Asking the model; the first time takes some seconds"), show_time=True):
                    report = cached_answers.answer_task(task.id, choice.id, inputs)
                _show(report, values, key, _)


def _tell_absent(choice: _Choice, _: Translator) -> None:
    """Why it cannot be asked yet, and the way to change that."""
    for problem in choice.problems:
        st.info(explain(problem, _), icon=":material/download:")
    if not choice.is_here:
        parts.link("models", _("Its card"), ":material/deployed_code:", model=choice.id)


def _field(entry: InputField, key: str, _: Translator) -> Given | None:
    """One input; what it holds as it goes to the model, empty while nothing is given."""
    name = f"{key}_{entry.name}"
    label = _(entry.label)
    if entry.kind == "picture":
        file = st.file_uploader(label, type=predict_pictures.TYPES, key=name, max_upload_size=25)
        return _picture(file) if file is not None else None
    if entry.kind == "sound":
        return _sound(entry, name, label, _)
    example = _example(entry, _)
    if entry.kind == "long_text":
        text = st.text_area(
            label, key=name, height=160, max_chars=entry.most, placeholder=example, persist_state="session"
        )
    else:
        most = entry.most if entry.kind == "text" else None
        text = st.text_input(label, key=name, max_chars=most, placeholder=example, persist_state="session")
    return tuple(split_labels(text or "")) if entry.kind == "labels" else (text or "").strip()


def _picture(file: Any) -> bytes | None:
    """An uploaded picture, shown as models see it; None where it cannot be read, which is told."""
    data: bytes | None = None
    with parts.guarded():
        picture, odd = cached_answers.read_told(file.getvalue(), file.name)
        st.image(picture, width=240, alt=file.name)
        parts.show_problems(odd)
        data = file.getvalue()
    return data


def _example(entry: InputField, _: Translator) -> str:
    return entry.examples.get(_.language.code, "")


def _offer_example(task: Task, given: Mapping[str, Given | None], key: str, _: Translator) -> None:
    """One click that fills what is still empty."""
    empty = {f"{key}_{entry.name}": _example(entry, _) for entry in task.inputs if not given[entry.name]}
    examples = {name: text for name, text in empty.items() if text}

    def take() -> None:
        for name, text in examples.items():
            state.remember(name, text)

    if examples:
        st.button(_("Take the example"), key=f"{key}_example", type="tertiary", icon=":material/edit_note:",
                  on_click=take)  # fmt: skip


def _sound(entry: InputField, name: str, label: str, _: Translator) -> bytes | None:
    file = st.file_uploader(label, type=["wav"], key=name, max_upload_size=entry.most)
    spoken = st.audio_input(_("Or speak"), key=f"{name}_spoken")
    chosen = file or spoken
    if file is not None:
        st.audio(file.getvalue(), format="audio/wav")
    return chosen.getvalue() if chosen is not None else None


def _options(options: Sequence[Option], key: str, _: Translator) -> dict[str, float | bool]:
    if not options:
        return {}
    with st.expander(_("More settings"), icon=":material/tune:", key=f"{key}_more"):
        return {option.name: _option(option, f"{key}_{option.name}", _) for option in options}


def _option(option: Option, name: str, _: Translator) -> float | bool:
    help_ = _(option.help)
    if isinstance(option.default, bool):
        return st.toggle(_(option.label), value=option.default, key=name, help=help_)
    whole = float(option.step).is_integer()
    numbers = [int(n) if whole else float(n) for n in (option.least, option.most, option.default, option.step)]
    least, most, default, step = numbers
    return st.number_input(_(option.label), least, most, default, step, key=name, help=help_)


# -- answers -------------------------------------------------------------------------------------------------


def _show(report: AnswerReport, values: Mapping[str, Given], key: str, _: Translator) -> None:
    """The answer as its kind asks for, how long it took, and what has to be told with it."""
    picture = values.get("picture")
    if report.output == "labels":
        _show_labels(report, key, _)
    elif report.output == "text" and report.text:
        st.code(report.text, language=None, wrap_lines=True)
    elif report.output == "spans":
        _show_spans(report, str(values["context"]), _)
    elif report.boxes and isinstance(picture, bytes):
        st.image(cached_answers.drawn_boxes(picture, report.boxes), alt=_("The picture with what was found"))
        rows = [(place, box.label, _.percent(box.score)) for place, box in enumerate(report.boxes, 1)]
        _legend(rows)
    elif report.segments and isinstance(picture, bytes):
        _show_parts(report.segments, picture, report.mask, _)
    elif report.picture is not None:
        _show_picture(report.picture, key, _)
    st.caption(_("{model} answered in {time}.", model=report.model, time=_.duration(report.latency_ms / 1000)))
    parts.show_problems(report.notes)


def _show_labels(report: AnswerReport, key: str, _: Translator) -> None:
    best = report.labels[0]
    compares = TASKS[report.task].is_cosine
    if compares:
        words = _("Nearest: {label} ({value})", label=best.label, value=_.number(best.score, 3))
    else:
        words = _("{label}, {share} sure", label=best.label, share=_.percent(best.score))
    st.markdown(f"## {as_text(words)}", anchors=False)
    if report.text:
        st.markdown(as_text(report.text))
    scale = 1 if compares else 100
    table = pd.DataFrame([(row.label, scale * row.score) for row in report.labels], columns=["label", "share"])
    near = st.column_config.ProgressColumn(_("Cosine"), format="%.3f", min_value=-1, max_value=1)
    columns = {"label": _("Label"), "share": near if compares else one_text.sure_column(_)}
    st.dataframe(table, hide_index=True, column_config=columns, key=f"{key}_labels")


def _show_spans(report: AnswerReport, context: str, _: Translator) -> None:
    """The passage as the answer, and where it stands."""
    if not report.spans:
        return
    best = report.spans[0]
    st.markdown(f"## {as_text(best.text)}", anchors=False)
    st.caption(_("{share} sure", share=_.percent(best.score)))
    drawn, place = [], 0
    for number, span in sorted(enumerate(report.spans, 1), key=lambda pair: pair[1].start):
        mark = f"<sup>{number}</sup>" if len(report.spans) > 1 else ""
        style = f"background:{colour_of(number)}40;color:inherit;border-bottom:2px solid {colour_of(number)}"
        words = html.escape(context[span.start : span.end])
        drawn.append(html.escape(context[place : span.start]) + f'<mark style="{style}">{words}{mark}</mark>')
        place = span.end
    text = "".join(drawn) + html.escape(context[place:])
    st.html(f'<div style="line-height:1.9;overflow-wrap:anywhere;white-space:pre-wrap">{text}</div>')
    if len(report.spans) > 1:
        _legend([(number, span.text, _.percent(span.score)) for number, span in enumerate(report.spans, 1)])


def _show_parts(segments: Sequence[Segment], picture: bytes, mask: NDArray[np.uint16] | None, _: Translator) -> None:
    st.image(cached_answers.painted_parts(picture, mask, segments), alt=_("The picture with its parts in colour"))
    _legend([(part.number, part.label, _.percent(part.share)) for part in segments])


def _show_picture(picture: Image, key: str, _: Translator) -> None:
    st.image(picture, width=_HIGHEST_PX, alt=_("The drawn picture"))
    data = io.BytesIO()
    picture.save(data, "PNG")
    st.download_button(_("Download as png"), data.getvalue(), "picture.png", "image/png", key=f"{key}_download",
                       icon=":material/download:", on_click="ignore")  # fmt: skip


def _legend(rows: Sequence[tuple[int, str, str]]) -> None:
    """What the numbers and colours in a picture mean."""
    box = "display:inline-block;min-width:1.5rem;text-align:center;border-radius:.25rem;background:#16211C;color:#fff"
    lines = [
        f'<li style="margin:.25rem 0"><span style="{box};border-bottom:4px solid {colour_of(number)}">{number}</span> '
        f"{html.escape(label)} · {html.escape(share)}</li>"
        for number, label, share in rows
    ]
    st.html(f'<ul style="list-style:none;padding:0;margin:0;columns:14rem">{"".join(lines)}</ul>')
