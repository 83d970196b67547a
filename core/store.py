"""The record of everything that ever ran: one SQLite file in WAL mode, read by pages, written by workers.

Its tables stand in `core.schema`. The schema's version is SQLite's `user_version`; a store of another version is
refused.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar, Unpack, overload

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.pool import NullPool

from core import recovery, schema, settings
from core.errors import NotFoundError, RunError, StoreError
from core.files import sha256
from core.paths import shown
from core.problems import ProblemRow
from core.schema import ARTIFACT as _artifact
from core.schema import METRIC as _metric
from core.schema import RUN as _run
from core.schema import Artifact as Artifact
from core.schema import Metric as Metric
from core.schema import MetricRow as MetricRow
from core.schema import NewRun, Phase, Point, RunColumns, RunState
from core.schema import Status as Status

ACTIVE: tuple[Status, ...] = ("queued", "running")
IMPORTED = "imported"  # the tag of a run that came in an archive; nobody gives it or takes it away
RESUMABLE: tuple[Status, ...] = ("stopped", "failed", "interrupted")


@dataclass(frozen=True, slots=True)
class Run:
    """One row of `run`; see the table for what a column holds."""

    id: str
    kind: str
    name: str
    status: Status
    spec: dict[str, Any]
    device: str
    parent: str | None
    sibling_group: str | None
    owner: str | None
    note: str
    tags: list[str]
    attempt: int
    stop_requested: bool
    phase: Phase | None
    progress: float | None
    eta_s: float | None
    error: list[ProblemRow] | None
    summary: dict[str, Any]
    host: str | None
    pid: int | None
    pid_started: float | None
    heartbeat_at: float | None
    created_at: float
    started_at: float | None
    ended_at: float | None

    @property
    def folder(self) -> Path:
        return settings.folder("runs") / self.id

    def end_now(self) -> float:
        """The time of an end that is now: not before the begin, where the clock was set back meanwhile."""
        return max(time.time(), self.started_at or self.created_at)

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def is_from_outside(self) -> bool:
        """Whether it came in an archive: none of its files is opened by a loader that can run code."""
        return IMPORTED in self.tags


class Store:
    """The store of one file. Every call opens its own short-lived connection."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # NullPool: a connection is opened, used and closed; SQLite makes that cheap and it never outlives a fork.
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)), poolclass=NullPool, connect_args={"timeout": 15}
        )
        sa.event.listen(self._engine, "connect", schema.tune)
        try:
            # IMMEDIATE: of several processes that open a new store at once, one makes the tables.
            with self._engine.connect() as connection:
                if self._version(connection) != schema.VERSION:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                    self._make_tables(connection)
                    connection.commit()
                with suppress(sa.exc.OperationalError):  # a disk that is full or may only be read: it is slower
                    schema.make_indexes(connection)
                    connection.commit()
        except sa.exc.DatabaseError as error:
            raise self._failure("store.cannot_open", error) from error

    @staticmethod
    def _version(connection: sa.Connection) -> int:
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())

    def _make_tables(self, connection: sa.Connection) -> None:
        version = self._version(connection)
        if version == schema.VERSION:  # another process was faster
            return
        if version != 0 or sa.inspect(connection).get_table_names():
            raise StoreError("store.other_version", path=str(self.path), found=version, wanted=schema.VERSION)
        schema.META.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {schema.VERSION}")

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        try:
            # IMMEDIATE: a write waits for its turn instead of failing half-way through.
            with self._engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
                connection.commit()
        except sa.exc.IntegrityError:
            raise
        except sa.exc.DatabaseError as error:
            raise self._failure("store.cannot_write", error) from error

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except (sa.exc.DatabaseError, ValueError) as error:  # even reading wants a little room; a row may be no JSON
            raise self._failure("store.cannot_read", error) from error

    def _failure(self, code: str, error: sa.exc.DatabaseError | ValueError) -> StoreError:
        """What to tell. A damaged file is looked through at once, and made anew: the next try finds it so."""
        cause = error.orig if isinstance(error, sa.exc.DatabaseError) else error
        if isinstance(error, ValueError) or recovery.is_damage(error):
            recovery.suspect(self.path)
            with suppress(OSError):  # a full disk: it stays suspected
                recovery.recover(self.path)
            code = "store.damaged"
        return StoreError(code, path=str(self.path), detail=str(cause))

    def create_run(
        self,
        run_id: str,
        *,
        kind: str,
        name: str,
        spec: Mapping[str, object],
        metrics: Iterable[MetricRow] = (),
        artifacts: Iterable[Artifact] = (),
        **columns: Unpack[NewRun],
    ) -> None:
        """Add a run with what is known of it, all or nothing; queued unless `columns` say otherwise."""
        values = {"status": "queued", "created_at": time.time(), **columns}
        values |= {"id": run_id, "kind": kind, "name": name, "spec": dict(spec)}
        with self._begin() as connection:
            connection.execute(sa.insert(_run).values(**values))
            _put_metrics(connection, run_id, metrics)
            for artifact in artifacts:
                _put_artifact(connection, artifact)

    def get_run(self, run_id: str) -> Run:
        """The run of this id. Raises `NotFoundError`."""
        if not run_id.isprintable():  # no run is called so, and SQLite takes no half letters
            raise NotFoundError("run.unknown", id=shown(run_id))
        with self._reading() as connection:
            row = connection.execute(sa.select(_run).where(_run.c.id == run_id)).mappings().first()
        if row is None:
            raise NotFoundError("run.unknown", id=shown(run_id))
        return Run(**row)

    def list_runs(
        self,
        *,
        statuses: Iterable[str] | None = None,
        kind: str | None = None,
        sibling_group: str | None = None,
        parent: str | None = None,
        limit: int | None = None,
    ) -> list[Run]:
        """Runs, the newest first."""
        query = sa.select(_run).order_by(_run.c.created_at.desc(), _run.c.id.desc())
        if statuses is not None:
            query = query.where(_run.c.status.in_(tuple(statuses)))
        for column, value in (("kind", kind), ("sibling_group", sibling_group), ("parent", parent)):
            if value is not None:
                query = query.where(_run.c[column] == value)
        with self._reading() as connection:
            return [Run(**row) for row in connection.execute(query.limit(limit)).mappings()]

    def find_runs(
        self, words: Iterable[str] = (), *, statuses: Sequence[str] = (), kind: str = "", limit: int
    ) -> tuple[list[Run], int]:
        """The newest runs whose name, id, note or tags hold all of these words, and how many such there are."""
        wanted = [word.lower() for word in words]
        where: list[sa.ColumnElement[bool]] = [_run.c.status.in_(statuses)] if statuses else []
        where += [_run.c.kind == kind] if kind else []
        newest = (_run.c.created_at.desc(), _run.c.id.desc())
        with self._reading() as connection:
            if wanted:
                told = sa.select(_run.c.id, _run.c.name, _run.c.note, _run.c.tags).where(*where).order_by(*newest)
                ids = [
                    row.id
                    for row in connection.execute(told)
                    if all(word in f"{row.name} {row.id} {row.note} {' '.join(row.tags)}".lower() for word in wanted)
                ]
                n, where = len(ids), [_run.c.id.in_(ids[:limit])]
            else:
                n = connection.execute(sa.select(sa.func.count()).select_from(_run).where(*where)).scalar_one()
            found = connection.execute(sa.select(_run).where(*where).order_by(*newest).limit(limit)).mappings()
            return [Run(**row) for row in found], n

    def update_run(
        self,
        run_id: str,
        *,
        only_if: Iterable[str] | None = None,
        only_of: int | Literal["any"] | None = "any",
        **columns: Unpack[RunColumns],
    ) -> bool:
        """Set columns; with `only_if`, only while the status is one of these. Returns whether it was done.

        With `only_of`, only while the run's worker is the process of this pid (None: while there is none).
        """
        change = sa.update(_run).where(_run.c.id == run_id).values(**columns)
        if only_if is not None:
            change = change.where(_run.c.status.in_(tuple(only_if)))
        if only_of != "any":
            change = change.where(_run.c.pid.is_(None) if only_of is None else _run.c.pid == only_of)
        with self._begin() as connection:
            return connection.execute(change).rowcount == 1

    def claim_next(self, device: str, slots: int, **columns: Unpack[RunState]) -> Run | None:
        """Turn the oldest queued run of a device to running if fewer than `slots` run there, in one transaction."""
        with self._begin() as connection:
            here = _run.c.device == device
            busy = connection.execute(
                sa.select(sa.func.count()).select_from(_run).where(here, _run.c.status == "running")
            ).scalar_one()
            if busy >= slots:
                return None
            oldest = sa.select(_run.c.id).where(here, _run.c.status == "queued")
            run_id = connection.execute(oldest.order_by(_run.c.created_at, _run.c.id).limit(1)).scalar()
            if run_id is None:
                return None
            connection.execute(sa.update(_run).where(_run.c.id == run_id).values(status="running", **columns))
        return self.get_run(run_id)

    def delete_run(self, run_id: str) -> None:
        """Forget a run, its metrics and artifacts (rows only)."""
        with self._begin() as connection:
            for table, column in ((_metric, "run"), (_artifact, "run"), (_run, "id")):
                connection.execute(sa.delete(table).where(table.c[column] == run_id))

    def write_metrics(self, run_id: str, rows: Iterable[MetricRow]) -> None:
        """Write measurements; one of the same name and step is replaced."""
        if rows := list(rows):
            with self._begin() as connection:
                _put_metrics(connection, run_id, rows)

    def read_metrics(self, run_id: str, *, names: Iterable[str] | None = None) -> list[Metric]:
        """All measurements, in the order they were written."""
        columns = [_metric.c[name] for name in Metric._fields]
        query = sa.select(*columns).where(_metric.c.run == run_id).order_by(_metric.c.id)
        if names is not None:
            query = query.where(_metric.c.name.in_(tuple(names)))
        with self._reading() as connection:
            return list(map(Metric._make, connection.execute(query)))

    def read_points(
        self, run_id: str, *, after: int = 0, names: Iterable[str] | None = None
    ) -> tuple[int, dict[str, list[Point]]]:
        """The `id` of the newest measurement, and by name those written since the one whose `id` is `after`, by step.

        Much quicker than `read_metrics` where there are very many.
        """
        where = [_metric.c.run == run_id, *([_metric.c.id > after] if after else [])]
        where += [] if names is None else [_metric.c.name.in_(tuple(names))]
        newest = sa.select(sa.func.max(_metric.c.id)).where(*where)
        counted = sa.select(_metric.c.name, sa.func.count()).where(*where).group_by(_metric.c.name)
        epoch = sa.func.coalesce(_metric.c.epoch, _metric.c.step)
        points = sa.select(_metric.c.step, epoch, _metric.c.value).where(*where)
        with self._reading() as connection:
            connection.exec_driver_sql("BEGIN")  # all three see the same
            last: int | None = connection.execute(newest).scalar_one()
            if last is None:
                return after, {}
            counts = connection.execute(counted.order_by(_metric.c.name)).all()
            found = connection.execute(points.order_by(_metric.c.name, _metric.c.step)).cursor
            assert found is not None
            rows = iter(found.fetchall())  # plain tuples: SQLAlchemy's rows take as long again
            return last, {name: list(islice(rows, number)) for name, number in counts}

    def write_artifact(self, artifact: Artifact) -> None:
        """Add or replace an artifact of a run."""
        with self._begin() as connection:
            _put_artifact(connection, artifact)

    def list_artifacts(self, run_id: str) -> list[Artifact]:
        query = sa.select(_artifact).where(_artifact.c.run == run_id).order_by(_artifact.c.name)
        with self._reading() as connection:
            return [Artifact(**row) for row in connection.execute(query).mappings()]


