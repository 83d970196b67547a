"""What happens to real workers when the world ends: the record stays true, and what can go on goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from core import store
from core.errors import StoreError
from core.finetune.spec import FinetuneSpec
from core.runs import manage, queue, submit
from core.store import Run, open_store
from tests.fixtures.ready import lend_ready_process


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two classes of noise, 32 px: nothing to learn, enough to be busy with."""
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        folder = tmp_path / "pictures" / name
        folder.mkdir(parents=True)
        for i in range(60):
            Image.fromarray(random.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    return tmp_path / "pictures"


def _spec(pictures: Path, **changes: Any) -> FinetuneSpec:
    values = {
        "model": {"id": "torchvision/shufflenet_v2_x0_5", "weights": "random"},
        "data": {"id": f"path:{pictures}"},
        "method": "full",
        "epochs": 400,
        "batch_size": 8,
        "image_size": 64,
        "precision": "fp32",
    }
    return FinetuneSpec.model_validate(values | changes)


def _wait(run_id: str, until: Callable[[Run], bool], *, seconds: float = 120) -> Run:
    """Look at a run until it is as wanted; fails with its log."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(StoreError):  # at the height of a full disk the record cannot even be read
            if until(run := open_store().get_run(run_id)):
                return run
        assert time.monotonic() < deadline, manage.read_log(run_id)
        time.sleep(0.05)


def _steps(run_id: str) -> dict[tuple[str, int], float]:
    wanted = ["train/loss", "train/lr", "val/loss", "val/accuracy"]
    return {(m.name, m.step): m.value for m in open_store().read_metrics(run_id, names=wanted)}


@pytest.fixture
def loaded_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers start with their libraries loaded, where it is not their start that is tested."""
    lend_ready_process(monkeypatch)


@pytest.fixture(autouse=True)
def no_worker_survives() -> Iterator[None]:
    yield
    for run in open_store().list_runs(statuses=["running", "queued"]):
        queue.kill_run(run.id)


@pytest.mark.usefixtures("loaded_workers")
def test_killed_worker_becomes_interrupted_and_resumes_to_the_same_numbers(pictures: Path) -> None:
    spec = _spec(pictures, epochs=8, batch_size=16, image_size=32)
    run = submit.submit(spec)
    _wait(run.id, lambda r: len(open_store().read_metrics(r.id, names=["train/loss"])) > 20)
    pid = open_store().get_run(run.id).pid
    assert pid is not None
    psutil.Process(pid).kill()
    _wait(run.id, lambda r: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    queue.pump()
    dead = open_store().get_run(run.id)
    assert dead.status == "interrupted"
    assert dead.error is not None
    assert dead.error[0]["code"] == "run.process_gone"
    before = _steps(run.id)
    manage.resume_run(run.id)
    resumed = _wait(run.id, lambda r: not r.is_active)
    assert resumed.status == "done", manage.read_log(run.id)
    whole = submit.submit(spec)
    assert _wait(whole.id, lambda r: not r.is_active).status == "done"
    assert _steps(run.id) == _steps(whole.id)
    assert before.items() <= _steps(whole.id).items()
    assert resumed.summary["test"] == open_store().get_run(whole.id).summary["test"]


@pytest.mark.usefixtures("loaded_workers")
def test_stop_is_heard_within_a_second_and_keeps_a_checkpoint(pictures: Path) -> None:
    run = submit.submit(_spec(pictures))
    _wait(run.id, lambda r: len(open_store().read_metrics(r.id, names=["train/loss"])) > 3)
    queue.stop_run(run.id)
    asked = time.time()
    stopped = _wait(run.id, lambda r: not r.is_active)
    assert stopped.status == "stopped"
    assert manage.has_checkpoint(stopped)
    assert stopped.ended_at is not None
    # Not a timing of this machine: a run that ignored the flag would go on for minutes.
    assert stopped.ended_at - asked < 20


@pytest.mark.usefixtures("loaded_workers")
def test_queued_runs_follow_one_another_without_anybody_watching(pictures: Path) -> None:
    first = submit.submit(_spec(pictures, epochs=1))
    second = submit.submit(_spec(pictures, epochs=1, seed=1))
    assert open_store().get_run(second.id).status == "queued"
    # Nobody pumps here: the worker that ends starts the next, as a process of its own.
    _wait(second.id, lambda r: not r.is_active)
    a, b = open_store().get_run(first.id), open_store().get_run(second.id)
    assert (a.status, b.status) == ("done", "done")
    assert a.ended_at is not None
    assert b.started_at is not None
    assert b.started_at >= a.ended_at


def test_worker_outlives_the_process_that_started_it(pictures: Path, home: Path) -> None:
    """The web server is killed: its workers go on."""
    code = f"""
from core.runs import submit
from core.finetune.spec import FinetuneSpec
print(submit.submit(FinetuneSpec.model_validate({_spec(pictures, epochs=2).model_dump(mode="json")!r})).id, flush=True)
import time
time.sleep(600)
"""
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert server.stdout is not None
    run_id = server.stdout.readline().strip()
    server.kill()
    server.wait()
    server.stdout.close()
    assert _wait(run_id, lambda r: not r.is_active).status == "done"


def test_full_disk_is_told_and_the_run_resumes_once_there_is_room(tmp_path: Path, home: Path, monkeypatch: Any) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=14m", "graft-test", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    try:
        monkeypatch.setenv("GRAFT_HOME", str(disk))
        lend_ready_process(monkeypatch)
        spec = FinetuneSpec.model_validate(
            {
                "model": {"id": "bundled/efficientnet_lite0"},
                "data": {"id": "builtin/digits"},
                "image_size": 32,
                "train_size": 100,
                "test_size": 50,
                "epochs": 1,
                "precision": "fp32",
            }
        )
        run = submit.submit(spec)
        failed = _wait(run.id, lambda r: not r.is_active)
        assert failed.status == "failed", manage.read_log(run.id)
        assert failed.error is not None
        assert failed.error[0]["code"] == "run.disk_full"
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        manage.resume_run(run.id)
        done = _wait(run.id, lambda r: not r.is_active)
        assert done.status == "done", manage.read_log(run.id)
    finally:
        monkeypatch.setenv("GRAFT_HOME", str(home))
        store._open.cache_clear()
        subprocess.run(["umount", "-l", str(disk)], check=True)
