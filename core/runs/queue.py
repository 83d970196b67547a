"""The queue without a daemon: whoever passes by calls `pump()`.

`pump()` marks runs whose process is gone as interrupted and starts the oldest queued run of every device
that has a free slot. A submit, a worker's end and a page's poll all call it; the claim is one transaction
of the store, so that any number of callers start a run exactly once.

An `Executor` knows how to start, stop and look for a process. A process is known by its pid *and* its
start time: a pid alone may long belong to somebody else.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Protocol

import psutil

from core import ready, settings
from core.hardware import this_host
from core.problems import Problem
from core.runs import strays
from core.schema import Phase, RunColumns
from core.store import Run, Store, open_store

CLAIM_GRACE_S = 15.0  # between claiming a run and knowing its pid lie milliseconds; this much means the claimer died
LOST_AFTER_S = 300.0  # a run of another host is given up when it has not been heard of for so long
# What a worker's command line holds; the second is that of version 0.1, whose runs may still be at work.
_WORKERS = frozenset({"core.runs.worker", "core.worker"})
# It ends when the last process that it cleans up after has ended, and not before it has.
_TRACKER = "multiprocessing.resource_tracker"


class Executor(Protocol):
    """Where runs are done. Another machine's executor has the same three verbs."""

    def start(self, run: Run) -> tuple[int, float]:
        """Start the worker of a claimed run; returns its pid and start time. Raises `OSError`."""

    def stop(self, run: Run, *, force: bool = False) -> None:
        """Ask the worker to end now (`force`: end it and its children without asking)."""

    def is_alive(self, run: Run) -> bool:
        """Whether the worker of this run still works."""


class LocalExecutor:
    """Workers as processes of this machine, each in a session of its own.

    They outlive whoever started them: a closed terminal, a restarted server.
    """

    def start(self, run: Run) -> tuple[int, float]:
        run.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        environment = {**ready.environment(), strays.MARK: run.id}
        # What the hubs send goes to a cache that others may read; all else is the owner's.
        umask = -1 if run.kind == "download" else 0o077
        path = run.folder / "worker.log"
        path.touch(mode=0o600)
        pid = ready.begin(ready.Asked(run.id, environment, umask)) or self._from_nothing(run, path, environment, umask)
        try:
            return pid, psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:  # it has ended already, and has said why in the store or the log
            return pid, time.time()

    def _from_nothing(self, run: Run, path: Path, environment: dict[str, str], umask: int) -> int:
        with path.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "core.runs.worker", run.id],
                cwd=settings.PROJECT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                close_fds=True,
                start_new_session=os.name == "posix",
                umask=umask,
                creationflags=_windows_flags(),
            )
        # Nobody waits for the worker, so a thread takes its exit status: it must not stay behind as a zombie.
        threading.Thread(target=process.wait, name=f"reap-{run.id}", daemon=True).start()
        return process.pid

    def stop(self, run: Run, *, force: bool = False) -> None:
        process = find_process(run)
        if process is None:
            return
        if not force:
            process.terminate()
            return
        tree = [*_children(process), process]
        for member in tree:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(tree, timeout=5)

    def is_alive(self, run: Run) -> bool:
        return find_process(run) is not None