def _put_metrics(connection: sa.Connection, run_id: str, rows: Iterable[MetricRow]) -> None:
    names = ("name", "step", "epoch", "value", "time")
    if values := [{"run": run_id, **dict(zip(names, row, strict=True))} for row in rows]:
        connection.execute(sa.insert(_metric).prefix_with("OR REPLACE"), values)


def _put_artifact(connection: sa.Connection, artifact: Artifact) -> None:
    values = {name: getattr(artifact, name) for name in Artifact.__slots__}
    change = upsert(_artifact).values(values)
    connection.execute(change.on_conflict_do_update(index_elements=["run", "name"], set_=values))


def open_store() -> Store:
    """The store in `GRAFT_HOME`."""
    try:
        home = settings.home()
    except RuntimeError as error:
        raise StoreError("store.no_home") from error
    except OSError as error:
        raise _cannot_open(str(error.filename or settings.get("GRAFT_HOME")), error) from error
    return _open(home / "graft.sqlite")


def _cannot_open(path: str, error: OSError) -> StoreError:
    return StoreError("store.cannot_open", path=path, detail=error.strerror or str(error))


@lru_cache(maxsize=4)
def _open(path: Path) -> Store:
    try:
        recovery.recover(path)
        path.touch(mode=0o600)
        settings.keep_private(path)
        try:
            return Store(path)
        except StoreError as error:
            if error.code != "store.damaged":
                raise
            return Store(path)
    except OSError as error:  # a disk that is full or may only be read
        raise _cannot_open(str(path), error) from error


Record = TypeVar("Record", bound=Mapping[str, object])


@overload
def read_report(run_id: str) -> dict[str, Any] | None: ...
@overload
def read_report(run_id: str, record: type[Record]) -> Record | None: ...
def read_report(run_id: str, record: type[Any] = dict) -> Any:
    """What a run reported (`artifacts/report.json`), as the record of its kind; None before there is a report.

    Raises `RunError` for a report that is not as it was written.
    """
    store = open_store()
    run = store.get_run(run_id)
    path = run.folder / "artifacts" / "report.json"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    kept = {artifact.name: artifact.sha256 for artifact in store.list_artifacts(run_id)} if run.status == "done" else {}
    try:
        report = json.loads(content.decode("utf-8"))
        if kept.get("report.json", sha256(path)) != sha256(path) or not isinstance(report, dict):
            raise ValueError("its sum is another")
    except ValueError as error:
        if run.is_active:  # it is not whole yet
            return None
        raise RunError("run.report_damaged", id=run_id, path=str(path)) from error
    return report


def find_report(run_id: str) -> Mapping[str, Any] | None:
    """The report of a run that is only asked in passing: None also where it is damaged, which its own page tells."""
    try:
        return read_report(run_id)
    except RunError:
        return None
