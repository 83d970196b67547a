"""Compare starts over data-set sizes: a grid of trainings, done side by side, cheapest first, each kept when done.

Every point is a real training (`core.compare.cell`). As many run at once as this machine has processors for: single
threads side by side do more than two threads on one small network. What is done is done: a comparison that was
stopped or killed trains only what is missing, and ends with the numbers of an uninterrupted one.

No torch here: who waits for the trainings needs none, and is at work while the server they are forked from imports it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess, SpawnProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, cast

import numpy as np
import psutil

from core import lifeline, settings
from core.compare import cell_server
from core.compare.cell_server import Context, without_main
from core.compare.compared_data import check_done, load_compared
from core.compare.estimate import cell_work, lanes_for
from core.compare.findings import find
from core.compare.grid import Cell, CellJob, artifact, cell_spec, families, grid
from core.compare.kept import read_result
from core.compare.leaks import problems_of, without_leaks
from core.compare.pairs import Result
from core.compare.records import CellResult, CellRow, CompareSummary, Findings, WithoutLeaks
from core.compare.spec import CompareSpec
from core.data.images import ImageData
from core.data.record import keep_record
from core.data.texts import TextData
from core.errors import RunError, StoppedError
from core.files import to_json, write_atomically
from core.hardware import best_device
from core.models.catalog import get_model
from core.problems import Problem, ProblemRow
from core.progress import PhaseClock, Reporter
from core.registry.methods import METHODS

# Findings take a moment: while cells end one after another they are not computed anew for each.
FIND_EVERY_S = 10.0
_LOOK_EVERY_S = 0.3


def compare(spec: CompareSpec, folder: Path, reporter: Reporter, *, resume: bool) -> CompareSummary:
    """Train and test every cell of the grid into `folder`; returns the summary of the run.

    With `resume`, cells that are done are not trained again. Raises `StoppedError` when the reporter asks to stop
    (what is done is kept), `DataError` when there are fewer examples than a size asks for, and `RunError` at the
    end when cells failed, after all others were done.
    """
    clock, context = PhaseClock(reporter), cell_server.context()
    known = _Known(_read_done(grid(spec), folder) if resume else {})
    if not resume:
        shutil.rmtree(folder / "artifacts" / "cells", ignore_errors=True)
    (folder / "artifacts" / "cells").mkdir(parents=True, exist_ok=True)
    is_of_0_1 = began_in_0_1(folder, known.results)
    clock.phase("data")
    data = load_compared(spec, clock, as_in_0_1=is_of_0_1)
    keep_record(data, folder / "artifacts", clock, resume=resume)
    check_done(known.results.values(), data, folder)
    plan = dataclasses.replace(_plan(spec, folder, data), began_in_0_1=is_of_0_1)
    began = time.perf_counter()
    _train_all(plan, known, clock, context)
    seconds = time.perf_counter() - began
    _report(plan, known, clock, [], is_final=True)
    shutil.rmtree(folder / "cells", ignore_errors=True)
    if known.failures:
        first = [Problem.from_dict(problem) for problem in next(iter(known.failures.values()))]
        failed = Problem("compare.cells_failed", values={"n": len(known.failures), "total": len(plan.cells)})
        raise RunError([failed, *first])
    return _summary(plan, known, seconds, clock)


def _begin(job: CellJob, pipe: Connection, stop: Event) -> None:
    """The target of a cell's process."""
    lifeline.end_with(os.getppid())  # the server that it is forked from, which ends with the comparison
    os.environ["GRAFT_HOME"] = job.home
    from core.compare.cell import train_cell

    train_cell(job, pipe, stop)


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What there is to do: the trainings, what each costs and how many threads it gets, how many run side by side."""

    spec: CompareSpec
    folder: Path
    data: ImageData | TextData
    task: str
    cells: list[Cell]
    work: dict[str, float]  # by cell
    lanes: int
    threads: dict[str, int]  # by cell
    began_in_0_1: bool = False  # some cells are done, and were trained as version 0.1 did


@dataclasses.dataclass
class _Known:
    """What is known so far, by cell; and what follows from it."""

    results: dict[str, CellResult]
    failures: dict[str, list[ProblemRow]] = dataclasses.field(default_factory=dict)
    findings: Findings | None = None
    clean: WithoutLeaks | None = None
    searched_at: float = 0.0
    num_searched: int = -1  # how many trainings the findings rest on

    def is_behind(self) -> bool:
        """Whether more trainings are done than the findings rest on, and the last search is long enough ago."""
        return len(self.results) != self.num_searched and time.monotonic() - self.searched_at > FIND_EVERY_S


@dataclasses.dataclass
class _Lane:
    """A cell at work."""

    cell: Cell
    process: ForkServerProcess | SpawnProcess
    pipe: Connection
    share: float = 0.0
    end: tuple[str, Any] | None = None


# -- before ------------------------------------------------------------------------------------------------


def _plan(spec: CompareSpec, folder: Path, data: ImageData | TextData) -> _Plan:
    card, cells = get_model(spec.model.id), grid(spec)
    lanes, threads = lanes_for(spec, best_device() if spec.device == "auto" else spec.device)
    return _Plan(
        spec=spec,
        folder=folder,
        data=data,
        task=card.task,
        cells=cells,
        work={cell.id: cell_work(cell_spec(spec, cell), card) for cell in cells},
        lanes=lanes,
        threads=_share_threads(cells, lanes, threads),
    )


def _share_threads(cells: list[Cell], lanes: int, threads: int) -> dict[str, int]:
    """The threads of each cell: those of the last round, when it does not fill the lanes, get what others leave.

    It follows from the grid alone, so that a resumed comparison computes as an uninterrupted one.
    """
    shared = {cell.id: threads for cell in cells}
    dear = [cell for cell in cells if not METHODS[cell.method].only_head] or cells
    rest = len(dear) % lanes
    for cell in dear[len(dear) - rest :] if rest else []:
        shared[cell.id] = max(threads, lanes * threads // rest)
    return shared


def _read_done(cells: list[Cell], folder: Path) -> dict[str, CellResult]:
    """The cells that an earlier attempt finished."""
    kept = {cell.id: read_result(folder, cell) for cell in cells}
    return {name: result for name, result in kept.items() if result is not None}


def began_in_0_1(folder: Path, done: Mapping[str, CellResult]) -> bool:
    """Whether version 0.1 trained what is done here: all cells of a comparison are trained alike. Else it is marked."""
    mark = folder / "cells" / "began.json"
    is_old = bool(done) and not mark.exists()
    if not is_old:
        mark.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(mark, json.dumps({"recipe": 2}))
    return is_old


# -- training ----------------------------------------------------------------------------------------------


def _train_all(plan: _Plan, known: _Known, clock: PhaseClock, context: Context) -> None:
    """Keep the lanes full until nothing is left to train. Raises `StoppedError` when that is asked for."""
    stop = context.Event()
    waiting = [cell for cell in plan.cells if cell.id not in known.results]
    at_work: list[_Lane] = []
    _report(plan, known, clock, at_work)
    while waiting or at_work:
        if clock.should_stop():
            stop.set()
            while at_work:  # those that end all the same are kept
                _listen(plan, known, clock, at_work)
            _report(plan, known, clock, at_work, is_final=True)
            raise StoppedError()
        while waiting and len(at_work) < plan.lanes:
            at_work.append(_start(plan, waiting.pop(0), context, stop))
            _report(plan, known, clock, at_work)
        _listen(plan, known, clock, at_work)
        _tell_progress(plan, known, clock, at_work)
        if known.is_behind():
            _report(plan, known, clock, at_work)


def _start(plan: _Plan, cell: Cell, context: Context, stop: Event) -> _Lane:
    job = CellJob(
        spec=plan.spec.model_dump(mode="json"),
        cell=cell,
        folder=str(plan.folder),
        home=str(settings.home()),
        threads=plan.threads[cell.id],
        parent=(os.getpid(), psutil.Process().create_time()),
        began_in_0_1=plan.began_in_0_1,
    )
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_begin, args=(job, sender, stop), name=cell.id)
    with without_main():
        process.start()
    sender.close()
    return _Lane(cell, process, receiver)


def _listen(plan: _Plan, known: _Known, clock: PhaseClock, at_work: list[_Lane]) -> None:
    """Take in what cells say, until one has ended or a moment has passed; what has ended leaves `at_work`."""
    by_pipe: dict[Any, _Lane] = {lane.pipe: lane for lane in at_work}
    for pipe in wait(list(by_pipe), timeout=_LOOK_EVERY_S):
        lane = by_pipe[pipe]
        try:
            kind, value = lane.pipe.recv()
        except EOFError:
            _settle(lane, known, clock)
            at_work.remove(lane)
            _report(plan, known, clock, at_work)
            continue
        if kind == "progress":
            lane.share = value
        elif kind == "metrics":
            step, epoch, values = value
            clock.metrics(step, epoch, **{f"{lane.cell.id}__{name}": number for name, number in values.items()})
        else:
            lane.end = (kind, value)


def _settle(lane: _Lane, known: _Known, clock: PhaseClock) -> None:
    """A cell's process has ended: keep what came out, or why nothing did."""
    lane.process.join()
    lane.pipe.close()
    end: tuple[str, Any] = lane.end or ("failed", [_died(lane.process.exitcode).as_dict()])
    kind, value = end
    if kind == "done":
        known.results[lane.cell.id] = value
        clock.log(f"{lane.cell.id}: {value['accuracy']:.1%} in {value['seconds']:.1f} s")
    elif kind == "failed":
        known.failures[lane.cell.id] = value
        clock.log(f"{lane.cell.id} failed: {value}")


