"""One opened file in a process of its own, timed on demand: `python -m core.measurement.stopwatch REQUEST.json`.

The original and a variant each have such a process, begun in the same way (memory allocation as the system has it,
the same number of threads), and take turns: while one computes, the other waits for its next order.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Required, TypedDict

import numpy as np
from numpy.typing import NDArray

from core.errors import GraftError
from core.hardware import peak_resident_mb
from core.problems import ProblemRow
from core.sharing import watch

WARM_UPS = 10


class Order(TypedDict, total=False):
    """What is to be done, and with what."""

    do: Required[str]  # warm, time, memory, take, or what the program adds
    kind: str
    kinds: list[str]
    seconds: float | None
    least: int
    inputs: str


class Answered(TypedDict, total=False):
    """What the process tells: when the file is open, then to every order."""

    load_ms: float
    runtime: str
    problems: list[ProblemRow]  # where the file could not be opened
    times_ms: list[float]
    memory_mb: float


Sets = list[dict[str, NDArray[Any]]]  # the inputs of some calls, which take turns
# (session, sets by kind, order) -> the answer to it.
Answer = Callable[[Any, Mapping[str, Sets], Order], Mapping[str, object]]


def main(more: Mapping[str, Answer] | None = None) -> None:
    """Answer orders, one JSON object a line, until there are no more; `more` are answers to further orders."""
    out = os.fdopen(os.dup(1), "w")  # what libraries print must not stand between the answers
    os.dup2(2, 1)
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    names = request["input_names"]
    watch()
    work = _sets(request["inputs"], names)
    answers: dict[str, Answer] = {"warm": _warm, "time": _time, "memory": _memory, **(more or {})}
    from core.measurement.runtimes import open_file

    began = time.perf_counter()
    try:
        session = open_file(request["source"], request["format"], threads=request["threads"], device=request["device"])
    except GraftError as error:
        _tell(out, {"problems": [problem.as_dict() for problem in error.problems]})
        return
    session.run(work["one"][0])
    _tell(out, {"load_ms": (time.perf_counter() - began) * 1000, "runtime": session.runtime})
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "take":
            work |= _sets(order["inputs"], names)
            _tell(out, {})
        else:
            _tell(out, answers[order["do"]](session, work, order))


def _sets(path: str, names: list[str]) -> dict[str, Sets]:
    """The inputs of each kind: arrays are kept as KIND/NUMBER/NAME."""
    arrays: dict[str, dict[int, dict[str, NDArray[Any]]]] = defaultdict(lambda: defaultdict(dict))
    with np.load(path) as kept:
        for key in kept.files:
            kind, number, name = key.split("/")
            arrays[kind][int(number)][name] = kept[key]
    return {
        kind: [{name: sets[number][name] for name in names} for number in sorted(sets)] for kind, sets in arrays.items()
    }


def _nth(sets: Sets, place: int) -> dict[str, NDArray[Any]]:
    return sets[place % len(sets)]


def _warm(session: Any, work: Mapping[str, Sets], order: Order) -> Answered:
    """Some calls of every kind (of `kinds` alone if given), or as many as `seconds` allow each."""
    kinds = order.get("kinds") or list(work)
    limit = order.get("seconds") or float("inf")
    spent = dict.fromkeys(kinds, 0.0)
    for place in range(WARM_UPS):
        for kind in kinds:
            if spent[kind] < limit:
                began = time.perf_counter()
                session.run(_nth(work[kind], place))
                spent[kind] += time.perf_counter() - began
    return {}


def _time(session: Any, work: Mapping[str, Sets], order: Order) -> Answered:
    """Milliseconds of call after call, all inputs in turn, for so long and at least so often."""
    sets = work[order["kind"]]
    times: list[float] = []
    end = time.perf_counter() + (order["seconds"] or 0.0)
    while len(times) < order["least"] or time.perf_counter() < end:
        inputs = _nth(sets, len(times))
        began = time.perf_counter()
        session.run(inputs)
        times.append((time.perf_counter() - began) * 1000)
    return {"times_ms": times}


def _memory(session: Any, work: Mapping[str, Sets], order: Order) -> Answered:
    return {"memory_mb": peak_resident_mb()}


def _tell(out: Any, answer: Mapping[str, object]) -> None:
    out.write(json.dumps(answer) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
