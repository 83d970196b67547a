"""How fast a variant is beside the original: both in processes of their own, in turns, until the ratio is known."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

import numpy as np
import psutil

from core.clock import PhaseClock
from core.errors import RunError
from core.optimize.subject import Ints, Subject
from core.store import to_json, write_atomically

BATCH = 32
# Inputs of one call that take turns: texts differ in length, and so in time.
_ONES, _MANYS = 16, 2
BUDGET_S = 25.0
_LEAST_ROUNDS = 5
_ROUND_S = 0.25
_NARROW = 0.04  # half of the ratio's 95% interval, as a share of it


class Stopwatch:
    """A process that has opened one file and times it when told to. Ends with its `with` block."""

    program = "core.optimize.stopwatch"

    def __init__(
        self, source: str, format: str, subject: Subject, inputs: Path, work: Path, *, threads: int, device: str
    ) -> None:
        self.times: dict[str, list[float]] = {"one": [], "many": []}
        self.peak_mb: float | None = None
        request = {
            "source": source,
            "format": format,
            "threads": threads,
            "device": device,
            "inputs": str(inputs),
            "input_names": list(subject.input_names),
        }
        self._log = work / "stopwatch.log"
        path = work / "stopwatch.json"
        write_atomically(path, to_json(request))
        environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.program, str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                cwd=Path(__file__).parents[2],
                text=True,
            )
        try:
            first = self._read()
            self.load_ms, self.runtime = float(first["load_ms"]), str(first["runtime"])
            self._ask({"do": "warm"})
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def time(self, kind: str, seconds: float, least: int) -> float:
        """Median milliseconds of a block of calls (`one`: batch 1, `many`: batch 32)."""
        found = self._ask({"do": "time", "kind": kind, "seconds": seconds, "least": least})["times_ms"]
        self.times[kind] += found
        return float(np.median(found))

    def close(self) -> None:
        """Note the peak memory and end the process."""
        if self._process.poll() is None and self.peak_mb is None:
            try:
                self.peak_mb = float(self._ask({"do": "memory"})["memory_mb"])
            except RunError:
                self.peak_mb = None
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Stopwatch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        try:
            pipe: IO[str] | None = self._process.stdin
            assert pipe is not None
            pipe.write(json.dumps(order) + "\n")
            pipe.flush()
        except OSError as error:
            raise self._died() from error
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._died()
        found: dict[str, Any] = json.loads(line)
        return found

    def _died(self) -> RunError:
        self._process.wait()
        lines = [line for line in self._log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        return RunError("optimize.cannot_open", detail=(lines or [f"status {self._process.returncode}"])[-1][:300])


def write_inputs(subject: Subject, rows: Ints, path: Path) -> None:
    """Keep what is timed: single examples in turn, and whole batches, of real test rows."""
    rng = np.random.default_rng(0)
    ones = rng.choice(rows, min(_ONES, len(rows)), replace=False)
    arrays: dict[str, Any] = {}
    for number, row in enumerate(ones):
        arrays |= {f"one/{number}/{name}": value for name, value in subject.inputs(np.array([row])).items()}
    for number in range(_MANYS):
        chosen = rng.choice(rows, BATCH, replace=len(rows) < BATCH)
        arrays |= {f"many/{number}/{name}": value for name, value in subject.inputs(chosen).items()}
    np.savez(path, **arrays)


def race(original: Stopwatch, variant: Stopwatch, clock: PhaseClock) -> tuple[dict[str, list[float]], float]:
    """(ratios, processors that other work kept busy meanwhile).

    Ratios original / variant of latency and throughput, each as [middle, low, high] with its 95% interval.

    They take turns (the one that begins changes) until both intervals are narrow or the budget is spent. The middle
    is the geometric mean over the rounds, the interval that of a t distribution on its logarithm.
    """
    kinds = ("one", "many")
    logs: dict[str, list[float]] = {kind: [] for kind in kinds}
    began = time.perf_counter()
    end, busy = began + BUDGET_S, _others_busy(original, variant)
    while True:
        clock.raise_if_stopped()
        for kind in kinds:
            turns = [original, variant] if len(logs[kind]) % 2 == 0 else [variant, original]
            least = 5 if kind == "one" else 2
            medians = {id(watch): watch.time(kind, _ROUND_S, least) for watch in turns}
            logs[kind].append(math.log(medians[id(original)] / medians[id(variant)]))
        rounds = len(logs["one"])
        is_known = rounds >= _LEAST_ROUNDS and all(_spread(logs[kind]) < _NARROW for kind in kinds)
        if is_known or (rounds >= _LEAST_ROUNDS and time.perf_counter() > end):
            break
    names = {"one": "latency", "many": "throughput"}
    others = max(0.0, (_others_busy(original, variant) - busy) / (time.perf_counter() - began))
    return {names[kind]: _ratio(logs[kind]) for kind in kinds}, others


def _others_busy(*watches: Stopwatch) -> float:
    """Seconds of processors spent so far by whatever is not timed here."""
    spent = psutil.cpu_times()
    mine = [psutil.Process(watch.pid).cpu_times() for watch in watches]
    return spent.user + spent.system + getattr(spent, "nice", 0.0) - sum(one.user + one.system for one in mine)


def _spread(logs: list[float]) -> float:
    """Half of the 95% interval of the mean."""
    from scipy.stats import t

    return float(t.ppf(0.975, len(logs) - 1) * np.std(logs, ddof=1) / math.sqrt(len(logs)))


def _ratio(logs: list[float]) -> list[float]:
    middle, spread = float(np.mean(logs)), _spread(logs)
    return [math.exp(middle), math.exp(middle - spread), math.exp(middle + spread)]


def speed_of(watch: Stopwatch) -> dict[str, Any]:
    """What was timed of one file so far."""
    ones, manys = np.array(watch.times["one"]), np.array(watch.times["many"])
    return {
        "latency_p50_ms": float(np.percentile(ones, 50)),
        "latency_p95_ms": float(np.percentile(ones, 95)),
        "throughput": float(1000 * BATCH / np.median(manys)),
        "load_ms": watch.load_ms,
        "runtime": watch.runtime,
    }