def _died(code: int | None) -> Problem:
    """What to say of a process that ended without a word: most often the system took its memory."""
    return Problem("run.out_of_memory") if code == -9 else Problem("compare.cell_died", values={"code": str(code)})


# -- telling -----------------------------------------------------------------------------------------------


def _tell_progress(plan: _Plan, known: _Known, clock: PhaseClock, at_work: list[_Lane]) -> None:
    done = sum(plan.work[name] for name in known.results.keys() | known.failures.keys())
    done += sum(plan.work[lane.cell.id] * lane.share for lane in at_work)
    clock.progress(done, sum(plan.work.values()))


def _report(plan: _Plan, known: _Known, clock: PhaseClock, at_work: list[_Lane], *, is_final: bool = False) -> None:
    """Write what is known now: every cell, and what follows from those that are done."""
    total, done = len(plan.cells), len(known.results)
    if not is_final:
        clock.phase("cells", done=done, total=total)
    if is_final or known.is_behind():
        results = [_result(known.results[cell.id], plan.folder) for cell in plan.cells if cell.id in known.results]
        known.findings = find(results, families(plan.spec), planned=total)
        known.clean = without_leaks(plan.data, results, families(plan.spec), total) if results else None
        known.searched_at = time.monotonic() if results else 0.0  # the first training that is done waits for nothing
        known.num_searched = done
    busy = {lane.cell.id for lane in at_work}
    cells = [_row(cell, known, is_busy=cell.id in busy) for cell in plan.cells]
    report = {"cells": cells, "problems": problems_of(plan.data, known.clean), **(known.findings or {})}
    if known.clean is not None:
        report["without_leaks"] = known.clean
    write_atomically(plan.folder / "artifacts" / "report.json", to_json(report))


