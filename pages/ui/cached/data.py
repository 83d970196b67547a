"""The only caches of the pages: data sets, uploads and their sizes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui.cached.models import folder_bytes

if TYPE_CHECKING:
    from core.data.library import DataCard
    from core.predict.text_files import Preview


@st.cache_data(max_entries=8, show_spinner=False)
def peek(path: str) -> Preview:
    """The first rows of a table of texts and which column they are in. Raises `DataError`."""
    from core.data.reading import read_apart

    preview: Preview = read_apart("core.predict.text_files:preview_questions", Path(path).name, Path(path))
    return preview


@st.cache_data(ttl=5, show_spinner=False)
def data_sets() -> dict[str, DataCard]:
    """Data sets that can be chosen here, by id."""
    from core.data.library import list_data

    return {card.id: card for card in list_data()}


def store_upload(file: Any, name: str) -> str:
    """Keep an uploaded zip as a data set; returns its id. Raises `DataError` for a zip that cannot be used."""
    from core.data.reading import read_apart
    from core.data.uploads import store_upload

    def look(path: Path, name: str) -> None:
        read_apart("core.data.uploads:look_through", name[:80], path, name)

    stored = store_upload(file, name, look)
    data_sets.clear()
    return stored


def delete_upload(data_id: str) -> None:
    """Remove an uploaded data set."""
    from core.data.uploads import delete_upload

    delete_upload(data_id.partition("/")[2])
    data_sets.clear()


@st.cache_data(ttl=10, show_spinner=False)
def cache_bytes() -> dict[str, int]:
    """Bytes of what is kept to save time, by kind."""
    from core.cache import cache_sizes

    return cache_sizes()


def empty_cache(kind: str | None) -> int:
    """Delete what is kept of a kind, or of all kinds; returns the bytes freed."""
    from core.cache import clear_cache

    freed = clear_cache(kind)
    cache_bytes.clear()
    folder_bytes.clear()
    return freed


def upload_limit_mb() -> int:
    """The largest upload, in MB; above it a folder on this machine is named instead."""
    from core.data.upload_files import UPLOAD_LIMIT_MB

    return UPLOAD_LIMIT_MB
