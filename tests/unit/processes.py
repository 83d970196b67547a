"""Processes for tests: workers of a tiny kind, and scripts that begin at the same moment.

`python -m tests.unit.processes RUN` is a worker whose `import` does what the data's name says.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from core import jobs, kinds, worker
from core.errors import RunError, StoppedError
from core.events import Reporter
from core.jobs import LocalExecutor
from core.registry.table import build_table
from core.specs import DataRef, ImportSpec
from core.store import Run

ROOT = Path(__file__).resolve().parents[2]


def tiny(name: str) -> ImportSpec:
    """A job for `tiny_kind`: done, resume, fail, diverge, memory, disk, stop, deaf, brief."""
    return ImportSpec(data=DataRef(id=f"builtin/{name}"))


def tiny_kind(spec: ImportSpec, folder: Path, reporter: Reporter, resume: bool) -> dict[str, Any]:
    """What stands for work."""
    reporter.phase("data")
    name = spec.data.name
    if name == "done":
        reporter.metrics(1, 0.5, train__loss=0.25)
        reporter.progress(1, 2)
        (folder / "artifacts" / "report.json").write_text('{"n": 3}', encoding="utf-8")
        (folder / "artifacts" / "model").mkdir()
        (folder / "artifacts" / "model" / "model.safetensors").write_bytes(b"1234")
        return {"n": 3}
    if name == "resume":
        return {"resume": resume}
    if name == "fail":
        raise ValueError("an unforeseen detail")
    if name == "diverge":
        raise RunError("run.diverged", step=3, lr=0.1)
    if name == "memory":
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
    if name == "disk":
        try:
            raise OSError(28, "No space left on device", "/somewhere")
        except OSError as error:
            raise RuntimeError("the serializer failed") from error
    if name == "brief":
        time.sleep(0.2)
        return {}
    (folder / "at-work").touch()
    while name == "deaf" or not reporter.should_stop():
        time.sleep(0.02)
    (folder / "kept").touch()
    raise StoppedError


class TinyExecutor(LocalExecutor):
    """Starts workers of the tiny kind."""

    def start(self, run: Run) -> tuple[int, float]:
        with (run.folder / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "tests.unit.processes", run.id]
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        threading.Thread(target=process.wait, daemon=True).start()
        return process.pid, psutil.Process(process.pid).create_time()


class IdleExecutor:
    """Starts nothing: every run that it was given stays alive until `gone` names it."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.stopped: list[tuple[str, bool]] = []
        self.gone: set[str] = set()

    def start(self, run: Run) -> tuple[int, float]:
        self.started.append(run.id)
        return os.getpid(), psutil.Process().create_time()

    def stop(self, run: Run, *, force: bool = False) -> None:
        self.stopped.append((run.id, force))
        if force:
            self.gone.add(run.id)

    def is_alive(self, run: Run) -> bool:
        return run.id not in self.gone


def wait_until(is_true: Callable[[], bool], timeout_s: float = 120.0) -> None:
    """Wait for a condition; fails when it does not come true."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def spawn_together(folder: Path, script: str, count: int) -> list[str]:
    """Run a script in several processes that begin together; returns what each printed."""
    go = folder / "go"
    before = (
        "import pathlib, sys, time\n"
        "from core import jobs, runs\n"
        "from core.store import open_store\n"
        "store = open_store()\n"
        "print('up', flush=True)\n"
        f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.005)\n"
    )
    command = [sys.executable, "-c", before + script]
    started = [subprocess.Popen([*command, str(i)], cwd=ROOT, stdout=subprocess.PIPE, text=True) for i in range(count)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
    go.touch()
    found = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0] * count
    return found


if __name__ == "__main__":
    tiny_one = replace(kinds.KINDS["import"], handler=tiny_kind)
    kinds.KINDS = build_table([*(kind for kind in kinds.KINDS.values() if kind.id != "import"), tiny_one])
    jobs.LocalExecutor = TinyExecutor  # type: ignore[misc]  # the next run's worker is a tiny one too
    sys.exit(worker.main())