def find_process(run: Run) -> psutil.Process | None:
    """The live process of a run on this machine; None when it is gone, a zombie or somebody else's."""
    if run.pid is None:
        return None
    try:
        process = psutil.Process(run.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        if run.pid_started is not None and abs(process.create_time() - run.pid_started) < strays.CLOCK_SLACK_S:
            return process
        # The clock may have been set since (a laptop that slept): then the command line tells.
        command = _words(process)
        return process if run.id in command and not _WORKERS.isdisjoint(command) else None
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def _words(process: psutil.Process) -> list[str]:
    """Of its command line, which one that took its name later (`core.runs.fork_server`) has in one piece."""
    return " ".join(process.cmdline()).split()


def _children(process: psutil.Process) -> list[psutil.Process]:
    """Everything a worker started, but not the worker of the next run, which it starts as it ends."""
    alive: list[psutil.Process] = []
    try:
        children = process.children()
    except psutil.NoSuchProcess:
        return alive
    for child in children:
        try:
            command = _words(child)
            if _WORKERS.isdisjoint(command) and not any(_TRACKER in word for word in command):
                alive += [*_children(child), child]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return alive


def _windows_flags() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return 0


def slots() -> int:
    """How many runs of one device may run at once."""
    try:
        return max(1, int(settings.get("GRAFT_SLOTS")))
    except ValueError:
        return 1


def pump(store: Store | None = None, executor: Executor | None = None) -> list[str]:
    """Start what is queued and may start. Returns the ids of the runs started; cheap when there are none."""
    store, executor = store or open_store(), executor or LocalExecutor()
    reconcile(store, executor)
    started: list[str] = []
    for device in sorted({run.device for run in store.list_runs(statuses=["queued"])}):
        while (run := _claim(store, device)) is not None:
            if _start(run, store, executor):
                started.append(run.id)
    return started


def _claim(store: Store, device: str) -> Run | None:
    now = time.time()
    phase: Phase = {"code": "starting", "values": {}}
    return store.claim_next(
        device, slots(), host=this_host(), pid=None, pid_started=None, heartbeat_at=now, started_at=now, phase=phase
    )


def _start(run: Run, store: Store, executor: Executor) -> bool:
    try:
        pid, born = executor.start(run)
    except OSError as error:
        problem = Problem("run.cannot_start", values={"detail": str(error)})
        store.update_run(run.id, only_if=["running"], status="failed", error=[problem.as_dict()], ended_at=time.time())
        return False
    # The worker writes the same when it is up; until then, this tells that somebody has begun.
    store.update_run(run.id, only_if=["running"], only_of=None, pid=pid, pid_started=born)
    return True


def reconcile(store: Store | None = None, executor: Executor | None = None) -> list[str]:
    """Mark running rows that nobody works on as interrupted. Returns their ids."""
    store, executor = store or open_store(), executor or LocalExecutor()
    lost: list[str] = []
    for run in store.list_runs(statuses=["running"]):
        seen_at = time.time()
        problem = _what_happened(run, executor)
        # Ask again before writing: the run may have ended well between the listing and the look.
        if problem is not None and store.get_run(run.id).pid == run.pid:
            change: RunColumns = {
                "status": "interrupted",
                "error": [problem.as_dict()],
                "ended_at": run.end_now(),
                "eta_s": None,
            }
            if run.host == this_host():
                strays.end_strays(run, until=seen_at)
            if store.update_run(run.id, only_if=["running"], only_of=run.pid, **change):
                lost.append(run.id)
    return lost


def _what_happened(run: Run, executor: Executor) -> Problem | None:
    """Why a running row is not running; None while it is."""
    silent_s = time.time() - (run.heartbeat_at or run.created_at)
    if run.host != this_host():
        if silent_s > LOST_AFTER_S:
            return Problem("run.host_lost", values={"host": run.host or "", "seconds": round(silent_s)})
        return None
    if run.pid is None:
        # A claim from the future: the clock was set back since.
        return Problem("run.never_started") if abs(silent_s) > CLAIM_GRACE_S else None
    return None if executor.is_alive(run) else Problem("run.process_gone", values={"pid": run.pid})


def stop_run(run_id: str, store: Store | None = None) -> Run:
    """Ask a run to stop and keep what it has done; a queued one is stopped at once, an ended one stays as it is."""
    store = store or open_store()
    run = store.get_run(run_id)
    if run.is_active and not store.update_run(run_id, only_if=["queued"], status="stopped", ended_at=time.time()):
        store.update_run(run_id, only_if=["running"], stop_requested=True)
    return store.get_run(run_id)


def terminate_run(run_id: str, store: Store | None = None, executor: Executor | None = None) -> Run:
    """Stop a run that does not listen: its worker is interrupted in the middle of what it does.

    What the last checkpoint holds is kept.
    """
    store, executor = store or open_store(), executor or LocalExecutor()
    run = stop_run(run_id, store)
    if run.status == "running" and run.host == this_host():
        executor.stop(run)
    return store.get_run(run_id)


def kill_run(run_id: str, store: Store | None = None, executor: Executor | None = None) -> Run:
    """End a run's processes without asking. What the last checkpoint holds is kept."""
    store, executor = store or open_store(), executor or LocalExecutor()
    run = stop_run(run_id, store)
    if run.status == "running" and run.host == this_host():
        executor.stop(run, force=True)
        problem = Problem("run.killed").as_dict()
        change: RunColumns = {"status": "stopped", "error": [problem], "ended_at": run.end_now(), "eta_s": None}
        if not executor.is_alive(run):
            store.update_run(run_id, only_if=["running"], **change)
        pump(store, executor)
    return store.get_run(run_id)
