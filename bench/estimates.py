"""`python -m bench estimates`: what is told of small trainings of many sorts before they begin, beside what happens.

Each is submitted and done by a worker process as from the page, one after another in a home of their own, so that later
ones are told from earlier ones. The first of each way has nothing to go by but `doctor`. On an idle machine with two
processors it takes about seven minutes.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, TypedDict

import psutil

from core.files import to_json
from core.finetune.spec import FinetuneSpec
from core.store import Run

ROOT = Path(__file__).resolve().parents[1]
PICTURES: dict[str, Any] = {"model": {"id": "bundled/efficientnet_lite0"}, "data": {"id": "builtin/digits"}}
# Ten trainings, each followed by one like it: other epochs, rows, batches, sizes and lengths; kept features and none.
VARIED: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({"method": "head", "image_size": 64, "epochs": 3}, {"train_size": 600}),
    ({"method": "full", "image_size": 64, "epochs": 1, "train_size": 400}, {"train_size": 800}),
    ({"method": "last", "image_size": 64, "epochs": 1, "train_size": 400}, {"batch_size": 64, "epochs": 4}),
    ({"method": "head", "image_size": 128}, {"image_size": 96}),
    ({"method": "full", "image_size": 64, "epochs": 1, "train_size": 600, "batch_size": 128}, {"epochs": 3}),
    ({"method": "full", "image_size": 96, "epochs": 1, "train_size": 300}, {"augment": "light", "epochs": 2}),
    (
        {"model": {"id": "torchvision/resnet18.imagenet1k_v1", "weights": "random"}, "method": "full"}
        | {"image_size": 64, "epochs": 2, "train_size": 500},
        {"image_size": 96, "epochs": 1},
    ),
    ({"text": True, "method": "head"}, {"max_length": 64}),
    (
        {"text": True, "method": "lora", "epochs": 1, "train_size": 200, "max_length": 128},
        {"max_length": 64, "epochs": 3},
    ),
    ({"text": True, "method": "full", "epochs": 1, "max_length": 256, "train_size": 200}, {"batch_size": 16}),
)


class Row(TypedDict):
    """One training: what was told, what happened, and what others did on the machine meanwhile."""

    asked: dict[str, Any]
    told_s: tuple[float, float] | None
    seconds: float | None
    told_mb: float
    peak_mb: float | None
    held_time: bool | None
    held_memory: bool | None
    load: float
    slowed: float  # how many times longer it took than without others at work
    alone: dict[str, float]  # seconds of each phase without them


def measure(out: Path, *, runs: int, doctor: bool) -> list[Row]:
    """Print and save a row for each training, and how many held; the first `runs` of them."""
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as home:
        os.environ |= {"GRAFT_HOME": home, "GRAFT_OFFLINE": "1"}
        if doctor:
            subprocess.run([sys.executable, "-m", "core", "doctor"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        texts = _write_texts(Path(home) / "texts.csv")
        _look_into(texts)
        print(_HEAD, flush=True)
        asked = [one for first, more in VARIED for one in (first, {**first, **more})]
        rows = []
        for values in asked[:runs]:
            rows.append(_row(values, texts))
            print(_line(rows[-1]), flush=True)
    timed = [row for row in rows if row["told_s"] is not None]
    print(
        f"time within what was told: {sum(bool(row['held_time']) for row in timed)} of {len(timed)} "
        f"({len(rows) - len(timed)} had nothing to go by); memory within a fifth: "
        f"{sum(bool(row['held_memory']) for row in rows)} of {len(rows)}"
    )
    out.write_text(to_json(rows) + "\n", encoding="utf-8")
    return rows


def _look_into(texts: Path) -> None:
    """As the page does with data of one's own."""
    from core.data.spec import ImportSpec
    from core.runs import submit

    run = _wait(submit.submit(ImportSpec.model_validate({"data": {"id": f"path:{texts}"}})))
    if run.status != "done":
        raise RuntimeError(f"{run.status} {run.error}")


def _wait(run: Run) -> Run:
    from core.runs import queue
    from core.store import open_store

    while run.is_active:
        time.sleep(0.5)
        run = open_store().get_run(run.id)
    if (ending := queue.find_process(run)) is not None:  # nobody is so quick as to start the next meanwhile
        ending.wait()
    return run


def _row(asked: dict[str, Any], texts: Path) -> Row:
    from core.runs import submit
    from core.runs.told import told_of

    values = dict(asked)
    if values.pop("text", False):
        values |= {"model": {"id": "bundled/minilm-l6"}, "data": {"id": f"path:{texts}"}}
    spec = FinetuneSpec.model_validate({**PICTURES, **values})
    run = _wait(submit.submit(spec))
    told = told_of(run)
    if told is None or run.status != "done":
        raise RuntimeError(f"{asked}: {run.status} {run.error}")
    alone, phases = run.summary["alone"], run.summary["phases"]
    return {
        "asked": asked,
        "told_s": told.time_s,
        "seconds": told.seconds,
        "told_mb": told.memory_mb,
        "peak_mb": told.peak_mb,
        "held_time": told.held_time,
        "held_memory": told.held_memory,
        "load": psutil.getloadavg()[0],
        "slowed": sum(phases.values()) / sum(alone[phase] for phase in phases),
        "alone": alone,
    }


_HEAD = f"{'asked':92} {'told, s':>12} {'took':>5} {'':6} {'told, MB':>8} {'took':>5} {'':6} {'load':>5} {'slowed':>6}"


def _line(row: Row) -> str:
    told = "nothing" if row["told_s"] is None else "{:.0f} to {:.0f}".format(*row["told_s"])
    asked = ", ".join(f"{name} {_short(value)}" for name, value in row["asked"].items())
    return (
        f"{asked:92} {told:>12} {row['seconds'] or 0:5.0f} {'' if row['held_time'] else 'MISSED':6} "
        f"{row['told_mb']:8.0f} {row['peak_mb'] or 0:5.0f} {'' if row['held_memory'] else 'MISSED':6} "
        f"{row['load']:5.1f} {row['slowed']:6.1f}"
    )


def _short(value: object) -> object:
    return value["id"].split("/")[1].split(".")[0] if isinstance(value, dict) else value


def _write_texts(path: Path) -> Path:
    """Sentences of made-up words, of which some are of one class alone."""
    rng = random.Random(0)
    lines = ["text,label"]
    for number in range(500):
        words = rng.choices(range(300) if number % 2 else range(100, 400), k=rng.choice([20, 40, 200]))
        lines.append(" ".join(f"word{word}" for word in words) + ("," + ("up" if number % 2 else "down")))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
