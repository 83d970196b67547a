"""The queue: who is started when, and who is found gone."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.hardware import this_host
from core.runs import queue, submit
from core.runs.queue import LocalExecutor
from core.store import Run, open_store
from tests.fixtures.processes import IdleExecutor, spawn_together, tiny


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> IdleExecutor:
    idle = IdleExecutor()
    monkeypatch.setattr(queue, "LocalExecutor", lambda: idle)
    return idle


@pytest.fixture
def sleeper() -> Iterator[psutil.Process]:
    process = subprocess.Popen(["sleep", "60"])
    yield psutil.Process(process.pid)
    process.kill()
    process.wait()


def _queue(*devices: str) -> list[str]:
    ids = []
    for device in devices:
        run = submit.new_run(tiny("done"))
        open_store().update_run(run.id, device=device)
        ids.append(run.id)
    return ids


def _running(**columns: object) -> Run:
    (run_id,) = _queue("cpu")
    now = time.time()
    values = {"status": "running", "host": this_host(), "heartbeat_at": now, "started_at": now, **columns}
    open_store().update_run(run_id, **values)
    return open_store().get_run(run_id)


def _codes(run_id: str) -> list[str]:
    return [problem["code"] for problem in open_store().get_run(run_id).error or []]


def test_pump_starts_runs_one_after_another_on_each_device(executor: IdleExecutor) -> None:
    a, b, c, d = _queue("cpu", "cuda", "cpu", "cpu")
    assert sorted(queue.pump()) == sorted([a, b])
    assert queue.pump() == [], "both devices are busy"
    open_store().update_run(a, status="done")
    assert queue.pump() == [c], "the oldest that waits"
    open_store().update_run(c, status="failed")
    assert queue.pump() == [d]
    assert sorted(executor.started) == sorted([a, b, c, d])
    run = open_store().get_run(d)
    assert (run.status, run.pid, run.host) == ("running", os.getpid(), this_host())
    assert run.phase == {"code": "starting", "values": {}}


def test_pump_fills_all_slots_when_there_are_more(executor: IdleExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_SLOTS", "2")
    ids = _queue("cpu", "cpu", "cpu")
    assert queue.pump() == ids[:2]


@pytest.mark.parametrize(("value", "wanted"), [("", 1), ("0", 1), ("-3", 1), ("many", 1), ("4", 4)])
def test_slots_are_at_least_one(value: str, wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_SLOTS", value)
    assert queue.slots() == wanted


def test_pump_goes_on_when_a_worker_cannot_be_started(executor: IdleExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = _queue("cpu", "cpu")
    start = executor.start

    def fail_first(run: Run) -> tuple[int, float]:
        if run.id == a:
            raise OSError("no more processes")
        return start(run)

    monkeypatch.setattr(executor, "start", fail_first)
    assert queue.pump() == [b]
    assert (open_store().get_run(a).status, _codes(a)) == ("failed", ["run.cannot_start"])


def test_reconcile_leaves_a_live_worker_alone(sleeper: psutil.Process) -> None:
    run = _running(pid=sleeper.pid, pid_started=sleeper.create_time(), heartbeat_at=time.time() - 3600)
    assert queue.reconcile() == []
    assert open_store().get_run(run.id).status == "running"


def test_reconcile_finds_a_dead_worker_interrupted(sleeper: psutil.Process) -> None:
    run = _running(pid=sleeper.pid, pid_started=sleeper.create_time(), eta_s=5.0)
    sleeper.kill()
    sleeper.wait()
    assert queue.reconcile() == [run.id]
    found = open_store().get_run(run.id)
    assert (found.status, found.eta_s, _codes(run.id)) == ("interrupted", None, ["run.process_gone"])
    assert found.ended_at is not None
    assert queue.reconcile() == []


def test_reconcile_sees_a_zombie_as_gone() -> None:
    process = subprocess.Popen(["sleep", "60"])
    run = _running(pid=process.pid, pid_started=psutil.Process(process.pid).create_time())
    process.kill()
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert queue.reconcile() == [run.id]
    process.wait()


def test_reused_pid_is_not_taken_for_the_worker(sleeper: psutil.Process) -> None:
    run = _running(pid=sleeper.pid, pid_started=sleeper.create_time() - 1000)
    assert queue.find_process(run) is None
    LocalExecutor().stop(run)
    LocalExecutor().stop(run, force=True)
    assert sleeper.is_running(), "somebody else's process is left alone"
    assert queue.reconcile() == [run.id]


def test_worker_is_known_by_its_command_line_when_the_clock_was_set() -> None:
    run = _running()
    process = subprocess.Popen(["sh", "-c", "sleep 60; true", "core.runs.worker", run.id], start_new_session=True)
    try:
        open_store().update_run(run.id, pid=process.pid, pid_started=time.time() - 1000)
        run = open_store().get_run(run.id)
        assert queue.reconcile() == []
        LocalExecutor().stop(run, force=True)
        process.wait(timeout=30)
    finally:
        process.kill()
    assert queue.reconcile() == [run.id]


def test_start_does_not_overwrite_the_worker_that_has_the_run_already(executor: IdleExecutor) -> None:
    """A worker of an earlier claim that was slow to begin took the run first."""
    (run_id,) = _queue("cpu")
    start = executor.start

    def taken_meanwhile(run: Run) -> tuple[int, float]:
        open_store().update_run(run.id, pid=77, pid_started=7.0)
        return start(run)

    executor.start = taken_meanwhile  # type: ignore[method-assign]
    queue.pump()
    assert open_store().get_run(run_id).pid == 77


def test_claimed_run_is_given_up_when_its_worker_never_starts() -> None:
    fresh = _running(pid=None)
    stale = _running(pid=None, heartbeat_at=time.time() - queue.CLAIM_GRACE_S - 1)
    assert queue.reconcile() == [stale.id]
    assert _codes(stale.id) == ["run.never_started"]
    assert open_store().get_run(fresh.id).status == "running"


def test_run_of_another_host_is_given_up_when_it_was_silent_for_long() -> None:
    away = {"host": "elsewhere", "pid": os.getpid(), "pid_started": 0.0}
    heard = _running(**away, heartbeat_at=time.time() - queue.LOST_AFTER_S + 60)
    lost = _running(**away, heartbeat_at=time.time() - queue.LOST_AFTER_S - 60)
    assert queue.reconcile() == [lost.id]
    assert _codes(lost.id) == ["run.host_lost"]
    assert open_store().get_run(heard.id).status == "running"


def test_reconcile_does_not_overwrite_an_end_that_was_told_meanwhile(executor: IdleExecutor) -> None:
    run = _running(pid=1, pid_started=1.0)

    class _EndsWhileLooking(IdleExecutor):
        def is_alive(self, run: Run) -> bool:
            open_store().update_run(run.id, status="done")
            return False

    assert queue.reconcile(open_store(), _EndsWhileLooking()) == []
    assert open_store().get_run(run.id).status == "done"


def test_queued_run_is_stopped_at_once(executor: IdleExecutor) -> None:
    (a,) = _queue("cpu")
    run = queue.stop_run(a)
    assert (run.status, run.error) == ("stopped", None)
    assert run.ended_at is not None
    assert queue.pump() == []


def test_running_run_is_asked_to_stop_and_an_ended_one_stays(executor: IdleExecutor) -> None:
    run = _running()
    assert (queue.stop_run(run.id).status, queue.stop_run(run.id).stop_requested) == ("running", True)
    open_store().update_run(run.id, status="failed", stop_requested=False)
    stopped = queue.stop_run(run.id)
    assert (stopped.status, stopped.stop_requested) == ("failed", False)


def test_terminating_interrupts_and_killing_ends_the_worker(executor: IdleExecutor) -> None:
    run, waiting = _running(), _queue("cpu")[0]
    assert queue.terminate_run(run.id).status == "running"
    assert executor.stopped == [(run.id, False)]
    killed = queue.kill_run(run.id)
    assert (killed.status, _codes(run.id)) == ("stopped", ["run.killed"])
    assert executor.stopped[-1] == (run.id, True)
    assert executor.started == [waiting], "the slot goes to the next"


def test_run_of_another_host_is_not_ended_from_here(executor: IdleExecutor) -> None:
    run = _running(host="elsewhere")
    queue.terminate_run(run.id)
    assert queue.kill_run(run.id).status == "running"
    assert executor.stopped == []


def test_each_run_is_started_once_when_two_processes_submit_at_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAFT_SLOTS", "1000")
    script = (
        "from tests.fixtures.processes import IdleExecutor, tiny\n"
        "idle = IdleExecutor()\n"
        "queue.LocalExecutor = lambda: idle\n"
        "mine = [submit.submit(tiny('done')).id for _ in range(15)]\n"
        "print(' '.join(idle.started), '/', ' '.join(mine))\n"
    )
    halves = [text.strip().split("/") for text in spawn_together(home, script, 2)]
    started = [run_id for half in halves for run_id in half[0].split()]
    submitted = [run_id for half in halves for run_id in half[1].split()]
    assert len(submitted) == len(set(submitted)) == 30
    assert sorted(started) == sorted(submitted)


def test_worker_gets_an_absolute_home_and_a_session_of_its_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    caught: dict[str, object] = {}

    class _Process:
        pid = os.getpid()

        def __init__(self, command: list[str], **options: object) -> None:
            caught.update(options, command=command)

        def wait(self) -> int:
            return 0

    monkeypatch.chdir(home.parent)
    monkeypatch.setenv("GRAFT_HOME", home.name)
    (run_id,) = _queue("cpu")
    monkeypatch.setattr(queue.subprocess, "Popen", _Process)
    pid, born = LocalExecutor().start(open_store().get_run(run_id))
    assert (pid, born) == (os.getpid(), psutil.Process().create_time())
    environment = caught["env"]
    assert isinstance(environment, dict)
    assert environment["GRAFT_HOME"] == str(home)
    assert caught["start_new_session"] is True
    assert caught["command"] == [queue.sys.executable, "-m", "core.runs.worker", run_id]
