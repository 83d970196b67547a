"""A spec becomes a run: a row, a folder, and a place in the queue."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from pathlib import Path

from core import settings
from core.errors import InputError
from core.files import to_json, write_atomically
from core.paths import meant_path
from core.predict.spec import PredictSpec
from core.runs import queue, told
from core.runs.kinds import check_spec, kind_of, name_for
from core.spec import DataRef, ModelRef, S, Spec
from core.store import Run, Store, open_store


def new_run(
    spec: Spec,
    *,
    name: str | None = None,
    group: str | None = None,
    parent: str | None = None,
    store: Store | None = None,
) -> Run:
    """Put a run into the queue: its folder with `spec.json`, then its row.

    Raises `InputError` with every problem that blocks it.
    """
    store = store or open_store()
    spec = with_absolute_paths(spec)
    blocking = [problem for problem in check_spec(spec) if problem.severity == "error"]
    if blocking:
        raise InputError(blocking)
    kind = kind_of(spec)
    run_id, folder = _make_folder(kind.prefix)
    values = spec.model_dump(mode="json")
    try:
        write_atomically(folder / "spec.json", to_json({"kind": kind.id, **values}) + "\n")
        told.keep(spec, folder, store)
        store.create_run(
            run_id,
            kind=kind.id,
            name=(name or "").strip() or name_for(spec),
            spec=values,
            device=kind.device(spec),
            sibling_group=group,
            parent=parent or _parent_of(spec),
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # no folder without its row
        raise
    return store.get_run(run_id)


def submit(
    spec: Spec,
    *,
    name: str | None = None,
    group: str | None = None,
    parent: str | None = None,
    store: Store | None = None,
) -> Run:
    """Put a run into the queue and start it if a slot is free."""
    store = store or open_store()
    run = new_run(spec, name=name, group=group, parent=parent, store=store)
    queue.pump(store)
    return store.get_run(run.id)


def new_group() -> str:
    """A name for runs that are started together to be compared."""
    return time.strftime("g-%m%d-%H%M%S-") + secrets.token_hex(2)


def _make_folder(prefix: str) -> tuple[str, Path]:
    while True:
        run_id = f"{prefix}-{time.strftime('%m%d-%H%M%S')}-{secrets.token_hex(2)[:3]}"
        folder = settings.folder("runs") / run_id
        try:
            folder.mkdir(mode=0o700)
            return run_id, folder
        except FileExistsError:  # another run of the same second drew the same three letters
            continue


def _parent_of(spec: Spec) -> str | None:
    """The run whose model is adapted further: a model's ancestors are a walk up the parents."""
    model = getattr(spec, "model", None)
    model_id = model.id if isinstance(model, ModelRef) else str(model or "")
    return model_id.partition("/")[2] if model_id.startswith("run/") else None


def with_absolute_paths(spec: S) -> S:
    """The spec with paths spelled from the root: a worker has another current folder."""
    if isinstance(spec, PredictSpec):
        return spec.model_copy(update={"file": os.path.normpath(meant_path(spec.file).absolute())})
    data = getattr(spec, "data", None)
    if not isinstance(data, DataRef) or data.source != "path":
        return spec
    path = meant_path(data.name).absolute()
    return spec.model_copy(update={"data": data.model_copy(update={"id": f"path:{os.path.normpath(path)}"})})
