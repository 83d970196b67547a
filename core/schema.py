"""The tables of the store, what can be written of a row, and how its file is opened.

`run`, `metric` (one row per run, name and step: logging again after a resume replaces, never doubles; `id` only grows,
so a reader asks for what is newer than its last) and `artifact`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypedDict

import sqlalchemy as sa

from core.problems import ProblemRow

Status = Literal["queued", "running", "done", "failed", "stopped", "interrupted"]
VERSION = 1  # SQLite's `user_version`

META = sa.MetaData()
RUN = sa.Table(
    "run",
    META,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("spec", sa.JSON, nullable=False),
    sa.Column("device", sa.String, nullable=False, default="cpu"),
    sa.Column("parent", sa.String, index=True),
    sa.Column("sibling_group", sa.String, index=True),
    sa.Column("owner", sa.String),
    sa.Column("note", sa.String, nullable=False, default=""),
    sa.Column("tags", sa.JSON, nullable=False, default=list),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column("stop_requested", sa.Boolean, nullable=False, default=False),
    sa.Column("phase", sa.JSON),  # {"code": …, "values": {…}}
    sa.Column("progress", sa.Float),  # 0 … 1
    sa.Column("eta_s", sa.Float),
    sa.Column("error", sa.JSON),  # list of Problem.as_dict()
    sa.Column("summary", sa.JSON, nullable=False, default=dict),
    sa.Column("host", sa.String),
    sa.Column("pid", sa.Integer),
    sa.Column("pid_started", sa.Float),
    sa.Column("heartbeat_at", sa.Float),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("started_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    # Each list is the newest of its kind: read in this order, the others are not looked at.
    sa.Index("run_newest", "created_at", "id"),
    sa.Index("run_newest_of_kind", "kind", "created_at", "id"),
    sa.Index("run_newest_of_status", "status", "created_at", "id"),
)
METRIC = sa.Table(
    "metric",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("epoch", sa.Float),
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("time", sa.Float, nullable=False),
    sa.UniqueConstraint("run", "name", "step"),
    sa.Index("metric_news", "run", "id"),
    sqlite_autoincrement=True,  # an id is never used twice, so "newer than" cannot miss a replaced row
)
ARTIFACT = sa.Table(
    "artifact",
    META,
    sa.Column("run", sa.String, primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("path", sa.String, nullable=False),  # relative to the run's folder
    sa.Column("bytes", sa.Integer, nullable=False),
    sa.Column("sha256", sa.String, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)


# -- what can be written and read of a row --------------------------------------------------------------------------


class Phase(TypedDict):
    """What a run does now: a code of `core.messages.PHASES` and what its words name."""

    code: str
    values: dict[str, str | int | float]


class RunState(TypedDict, total=False):
    """What can be written of a run while it is claimed and at work."""

    status: Status
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
    summary: Mapping[str, object]
    host: str | None
    pid: int | None
    pid_started: float | None
    heartbeat_at: float | None
    created_at: float
    started_at: float | None
    ended_at: float | None


class NewRun(RunState, total=False):
    """What can be written of a run that begins, beside its id, kind, name and spec."""

    device: str


class RunColumns(NewRun, total=False):
    """What can be written of a run that is there."""

    name: str


class Metric(NamedTuple):
    """One measurement; `id` grows with every write, so that a reader asks for what is newer."""

    id: int
    name: str
    step: int
    epoch: float | None
    value: float
    time: float


@dataclass(frozen=True, slots=True)
class Artifact:
    run: str
    name: str
    kind: str
    path: str
    bytes: int
    sha256: str
    created_at: float


Point = tuple[int, float, float]  # step, epoch (the step where no epoch is known), value
MetricRow = tuple[str, int, float | None, float, float]  # name, step, epoch, value, time


# -- the file ----------------------------------------------------------------------------------------------


def make_indexes(connection: sa.Connection) -> None:
    """Add the indexes that a store of an earlier Graft lacks."""
    there = set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'index'").scalars())
    for table in META.sorted_tables:
        for index in table.indexes:
            if index.name not in there:
                index.create(connection, checkfirst=True)


def tune(connection: Any, _record: Any) -> None:
    """What every new connection is told."""
    cursor = connection.cursor()
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    """Switch a new file to WAL. SQLite does not wait for a lock here, so this does."""
    for _ in range(100):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            time.sleep(0.05)
    cursor.execute("PRAGMA journal_mode=WAL")
