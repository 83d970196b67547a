"""The exit status of the command line: one rule for whatever was asked."""

from __future__ import annotations

import time
from typing import Any

import pytest

from core.cli.progress import exit_status
from core.files import to_json
from core.store import open_store

ANSWERED = {"kind": "pictures", "rows": 3, "counts": {"cat": 3}, "answered_by": ["m"], "seconds": 1.0, "problems": []}
BAD_LINES = {"code": "data.bad_lines", "severity": "warning", "field": None, "values": {"n": 1, "name": "a.jsonl"}}
COMPARED = {"cells": 4, "cells_done": 4}


@pytest.mark.parametrize(
    ("kind", "status", "summary", "variants", "expected"),
    [
        ("finetune", "done", {"test": {"accuracy": 0.5}}, [], 0),
        ("finetune", "failed", {}, [], 1),
        ("predict", "interrupted", {}, [], 1),
        ("predict", "stopped", {}, [], 130),
        ("predict", "done", ANSWERED, [], 0),
        ("predict", "done", {**ANSWERED, "counts": {"cat": 2, "": 1}}, [], 3),
        ("predict", "done", {**ANSWERED, "kind": "texts", "counts": {"good": 2, "": 1}}, [], 0),
        ("predict", "done", {**ANSWERED, "kind": "texts", "problems": [BAD_LINES]}, [], 3),
        ("compare", "done", COMPARED, [], 0),
        ("compare", "done", {**COMPARED, "cells_done": 3}, [], 3),
        ("optimize", "done", {}, ["done", "refused", "broken"], 0),
        ("optimize", "done", {}, ["done", "failed"], 3),
    ],
)
def test_exit_status_tells_whether_all_is_done(
    kind: str, status: Any, summary: dict[str, Any], variants: list[str], expected: int, home: Any
) -> None:
    store = open_store()
    store.create_run("r-1", kind=kind, name="r", spec={})
    artifacts = store.get_run("r-1").folder / "artifacts"
    artifacts.mkdir(parents=True)
    (artifacts / "report.json").write_text(to_json({"variants": [{"status": one} for one in variants]}))
    store.update_run("r-1", status=status, summary=summary, ended_at=time.time())
    assert exit_status(store.get_run("r-1")) == expected
