"""What a dead worker left is ended, and nothing else."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from core import settings
from core.hardware import this_host
from core.runs import queue, submit
from core.runs.strays import CLOCK_SLACK_S, MARK, end_strays
from core.store import Run, open_store
from tests.fixtures.processes import ROOT, tiny

Begin = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Begin a process as a run does: with its id and home in the environment."""
    begun: list[subprocess.Popen[bytes]] = []

    def one(run_id: str, *command: str, home: Path | None = None) -> subprocess.Popen[bytes]:
        words = command or ("-m", "core.lifeline", str(os.getpid()), "http.server", "0", "--bind", "127.0.0.1")
        environment = {**os.environ, MARK: run_id, "GRAFT_HOME": str(home or settings.home())}
        begun.append(
            subprocess.Popen([sys.executable, *words], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=-3)
        )
        return begun[-1]

    yield one
    for process in begun:
        process.kill()
        process.communicate()


def _left_by(worker: subprocess.Popen[bytes], run_id: str, **changed: float) -> Run:
    """A running row whose worker has been killed."""
    facts = {"pid": worker.pid, "pid_started": psutil.Process(worker.pid).create_time(), "heartbeat_at": time.time()}
    open_store().update_run(run_id, status="running", host=this_host(), **{**facts, **changed})
    worker.kill()
    worker.wait()
    return open_store().get_run(run_id)


def test_reconcile_ends_what_a_dead_worker_had_started_and_nothing_else(begin: Begin, tmp_path: Path) -> None:
    run_id = submit.new_run(tiny("done")).id
    worker, stray = begin(run_id), begin(run_id)
    others = [
        begin("im-other"),
        begin(run_id, home=tmp_path),
        begin(run_id, "-c", "import time; time.sleep(60)"),
        begin(run_id, "-c", "import time; time.sleep(60)", "core.runs.worker", run_id),
    ]
    _left_by(worker, run_id)
    assert queue.reconcile() == [run_id]
    assert stray.poll() is not None
    assert [process.poll() for process in others] == [None] * len(others)
    assert open_store().get_run(run_id).status == "interrupted"


def test_processes_of_another_attempt_are_left_alone(begin: Begin) -> None:
    run_id = submit.new_run(tiny("done")).id
    worker, other = begin(run_id), begin(run_id)
    began = psutil.Process(other.pid).create_time()
    run = _left_by(worker, run_id, pid_started=began + CLOCK_SLACK_S + 0.1)
    assert end_strays(run, until=time.time() + 60) == [], "it began before the worker"
    run = dataclasses.replace(run, pid_started=began)
    assert end_strays(run, until=began - 0.01) == [], "it began after the worker was seen gone: the run was resumed"
    assert other.poll() is None
    assert end_strays(run, until=time.time()) == [other.pid]
