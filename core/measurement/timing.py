"""How fast a network is, alone or beside another: in processes of their own, in turns, until the numbers are known."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypedDict, cast

import numpy as np

from core import lifeline
from core.errors import RunError
from core.files import to_json, write_atomically
from core.measurement.rounds import Load, Median, Round, median_of
from core.measurement.runtimes import InputArrays
from core.measurement.stopwatch import Answered, Order
from core.problems import Problem
from core.progress import PhaseClock

BATCH = 32
BUDGET_S = 25.0
LEAST_ROUNDS = 8  # from so many on the outermost are wide enough an interval
_LEAST_ALONE = 3  # rounds of a network so slow that the budget is spent
_ROUND_S = 0.25
NARROW = 0.04  # half of the 95% interval of a ratio or a time, as a share of it


class Speed(TypedDict):
    """How fast a file answers, and what opens it."""

    latency_p50_ms: float
    latency_p95_ms: float
    throughput: float
    load_ms: float
    runtime: str


@dataclass(frozen=True)
class Race:
    """How many times better one network is than another: answers of one example, and of a batch."""

    latency: Median
    throughput: Median

    @property
    def busy(self) -> float | None:
        """Processors that other work kept busy in rounds that count; None where none was disturbed."""
        return max((one.others for one in (self.latency, self.throughput) if one.is_disturbed), default=None)


class Stopwatch:
    """A process that has opened one file and times it when told to. Ends with its `with` block.

    `inputs`: what `save_inputs` wrote; its arrays are given to the network in the order of `input_names`. Raises
    `RunError` when the file cannot be opened, or the process ends.
    """

    program = "core.measurement.stopwatch"
    warm_s: float | None = None  # at most so long for each kind of input, however few calls that are
    died = "optimize.cannot_open"  # the code of that error

    def __init__(
        self,
        source: str,
        format: str,
        input_names: Sequence[str],
        inputs: Path,
        work: Path,
        *,
        threads: int,
        device: str,
    ) -> None:
        self.times: dict[str, list[float]] = defaultdict(list)
        self.peak_mb: float | None = None
        request = {
            "source": source,
            "format": format,
            "threads": threads,
            "device": device,
            "inputs": str(inputs),
            "input_names": list(input_names),
        }
        self._log = work / "stopwatch.log"
        path = work / "stopwatch.json"
        write_atomically(path, to_json(request))
        environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
        with self._log.open("wb") as log:
            self._process = lifeline.start(
                self.program,
                str(path),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                text=True,
            )
        # Pipes, as they were asked for.
        self._orders, self._answers = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)
        try:
            first = self._read()
            if "problems" in first:
                raise RunError([Problem.from_dict(problem) for problem in first["problems"]])
            self.load_ms, self.runtime = float(first["load_ms"]), str(first["runtime"])
            self.ask({"do": "warm", "seconds": self.warm_s})
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def time(self, kind: str, seconds: float, least: int) -> float:
        """Median milliseconds of a block of calls with inputs of a kind (`one`: one example, `many`: a batch)."""
        times = self.ask({"do": "time", "kind": kind, "seconds": seconds, "least": least})["times_ms"]
        self.times[kind] += times
        return float(np.median(times))

    def close(self) -> None:
        """Note the peak memory and end the process."""
        if self._process.poll() is None and self.peak_mb is None:
            try:
                self.peak_mb = float(self.ask({"do": "memory"})["memory_mb"])
            except RunError:
                self.peak_mb = None
        self._orders.close()
        self._answers.close()
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Stopwatch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, order: Order) -> Answered:
        """Give the process an order (core.measurement.stopwatch) and wait for its answer."""
        try:
            self._orders.write(json.dumps(order) + "\n")
            self._orders.flush()
        except OSError as error:
            raise self._died() from error
        return self._read()

    def _read(self) -> Answered:
        line = self._answers.readline()
        if not line:
            raise self._died()
        answered: Answered = json.loads(line)
        return answered

    def _died(self) -> RunError:
        self._process.wait()
        status = self._process.returncode
        if status < 0:  # killed: what it wrote last tells nothing of it
            return RunError(self.died, detail=f"signal {-status}")
        lines = [line for line in self._log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        return RunError(self.died, detail=(lines or [f"status {status}"])[-1][:300])


def save_inputs(path: Path, kinds: Mapping[str, Sequence[InputArrays]]) -> None:
    """Write inputs for a stopwatch: for each kind (`one`, `many` …) those of one call, several that take turns."""
    arrays: dict[str, Any] = {
        f"{kind}/{number}/{name}": value
        for kind, sets in kinds.items()
        for number, inputs in enumerate(sets)
        for name, value in inputs.items()
    }
    np.savez(path, **arrays)


def race(original: Stopwatch, variant: Stopwatch, clock: PhaseClock) -> Race:
    """How many times better the variant is.

    They take turns (the one that begins changes) until both intervals are narrow or the budget is spent; a round that
    other work disturbed is repeated as long as the budget lasts.
    """

    def turn(kind: str, number: int) -> float:
        turns = [original, variant] if number % 2 == 0 else [variant, original]
        least = 5 if kind == "one" else 2
        medians = {id(watch): watch.time(kind, _ROUND_S, least) for watch in turns}
        return medians[id(original)] / medians[id(variant)]

    told = _until_known(("one", "many"), turn, Load(original.pid, variant.pid), clock, BUDGET_S, LEAST_ROUNDS)
    return Race(told["one"], told["many"])


def time_alone(
    watch: Stopwatch, kinds: Sequence[str], clock: PhaseClock, budget_s: float, tell: Callable[[float], None]
) -> dict[str, Median]:
    """Milliseconds of a call with inputs of each kind, found as in `race`.

    `tell` hears the seconds spent after each block of calls.
    """
    began = time.perf_counter()

    def turn(kind: str, _number: int) -> float:
        milliseconds = watch.time(kind, _ROUND_S, 1)
        tell(time.perf_counter() - began)
        return milliseconds

    return _until_known(kinds, turn, Load(watch.pid), clock, budget_s, _LEAST_ALONE)


def _until_known(
    kinds: Sequence[str],
    turn: Callable[[str, int], float],
    load: Load,
    clock: PhaseClock,
    budget_s: float,
    fewest: int,
) -> dict[str, Median]:
    """Rounds of every kind until each is known from quiet ones, or the budget is spent.

    `fewest` rounds are done even when the budget is spent, and twice as many at most where other work disturbs them.
    """
    rounds: dict[str, list[Round]] = {kind: [] for kind in kinds}
    began = time.perf_counter()
    while True:
        for kind in kinds:
            clock.raise_if_stopped()
            load.take()
            value = turn(kind, len(rounds[kind]))
            rounds[kind].append(Round(value, load.take()))
        told = {kind: median_of(rounds[kind], fewest) for kind in kinds}
        if all(map(_is_known, told.values())):
            return told
        done, is_disturbed = len(rounds[kinds[0]]), any(one.is_disturbed for one in told.values())
        is_spent = time.perf_counter() - began > budget_s
        if is_spent and done >= (2 * fewest if is_disturbed else fewest):
            return told


def _is_known(told: Median) -> bool:
    return not told.is_disturbed and told.rounds >= LEAST_ROUNDS and told.spread < NARROW


def speed_of(watch: Stopwatch, batch: int = BATCH) -> Speed:
    """What was timed of one file so far; `batch` is the number of examples of a call of kind `many`."""
    ones, manys = np.array(watch.times["one"]), np.array(watch.times["many"])
    return {
        "latency_p50_ms": float(np.percentile(ones, 50)),
        "latency_p95_ms": float(np.percentile(ones, 95)),
        "throughput": float(1000 * batch / np.median(manys)),
        "load_ms": watch.load_ms,
        "runtime": watch.runtime,
    }
