"""A run as one zip that can be read without Graft."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest

from core.errors import NotFoundError, RunError
from core.runs import manage, submit
from core.runs.export import export_run, metric_rows, run_facts
from core.store import Run, open_store
from tests.fixtures.processes import tiny


@pytest.fixture
def run() -> Run:
    run = submit.new_run(tiny("done"), name="mine")
    store = open_store()
    secret = {"owner": "somebody", "host": "secret-host", "pid": 424242, "pid_started": 1.5}
    store.update_run(run.id, status="done", summary={"n": 3}, started_at=1.0, ended_at=2.0, tags=["a"], **secret)
    store.write_metrics(run.id, [("train/loss", s, s / 2, 1.0 / s, 0.0) for s in (2, 1)])
    store.write_metrics(run.id, [("val/loss", 2, 1.0, 0.5, 0.0)])
    (run.folder / "artifacts" / "model").mkdir(parents=True)
    (run.folder / "artifacts" / "model" / "model.safetensors").write_bytes(b"weights" * 100)
    (run.folder / "worker.log").write_text("a line\n", encoding="utf-8")
    (run.folder / "checkpoint").mkdir()
    (run.folder / "checkpoint" / "state").touch()
    return store.get_run(run.id)


def test_zip_holds_what_is_needed_to_read_and_repeat_a_run(run: Run) -> None:
    with zipfile.ZipFile(export_run(run.id)) as archive:
        assert archive.testzip() is None
        names = {
            "manifest.json",
            "run.json",
            "metrics.csv",
            "spec.json",
            "worker.log",
            "artifacts/model/model.safetensors",
        }
        assert set(archive.namelist()) == {*names, "manifest.json"}, "and no checkpoint"
        facts = json.loads(archive.read("run.json"))
        spec = json.loads(archive.read("spec.json"))
        rows = list(csv.DictReader(io.StringIO(archive.read("metrics.csv").decode())))
    assert (facts["name"], facts["status"], facts["summary"], facts["tags"]) == ("mine", "done", {"n": 3}, ["a"])
    assert spec["data"]["id"] == "builtin/done"
    assert rows == [
        {"step": "1", "epoch": "0.5", "train/loss": "1.0", "val/loss": ""},
        {"step": "2", "epoch": "1.0", "train/loss": "0.5", "val/loss": "0.5"},
    ]


def test_zip_says_nothing_of_who_ran_it_where(run: Run) -> None:
    with zipfile.ZipFile(export_run(run.id)) as archive:
        told = b"".join(archive.read(name) for name in archive.namelist())
    for secret in (b"somebody", b"secret-host", b"424242"):
        assert secret not in told
    assert not {"owner", "host", "pid", "pid_started", "heartbeat_at"} & set(run_facts(run))


def test_zip_is_replaced_when_exported_again(run: Run) -> None:
    first = export_run(run.id)
    manage.rename_run(run.id, "renamed")
    assert export_run(run.id) == first
    with zipfile.ZipFile(first) as archive:
        assert json.loads(archive.read("run.json"))["name"] == "renamed"
    assert list(first.parent.iterdir()) == [first]


def test_zip_of_a_run_without_metrics_has_only_their_heading(run: Run) -> None:
    other = submit.new_run(tiny("done"))
    with zipfile.ZipFile(export_run(other.id)) as archive:
        assert archive.read("metrics.csv") == b"step,epoch\n"


def test_export_leaves_no_half_file_when_it_cannot_read(run: Run, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "write", refuse)
    with pytest.raises(RunError, match="No space left"):
        export_run(run.id)
    assert list((home / "exports").iterdir()) == []


def test_export_of_an_unknown_run_is_refused() -> None:
    with pytest.raises(NotFoundError):
        export_run("nothing")


def test_metric_rows_are_in_the_order_of_the_steps(run: Run) -> None:
    assert metric_rows(run.id, open_store()) == [
        {"step": 1, "epoch": 0.5, "train/loss": 1.0},
        {"step": 2, "epoch": 1.0, "train/loss": 0.5, "val/loss": 0.5},
    ]
