"""Comparisons as a worker leaves them, in any state, with hand-made numbers of known shape."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import psutil

from core import jobs, settings
from core.files import to_json
from core.grid import SCRATCH, Cell, families, grid
from core.specs import CompareSpec, parse_spec
from core.store import Run, open_store

# error(n) = a + b * n^-c, seconds(n) = s * n^0.5, parameters that learn
SHAPES: dict[str, tuple[float, float, float, float, int]] = {
    SCRATCH: (0.02, 5.6, 0.48, 1.6, 3_400_000),
    "head": (0.07, 1.1, 0.42, 0.1, 12_810),
    "last": (0.04, 1.3, 0.45, 0.6, 900_000),
    "lora": (0.05, 1.3, 0.45, 1.2, 60_000),
    "full": (0.02, 1.6, 0.46, 1.7, 3_400_000),
}
LAW_REFUSED = {"code": "compare.law_few_sizes", "values": {"n": 3, "needed": 4}}


def make_spec(**values: Any) -> CompareSpec:
    """What was asked for: five sizes and three repeats unless told otherwise."""
    base = {"model": {"id": "bundled/efficientnet_lite0"}, "data": {"id": "builtin/digits"}, "image_size": 128}
    return parse_spec(CompareSpec, base | values)


def make_report(spec: CompareSpec, done: int | None = None, failed: int = 0) -> dict[str, Any]:
    """The report after the first `done` cells (all without it); the last `failed` of them failed."""
    cells = grid(spec)
    done = len(cells) if done is None else done
    rows = [_cell(spec, cell, i, done, failed) for i, cell in enumerate(cells)]
    named = [_family(name, rows) for name in families(spec)]
    found = [family for family in named if family["sizes"]]
    return {
        "cells": rows,
        "families": found,
        "pairs": _pairs(found),
        "equivalents": _equivalents(found),
        "conclusions": _conclusions(found),
    }


def _cell(spec: CompareSpec, cell: Cell, index: int, done: int, failed: int) -> dict[str, Any]:
    base = {
        "id": cell.id,
        "family": cell.family,
        "start": cell.start,
        "method": cell.method,
        "size": cell.size,
        "seed": cell.seed,
    }
    if done - failed <= index < done:
        error = [{"code": "run.out_of_memory", "severity": "error", "field": None, "values": {}}]
        return {**base, "status": "failed", "error": error}
    if index >= done:
        return {**base, "status": "running" if index < done + 2 and done < len(grid(spec)) else "waiting"}
    a, b, c, s, learned = SHAPES[cell.family]
    chance = np.random.default_rng(index).normal(0, 0.35 / math.sqrt(cell.size))
    accuracy = round(min(0.99, max(0.12, 1 - a - b * cell.size**-c + chance)), 4)
    half = 1.96 * math.sqrt(accuracy * (1 - accuracy) / 1000)
    seconds = round(s * cell.size**0.5 * (1 + 0.05 * cell.seed), 2)
    return {
        **base,
        "status": "done",
        "accuracy": accuracy,
        "interval": [accuracy - half, min(1.0, accuracy + half)],
        "n": 1000,
        "seconds": seconds + 2,
        "train_seconds": seconds,
        "steps": max(300, 5 * cell.size // 16),
        "epochs_done": 20,
        "best_epoch": 15,
        "val_accuracy": accuracy,
        "converged": not (cell.family == SCRATCH and cell.size >= 5000),
        "learning_rate": 0.002 if cell.family == SCRATCH else 0.001,
        "trainable_parameters": learned,
        "parameters": 3_400_000,
        "peak_memory_mb": 700.0 if cell.family == "head" else 1400.0,
    }


def _family(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    mine = [row for row in rows if row["family"] == name and row["status"] == "done"]
    sizes = [_point([row for row in mine if row["size"] == size]) for size in sorted({row["size"] for row in mine})]
    law = len(sizes) > 3
    return {
        "family": name,
        "start": "scratch" if name == SCRATCH else "pretrained",
        "method": "full" if name == SCRATCH else name,
        "sizes": sizes,
        "law": _law(name, sizes) if law else None,
        "law_refused": None if law else LAW_REFUSED,
    }


def _point(cells: list[dict[str, Any]]) -> dict[str, Any]:
    accuracies = [cell["accuracy"] for cell in cells]
    mean, seconds = float(np.mean(accuracies)), [cell["train_seconds"] for cell in cells]
    half = 2.5 * float(np.std(accuracies)) if len(cells) > 1 else cells[0]["interval"][1] - mean
    return {
        "size": cells[0]["size"],
        "seeds": len(cells),
        "accuracy": mean,
        "low": max(0.0, mean - half),
        "high": min(1.0, mean + half),
        "band": "seeds" if len(cells) > 1 else "test",
        "seconds": float(np.mean(seconds)),
        "seconds_low": min(seconds),
        "seconds_high": max(seconds),
        "peak_memory_mb": cells[0]["peak_memory_mb"],
        "trainable_parameters": cells[0]["trainable_parameters"],
        "unconverged": sum(not cell["converged"] for cell in cells),
        "dominated_by": "head" if cells[0]["family"] == "lora" else None,
    }


def _law(name: str, sizes: list[dict[str, Any]]) -> dict[str, Any]:
    a, b, c, _seconds, _learned = SHAPES[name]
    curve = []
    for size in np.geomspace(sizes[0]["size"], sizes[-1]["size"], 40):
        accuracy = 1 - a - b * float(size) ** -c
        margin = 0.3 / math.sqrt(size)
        curve.append({"size": float(size), "accuracy": accuracy, "low": accuracy - margin, "high": accuracy + margin})
    return {"a": a, "b": b, "c": c, "misfit": 0.008, "curve": curve}


def _pairs(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    pairs = []
    for i, b in enumerate(found):
        for a in found[i + 1 :]:
            other = {row["size"]: row for row in b["sizes"]}
            for row in a["sizes"]:
                if row["size"] in other:
                    difference = row["accuracy"] - other[row["size"]]["accuracy"]
                    pairs.append(_pair(a["family"], b["family"], row, difference))
    return pairs


def _pair(a: str, b: str, row: dict[str, Any], difference: float) -> dict[str, Any]:
    is_clear = abs(difference) > 0.02
    return {
        "size": row["size"],
        "a": a,
        "b": b,
        "difference": difference,
        "interval": [difference - 0.02, difference + 0.02],
        "p": 0.0001 if is_clear else 0.4,
        "better": (a if difference > 0 else b) if is_clear else None,
        "seeds": row["seeds"],
        "n": 1000,
        "test": "crossed",
    }


def _equivalents(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    scratch = next((family for family in found if family["family"] == SCRATCH and family["law"]), None)
    rows = []
    for family in found:
        for row in family["sizes"] if scratch and family is not scratch else []:
            a, b, c, _seconds, _learned = SHAPES[SCRATCH]
            wanted = (b / max(1e-6, 1 - row["accuracy"] - a)) ** (1 / c)
            known = wanted <= scratch["sizes"][-1]["size"] if scratch else False
            rows.append(
                {
                    "family": family["family"],
                    "size": row["size"],
                    "accuracy": row["accuracy"],
                    "scratch_size": round(wanted) if known else 10_000,
                    "low": round(0.8 * wanted) if known else None,
                    "high": round(1.25 * wanted) if known else None,
                    "kind": "about" if known else "more_than",
                    "reason": None,
                }
            )
    return rows


def _conclusions(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One sentence: what can be said is proved elsewhere."""
    pairs = [pair for pair in _pairs(found) if pair["b"] == SCRATCH]
    if not pairs:
        return []
    gap = dict(zip(("low", "high"), pairs[0]["interval"], strict=True)) | {"difference": pairs[0]["difference"]}
    return [{"code": "compare.ahead_once", "values": {"family": pairs[0]["a"], "size": pairs[0]["size"], **gap}}]


