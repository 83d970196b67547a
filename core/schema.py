"""The tables of the store.

`run`, `metric` (one row per run, name and step: logging again after a resume replaces, never doubles; `id` only grows,
so a reader asks for what is newer than its last) and `artifact`.
"""

from __future__ import annotations

import sqlalchemy as sa

VERSION = 1  # SQLite's `user_version`

META = sa.MetaData()
RUN = sa.Table(
    "run",
    META,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("status", sa.String, nullable=False, index=True),
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
