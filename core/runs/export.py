"""A run as one zip: everything to read it, repeat it or use its model, without Graft.

`core.runs.archive` reads such a zip on another machine.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from core import settings
from core.errors import RunError
from core.files import is_unfinished, replacing, sha256, to_json, write_atomically
from core.problems import ProblemRow
from core.store import Run, Status, Store, open_store

FORMAT = 1  # of the archive
_STORED_AS_IS = {".safetensors", ".parquet", ".webp", ".png", ".jpg", ".onnx"}


def export_run(run_id: str, store: Store | None = None) -> Path:
    """Write `exports/<id>.zip`: run.json, spec.json, metrics.csv, worker.log and artifacts/. Returns its path.

    `manifest.json` lists them all with their size and sha256, so that what arrives can be compared. Who ran it where
    (owner, host, process) stays at home.
    """
    store = store or open_store()
    run = store.get_run(run_id)
    target = settings.folder("exports") / f"{run.id}.zip"
    try:
        with replacing(target) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
            listed: dict[str, dict[str, str | int]] = {}
            kinds = {artifact.path: artifact.kind for artifact in store.list_artifacts(run.id)}
            written = {"run.json": to_json({**run_facts(run), "kinds": kinds}), "metrics.csv": _metrics_csv(run, store)}
            for name, text in written.items():
                content = text.encode()
                listed[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                archive.writestr(name, content)
            for path in _files(run):
                packed = zipfile.ZIP_STORED if path.suffix in _STORED_AS_IS else zipfile.ZIP_DEFLATED
                name = path.relative_to(run.folder).as_posix()
                listed[name] = {"sha256": sha256(path)}
                archive.write(path, name, compress_type=packed)
                listed[name]["bytes"] = archive.getinfo(name).file_size
            archive.writestr("manifest.json", to_json({"format": FORMAT, "files": listed}))
    except OSError as error:
        raise RunError("run.cannot_export", id=run_id, detail=str(error)) from error
    return target


def keep_facts(run_id: str, store: Store) -> None:
    """Write what the store knows of a run that has ended into its folder: its row is made from it if need be."""
    run = store.get_run(run_id)
    write_atomically(run.folder / "metrics.csv", _metrics_csv(run, store))
    write_atomically(run.folder / "run.json", to_json({**run_facts(run), "device": run.device}) + "\n")


class RunFacts(TypedDict):
    """What a reader of a run needs to know: run.json."""

    id: str
    kind: str
    name: str
    status: Status
    spec: Mapping[str, object]
    parent: str | None
    sibling_group: str | None
    note: str
    tags: list[str]
    attempt: int
    error: list[ProblemRow] | None
    summary: Mapping[str, object]
    created_at: float
    started_at: float | None
    ended_at: float | None


def run_facts(run: Run) -> RunFacts:
    """The facts of a run as it stands now."""
    return {
        "id": run.id,
        "kind": run.kind,
        "name": run.name,
        "status": run.status,
        "spec": run.spec,
        "parent": run.parent,
        "sibling_group": run.sibling_group,
        "note": run.note,
        "tags": run.tags,
        "attempt": run.attempt,
        "error": run.error,
        "summary": run.summary,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
    }


def _files(run: Run) -> list[Path]:
    paths = [path for path in (run.folder / "spec.json", run.folder / "worker.log") if path.is_file()]
    kept = (path for path in (run.folder / "artifacts").rglob("*") if path.is_file() and not is_unfinished(path))
    return paths + sorted(kept)


def _metrics_csv(run: Run, store: Store) -> str:
    """One row per logged step, one column per measurement."""
    rows = metric_rows(run.id, store)
    columns = ["step", "epoch", *sorted({name for row in rows for name in row} - {"step", "epoch"})]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


MetricRow = dict[str, float | int | None]  # the epoch is None before the first


def metric_rows(run_id: str, store: Store) -> list[MetricRow]:
    """One object per logged step: {"step", "epoch", "train/loss": …}, in the order of the steps."""
    rows: dict[int, MetricRow] = {}
    for metric in store.read_metrics(run_id):
        row = rows.setdefault(metric.step, {"step": metric.step, "epoch": metric.epoch})
        row[metric.name] = metric.value
    return [rows[step] for step in sorted(rows)]
