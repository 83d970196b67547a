"""What several viewers share for a while: the only cache decorators, and the only door to a loaded model."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from core import catalog, jobs, settings
from core.answers import TextAnswer
from core.curves import CurveBuffer
from core.errors import GraftError
from core.hardware import MachineCard, describe_machine, free_disk_mb
from core.specs import SENTIMENT
from core.store import Run, open_store

if TYPE_CHECKING:
    from core.data import DataCard
    from core.data.questions import Preview
    from core.sentiment import Sentiment


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


@st.cache_data(ttl=20, show_spinner=False)
def models() -> list[tuple[catalog.ModelCard, bool]]:
    """Every model with whether its weights are here: what runs made first, then local ones, then the rest."""
    published = [(card, catalog.is_local(card)) for card in catalog.list_models()]
    made = [(card, True) for card in catalog.list_run_models()]
    return made + sorted(published, key=lambda pair: not pair[1])


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


@st.cache_resource(max_entries=2, show_spinner=False)
def predictor(model_id: str) -> Any:
    """A model ready to answer. Loads torch into this process, so only when somebody asks for an answer."""
    from core.predict import load_predictor

    return load_predictor(model_id)


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


def sentiment_card() -> dict[str, Any]:
    """How the sentiment model was made and what it scores."""
    from core.sentiment import read_card

    return read_card()


def store_asked(file: Any, name: str, file_id: str) -> str:
    """Keep an uploaded table of texts until its run is deleted; returns its path. Raises `DataError`."""
    from core.data.questions import store_questions

    return str(store_questions(file, name, file_id))


@st.cache_data(max_entries=8, show_spinner=False)
def peek(path: str) -> Preview:
    """The first rows of a table of texts and which column they are in. Raises `DataError`."""
    from core.data.questions import preview_questions

    return preview_questions(Path(path))


def forget_models() -> None:
    """Look again for models at the next question: a run has ended or was deleted."""
    models.clear()


def read_picture(data: bytes) -> Any:
    """An uploaded picture as a PIL image. Raises `DataError` when it is none."""
    import io

    from core.data import open_image

    return open_image(io.BytesIO(data))


@st.cache_data(ttl=5, show_spinner=False)
def data_sets() -> dict[str, DataCard]:
    """Data sets that can be chosen here, by id."""
    from core.data import list_data

    return {found.id: found for found in list_data()}


def store_upload(file: Any, name: str) -> str:
    """Keep an uploaded zip as a data set; returns its id. Raises `DataError` for a zip that cannot be used."""
    from core.data import store_upload

    stored = store_upload(file, name)
    data_sets.clear()
    return stored


def delete_upload(data_id: str) -> None:
    """Remove an uploaded data set."""
    from core.data import delete_upload

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
    from core.data import UPLOAD_LIMIT_MB

    return UPLOAD_LIMIT_MB
