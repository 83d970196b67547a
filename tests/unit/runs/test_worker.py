"""A worker's run ends in a state that is true, whatever happens to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from core.files import unshared
from core.runs import manage, queue, submit
from core.store import Run, open_store
from tests.fixtures.processes import ROOT, tiny, wait_until
from tests.fixtures.workers import forking_executor


@pytest.fixture(scope="module")
def forking() -> Iterator[type[queue.LocalExecutor]]:
    with forking_executor("tests.fixtures.processes") as executor:
        yield executor


@pytest.fixture(autouse=True)
def _tiny_workers(forking: type[queue.LocalExecutor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "LocalExecutor", forking)


def _ended(run: Run) -> Run:
    wait_until(lambda: not open_store().get_run(run.id).is_active)
    return open_store().get_run(run.id)


def _at_work(name: str) -> Run:
    run = submit.submit(tiny(name))
    wait_until(lambda: (run.folder / "at-work").exists())
    return open_store().get_run(run.id)


def _codes(run: Run) -> list[str]:
    return [problem["code"] for problem in run.error or []]


def test_run_is_done_with_its_summary_metrics_and_artifacts() -> None:
    run = _ended(submit.submit(tiny("done")))
    assert (run.status, run.summary, run.error, run.progress) == ("done", {"n": 3}, None, 1.0)
    assert run.started_at is not None
    assert run.ended_at is not None
    assert run.created_at <= run.started_at <= run.ended_at
    assert [(m.name, m.step, m.epoch, m.value) for m in open_store().read_metrics(run.id, names=["train/loss"])] == [
        ("train/loss", 1, 0.5, 0.25)
    ]
    artifacts = {artifact.name: artifact for artifact in open_store().list_artifacts(run.id)}
    assert set(artifacts) == {"report.json", "model/model.safetensors"}
    model = artifacts["model/model.safetensors"]
    assert (model.kind, model.bytes, model.path) == ("model", 4, "artifacts/model/model.safetensors")
    assert model.sha256 == "03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4"
    assert artifacts["report.json"].kind == "report"
    assert not (run.folder / ".reserve").exists()


def test_what_a_killed_worker_was_writing_is_removed_and_never_an_artifact() -> None:
    run = submit.new_run(tiny("done"))
    (run.folder / "artifacts").mkdir()
    left = unshared(run.folder / "artifacts" / "weights.safetensors")
    of_earlier_versions = run.folder / "artifacts" / "answers.csv.tmp"
    for path in (left, of_earlier_versions):
        path.write_bytes(b"half")
    queue.pump()
    run = _ended(run)
    assert run.status == "done"
    assert {one.name for one in open_store().list_artifacts(run.id)} == {"report.json", "model/model.safetensors"}
    assert not left.exists()


def test_traceback_stays_in_the_log_when_a_run_fails_for_an_unknown_reason() -> None:
    run = _ended(submit.submit(tiny("fail")))
    assert run.status == "failed"
    assert _codes(run) == ["run.unknown_error"]
    assert run.error is not None
    assert run.error[0]["values"] == {"detail": "ValueError: an unforeseen detail"}
    assert "Traceback (most recent call last)" in manage.read_log(run.id)
    assert "Traceback" not in str(run.error)


@pytest.mark.parametrize(
    ("name", "code"), [("diverge", "run.diverged"), ("memory", "run.out_of_memory"), ("disk", "run.disk_full")]
)
def test_run_fails_with_its_reason_when_that_is_known(name: str, code: str) -> None:
    run = _ended(submit.submit(tiny(name)))
    assert (run.status, _codes(run)) == ("failed", [code])


def test_run_is_stopped_when_the_page_asks() -> None:
    run = _at_work("stop")
    asked = queue.stop_run(run.id)
    assert (asked.status, asked.stop_requested) == ("running", True)
    run = _ended(run)
    assert (run.status, _codes(run)) == ("stopped", ["run.stopped"])
    assert (run.folder / "kept").exists()


def test_run_is_stopped_when_the_worker_is_terminated() -> None:
    run = _at_work("stop")
    assert run.pid is not None
    os.kill(run.pid, signal.SIGTERM)
    run = _ended(run)
    assert (run.status, _codes(run)) == ("stopped", ["run.stopped"])
    assert (run.folder / "kept").exists()


def test_run_is_stopped_in_the_middle_when_a_second_signal_comes() -> None:
    run = _at_work("deaf")
    assert run.pid is not None
    os.kill(run.pid, signal.SIGTERM)
    wait_until(lambda: "stopping" in manage.read_log(run.id))
    os.kill(run.pid, signal.SIGTERM)
    run = _ended(run)
    assert (run.status, _codes(run)) == ("stopped", ["run.stopped"])
    assert not (run.folder / "kept").exists()


def test_run_is_found_interrupted_when_its_worker_was_killed() -> None:
    run = _at_work("deaf")
    assert run.pid is not None
    assert queue.reconcile() == []
    os.kill(run.pid, signal.SIGKILL)
    wait_until(lambda: queue.find_process(run) is None)
    assert open_store().get_run(run.id).status == "running", "nobody has looked yet"
    assert queue.reconcile() == [run.id]
    run = open_store().get_run(run.id)
    assert (run.status, _codes(run)) == ("interrupted", ["run.process_gone"])
    assert run.error is not None
    assert run.error[0]["values"] == {"pid": run.pid}


def test_run_is_ended_by_force_when_it_does_not_listen() -> None:
    run = _at_work("deaf")
    assert run.pid is not None
    run = queue.kill_run(run.id)
    assert (run.status, _codes(run)) == ("stopped", ["run.killed"])
    assert queue.find_process(run) is None


def test_resumed_run_knows_that_it_goes_on() -> None:
    run = _ended(submit.submit(tiny("resume")))
    assert run.summary == {"resume": False}
    open_store().update_run(run.id, status="interrupted")
    run = _ended(manage.resume_run(run.id))
    assert (run.status, run.summary, run.attempt) == ("done", {"resume": True}, 1)


def test_next_run_is_started_when_a_worker_ends() -> None:
    first = submit.submit(tiny("brief"))
    second = submit.submit(tiny("done"))
    assert second.status == "queued", "one slot, and it is taken"
    assert _ended(second).status == "done"
    first = open_store().get_run(first.id)
    assert first.status == "done"
    assert (first.ended_at or 0) <= (open_store().get_run(second.id).started_at or 0)


def test_worker_leaves_a_run_alone_that_nobody_gave_it() -> None:
    run = submit.new_run(tiny("done"))
    open_store().update_run(run.id, status="stopped")
    command = [sys.executable, "-m", "core.runs.worker"]
    unclaimed = subprocess.run([*command, run.id], cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert unclaimed.returncode == 1
    assert "nothing to do" in unclaimed.stderr
    assert open_store().get_run(run.id).status == "stopped"
    unknown = subprocess.run([*command, "nothing"], cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert unknown.returncode == 1
    assert "There is no run nothing here" in unknown.stderr
