"""The only caches of the pages, and the only door to a loaded model."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.errors import GraftError
from core.models import catalog, weight_files
from core.predict.answer_tables import TOP
from core.predict.answers import Ranking, TextAnswer
from core.predict.drawing import lay_heat
from core.predict.spec import SENTIMENT
from pages.ui.cached.models import models, stored_weights

if TYPE_CHECKING:
    from core.predict.sentiment.model import Sentiment
    from core.predict.tasks.load import TaskModel
    from core.predict.tasks.records import AnswerReport, Box, Segment
    from core.problems import Problem


def _weights(model_id: str) -> str:
    """Which weights lie under an id now: what is kept of a model, or of its answers, is theirs alone."""
    try:
        return weight_files.stamp(catalog.get_model(model_id))
    except (GraftError, OSError):  # asking for the model tells what is wrong
        return ""


def predictor(model_id: str) -> Any:
    """A model ready to answer. Loads torch into this process, so only when somebody asks for an answer."""
    return _predictor(model_id, _weights(model_id))


@st.cache_resource(max_entries=4, show_spinner=False)
def _predictor(model_id: str, weights: str) -> Any:
    from core.predict.load import load_predictor

    return load_predictor(model_id)


@st.cache_resource(max_entries=2, show_spinner=False)
def _task_model(task_id: str, model_id: str, weights: str) -> TaskModel:
    from core.predict.tasks.load import load_task

    return load_task(task_id, model_id)


def answer_task(task_id: str, model_id: str, inputs: tuple[tuple[str, str, Any], ...]) -> AnswerReport:
    """What a model of the hub answers to (name, kind, value) of a task; pictures and recordings come as bytes.

    Raises what `load_task` and its `answer` raise, and `DataError` for files that cannot be read.
    """
    return _answer_task(task_id, model_id, inputs, _weights(model_id))


@st.cache_data(max_entries=16, show_spinner=False)
def _answer_task(task_id: str, model_id: str, inputs: tuple[tuple[str, str, Any], ...], weights: str) -> AnswerReport:
    values = {name: _decoded(kind, value) for name, kind, value in inputs}
    return _task_model(task_id, model_id, weights).answer(**values)


def _decoded(kind: str, value: Any) -> Any:
    if kind == "sound":
        from core.data.reading import read_apart

        return read_apart("core.data.sound:read_sound", "", value)
    return read_picture(value) if kind == "picture" else list(value) if kind == "labels" else value


def drawn_boxes(data: bytes, boxes: Sequence[Box]) -> Any:
    """An uploaded picture with numbered frames."""
    from core.predict.drawing import draw_boxes

    return draw_boxes(read_picture(data), boxes)


def painted_parts(data: bytes, mask: Any, segments: Sequence[Segment]) -> Any:
    """An uploaded picture with its parts in colour and numbered."""
    from core.predict.drawing import paint_parts

    return paint_parts(read_picture(data), mask, segments)


@st.cache_resource(show_spinner=False)
def _sentiment() -> Sentiment:
    from core.predict.sentiment.model import Sentiment

    return Sentiment()


@st.cache_resource(show_spinner=False)
def warm_up() -> None:
    """Load the English half of the sentiment model beside, once: who is typing still need not wait for torch."""
    model = _sentiment()

    def load() -> None:
        with suppress(GraftError):  # told when somebody asks
            model.encoder()

    threading.Thread(target=load, name="warm-up", daemon=True).start()


def text_model(model_id: str) -> Any:
    """What answers texts: the sentiment model, or any other by its id."""
    return _sentiment() if model_id == SENTIMENT else predictor(model_id)


def answers(model_id: str, texts: tuple[str, ...]) -> tuple[list[TextAnswer], float | None]:
    """The answers to some texts, and the time of each in ms when they were computed."""
    return _answers(model_id, texts, _weights(model_id))


@st.cache_data(max_entries=8, show_spinner=False)
def _answers(model_id: str, texts: tuple[str, ...], weights: str) -> tuple[list[TextAnswer], float | None]:
    model = text_model(model_id)
    return model.answer(texts), model.latency_ms


def picture_answers(model_id: str, data: bytes) -> tuple[Ranking, float | None]:
    """The likeliest classes of a picture's bytes, and the time of the answer in ms. Raises `DataError`."""
    return _picture_answers(model_id, data, _weights(model_id))


@st.cache_data(max_entries=200, show_spinner=False)
def _picture_answers(model_id: str, data: bytes, weights: str) -> tuple[Ranking, float | None]:
    model = predictor(model_id)
    (answers,) = model.answer_seen([_see(model, data)])
    return answers[:TOP], model.latency_ms


def heat(model_id: str, data: bytes, label: str) -> tuple[Any, tuple[int, int] | None]:
    """What a model saw of a picture with what spoke for a class laid over it, and the grid it was computed on.

    No grid where nothing spoke for the class. Raises `InputError` for a network that cannot tell.
    """
    return _heat(model_id, data, label, _weights(model_id))


@st.cache_data(max_entries=40, show_spinner=False)
def _heat(model_id: str, data: bytes, label: str, weights: str) -> tuple[Any, tuple[int, int] | None]:
    from core.predict.saliency import find_heat

    model = predictor(model_id)
    laid = find_heat(model, _see(model, data), label)
    return lay_heat(laid.seen, laid.values), laid.grid if laid.values.any() else None


@st.cache_data(max_entries=8, show_spinner=False)
def peek_album(path: str) -> tuple[int, list[str], list[Problem]]:
    """How many pictures a zip holds, the first names, and what is odd about the rest. Raises `DataError`."""
    from core.data.reading import read_apart

    peeked: tuple[int, list[str], list[Problem]] = read_apart(
        "core.predict.picture_files:peek_album", Path(path).name, Path(path)
    )
    return peeked


def store_asked(file: Any, name: str, file_id: str) -> str:
    """Keep an uploaded table of texts or zip of pictures until its run is deleted; returns its path.

    Raises `DataError`.
    """
    from core.predict.text_files import store_questions

    return str(store_questions(file, name, file_id))


def forget_models() -> None:
    """Look again for models at the next question: a run has ended, or something was deleted."""
    models.clear()
    stored_weights.clear()


def remove_weights(model_id: str) -> int:
    """Delete a model's downloaded weights; returns the bytes freed. Raises `GraftError`."""
    from core.models.weight_cache import remove_weights

    freed = remove_weights(model_id)
    forget_models()
    return freed


def _see(model: Any, data: bytes) -> Any:
    """The square of an uploaded picture that a model is shown. Raises `DataError`."""
    from core.data.reading import read_apart

    return read_apart("core.data.picture:see", "", data, "", model.seen)


def read_picture(data: bytes) -> Any:
    """An uploaded picture as a PIL image, upright and RGB as models see it. Raises `DataError` when it is none."""
    return read_told(data, "")[0]


def read_told(data: bytes, name: str) -> tuple[Any, list[Problem]]:
    """The same, with what is odd about the picture."""
    from PIL import Image

    from core.data.reading import read_apart

    pixels, odd = read_apart("core.data.picture:open_shown", name, data, name)
    return Image.fromarray(pixels), odd
