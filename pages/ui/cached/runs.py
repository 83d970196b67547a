"""The only caches of the pages: what runs left, bundles and archives."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from core import settings
from core.errors import GraftError
from core.store import Run
from pages.ui.cached.answers import forget_models

if TYPE_CHECKING:
    from core.optimize.rows import VariantRow
    from core.problems import Problem


@st.cache_resource(max_entries=4, show_spinner=False)
def optimized(run_id: str, name: str) -> Any:
    """An optimized variant ready to answer. Raises `NotFoundError`."""
    from core.optimize.try_variant import load_variant

    return load_variant(run_id, name)


@st.cache_data(max_entries=64, show_spinner=False)
def why_closed(run_id: str, name: str, _run: Run, _row: VariantRow) -> tuple[Problem, ...]:
    """Why a variant of an imported run is neither opened nor carried away here; empty where it is."""
    from core.optimize.outside import check_outside

    try:
        check_outside(_run, _row)
    except GraftError as error:
        return error.problems
    return ()


def bundle(run: Run, name: str) -> Path:
    """An optimized variant as a zip, packed anew: a resumed run may have made it again."""
    from core.optimize.bundle.write import write_bundle

    return write_bundle(run, name, settings.folder("exports") / f"{run.id}-{name}.zip")


def bring_run(file: Any, name: str) -> tuple[str, str, list[Problem]]:
    """Take an uploaded run in; returns its id, its name and what is to be said of it. Raises `GraftError`."""
    from core.runs.archive import import_run

    with tempfile.TemporaryDirectory(dir=settings.folder("cache")) as folder:
        kept = Path(folder) / "run.zip"
        with kept.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        run, problems = import_run(kept, name)
    forget_models()
    return run.id, run.name, problems
