"""What can be done with runs that are there: name, resume, repeat, delete, read."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from core import settings
from core.errors import InputError, NotFoundError, RunError
from core.inspection.spec import InspectSpec
from core.paths import meant_path
from core.runs import export, queue
from core.runs.kinds import KINDS
from core.runs.submit import submit
from core.schema import RunColumns
from core.spec import Spec, parse_spec
from core.store import IMPORTED, RESUMABLE, Run, Store, open_store

# Places of a folder that are looked at to see whether it has changed since it was checked.
_LOOKED_AT = 500


def rename_run(run_id: str, name: str) -> None:
    """Give a run another name."""
    if not name.strip():
        raise InputError("run.name_empty")
    _change(run_id, name=name.strip()[:200])


def note_run(run_id: str, note: str) -> None:
    """Keep a remark with a run."""
    _change(run_id, note=note.strip()[:10_000])


def tag_run(run_id: str, tags: Iterable[str]) -> None:
    """Set a run's tags; the one that says where it came from stays as it is."""
    chosen = {tag.strip()[:50] for tag in tags if tag.strip()} - {IMPORTED}
    kept = {IMPORTED} & set(open_store().get_run(run_id).tags)
    _change(run_id, tags=sorted(chosen | kept))


def _change(run_id: str, **columns: Any) -> None:
    store = open_store()
    if not store.update_run(run_id, **columns):
        raise NotFoundError("run.unknown", id=run_id)
    if (store.get_run(run_id).folder / "run.json").exists():
        export.keep_facts(run_id, store)


def resume_run(run_id: str, store: Store | None = None) -> Run:
    """Queue an ended run again: it goes on from its checkpoint, or begins anew where it left none."""
    store = store or open_store()
    run = store.get_run(run_id)
    change: RunColumns = {"status": "queued", "stop_requested": False, "attempt": run.attempt + 1}
    change |= {"error": None, "phase": None, "eta_s": None, "ended_at": None}
    change |= {"pid": None, "pid_started": None, "heartbeat_at": None}
    if not store.update_run(run_id, only_if=RESUMABLE, **change):
        raise RunError("run.not_resumable", id=run_id, status=store.get_run(run_id).status)
    queue.pump(store)
    return store.get_run(run_id)


def has_checkpoint(run: Run) -> bool:
    """Whether a resumed run would go on instead of beginning anew."""
    folder = run.folder / "checkpoint"
    return folder.is_dir() and any(folder.iterdir())


def repeat_run(run_id: str, store: Store | None = None) -> Run:
    """The same settings and seed again, as a new run."""
    store = store or open_store()
    run = store.get_run(run_id)
    return submit(spec_of(run), name=run.name, store=store)


def spec_of(run: Run) -> Spec:
    """What the run was asked to do."""
    return parse_spec(KINDS[run.kind].spec, run.spec)


def delete_run(run_id: str, store: Store | None = None) -> None:
    """Remove a run's files and rows; refused while it is queued or running.

    Rows go last: a deletion that fails half-way leaves a run that can be deleted again, and on a full disk
    the files make the room that the change of rows needs.
    """
    store = store or open_store()
    run = store.get_run(run_id)
    if run.is_active:
        raise RunError("run.active", id=run_id, status=run.status)
    try:
        shutil.rmtree(run.folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise RunError("run.cannot_delete", id=run_id, detail=str(error)) from error
    _forget_asked(run)
    store.delete_run(run_id)


def _forget_asked(run: Run) -> None:
    """Remove the uploaded file that a run answered, which nothing else uses."""
    path = Path(str(run.spec.get("file", "")))
    if run.kind == "predict" and path.is_relative_to(settings.folder("asked")):
        shutil.rmtree(path.parent, ignore_errors=True)


def run_size(run_id: str) -> int:
    """Bytes of a run's folder."""
    folder = open_store().get_run(run_id).folder
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # removed meanwhile
            continue
    return total


def read_log(run_id: str, tail: int = 200, max_bytes: int = 256_000) -> str:
    """The last lines of a run's log, without a terminal's colours and with only the last state of a bar."""
    path = open_store().get_run(run_id).folder / "worker.log"
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - max_bytes))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r\n", "\n")
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")]
    return "\n".join(lines[-tail - 1 :] if lines[-1] == "" else lines[-tail:]).rstrip("\n")


def latest_import(data: Mapping[str, Any], store: Store | None = None) -> Run | None:
    """The newest check of a data set with these columns, in whatever state; a stopped one counts for nothing."""
    store = store or open_store()
    wanted = {name: data.get(name) for name in ("id", "text_column", "label_column")}
    for run in store.list_runs(kind="import", limit=200):
        if run.status not in ("stopped", "interrupted") and run.spec.get("data") == wanted:
            return run
    return None


def is_outdated(check: Run) -> bool:
    """Whether the files of a checked path have changed since: a file of it, or what lies in a folder or below it."""
    data = str((check.spec.get("data") or {}).get("id"))
    if not data.startswith("path:") or check.started_at is None:
        return False
    root = meant_path(data.removeprefix("path:"))
    with suppress(OSError):
        places = [root, *(place for place in islice(root.rglob("*"), _LOOKED_AT) if place.is_dir())]
        return max(place.stat().st_mtime for place in places) > check.started_at
    return False


def latest_inspection(spec: InspectSpec, store: Store | None = None) -> Run | None:
    """The newest inspection of this model at this size, in whatever state; one by another torch counts for nothing."""
    store = store or open_store()
    wanted = spec.model_dump(mode="json")
    torch_version = importlib.metadata.version("torch")
    for run in store.list_runs(kind="inspect", limit=500):
        if run.status in ("stopped", "interrupted") or run.spec != wanted:
            continue
        made_by = str((run.summary.get("versions") or {}).get("torch", ""))
        if run.status != "done" or made_by.partition("+")[0] == torch_version.partition("+")[0]:
            return run
    return None
