"""`python -m bench many`: Home, Runs, a long curve and `core runs` over a store of very many runs.

A page's time is that of its script in the server, from the question to its end: of a new visitor, and of one who has
looked before. The server has drawn every page once for another run.
"""

from __future__ import annotations

import asyncio
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.typing import Origin, Subprotocol

from bench.live import ROOT, page_server
from core import settings
from core.files import to_json
from core.finetune.spec import FinetuneSpec
from core.hardware import describe_machine
from core.store import MetricRow, open_store

_LONG = "ft-long"
_CURVE = 100_000  # points of the long curve
_SUMMARY = {
    "test": {"accuracy": 0.912, "interval": [0.88, 0.94], "n": 360, "macro_f1": 0.91, "loss": 0.3},
    "val": {"accuracy": 0.9, "n": 288},
    "best_epoch": 5,
    "epochs_done": 5,
    "images_per_s": 150.0,
    "parameters": 3_400_000,
    "trainable_parameters": 12_810,
    "peak_memory_mb": 900.0,
    "data": {
        "id": "builtin/digits",
        "fingerprint": "f",
        "labels": [str(n) for n in range(10)],
        "train": 1150,
        "validation": 287,
        "test": 360,
    },
    "learning_rate": 1e-3,
    "phases": {"libraries": 4.0, "train": 3.0, "test": 1.0},
    "problems": [],
}


class Table(TypedDict):
    """Seconds: of the commands and of looks again the median of the rounds, of first looks each."""

    machine: dict[str, object]
    runs: int
    points: int
    seconds: dict[str, float]


def measure(out: Path, *, runs: int, points: int, rounds: int) -> Table:
    """Make the store, print and save what it takes to look at it."""
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as home:
        os.environ |= {"GRAFT_HOME": home, "GRAFT_OFFLINE": "1", "GRAFT_WARM": "0"}
        settings.pass_to_libraries()
        _fill(runs, points)
        seconds = {
            "core --help": _median(lambda: _command("--help"), rounds),
            "core runs": _median(lambda: _command("runs"), rounds),
            "core run": _median(lambda: _command("run", _LONG), rounds),
        }
        with page_server(Path(home)) as (url, _):
            for page, query in (("", ""), ("runs", ""), ("finetune", "run=ft-000001")):
                asyncio.run(_look(url, page, query, 1))
            for name, page, query in (
                ("Home", "", ""),
                ("Runs", "runs", ""),
                (f"a curve of {_CURVE:,} points", "finetune", f"run={_LONG}"),
            ):
                first, *again = asyncio.run(_look(url, page, query, rounds + 1))
                seconds[name], seconds[f"{name}, again"] = first, statistics.median(again)
    machine = asdict(describe_machine())
    table: Table = {"machine": machine, "runs": runs, "points": points, "seconds": seconds}
    out.write_text(to_json(table) + "\n", encoding="utf-8")
    print(f"{runs:,} runs, {points:,} points")
    for name, taken in seconds.items():
        print(f"{name:28} {taken:6.2f} s")
    return table


def _fill(runs: int, points: int) -> None:
    """As many finished trainings with as many points in all, a part of them in one long curve."""
    store, now = open_store(), time.time()
    model, data = {"id": "bundled/efficientnet_lite0"}, {"id": "builtin/digits"}
    spec = FinetuneSpec.model_validate({"model": model, "data": data}).model_dump(mode="json")
    each = max(2, (points - _CURVE) // max(1, runs - 1))
    for number in range(runs):
        is_long = number == runs - 1
        began = now - 60.0 * (runs - number)
        store.create_run(
            _LONG if is_long else f"ft-{number:06d}",
            kind="finetune",
            name=f"EfficientNet-Lite0 · digits · head {number}",
            spec=spec,
            metrics=_curve(_CURVE if is_long else each, began),
            status="done",
            created_at=began,
            started_at=began,
            ended_at=began + 30,
            summary=_SUMMARY,
        )


def _curve(points: int, began: float) -> list[MetricRow]:
    steps = points // 2
    rows: list[MetricRow] = []
    for step in range(1, steps + 1):
        loss = 2 * math.exp(-step / 50) + 0.1
        rows.append(("train/loss", step, step / 100, loss, began + 0.01 * step))
        rows.append(("train/accuracy", step, step / 100, 1 - loss / 2.2, began + 0.01 * step))
    return rows


def _median(work: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def _command(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "core", *words], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)


async def _look(url: str, page: str, query: str, times: int) -> list[float]:
    """Seconds of a page's script, at each look of one visitor."""
    address = url.replace("http", "ws") + "/_stcore/stream"
    taken = []
    streamlit = [Subprotocol("streamlit")]
    async with websockets.connect(address, subprotocols=streamlit, max_size=None, origin=Origin(url)) as connection:
        for _ in range(times):
            question = BackMsg()
            question.rerun_script.query_string = query
            question.rerun_script.page_name = page
            began = time.perf_counter()
            await connection.send(question.SerializeToString())
            while ForwardMsg.FromString(await connection.recv()).WhichOneof("type") != "script_finished":
                pass
            taken.append(time.perf_counter() - began)
    return taken
