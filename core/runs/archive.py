"""A run that was exported elsewhere, taken in: hostile until looked through.

Every file is compared with the archive's list, the spec and the row are parsed anew, and nothing that could run code
when it is opened is kept. What comes out is an ended run like any other, with its curves, files and model.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
import secrets
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypedDict, get_args

from core import settings
from core.cache import with_lock
from core.data.zip_safety import check_zip
from core.errors import DataError, GraftError, InputError, NotFoundError, first_line
from core.files import forget_unfinished, making_folder, to_json, write_atomically
from core.i18n import N_
from core.paths import check_readable, meant_path
from core.problems import Problem
from core.recovery import TAKING_IN
from core.registry.formats import FORMATS
from core.registry.model_formats import PROGRAM_SUFFIXES
from core.runs import export
from core.runs.export import FORMAT
from core.runs.kinds import KINDS
from core.runs.reports import check_report, check_summary
from core.spec import Spec, parse_spec
from core.store import ACTIVE, IMPORTED, Artifact, MetricRow, Run, Status, Store, open_store

_FIXED = {"manifest.json", "run.json", "spec.json", "metrics.csv", "worker.log"}
_NEEDED = {"run.json", "metrics.csv"}
_TEXT_BYTES = 64_000_000  # of what is read into memory
_ID = re.compile(r"[a-z]{2}-[A-Za-z0-9-]{1,60}")
_PLAIN = re.compile(r'[^.\\/:*?"<>|\x00-\x1f]([^\\/:*?"<>|\x00-\x1f]*[^. \\/:*?"<>|\x00-\x1f])?')
_METRIC = re.compile(r"\w[\w/.+:@ -]{0,199}")
_KINDS = {"model", "table", "picture", "report"}
# Files that are data whatever is in them. Anything else may run code when it is opened (a pickle, a program).
_DATA = {
    ".md", ".log", ".safetensors", ".onnx", ".tflite", ".xml", ".model", ".png", ".jpg", ".jpeg", ".webp", ".data",
    *(suffix for row in FORMATS.values() if row.is_inert for suffix in row.suffixes),
}  # fmt: skip


class ListedFile(TypedDict):
    """What an archive's list says of a file."""

    bytes: int
    sha256: str


_ENDED = set(get_args(Status)) - set(ACTIVE)


def import_run(path: Path, name: str = "", store: Store | None = None) -> tuple[Run, list[Problem]]:
    """Take an exported run in; returns it with what is to be said of it (another id, files left out).

    `name` is what the archive is called where its path does not tell. Raises `DataError` and `InputError` for an
    archive that is not right: nothing of it is kept then.
    """
    store = store or open_store()
    path = meant_path(path)
    name = name or path.name
    problems = check_readable(path)
    if problems or path.is_dir():
        raise InputError(problems or [Problem("path.is_folder", values={"path": str(path)})])
    entries = {text: info for info, text in check_zip(path, name) if not text.endswith("/")}
    try:
        # One at a time: of two that take in the same run the second finds its id taken.
        with with_lock("import-run"), zipfile.ZipFile(path) as archive:
            return _take_in(archive, entries, name, store)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError) as error:
        detail = first_line(error)
        raise DataError("run.archive_unreadable", name=name, detail=detail) from error


def _take_in(
    archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], name: str, store: Store
) -> tuple[Run, list[Problem]]:
    listed = _listed(archive, entries, name)
    facts = json.loads(_read(archive, entries["run.json"]))
    spec = _check_facts(facts, name)
    problems: list[Problem] = []
    run_id = str(facts["id"])
    if _exists(run_id, store):
        run_id = f"{run_id}-{secrets.token_hex(2)}"
        problems.append(Problem("run.archive_new_id", "warning", values={"id": facts["id"], "new": run_id}))
    _check_report(archive, entries, facts["kind"], name)
    left_out = sorted(text for text in entries if _may_run(text, entries))
    programs = sorted(text for text in entries if _is_program(text))
    problems += _told("run.archive_left_out", left_out) + _told("run.archive_programs", programs)
    parent = facts.get("parent") or None
    if parent is not None and not _exists(str(parent), store):
        problems.append(Problem("run.archive_no_parent", "warning", values={"id": str(parent)}))
        parent = None
    _check_room(sum(info.file_size for info in entries.values()), name)
    folder = settings.folder("runs") / run_id
    forget_unfinished(folder.parent, older_than_s=0.0)  # of an import that was killed: this one has the lock
    with making_folder(folder) as unfinished:
        settings.keep_private(unfinished)
        (unfinished / TAKING_IN).touch()
        for text, info in entries.items():
            if text == "worker.log" or (text not in left_out and text not in _FIXED):
                _unpack(archive, info, unfinished / text, listed[text], text, name)
        write_atomically(
            unfinished / "spec.json", to_json({"kind": facts["kind"], **spec.model_dump(mode="json")}) + "\n"
        )
        metrics = _metrics(_read(archive, entries["metrics.csv"]).decode(), facts)
    try:
        artifacts = _artifacts(run_id, folder, facts, listed)
        _write_row(run_id, facts, spec, parent, store, metrics, artifacts)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        store.delete_run(run_id)
        raise
    (folder / TAKING_IN).unlink()
    export.keep_facts(run_id, store)
    return store.get_run(run_id), problems


