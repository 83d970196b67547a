"""Compare starts over data-set sizes: a grid of trainings, done side by side, cheapest first, each kept when done.

Every point is a real training (`core.cells`). As many run at once as this machine has processors for: single
threads side by side do more than two threads on one small network. What is done is done: a comparison that was
stopped or killed trains only what is missing, and ends with the numbers of an uninterrupted one.

No torch here: who waits for the trainings needs none, and is at work while the server they are forked from imports it.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import psutil

from core import settings
from core.catalog import ModelCard, get_model
from core.clock import PhaseClock
from core.data import load_images, load_texts
from core.errors import DataError, Problem, RunError, StoppedError
from core.estimate import cell_work, lanes_for
from core.events import Reporter
from core.files import to_json, write_atomically
from core.findings import Result, find
from core.grid import Cell, cell_spec, families, grid
from core.hardware import best_device
from core.specs import CompareSpec

# Findings take a moment: while cells end one after another they are not computed anew for each.
FIND_EVERY_S = 10.0
_LOOK_EVERY_S = 0.3


def compare(spec: CompareSpec, folder: Path, reporter: Reporter, *, resume: bool) -> dict[str, Any]:
    """Train and test every cell of the grid into `folder`; returns the summary of the run.

    With `resume`, cells that are done are not trained again. Raises `StoppedError` when the reporter asks to stop
    (what is done is kept), `DataError` when there are fewer examples than a size asks for, and `RunError` at the
    end when cells failed, after all others were done.
    """
    return _Comparing(spec, folder, reporter, resume).run()


@dataclasses.dataclass(frozen=True)
class CellJob:
    """What a cell's process needs to know."""

    spec: dict[str, Any]
    cell: Cell
    folder: str  # the run's
    home: str  # the server it is forked from may have been started for another one
    threads: int
    parent: tuple[int, float]  # pid and start time of who waits for it


def artifact(folder: Path, cell: Cell, suffix: str) -> Path:
    """Where a cell's result (.json) and its predictions (.parquet) are kept."""
    return folder / "artifacts" / "cells" / f"{cell.id}{suffix}"


def _begin(job: CellJob, pipe: Connection, stop: Any) -> None:
    """The target of a cell's process."""
    os.environ["GRAFT_HOME"] = job.home
    from core.cells import train_cell

    train_cell(job, pipe, stop)


@dataclasses.dataclass
class _Lane:
    """A cell at work."""

    cell: Cell
    process: Any
    pipe: Connection
    share: float = 0.0
    end: tuple[str, Any] | None = None


