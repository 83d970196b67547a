"""What is told of a run before it begins is kept with it, and stands beside what happened."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.data.spec import ImportSpec
from core.finetune.spec import FinetuneSpec
from core.hardware import this_host
from core.runs.submit import new_run
from core.runs.told import told_of
from core.store import open_store


def asked() -> FinetuneSpec:
    return FinetuneSpec.model_validate(
        {"model": {"id": "bundled/efficientnet_lite0"}, "data": {"id": "builtin/digits"}}
    )


def test_told_and_happened_stand_side_by_side(home: Path) -> None:
    rates = {"host": this_host(), "forward_gmacs_per_s": 100.0, "learning_gmacs_per_s": 50.0}
    (home / "calibration.json").write_text(json.dumps(rates), encoding="utf-8")
    run = new_run(asked())
    told = told_of(run)
    assert told is not None
    assert told.time_s is not None
    assert told.time_s[1] < 2 * told.time_s[0], "a range of at most twice its lower end"
    assert (told.seconds, told.peak_mb, told.held_time, told.held_memory) == (None, None, None, None)
    middle = sum(told.time_s) / 2
    columns = {"status": "done", "started_at": 1000.0, "ended_at": 1000.0 + middle}
    open_store().update_run(run.id, summary={"peak_memory_mb": 1.1 * told.memory_mb}, **columns)
    told = told_of(open_store().get_run(run.id))
    assert told is not None
    assert (told.seconds, told.held_time, told.held_memory) == (pytest.approx(middle), True, True)
    open_store().update_run(run.id, attempt=1)
    told = told_of(open_store().get_run(run.id))
    assert told is not None
    assert told.seconds is None, "it waited between its attempts, too"


def test_nothing_is_told_of_what_nobody_asks_about(home: Path) -> None:
    run = new_run(ImportSpec.model_validate({"data": {"id": "builtin/digits"}}))
    assert told_of(run) is None