def _listed(archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], name: str) -> dict[str, ListedFile]:
    """What the archive's list says of each file. Raises `DataError` where list and contents differ."""
    if "manifest.json" not in entries:
        raise DataError("run.archive_unreadable", name=name, detail=N_("manifest.json is missing"))
    manifest = json.loads(_read(archive, entries["manifest.json"]))
    if manifest["format"] != FORMAT:
        raise DataError("run.archive_version", name=name, found=str(manifest["format"])[:20], wanted=FORMAT)
    listed: dict[str, ListedFile] = manifest["files"]
    named = set(entries) - {"manifest.json"}
    wrong = named ^ set(listed)
    wrong |= {text for text in named & set(listed) if entries[text].file_size != listed[text]["bytes"]}
    wrong |= {text for text in named if not _is_plain(text)}
    files = [info for info in archive.infolist() if not info.is_dir()]
    if len({text.casefold() for text in named}) != len(files) - 1:
        wrong |= {"twice the same name"}
    wrong |= _NEEDED - named
    for text in sorted(_NEEDED):
        if text not in wrong and hashlib.sha256(_read(archive, entries[text])).hexdigest() != listed[text]["sha256"]:
            wrong.add(text)
    if wrong:
        raise DataError("run.archive_changed", name=name, n=len(wrong), entry=min(wrong)[:100])
    return listed


def _check_report(archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], kind: str, name: str) -> None:
    """Raises `DataError` when the run's report names a file that does not lie below artifacts/: it would be opened.

    Raises `ValueError` for a report that a run of this kind does not leave.
    """
    if "artifacts/report.json" not in entries:
        return
    text = _read(archive, entries["artifacts/report.json"]).decode()
    report = dict(json.loads(text))
    rows = [row for part in ("variants", "mistakes") for row in (report.get(part) or [])]
    if not all(isinstance(row, dict) for row in rows):
        raise TypeError("artifacts/report.json describes no run")
    named = {str(row["file"]) for row in rows if row.get("file") is not None}
    named |= {f"variants/{row['name']}" for row in report.get("variants") or []}
    wrong = {text for text in named if not _is_plain(f"artifacts/{text}")}
    if wrong:
        raise DataError("run.archive_changed", name=name, n=len(wrong), entry=min(wrong)[:100])
    check_report(kind, text, {entry.removeprefix("artifacts/") for entry in entries})


def _is_plain(text: str) -> bool:
    """A fixed name, or one below artifacts/ that means the same on every system."""
    parts = text.split("/")
    is_artifact = parts[0] == "artifacts" and len(parts) > 1
    return text in _FIXED or (is_artifact and all(map(_PLAIN.fullmatch, parts)))


def _may_run(text: str, entries: Mapping[str, zipfile.ZipInfo]) -> bool:
    path = PurePosixPath(text)
    if path.suffix.lower() == ".bin":  # OpenVINO's weights, beside the network's description
        return not (_is_of_variant(text) and str(path.with_suffix(".xml")) in entries)
    return path.suffix.lower() not in _DATA and not _is_program(text)


def _is_program(text: str) -> bool:
    """An optimized file that runs code when it is opened: kept as part of the record, and never opened here."""
    return _is_of_variant(text) and PurePosixPath(text).suffix.lower() in PROGRAM_SUFFIXES


def _is_of_variant(text: str) -> bool:
    return text.startswith("artifacts/variants/") and text.count("/") > 2


def _told(code: str, names: list[str]) -> list[Problem]:
    """A warning that names the first few of some files; nothing where there are none."""
    return [Problem(code, "warning", values={"n": len(names), "names": ", ".join(names[:5])})] if names else []


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > _TEXT_BYTES:
        raise ValueError(f"{info.filename} is too large")
    return archive.read(info)