def _row(cell: Cell, known: _Known, *, is_busy: bool) -> CellRow:
    if cell.id in known.results:
        kept = {name: value for name, value in known.results[cell.id].items() if name not in ("data", "engine")}
        return cast(CellRow, kept)
    row: CellRow = {
        "start": cell.start,
        "method": cell.method,
        "size": cell.size,
        "seed": cell.seed,
        "id": cell.id,
        "family": cell.family,
        "status": "running" if is_busy else "failed" if cell.id in known.failures else "waiting",
    }
    if row["status"] == "failed":
        row["error"] = known.failures[cell.id]
    return row


def _result(row: CellResult, folder: Path) -> Result:
    import pandas as pd

    cell = Cell(row["start"], row["method"], row["size"], row["seed"])
    kept = pd.read_parquet(artifact(folder, cell, ".parquet"), columns=["row", "target", "predicted"])
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


def _summary(plan: _Plan, known: _Known, seconds: float, clock: PhaseClock) -> CompareSummary:
    assert known.findings is not None  # the final report was written
    done = list(known.results.values())
    rates = {}
    for family in families(plan.spec):
        mine = [row for row in done if row["family"] == family]
        rates[family] = sum(plan.work[row["id"]] for row in mine) / sum(row["seconds"] for row in mine)
    return {
        "task": plan.task,
        "cells": len(plan.cells),
        "cells_done": len(done),
        "lanes": plan.lanes,
        "threads": plan.threads[plan.cells[0].id],
        "train_seconds": seconds,
        "peak_memory_mb": max(row["peak_memory_mb"] or 0 for row in done),
        "engine": done[0]["engine"],
        "data": {
            "id": plan.spec.data.id,
            "fingerprint": done[0]["data"]["fingerprint"],
            "labels": done[0]["data"]["labels"],
            "test": len(plan.data.test),
            "validation": {str(row["size"]): row["validation"] for row in done},
        },
        "rates": rates,
        "conclusions": known.findings["conclusions"],
        "phases": clock.seconds,
        "problems": problems_of(plan.data, known.clean),
    }