def make_comparison(status: str, *, done: int | None = None, failed: int = 0, **columns: Any) -> Run:
    """A run in the store with its report and the curves of its first two done cells."""
    spec = make_spec(**columns.pop("spec", {}))
    store, now = open_store(), time.time()
    run_id = f"co-test-{len(store.list_runs()):03d}"
    name = "EfficientNet-Lite0 · digits · compare"
    store.create_run(run_id, kind="compare", name=name, spec=spec.model_dump(mode="json"))
    folder = settings.folder("runs") / run_id
    (folder / "artifacts").mkdir(parents=True)
    (folder / "worker.log").write_text("12:00:00 head-100-0\n", encoding="utf-8")
    cells = grid(spec)
    if status != "queued":
        report = make_report(spec, done, failed)
        (folder / "artifacts" / "report.json").write_text(to_json(report), encoding="utf-8")
        for cell in [cell for cell in report["cells"] if cell["status"] == "done"][:2]:
            _write_curves(run_id, cell["id"], now)
        columns = {"started_at": now - 300, **columns}
    if status == "running":
        me = psutil.Process()
        phase = {"code": "train", "values": {"epoch": 2, "epochs": 5}}
        alive = {"pid": me.pid, "pid_started": me.create_time(), "host": jobs.this_host(), "heartbeat_at": now}
        columns = {"phase": phase, "progress": 0.4, "eta_s": 210.0, **alive, **columns}
    if status not in ("queued", "running"):
        columns = {"ended_at": now, **columns}
    if status == "done":
        held = {str(size): min(1000, max(50, size // 5)) for size in spec.sizes}
        data = {"id": "builtin/digits", "labels": ["0", "1"], "validation": held, "test": 1000, "train_pool": 50_000}
        summary = {"cells_done": len(cells), "cells": len(cells), "lanes": 2, "threads": 1, "data": data}
        columns = {"summary": summary, **columns}
    store.update_run(run_id, status=status, **columns)
    return store.get_run(run_id)


def _write_curves(run_id: str, cell: str, now: float) -> None:
    rows: list[tuple[str, int, float | None, float, float]] = []
    for step in range(1, 301, 10):
        epoch = step / 20
        rows += [(f"{cell}/train/loss", step, epoch, 2 / (1 + epoch), now)]
        rows += [(f"{cell}/train/accuracy", step, epoch, 1 - 0.9 / (1 + epoch), now)]
        rows += [(f"{cell}/val/loss", step, epoch, 2.2 / (1 + epoch), now)]
        rows += [(f"{cell}/val/accuracy", step, epoch, 0.9 - 0.8 / (1 + epoch), now)]
    open_store().write_metrics(run_id, rows)
