"""One training of a comparison, in a process of its own: alone with its memory, so that both can be measured.

The process is forked from a server that has imported everything and computed nothing: a cell begins within a
tenth of a second. What it says goes to the comparison through a pipe; what it measured lies in the run's folder
before the process ends.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from core.cache import with_lock
from core.compare.grid import Cell, CellJob, artifact, cell_spec, steps_for
from core.compare.kept import keep_result
from core.compare.records import CellResult
from core.compare.spec import CompareSpec
from core.errors import StoppedError, log_error, problems_of
from core.evaluate import share_right, wilson, write_predictions
from core.files import replacing
from core.finetune.autotune import default_engine, pick_device
from core.finetune.fitting import HeadFit
from core.finetune.recipe import cell_as_in_0_1, learning_rate
from core.finetune.records import BestEpoch
from core.finetune.run import Finetuning, peak_memory_mb
from core.finetune.spec import FinetuneSpec
from core.hardware import keep_freed_memory
from core.models.catalog import get_model
from core.sharing import watch
from core.spec import parse_spec

if TYPE_CHECKING:
    from core.finetune.loop import Loop

# Points of a curve that are kept: more than a chart of one cell can show.
MAX_POINTS = 200
LEARNED_BY_HEART = 0.98
STILL_MOVING = 0.02  # accuracy in training, and the share of the validation loss, from one part to the next
_SEND_EVERY_S = 0.5
_LOOK_FOR_PARENT_S = 1.0


def train_cell(job: CellJob, pipe: Connection, stop: Event) -> None:
    """Train and test one cell: the target of its process. Never raises.

    Sends ("progress", share), ("metrics", (step, epoch, values)) and at last ("done", result), ("failed",
    problems) or ("stopped", None).
    """
    keep_freed_memory()
    watch()
    threading.Thread(target=_end_with, args=(job.parent,), name="parent", daemon=True).start()
    torch.set_num_threads(job.threads)
    try:
        pipe.send(("done", _train(job, pipe, stop)))
    except StoppedError:
        pipe.send(("stopped", None))
    except BaseException as error:
        log_error(error)
        pipe.send(("failed", [problem.as_dict() for problem in problems_of(error)]))


def _end_with(parent: tuple[int, float]) -> None:
    """End when who waits for this cell is gone: a killed comparison leaves no trainings behind."""
    pid, born = parent
    while True:
        try:
            is_there = abs(psutil.Process(pid).create_time() - born) < 2.0
        except psutil.Error:
            is_there = False
        if not is_there:
            os._exit(1)
        time.sleep(_LOOK_FOR_PARENT_S)


class _CellReporter:
    """Says what a cell measures, thinned to what a chart can show, and remembers what tells whether it had learned."""

    def __init__(self, cell: str, total_steps: int, pipe: Connection, stop: Event) -> None:
        self._cell, self._pipe, self._stop = cell, pipe, stop
        self._every = max(1, total_steps // MAX_POINTS)
        self._pending: list[dict[str, float]] = []
        self._sent_at = 0.0
        self._accuracies: list[float] = []  # of the training batches, step by step
        self._losses: list[float] = []  # of the validation examples, look by look

    def phase(self, code: str, **values: object) -> None: ...

    def log(self, text: str) -> None:
        print(f"{self._cell}: {text}", flush=True)

    def should_stop(self) -> bool:
        return bool(self._stop.is_set())

    def progress(self, done: float, total: float) -> None:
        now = time.monotonic()
        if now - self._sent_at > _SEND_EVERY_S:
            self._sent_at = now
            self._pipe.send(("progress", min(1.0, done / max(total, 1e-9))))

    def metrics(self, step: int, epoch: float, **values: float) -> None:
        if "val__loss" in values:
            self._losses.append(values["val__loss"])
            self._pipe.send(("metrics", (step, epoch, values)))
            return
        shown = {name: value for name, value in values.items() if name in ("train__loss", "train__accuracy")}
        self._accuracies.append(shown["train__accuracy"])
        self._pending.append(shown)
        if len(self._pending) == self._every:
            means = {name: float(np.mean([row[name] for row in self._pending])) for name in shown}
            self._pending.clear()
            self._pipe.send(("metrics", (step, epoch, means)))

    def has_converged(self, *, stopped_early: bool) -> bool:
        """Whether more steps promised nothing: validation had stopped rising, the training examples were known by
        heart, or neither accuracy in training rose any more nor the loss in validation fell.

        The learning rate falls to zero in any case: a curve that is flat at its very end alone proves nothing.
        """
        quarter = max(1, len(self._accuracies) // 4)
        late, before = self._accuracies[-quarter:], self._accuracies[-2 * quarter : -quarter]
        if stopped_early or float(np.mean(late)) >= LEARNED_BY_HEART:
            return True
        if not before or float(np.mean(late)) - float(np.mean(before)) > STILL_MOVING:
            return False
        edge = max(1, 2 * len(self._losses) // 3)
        early, last = self._losses[:edge], self._losses[edge:]
        return bool(last) and min(last) > (1 - STILL_MOVING) * min(early)


def _train(job: CellJob, pipe: Connection, stop: Event) -> CellResult:
    asked = parse_spec(CompareSpec, job.spec)
    spec, folder = cell_spec(asked, job.cell), Path(job.folder)
    if job.began_in_0_1:
        spec = cell_as_in_0_1(spec)
    reporter = _CellReporter(job.cell.id, steps_for(asked, job.cell.size), pipe, stop)
    work = folder / "cells" / job.cell.id
    # A resumed comparison waits until the process of a killed one has noticed.
    with with_lock(f"{folder.name}-{job.cell.id}", reporter.should_stop):
        began = time.perf_counter()
        # Nothing is timed first: beside other trainings a timing would measure them too.
        is_text = get_model(spec.model.id).is_text
        engine = default_engine(spec.precision, pick_device(spec.device), is_text=is_text).replace(threads=job.threads)
        training = Finetuning(
            spec, work, reporter, resume=False, engine=engine, resumable=False, is_of_0_1=job.began_in_0_1
        )
        probabilities, best, loop = training.learn()
        result = _result(training, job.cell, spec, probabilities, best, loop, folder)
        result["seconds"] = time.perf_counter() - began
        if isinstance(loop, HeadFit):
            result["converged"] = loop.has_converged
        else:
            result["converged"] = reporter.has_converged(stopped_early=loop.epochs_done < spec.epochs)
        shutil.rmtree(work, ignore_errors=True)
        keep_result(folder, job.cell, result)
    return result


def _result(
    training: Finetuning,
    cell: Cell,
    spec: FinetuneSpec,
    probabilities: NDArray[np.float64],
    best: BestEpoch,
    loop: Loop | HeadFit,
    folder: Path,
) -> CellResult:
    """What a cell measured; its predictions are kept beside."""
    data = training.data
    targets = data.targets[data.test]
    right = probabilities.argmax(1) == targets
    path = artifact(folder, cell, ".parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        write_predictions(unfinished, data.test, targets, probabilities, data.copied)
    result: CellResult = {
        "start": cell.start,
        "method": cell.method,
        "size": cell.size,
        "seed": cell.seed,
        "id": cell.id,
        "family": cell.family,
        "status": "done",
        "accuracy": float(right.mean()),
        "interval": list(wilson(int(right.sum()), len(right))),
        "n": len(right),
        "train_seconds": training.clock.total(("features", "fit", "train", "validate", "compile")),
        "steps": loop.epochs_done * loop.steps_per_epoch,
        "epochs_done": loop.epochs_done,
        "best_epoch": best["epoch"],
        "val_accuracy": best["accuracy"],
        "validation": len(data.validation),
        "learning_rate": learning_rate(spec, len(data.train)),
        "parameters": training.parameters[0],
        "trainable_parameters": training.parameters[1],
        "peak_memory_mb": peak_memory_mb(training.device),
        "engine": {
            "device": training.device.type,
            "precision": training.engine.precision,
            "layout": training.engine.layout,
            "threads": training.engine.threads,
            "prefix": training.engine.prefix,
            "prefix_precision": training.engine.prefix_precision,
        },
        "data": {"fingerprint": data.fingerprint, "labels": list(data.labels)},
    }
    if data.copied.any():
        result["without_leaks"] = share_right(right[~data.copied])
    return result
