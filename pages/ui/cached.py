"""What several viewers share for a while: the only cache decorators, and the only door to a loaded model."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from core import catalog, jobs, settings
from core.answers import TOP, Ranking, TextAnswer
from core.catalog_search import find_local
from core.curves import CurveBuffer
from core.errors import GraftError, Problem
from core.figures import lay_heat
from core.hardware import MachineCard, describe_machine, free_disk_mb
from core.measured import Measurement, list_measurements
from core.specs import SENTIMENT
from core.store import Run, open_store

if TYPE_CHECKING:
    from core.ask_records import AnswerReport, Box, Segment
    from core.data.library import DataCard
    from core.data.questions import Preview
    from core.errors import Problem
    from core.local_weights import StoredWeights
    from core.sentiment import Sentiment, SentimentCard


# What several pages ask for in the same moment is read once.
_SHARED_S = 0.3
# A refresh takes some 15 ms of a core, and training waits for its slowest thread: with so long a rest for each
# viewer and core, many viewers slow it by a few percent.
_REST_S = 1.0
_VIEWER_GONE_S = 30.0


@st.cache_data(ttl=10, show_spinner=False)
def machine() -> MachineCard:
    """This machine, its free memory at most ten seconds old."""
    return describe_machine()


@st.cache_data(ttl=10, show_spinner=False)
def free_disk() -> float:
    """Free space where Graft keeps its files, in MB."""
    return free_disk_mb(settings.home())


@st.cache_resource(ttl=20, show_spinner=False)  # cards are frozen: two thousand need not be copied at every look
def models() -> list[tuple[catalog.ModelCard, bool]]:
    """Every model with whether its weights are here: what runs made first, then local ones, then the rest."""
    here = find_local()
    published = [(card, card.id in here) for card in catalog.list_models()]
    made = [(card, True) for card in catalog.list_run_models()]
    return made + sorted(published, key=lambda pair: not pair[1])


@st.cache_resource(ttl=3, show_spinner=False)
def measurements() -> dict[str, Measurement]:
    """What was measured of models on this machine, by model id."""
    return list_measurements(open_store())


def hub_endpoint() -> str:
    """The address of the hub that is searched."""
    from core.hub_search import hub_endpoint

    return hub_endpoint()


@st.cache_data(ttl=300, max_entries=64, show_spinner=False)
def search_hub(text: str) -> list[Mapping[str, Any]]:
    """Models of the hub that fit some words. Raises `GraftError` where the hub gives no answer."""
    from core.hub_search import search_hub

    return list(search_hub(text))


@st.cache_data(ttl=10, show_spinner=False)
def folder_bytes(path: str) -> int:
    """Bytes of all files below a folder."""
    total = 0
    for file in Path(path).rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except OSError:  # removed meanwhile
            continue
    return total


@st.cache_resource(max_entries=64, show_spinner=False)
def curves(run_id: str) -> CurveBuffer:
    """The curves of a run, shared by all its viewers; `refresh` reads what is new."""
    return CurveBuffer(run_id)


@st.cache_data(ttl=_SHARED_S, max_entries=64, show_spinner=False)
def _refresh(run_id: str) -> None:
    curves(run_id).refresh(open_store())


def fresh_curves(run_id: str) -> CurveBuffer:
    """The curves of a run with what was measured until now, read once for all its viewers."""
    _refresh(run_id)
    buffer: CurveBuffer = curves(run_id)
    return buffer


@st.cache_data(ttl=_SHARED_S, show_spinner=False)
def pump() -> None:
    """Keep the queue moving: of many open pages one is enough."""
    jobs.pump()


@st.cache_resource(show_spinner=False)
def _viewers() -> dict[str, float]:
    return {}


def tick_s(session: str) -> float:
    """Seconds a live page rests between two looks: one, more when many watch, so that training has its cores."""
    seen, now = _viewers(), time.monotonic()
    seen[session] = now
    for other, moment in list(seen.items()):
        if now - moment > _VIEWER_GONE_S:
            seen.pop(other, None)
    return max(1.0, round(len(seen) * _REST_S / (os.cpu_count() or 1), 1))


@st.cache_resource(max_entries=4, show_spinner=False)
def predictor(model_id: str) -> Any:
    """A model ready to answer. Loads torch into this process, so only when somebody asks for an answer."""
    from core.predict import load_predictor

    return load_predictor(model_id)


@st.cache_resource(max_entries=2, show_spinner=False)
def _task_model(task_id: str, model_id: str) -> Any:
    from core.piping import load_task

    return load_task(task_id, model_id)


@st.cache_data(max_entries=16, show_spinner=False)
def answer_task(task_id: str, model_id: str, inputs: tuple[tuple[str, str, Any], ...]) -> AnswerReport:
    """What a model of the hub answers to (name, kind, value) of a task; pictures and recordings come as bytes.

    Raises what `core.piping.load_task` and its `answer` raise, and `DataError` for files that cannot be read.
    """
    values = {name: _decoded(kind, value) for name, kind, value in inputs}
    return _task_model(task_id, model_id).answer(**values)


def _decoded(kind: str, value: Any) -> Any:
    if kind == "sound":
        from core.data.sounds import read_sound

        return read_sound(value)
    return read_picture(value) if kind == "picture" else list(value) if kind == "labels" else value


@st.cache_data(ttl=10, show_spinner=False)
def hub_cards() -> list[catalog.ModelCard]:
    """Every model in the Hugging Face cache of this machine."""
    from core.catalog_local import list_hub_cards

    return list_hub_cards()


def drawn_boxes(data: bytes, boxes: Sequence[Box]) -> Any:
    """An uploaded picture with numbered frames."""
    from core.data.drawn import draw_boxes

    return draw_boxes(read_picture(data), boxes)


def painted_parts(data: bytes, mask: Any, segments: Sequence[Segment]) -> Any:
    """An uploaded picture with its parts in colour and numbered."""
    from core.data.drawn import paint_parts

    return paint_parts(read_picture(data), mask, segments)


@st.cache_resource(max_entries=4, show_spinner=False)
def optimized(run_id: str, name: str) -> Any:
    """An optimized variant ready to answer. Raises `NotFoundError`."""
    from core.optimize.predict import load_variant

    return load_variant(run_id, name)


def bundle(run: Run, name: str) -> Path:
    """An optimized variant as a zip, packed anew: a resumed run may have made it again."""
    from core.bundle import write_bundle

    return write_bundle(run, name, settings.folder("exports") / f"{run.id}-{name}.zip")


@st.cache_resource(show_spinner=False)
def _sentiment() -> Sentiment:
    from core.sentiment import Sentiment

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


@st.cache_data(max_entries=8, show_spinner=False)
def answers(model_id: str, texts: tuple[str, ...]) -> tuple[list[TextAnswer], float | None]:
    """The answers to some texts, and the time of each in ms when they were computed."""
    model = text_model(model_id)
    return model.answer(texts), model.latency_ms


@st.cache_data(max_entries=200, show_spinner=False)
def picture_answers(model_id: str, data: bytes) -> tuple[Ranking, float | None]:
    """The likeliest classes of a picture's bytes, and the time of the answer in ms. Raises `DataError`."""
    model = predictor(model_id)
    (answers,) = model.predict([read_picture(data)])
    return answers[:TOP], model.latency_ms