class _Comparing:
    """One comparison, from its grid to its report."""

    def __init__(self, spec: CompareSpec, folder: Path, reporter: Reporter, resume: bool) -> None:
        self.spec, self.folder, self.clock = spec, folder, PhaseClock(reporter)
        self.card: ModelCard = get_model(spec.model.id)
        self.cells = grid(spec)
        self.results: dict[str, dict[str, Any]] = {}
        self.failures: dict[str, list[dict[str, Any]]] = {}
        self.work = {cell.id: cell_work(cell_spec(spec, cell), self.card) for cell in self.cells}
        self.found_at = 0.0
        self.found_from = -1  # how many trainings the findings rest on
        self.findings: dict[str, Any] = {}
        if resume:
            self._read_done()
        else:
            shutil.rmtree(folder / "artifacts" / "cells", ignore_errors=True)
        (folder / "artifacts" / "cells").mkdir(parents=True, exist_ok=True)

    def run(self) -> dict[str, Any]:
        self.context = _context()
        self.clock.phase("data")
        rows = self._check_sizes()
        device = best_device() if self.spec.device == "auto" else self.spec.device
        self.lanes, threads = lanes_for(self.spec, device)
        self.threads = _share_threads(self.cells, self.lanes, threads)
        began = time.perf_counter()
        self._train_all()
        seconds = time.perf_counter() - began
        self._report([], is_final=True)
        shutil.rmtree(self.folder / "cells", ignore_errors=True)
        if self.failures:
            first = [Problem.from_dict(problem) for problem in next(iter(self.failures.values()))]
            told = Problem("compare.cells_failed", values={"n": len(self.failures), "total": len(self.cells)})
            raise RunError([told, *first])
        return self._summary(rows, seconds)

    def _check_sizes(self) -> dict[str, int]:
        """How many rows test. Raises `DataError` when a size asks for more than can be trained on."""
        spec, largest = self.spec, max(self.spec.sizes)
        data: Any
        if self.card.is_text:
            data = load_texts(spec.data, train_size=largest, test_size=spec.test_size, seed=spec.seed)
        else:
            how = self.card.vision
            size = spec.image_size or how.image_size
            data = load_images(
                spec.data, image_size=size, resize_size=round(how.resize_size * size / how.image_size),
                interpolation=how.interpolation, train_size=largest, test_size=spec.test_size, seed=spec.seed,
                reporter=self.clock,
            )  # fmt: skip
        there = len(data.train)  # fewer than were asked for when there are no more
        beyond = [size for size in spec.sizes if size > there]
        if beyond:
            sizes = ", ".join(f"{size:,}" for size in beyond)
            raise DataError([Problem("compare.size_too_large", field="sizes", values={"sizes": sizes, "n": there})])
        return {"test": len(data.test)}

    def _read_done(self) -> None:
        for cell in self.cells:
            path = artifact(self.folder, cell, ".json")
            if path.exists() and artifact(self.folder, cell, ".parquet").exists():
                self.results[cell.id] = json.loads(path.read_text(encoding="utf-8"))

    # -- training ----------------------------------------------------------------------------------------
    def _train_all(self) -> None:
        """Keep the lanes full until nothing is left to train."""
        self.stop = self.context.Event()
        waiting = [cell for cell in self.cells if cell.id not in self.results]
        at_work: list[_Lane] = []
        self._report(at_work)
        while waiting or at_work:
            if self.clock.should_stop():
                self._stop(at_work)
            while waiting and len(at_work) < self.lanes:
                at_work.append(self._start(waiting.pop(0)))
                self._report(at_work)
            self._listen(at_work)
            self._tell(at_work)
            if self._is_behind():
                self._report(at_work)

    def _start(self, cell: Cell) -> _Lane:
        me = psutil.Process()
        job = CellJob(
            spec=self.spec.model_dump(mode="json"),
            cell=cell,
            folder=str(self.folder),
            home=str(settings.home()),
            threads=self.threads[cell.id],
            parent=(os.getpid(), me.create_time()),
        )
        receiver, sender = self.context.Pipe(duplex=False)
        process = self.context.Process(target=_begin, args=(job, sender, self.stop), name=cell.id)
        with _without_main():
            process.start()
        sender.close()
        return _Lane(cell, process, receiver)

    def _listen(self, at_work: list[_Lane]) -> None:
        """Take in what cells say, until one has ended or a moment has passed."""
        by_pipe: dict[Any, _Lane] = {lane.pipe: lane for lane in at_work}
        for pipe in wait(list(by_pipe), timeout=_LOOK_EVERY_S):
            lane = by_pipe[pipe]
            try:
                kind, value = lane.pipe.recv()
            except EOFError:
                self._settle(lane)
                at_work.remove(lane)
                self._report(at_work)
                continue
            if kind == "progress":
                lane.share = value
            elif kind == "metrics":
                step, epoch, values = value
                named = {f"{lane.cell.id}__{name}": number for name, number in values.items()}
                self.clock.metrics(step, epoch, **named)
            else:
                lane.end = (kind, value)

    def _settle(self, lane: _Lane) -> None:
        """A cell's process has ended: keep what came out, or why nothing did."""
        lane.process.join()
        lane.pipe.close()
        kind: str
        value: Any
        kind, value = lane.end or ("failed", [_died(lane.process.exitcode).as_dict()])
        if kind == "done":
            self.results[lane.cell.id] = value
            self.clock.log(f"{lane.cell.id}: {value['accuracy']:.1%} in {value['seconds']:.1f} s")
        elif kind == "failed":
            self.failures[lane.cell.id] = value
            self.clock.log(f"{lane.cell.id} failed: {value}")

    def _stop(self, at_work: list[_Lane]) -> None:
        """Ask the cells to stop, keep those that end all the same, and raise `StoppedError`."""
        self.stop.set()
        while at_work:
            self._listen(at_work)
        self._report(at_work, is_final=True)
        raise StoppedError()

    # -- telling -----------------------------------------------------------------------------------------
    def _tell(self, at_work: list[_Lane]) -> None:
        done = sum(self.work[name] for name in self.results.keys() | self.failures.keys())
        done += sum(self.work[lane.cell.id] * lane.share for lane in at_work)
        self.clock.progress(done, sum(self.work.values()))

    def _report(self, at_work: list[_Lane], *, is_final: bool = False) -> None:
        """Write what is known now: every cell, and what follows from those that are done."""
        total, done = len(self.cells), len(self.results)
        if not is_final:
            self.clock.phase("cells", done=done, total=total)
        if is_final or self._is_behind():
            results = [self._result(self.results[cell.id]) for cell in self.cells if cell.id in self.results]
            self.findings = find(results, families(self.spec), planned=total)
            self.found_at = time.monotonic() if results else 0.0  # the first training that is done waits for nothing
            self.found_from = done
        busy = {lane.cell.id for lane in at_work}
        rows = [self._row(cell, is_busy=cell.id in busy) for cell in self.cells]
        write_atomically(self.folder / "artifacts" / "report.json", to_json({"cells": rows, **self.findings}))

    def _is_behind(self) -> bool:
        """Whether more trainings are done than the findings rest on, and the last search is long enough ago."""
        return len(self.results) != self.found_from and time.monotonic() - self.found_at > FIND_EVERY_S

    def _row(self, cell: Cell, *, is_busy: bool) -> dict[str, Any]:
        if cell.id in self.results:
            return {name: value for name, value in self.results[cell.id].items() if name not in ("data", "engine")}
        status = "running" if is_busy else "failed" if cell.id in self.failures else "waiting"
        row = {**dataclasses.asdict(cell), "id": cell.id, "family": cell.family, "status": status}
        return row | ({"error": self.failures[cell.id]} if status == "failed" else {})

    def _result(self, row: dict[str, Any]) -> Result:
        import pandas as pd

        cell = Cell(row["start"], row["method"], row["size"], row["seed"])
        kept = pd.read_parquet(artifact(self.folder, cell, ".parquet"), columns=["row", "target", "predicted"])
        kept = kept.sort_values("row")
        return Result(
            family=row["family"],
            start=row["start"],
            method=row["method"],
            size=row["size"],
            seed=row["seed"],
            right=np.asarray(kept["target"] == kept["predicted"]),
            train_seconds=row["train_seconds"],
            peak_memory_mb=row["peak_memory_mb"],
            trainable_parameters=row["trainable_parameters"],
            converged=row["converged"],
        )

    def _summary(self, rows: dict[str, int], seconds: float) -> dict[str, Any]:
        done = list(self.results.values())
        rates = {}
        for family in families(self.spec):
            found = [row for row in done if row["family"] == family]
            rates[family] = sum(self.work[row["id"]] for row in found) / sum(row["seconds"] for row in found)
        return {
            "task": self.card.task,
            "cells": len(self.cells),
            "cells_done": len(done),
            "lanes": self.lanes,
            "threads": self.threads[self.cells[0].id],
            "train_seconds": seconds,
            "peak_memory_mb": max(row["peak_memory_mb"] for row in done),
            "engine": done[0]["engine"],
            "data": {
                "id": self.spec.data.id,
                **done[0]["data"],
                "test": rows["test"],
                "validation": {str(row["size"]): row["validation"] for row in done},
            },
            "rates": rates,  # estimates of later comparisons rest on them: work of a cell in a second of its lane
            "conclusions": self.findings["conclusions"],
            "phases": self.clock.seconds,
        }


def _context() -> Any:
    """How processes are begun: forked from a server that imports everything meanwhile, where that is to be had."""
    kinds = multiprocessing.get_all_start_methods()
    if "forkserver" not in kinds:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["core.cells"])
    with _without_main():
        forkserver.ensure_running()
    return context


@contextmanager
def _without_main() -> Iterator[None]:
    """Begin a process that does not first run this one's script again, whatever that is: a cell needs none of it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _share_threads(cells: list[Cell], lanes: int, threads: int) -> dict[str, int]:
    """The threads of each cell: those of the last round, when it does not fill the lanes, get what others leave.

    It follows from the grid alone, so that a resumed comparison computes as an uninterrupted one.
    """
    shared = {cell.id: threads for cell in cells}
    dear = [cell for cell in cells if cell.method != "head"] or cells
    rest = len(dear) % lanes
    for cell in dear[len(dear) - rest :] if rest else []:
        shared[cell.id] = max(threads, lanes * threads // rest)
    return shared


def _died(code: int | None) -> Problem:
    """What to say of a process that ended without a word: most often the system took its memory."""
    return Problem("run.out_of_memory") if code == -9 else Problem("compare.cell_died", values={"code": str(code)})
