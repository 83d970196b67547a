"""The reporter of a worker: keeps what a run says and writes it to the store, four times a second at most.

The work only puts values into memory; a thread writes them, beats the heart and reads the stop flag. When
the store cannot be written (a full disk, a lock), values wait and are tried again: nothing is lost while
the process lives, and the end of the run is written with patience.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

import psutil

from core.errors import GraftError, StoreError
from core.problems import Problem
from core.progress import TimeLeft
from core.schema import RunColumns
from core.store import Run, Status, Store

WRITE_EVERY_S = 0.25
HEARTBEAT_EVERY_S = 1.0
MEMORY_EVERY_S = 5.0
RESERVE_BYTES = 1_000_000
_MetricRow = tuple[str, int, float | None, float, float]


class StoreReporter:
    """Implements `core.progress.Reporter` on a store. `start()` it, work, and `finish()` it."""

    def __init__(self, store: Store, run: Run) -> None:
        self._store, self._run = store, run
        self._lock = threading.Lock()
        self._metrics: list[_MetricRow] = []
        self._columns: RunColumns = {}
        self._position: tuple[int, float] = (0, 0.0)
        self._time_left = TimeLeft()
        self._stop = False  # a plain flag: a signal handler that took a lock could wait for itself
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._not_finite: set[str] = set()
        self._beat_at = self._memory_at = self._asked_at = 0.0
        self._failing_since: float | None = None
        self._process = psutil.Process()
        self._reserve = run.folder / ".reserve"
        self._thread = threading.Thread(target=self._pulse, name="reporter", daemon=True)

    # -- what the work calls: into memory, at once, never raising ------------------------------------

    def phase(self, code: str, **values: object) -> None:
        plain = {name: value if isinstance(value, int | float) else str(value) for name, value in values.items()}
        with self._lock:
            self._columns["phase"] = {"code": code, "values": plain}
        self.log(f"{code} {plain}" if plain else code)
        self._wake.set()

    def progress(self, done: float, total: float) -> None:
        if total <= 0:
            return
        share = min(1.0, max(0.0, done / total))
        with self._lock:
            self._columns["progress"] = share
            self._columns["eta_s"] = self._time_left.update(share, time.monotonic())

    def metrics(self, step: int, epoch: float, **values: float) -> None:
        now = time.time()
        with self._lock:
            self._position = (step, epoch)
            for name, value in values.items():
                self._add(name.replace("__", "/"), step, epoch, float(value), now)

    def log(self, text: str) -> None:
        try:
            print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
        except OSError:  # the log's disk is full: the work goes on without it
            return

    def should_stop(self) -> bool:
        return self._stop

    # -- what the worker calls ------------------------------------------------------------------------

    def request_stop(self) -> None:
        self._stop = True

    def start(self) -> None:
        self._thread.start()

    def finish(
        self, status: Status, problems: Iterable[Problem], summary: Mapping[str, Any], *, patience_s: float
    ) -> Status:
        """Write what is left and how the run ended; returns the status written.

        A store that does not take it is asked again for `patience_s`. If it still does not, the process ends
        and the next `reconcile` finds the run interrupted, which is then the truth.
        """
        self._ended.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=20)
        deadline = time.monotonic() + patience_s
        rows = [problem.as_dict() for problem in problems]
        while True:
            try:
                self._write_all(time.monotonic())
                end: RunColumns = {"status": status, "error": rows or None, "eta_s": None}
                end["ended_at"] = self._run.end_now()
                if summary:
                    end["summary"] = dict(summary)
                if status == "done":
                    end["progress"] = 1.0
                was_written = self._store.update_run(self._run.id, only_if=["running"], only_of=self._run.pid, **end)
                self.free_reserve()
                return status if was_written else self._store.get_run(self._run.id).status
            except GraftError as error:
                self.log(f"the end of the run could not be recorded yet: {error}")
                self.free_reserve()
                if time.monotonic() > deadline:
                    return "interrupted"
                time.sleep(1.0)

    def reserve_disk(self) -> None:
        """Set a little disk space aside: on a full disk, freeing it makes room to record the failure."""
        with self._reserve.open("wb") as file:
            file.write(os.urandom(RESERVE_BYTES))  # random: a compressing file system must really give the room
            file.flush()
            os.fsync(file.fileno())

    def free_reserve(self) -> None:
        self._reserve.unlink(missing_ok=True)

    # -- the thread -----------------------------------------------------------------------------------

    def _pulse(self) -> None:
        while not self._ended.is_set():
            self._wake.wait(WRITE_EVERY_S)
            self._wake.clear()
            now = time.monotonic()
            try:
                self._measure_memory(now)
                self._write_all(now)
                self._read_stop_flag(now)
                self._failing_since = None
            except GraftError as error:
                if self._failing_since is None:
                    self.log(f"the store cannot be written, trying again: {error}")
                    self._failing_since = now
                self._ended.wait(1.0)
            except Exception as error:  # reading is not wrapped by the store; the heart must not stop for it
                self.log(f"the store cannot be read: {type(error).__name__}: {error}")
                self._ended.wait(1.0)

    def _write_all(self, now: float) -> None:
        """Write what waits; what could not be written waits on."""
        with self._lock:
            rows, self._metrics = self._metrics, []
            columns, self._columns = self._columns, {}
        if now - self._beat_at >= HEARTBEAT_EVERY_S or columns:
            columns["heartbeat_at"] = time.time()
        try:
            if columns:
                self._store.update_run(self._run.id, only_if=["running"], only_of=self._run.pid, **columns)
                self._beat_at, columns = now, {}
            self._store.write_metrics(self._run.id, rows)
        except StoreError:
            with self._lock:
                self._metrics = rows + self._metrics
                self._columns = {**columns, **self._columns}
            raise

    def _read_stop_flag(self, now: float) -> None:
        if now - self._asked_at < WRITE_EVERY_S or self._stop:
            return
        self._asked_at = now
        run = self._store.get_run(self._run.id)
        if run.stop_requested:
            self.log("stop requested")
            self._stop = True
        elif (run.status, run.pid) != ("running", self._run.pid) and not self._take_back(run):
            self.log(f"the record says {run.status}, process {run.pid}: this process has nothing to do here any more")
            self._stop = True

    def _take_back(self, run: Run) -> bool:
        """Set the record right where this run was given up and is at work all the same (a machine that slept).

        Not where somebody has resumed it meanwhile: two must not work at one folder.
        """
        if run.status != "interrupted":
            return False
        truth: RunColumns = {"status": "running", "error": None, "ended_at": None, "heartbeat_at": time.time()}
        return self._store.update_run(self._run.id, only_if=["interrupted"], only_of=self._run.pid, **truth)

    def _measure_memory(self, now: float) -> None:
        if now - self._memory_at < MEMORY_EVERY_S:
            return
        self._memory_at = now
        used = self._process.memory_info().rss / 1e6
        with self._lock:
            step, epoch = self._position
            self._add("sys/memory_mb", step, epoch, used, time.time())

    def _add(self, name: str, step: int, epoch: float, value: float, now: float) -> None:
        if math.isfinite(value):
            self._metrics.append((name, step, epoch, value, now))
        elif name not in self._not_finite:  # a store of numbers cannot hold it, and a curve cannot draw it
            self._not_finite.add(name)
            self.log(f"{name} is {value} at step {step}")