@st.cache_data(max_entries=40, show_spinner=False)
def heat(model_id: str, data: bytes, label: str) -> tuple[Any, tuple[int, int] | None]:
    """What a model saw of a picture with what spoke for a class laid over it, and the grid it was computed on.

    No grid where nothing spoke for the class. Raises `InputError` for a network that cannot tell.
    """
    from core.saliency import find_heat

    found = find_heat(predictor(model_id), read_picture(data), label)
    return lay_heat(found.seen, found.values), found.grid if found.values.any() else None


@st.cache_data(max_entries=8, show_spinner=False)
def peek_album(path: str) -> tuple[int, list[str], list[Problem]]:
    """How many pictures a zip holds, the first names, and what is odd about the rest. Raises `DataError`."""
    from core.data.albums import open_album

    album = open_album(Path(path))
    return len(album), album.names[:3], album.problems


def sentiment_card() -> SentimentCard:
    """How the sentiment model was made and what it scores."""
    from core.sentiment import read_card

    return read_card()


def store_asked(file: Any, name: str, file_id: str) -> str:
    """Keep an uploaded table of texts or zip of pictures until its run is deleted; returns its path.

    Raises `DataError`.
    """
    from core.data.questions import store_questions

    return str(store_questions(file, name, file_id))


@st.cache_data(max_entries=8, show_spinner=False)
def peek(path: str) -> Preview:
    """The first rows of a table of texts and which column they are in. Raises `DataError`."""
    from core.data.questions import preview_questions

    return preview_questions(Path(path))


def forget_models() -> None:
    """Look again for models at the next question: a run has ended, or something was deleted."""
    models.clear()
    stored_weights.clear()


@st.cache_data(ttl=10, show_spinner=False)
def stored_weights() -> list[StoredWeights]:
    """The weights in the caches of this machine, the largest first."""
    from core.local_weights import list_weights

    return list_weights()


def remove_weights(model_id: str) -> int:
    """Delete a model's downloaded weights; returns the bytes freed. Raises `GraftError`."""
    from core.local_weights import remove_weights

    freed = remove_weights(model_id)
    forget_models()
    return freed


def bring_run(file: Any, name: str) -> tuple[str, str, list[Problem]]:
    """Take an uploaded run in; returns its id, its name and what is to be said of it. Raises `GraftError`."""
    from core.run_archive import import_run

    with tempfile.TemporaryDirectory(dir=settings.folder("cache")) as folder:
        kept = Path(folder) / "run.zip"
        with kept.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        run, told = import_run(kept, name)
    forget_models()
    return run.id, run.name, told


def read_picture(data: bytes) -> Any:
    """An uploaded picture as a PIL image. Raises `DataError` when it is none."""
    import io

    from core.data.pictures import open_image

    return open_image(io.BytesIO(data))


@st.cache_data(ttl=5, show_spinner=False)
def data_sets() -> dict[str, DataCard]:
    """Data sets that can be chosen here, by id."""
    from core.data.library import list_data

    return {found.id: found for found in list_data()}


def store_upload(file: Any, name: str) -> str:
    """Keep an uploaded zip as a data set; returns its id. Raises `DataError` for a zip that cannot be used."""
    from core.data.library import store_upload

    stored = store_upload(file, name)
    data_sets.clear()
    return stored


def delete_upload(data_id: str) -> None:
    """Remove an uploaded data set."""
    from core.data.library import delete_upload

    delete_upload(data_id.partition("/")[2])
    data_sets.clear()


@st.cache_data(ttl=10, show_spinner=False)
def cache_bytes() -> dict[str, int]:
    """Bytes of what is kept to save time, by kind."""
    from core.data.cache import cache_sizes

    return cache_sizes()


def empty_cache(kind: str | None) -> int:
    """Delete what is kept of a kind, or of all kinds; returns the bytes freed."""
    from core.data.cache import clear_cache

    freed = clear_cache(kind)
    cache_bytes.clear()
    folder_bytes.clear()
    return freed


def upload_limit_mb() -> int:
    """The largest upload, in MB; above it a folder on this machine is named instead."""
    from core.data.library import UPLOAD_LIMIT_MB

    return UPLOAD_LIMIT_MB
