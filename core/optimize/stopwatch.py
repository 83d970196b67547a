"""One opened file in a process of its own, timed on demand: `python -m core.optimize.stopwatch REQUEST.json`.

The original and a variant each have such a process, begun in the same way (memory allocation as the system has it,
the same number of threads), and take turns: while one computes, the other waits for its next order.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WARM_UPS = 10


def main() -> None:
    """Answer orders, one JSON object a line, until there are no more."""
    out = os.fdopen(os.dup(1), "w")  # what libraries print must not stand between the answers
    os.dup2(2, 1)
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with np.load(request["inputs"]) as kept:
        arrays = {name: kept[name] for name in kept.files}
    work = {kind: _sets(arrays, kind, request["input_names"]) for kind in ("one", "many")}
    from core.optimize.runtimes import open_file

    began = time.perf_counter()
    session = open_file(request["source"], request["format"], threads=request["threads"], device=request["device"])
    session.run(work["one"][0])
    _tell(out, {"load_ms": (time.perf_counter() - began) * 1000, "runtime": session.runtime})
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "warm":
            for place in range(WARM_UPS):
                session.run(_nth(work["one"], place))
                session.run(_nth(work["many"], place))
            _tell(out, {})
        elif order["do"] == "time":
            _tell(out, {"times_ms": _time(session, work[order["kind"]], order["seconds"], order["least"])})
        else:
            _tell(out, {"memory_mb": _peak_mb()})


def _sets(arrays: dict[str, NDArray[Any]], kind: str, names: list[str]) -> list[dict[str, NDArray[Any]]]:
    """The inputs of one kind: arrays are kept as KIND/NUMBER/NAME."""
    count = 1 + max(int(key.split("/")[1]) for key in arrays if key.startswith(f"{kind}/"))
    return [{name: arrays[f"{kind}/{number}/{name}"] for name in names} for number in range(count)]


def _nth(sets: list[dict[str, NDArray[Any]]], place: int) -> dict[str, NDArray[Any]]:
    return sets[place % len(sets)]


def _time(session: Any, sets: list[dict[str, NDArray[Any]]], seconds: float, least: int) -> list[float]:
    """Milliseconds of call after call, all inputs in turn, for so long and at least so often."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        inputs = _nth(sets, len(times))
        began = time.perf_counter()
        session.run(inputs)
        times.append((time.perf_counter() - began) * 1000)
    return times


def _peak_mb() -> float:
    import psutil

    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 1e6
    try:  # of this program alone: what getrusage tells on Linux counts who started it, too
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6
    except (OSError, StopIteration):
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def _tell(out: Any, answer: dict[str, Any]) -> None:
    out.write(json.dumps(answer) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