def _check_facts(facts: Any, name: str) -> Spec:
    """The spec of a run, parsed anew. Raises `DataError` for a row that no run could have."""
    if not isinstance(facts, dict) or facts.get("kind") not in KINDS or not _ID.fullmatch(str(facts.get("id"))):
        raise DataError("run.archive_unreadable", name=name, detail=N_("run.json describes no run"))
    if facts.get("status") not in _ENDED:
        raise DataError("run.archive_not_ended", name=name)
    wanted = {"name": str, "summary": dict, "tags": list, "note": str, "attempt": int, "spec": dict}
    wrong = [key for key, kind in wanted.items() if not isinstance(facts.get(key), kind)]
    wrong += [key for key in ("created_at", "started_at", "ended_at") if not _is_time(facts.get(key))]
    errors = facts.get("error")
    if errors is not None and not (isinstance(errors, list) and all(_is_problem(one) for one in errors)):
        wrong.append("error")
    if wrong or facts.get("created_at") is None:
        raise DataError("run.archive_unreadable", name=name, detail=f"run.json: {', '.join(wrong) or 'created_at'}")
    if facts["summary"]:
        check_summary(facts["kind"], facts["summary"])
    try:
        return parse_spec(KINDS[facts["kind"]].spec, facts["spec"])
    except GraftError as error:
        raise DataError("run.archive_unreadable", name=name, detail=str(error)[:300]) from error


def _is_time(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value is None or (is_number and math.isfinite(value) and 0 <= value < 1e11)


def _is_problem(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("code"), str) and isinstance(value.get("values", {}), dict)


def _exists(run_id: str, store: Store) -> bool:
    try:
        store.get_run(run_id)
    except NotFoundError:
        folder = settings.folder("runs") / run_id
        if (folder / TAKING_IN).exists():  # who took it in was killed: the archive has all of it
            shutil.rmtree(folder)
        return folder.exists()
    return True


def _check_room(need: int, name: str) -> None:
    free = shutil.disk_usage(settings.folder("runs")).free
    if need > free:
        raise InputError("run.archive_no_room", name=name, need=f"{need / 1e6:.0f} MB", free=f"{free / 1e6:.0f} MB")


def _unpack(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, listed: Mapping[str, Any], text: str, name: str
) -> None:
    """Write one file and compare it with the list on the way."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with archive.open(info) as source, target.open("xb") as file:
        _pour(source, file, digest, info.file_size)
    if digest.hexdigest() != listed["sha256"]:
        raise DataError("run.archive_changed", name=name, n=1, entry=text)


def _pour(source: IO[bytes], file: IO[bytes], digest: Any, most: int) -> None:
    while piece := source.read(1 << 20):
        most -= len(piece)
        if most < 0:
            raise ValueError("a file is larger than it says")
        digest.update(piece)
        file.write(piece)


def _metrics(text: str, facts: Mapping[str, Any]) -> list[MetricRow]:
    """The rows of metrics.csv; when each was measured is not kept: they take the time of the run's end."""
    moment = float(facts["ended_at"] or facts["created_at"])
    rows: list[MetricRow] = []
    for row in csv.DictReader(io.StringIO(text)):
        step, epoch = int(row.pop("step")), row.pop("epoch")
        for column, value in row.items():
            if not _METRIC.fullmatch(column or ""):
                raise ValueError("metrics.csv: a measurement has no name")
            if value:
                rows.append((column, step, float(epoch) if epoch else None, float(value), moment))
    return [row for row in rows if math.isfinite(row[3])]


def _write_row(
    run_id: str,
    facts: Mapping[str, Any],
    spec: Spec,
    parent: Any,
    store: Store,
    metrics: list[MetricRow],
    artifacts: list[Artifact],
) -> None:
    tags = sorted({*(str(tag)[:50] for tag in facts["tags"][:50]), IMPORTED})
    store.create_run(
        run_id,
        kind=facts["kind"],
        name=facts["name"][:200] or run_id,
        spec=spec.model_dump(mode="json"),
        status=facts["status"],
        parent=parent,
        sibling_group=str(facts["sibling_group"])[:100] if facts.get("sibling_group") else None,
        note=facts["note"][:10_000],
        tags=tags,
        attempt=facts["attempt"],
        progress=1.0 if facts["status"] == "done" else None,
        error=facts.get("error"),
        summary=facts["summary"],
        created_at=facts["created_at"],
        started_at=facts.get("started_at"),
        ended_at=facts.get("ended_at"),
        metrics=metrics,
        artifacts=artifacts,
    )


def _artifacts(run_id: str, folder: Path, facts: Mapping[str, Any], listed: Mapping[str, ListedFile]) -> list[Artifact]:
    kinds = facts.get("kinds") if isinstance(facts.get("kinds"), dict) else {}
    found: list[Artifact] = []
    for text, row in listed.items():
        if not text.startswith("artifacts/") or not (folder / text).is_file():
            continue
        kind = str((kinds or {}).get(text))
        found.append(
            Artifact(
                run=run_id,
                name=text.removeprefix("artifacts/"),
                kind=kind if kind in _KINDS else "report",
                path=text,
                bytes=row["bytes"],
                sha256=row["sha256"],
                created_at=float(facts["ended_at"] or facts["created_at"]),
            )
        )
    return found
