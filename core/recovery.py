"""A damaged record of runs is set aside, never deleted, and made anew: from its readable rows and the runs' folders.

A run's folder holds `spec.json`, and once it has ended `run.json` and `metrics.csv` (`core.runs.export`): enough for
its row. Of a run that left only its spec nothing is claimed but that it was interrupted.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core import schema
from core.files import replacing, sha256, write_atomically
from core.messages import explain
from core.problems import Problem

_SAYS_DAMAGED = ("malformed", "not a database", "corrupt", "could not decode")
TAKING_IN = ".taking-in"  # in the folder of a run from an archive until its row is written
CHECK_EVERY_S = 86_400.0
MOST_CHECKED_BYTES = 300_000_000  # some seconds of looking; a larger one is looked through when it is found damaged
_STATUSES = ("queued", "running", "done", "failed", "stopped", "interrupted")
_ID = re.compile(r"[a-z]{2}-[A-Za-z0-9-]{1,60}")
_TYPES: dict[type, tuple[type, ...]] = {
    sa.String: (str,), sa.JSON: (str,), sa.Boolean: (int,), sa.Integer: (int,), sa.Float: (float, int)
}  # fmt: skip


_Values = dict[str, object]


def is_damage(error: BaseException) -> bool:
    """Whether what the library says of a store means that its file is no longer what was written."""
    return any(words in str(error).lower() for words in _SAYS_DAMAGED)


def suspect(path: Path) -> None:
    """Let whoever opens the store next look through it."""
    with suppress(OSError):
        _mark(path).touch(mode=0o600)


def recover(path: Path) -> None:
    """Make the store anew where it is damaged, or gone though there are runs.

    It is looked through when somebody found it damaged, and once a day: most damage shows only where it lies.
    """
    if not _is_in_question(path):
        return
    from filelock import FileLock  # rarely needed, and not quick to import

    with FileLock(path.with_name(f".{path.name}.lock")):
        if not _is_in_question(path):  # another process was faster
            return
        if _is_gone(path) or not _is_sound(path):
            print(f"warning: {explain(_make_anew(path))}", file=sys.stderr, flush=True)
        _mark(path).unlink(missing_ok=True)
        _checked(path).touch(mode=0o600)


def told(path: Path) -> list[Problem]:
    """What is to be said of stores that were set aside, as long as their files are kept."""
    found = []
    for kept in sorted(path.parent.glob(f"{path.stem}.damaged-*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            problem = Problem.from_dict(json.loads(kept.read_text(encoding="utf-8")))
            if Path(str(problem.values["kept"])).exists():
                found.append(problem)
    return found


def _mark(path: Path) -> Path:
    return path.with_name(f".{path.name}.suspect")


def _is_in_question(path: Path) -> bool:
    return _mark(path).exists() or _is_gone(path) or (path.exists() and _is_due(path))


def _checked(path: Path) -> Path:
    return path.with_name(f".{path.name}.checked")


def _is_due(path: Path) -> bool:
    try:
        is_old = not 0 <= time.time() - _checked(path).stat().st_mtime < CHECK_EVERY_S
        return is_old and path.stat().st_size < MOST_CHECKED_BYTES
    except OSError:
        return 0 < path.stat().st_size < MOST_CHECKED_BYTES


def _is_gone(path: Path) -> bool:
    """Whether there is no store, or an empty file, where there are runs."""
    try:
        is_empty = path.stat().st_size == 0
    except FileNotFoundError:
        is_empty = True
    return is_empty and next(_folders(path), None) is not None


def _folders(path: Path) -> Iterator[Path]:
    for spec in path.parent.glob("runs/*/spec.json"):
        if _ID.fullmatch(spec.parent.name) and not (spec.parent / TAKING_IN).exists():
            yield spec.parent


def _is_sound(path: Path) -> bool:
    """Whether everything can be read. In doubt it is: a lock, a full disk or another version is no damage."""
    try:
        with closing(_open(path)) as connection:
            if connection.execute("PRAGMA user_version").fetchone()[0] != schema.VERSION:
                return True
            if connection.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
                return False
            return all(_is_right(schema.RUN, row) for row in _rows(connection, schema.RUN, "ASC"))
    except sqlite3.DatabaseError as error:
        return not is_damage(error)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=15)
    connection.text_factory = lambda content: content.decode("utf-8", errors="surrogateescape")
    connection.row_factory = sqlite3.Row
    return connection


# -- making it anew ----------------------------------------------------------------------------------------


def _make_anew(path: Path) -> Problem:
    """Set aside what is there, and put a store in its place with every row that is known; returns what to tell."""
    aside = _set_aside(path)
    with replacing(path) as fresh:
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(fresh)))
        schema.META.create_all(engine)
        engine.dispose()
        fresh.chmod(0o600)
        with closing(_open(fresh)) as connection:
            connection.execute(f"PRAGMA user_version = {schema.VERSION}")
            if aside is not None:
                _salvage(aside, connection)
            kept = connection.execute("SELECT count(*) FROM run").fetchone()[0]
            made = sum(_add_folder(folder, connection) for folder in sorted(_folders(path)))
            connection.commit()
    values = {"path": str(path), "kept": str(aside or ""), "runs": kept, "made": made}
    problem = Problem("store.made_anew" if aside is None else "store.set_aside", "warning", values=values)
    if aside is not None:
        write_atomically(aside.with_suffix(".json"), json.dumps(problem.as_dict()))
    return problem


def _set_aside(path: Path) -> Path | None:
    """Rename the store and what belongs to it; returns its new place, or that of one whose rebuilding was cut off."""
    if not path.exists() or path.stat().st_size == 0:
        earlier = sorted(path.parent.glob(f"{path.stem}.damaged-*.sqlite"))
        return earlier[-1] if earlier and not earlier[-1].with_suffix(".json").exists() else None
    aside = path.with_name(f"{path.stem}.damaged-{time.strftime('%Y%m%d-%H%M%S')}.sqlite")
    for ending in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            shutil.move(path.with_name(path.name + ending), aside.with_name(aside.name + ending))
    return aside


def _salvage(aside: Path, target: sqlite3.Connection) -> None:
    """Copy every row that can be read and is one, from the front up to the damage and from the end back to it."""
    try:
        source = _open(aside)
    except sqlite3.DatabaseError:
        return
    with closing(source):
        for table in (schema.RUN, schema.METRIC, schema.ARTIFACT):
            for order in ("ASC", "DESC"):
                with suppress(sqlite3.DatabaseError):
                    for row in _rows(source, table, order):
                        if _is_right(table, row):
                            _insert(target, table, dict(row))


def _rows(connection: sqlite3.Connection, table: sa.Table, order: str) -> Iterator[sqlite3.Row]:
    return iter(connection.execute(f"SELECT * FROM {table.name} ORDER BY rowid {order}"))


def _is_right(table: sa.Table, row: sqlite3.Row) -> bool:
    """Whether a row is one that Graft could have written."""
    values = dict(row)
    for column in table.columns:
        value = values.get(column.name)
        types = next(types for kind, types in _TYPES.items() if isinstance(column.type, kind))
        if value is None:
            if not column.nullable:
                return False
        elif not isinstance(value, types):
            return False
        elif isinstance(value, str):
            try:
                value.encode()  # what was no UTF-8 cannot be written again
                if isinstance(column.type, sa.JSON):
                    json.loads(value)
            except ValueError:
                return False
    return table is not schema.RUN or values["status"] in _STATUSES


def _insert(connection: sqlite3.Connection, table: sa.Table, values: _Values) -> bool:
    names = [column.name for column in table.columns if column.name in values]
    marks = ", ".join("?" * len(names))
    words = f"INSERT OR IGNORE INTO {table.name} ({', '.join(names)}) VALUES ({marks})"
    return connection.execute(words, [values[name] for name in names]).rowcount == 1


# -- from a run's folder -----------------------------------------------------------------------------------


def _add_folder(folder: Path, connection: sqlite3.Connection) -> bool:
    """Add what a folder tells and the store does not know; returns whether its run was missing."""
    known = connection.execute("SELECT 1 FROM run WHERE id = ?", [folder.name]).fetchone()
    facts = None if known else (_facts_of_ended(folder) or _facts_of_spec(folder))
    if facts is not None:
        _insert(connection, schema.RUN, facts)
    if known or facts is not None:
        for part in (_add_metrics, _add_artifacts):
            with suppress(OSError, ValueError, KeyError, TypeError):
                part(folder, connection)
    return facts is not None


def _read(path: Path, wanted: Callable[[Any], bool]) -> _Values | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return value if isinstance(value, dict) and wanted(value) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _facts_of_ended(folder: Path) -> _Values | None:
    """The row of a run that had ended, as it left it."""
    facts = _read(folder / "run.json", lambda kept: kept["id"] == folder.name and kept["status"] in _STATUSES[2:])
    if facts is None:
        return None
    row = {"device": "cpu", "stop_requested": 0, "progress": 1.0 if facts["status"] == "done" else None, **facts}
    return {name: json.dumps(one) if isinstance(one, dict | list) else one for name, one in row.items()}


def _facts_of_spec(folder: Path) -> _Values | None:
    """The row of a run of which only what was asked is known: whatever it was doing is over."""
    spec = _read(folder / "spec.json", lambda kept: isinstance(kept["kind"], str))
    if spec is None:
        return None
    kind, began = spec.pop("kind"), folder.stat().st_mtime
    lost = [Problem("run.row_lost").as_dict()]
    plain = {"id": folder.name, "kind": kind, "name": folder.name, "status": "interrupted", "device": "cpu"}
    more = {"note": "", "attempt": 0, "stop_requested": 0, "created_at": began, "ended_at": began}
    listed = {"spec": spec, "tags": [], "error": lost, "summary": {}}
    return {**plain, **more, **{name: json.dumps(value) for name, value in listed.items()}}


def _add_metrics(folder: Path, connection: sqlite3.Connection) -> None:
    path = folder / "metrics.csv"
    if not path.is_file():
        return
    moment = path.stat().st_mtime
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            step, epoch = int(row.pop("step")), row.pop("epoch")
            plain = {"run": folder.name, "step": step, "epoch": float(epoch) if epoch else None, "time": moment}
            for name, value in row.items():
                if value:
                    _insert(connection, schema.METRIC, {**plain, "name": name, "value": float(value)})


def _add_artifacts(folder: Path, connection: sqlite3.Connection) -> None:
    """Files that no row tells of, with the sums that they have now."""
    listed = {row["name"] for row in connection.execute("SELECT name FROM artifact WHERE run = ?", [folder.name])}
    for path in sorted((folder / "artifacts").rglob("*")):
        name = path.relative_to(folder / "artifacts").as_posix()
        if path.is_file() and not path.name.startswith(".") and name not in listed:
            facts = {"run": folder.name, "name": name, "kind": "report", "path": f"artifacts/{name}"}
            sizes = {"bytes": path.stat().st_size, "sha256": sha256(path), "created_at": path.stat().st_mtime}
            _insert(connection, schema.ARTIFACT, {**facts, **sizes})
