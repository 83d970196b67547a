"""Optimizations as a worker leaves them, in any state, with hand-made numbers of known shape."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from core import jobs, runs, settings
from core.errors import Problem
from core.files import to_json
from core.hardware import MachineCard, describe_machine
from core.optimize.rows import VariantRow
from core.optimize.variants import Variant, variants_of
from core.optimize_spec import OptimizeSpec
from core.registry import passes
from core.specs import parse_spec
from core.store import Run, open_store
from core.verdicts import conclude, judge, recommend

PASSES = ("prune_structured", "prune_magnitude", "qat", "onnx", "dynamic_int8", "static_int8", "half", "export")
# times smaller, times faster, points lost
SHAPES: dict[str, tuple[float, float, float]] = {
    "onnx": (1.02, 3.4, 0.0),
    "dynamic_int8": (2.2, 0.8, 24.0),
    "static_int8": (3.5, 9.6, 0.4),
    "half": (1.98, 3.1, 0.1),
    "prune_structured": (1.7, 4.9, 1.9),
    "prune_magnitude": (1.02, 3.3, 0.6),
    "qat": (3.5, 9.5, 0.2),
    "export": (1.0, 1.2, 0.0),
}
REFUSED, FAILED, BROKEN = "dynamic_int8", "export", "prune_magnitude"
ORIGINAL = {
    "name": "original", "kind": "original", "status": "done", "format": "eager", "runtime": "PyTorch 2.14.1",
    "size_mb": 13.8, "gzip_mb": 12.7, "parameters": 3_383_850, "gmacs": 0.13, "latency_p50_ms": 8.8,
    "latency_p95_ms": 10.1, "throughput": 115.0, "memory_mb": 310.0, "load_ms": 820.0, "accuracy": 0.789,
    "interval": [0.781, 0.797], "n": 10_000,
}  # fmt: skip


def able_machine() -> MachineCard:
    """This machine as if its processor computed in every format: what is offered then does not depend on it."""
    machine = describe_machine()
    able = tuple(precision.model_copy(update={"native": True}) for precision in machine.precisions)
    return machine.model_copy(update={"precisions": able})


def make_spec(**values: Any) -> OptimizeSpec:
    """What was asked for: eight ways, chained."""
    base = {"model": {"id": "bundled/efficientnet_lite0"}, "data": {"id": "builtin/digits"}, "passes": PASSES}
    return parse_spec(OptimizeSpec, base | values)


def make_report(spec: OptimizeSpec, done: int | None = None, *, labelled: bool = True) -> dict[str, Any]:
    """The report after the first `done` variants (all without it)."""
    variants = variants_of(spec.passes, combine=spec.combine)
    done = len(variants) if done is None else done
    rows = [_variant(variant, place, done, labelled, spec.max_drop) for place, variant in enumerate(variants)]
    records = [VariantRow.from_dict(row) for row in rows]
    best = recommend(records)
    return {
        "original": ORIGINAL if labelled else {**ORIGINAL, "accuracy": None, "interval": None},
        "variants": rows,
        "recommended": best,
        "conclusions": conclude(records, best, spec.max_drop),
        "conditions": {
            "test": 10_000, "test_all": 10_000, "validation": 400, "train": 2000, "is_labelled": labelled,
            "threads": 2, "batch": 32, "limit": spec.max_drop, "image_size": 128, "processor": "A processor",
            "cores": 2, "keeps_memory": False, "data": {"id": "builtin/digits", "fingerprint": "f"},
            "task": "image-classification", "labels": [str(digit) for digit in range(10)],
        },
    }  # fmt: skip


def _variant(variant: Variant, place: int, done: int, labelled: bool, limit: float) -> dict[str, Any]:
    base = {
        "name": variant.name,
        "passes": list(variant.passes),
        "parent": variant.parent,
        "kind": variant.kind,
        "problems": [],
        "doing": None,
    }
    if variant.name == REFUSED:
        values = {"name": REFUSED, "model": "EfficientNet-Lite0"}
        return {**base, "status": "refused", "problems": [Problem("optimize.dynamic_on_convolutions").as_dict() | {
            "values": values}]}  # fmt: skip
    if place >= done:
        return {**base, "status": "running", "doing": "make"} if place == done else {**base, "status": "waiting"}
    if variant.name == FAILED:
        return {**base, "status": "failed", "problems": [Problem("run.out_of_memory").as_dict()]}
    return {**base, **_numbers(variant, labelled, limit)}


def _numbers(variant: Variant, labelled: bool, limit: float) -> dict[str, Any]:
    size, latency, points = SHAPES[variant.passes[0] if variant.passes[0] != "onnx" else variant.passes[-1]]
    if len(variant.learned) and variant.passes[-1] == "static_int8" and variant.passes[0] != "qat":
        size, latency, points = 3.4 * size, 2.7 * latency, points + 0.4
    accuracy, half = 0.789 - points / 100, 0.008
    is_broken = variant.name == BROKEN
    format_ = "onnx" if variant.passes[-1] != "export" else "pt2"
    agreement = round(0.997 - points / 100, 3)
    lost, half_lost = (points, 0.5) if labelled else (round(100 * (1 - agreement), 1), 0.2)
    low, high = round(lost - half_lost, 1), round(lost + half_lost, 1)
    found: dict[str, Any] = {
        "status": "broken" if is_broken else "done",
        "format": format_,
        "runtime": "ONNX Runtime 1.32.0",
        "file": f"variants/{variant.name}/model.{format_}",
        "sha256": hashlib.sha256(variant.name.encode()).hexdigest(),
        "size_mb": round(13.8 / size, 2),
        "gzip_mb": round(12.7 / size, 2),
        "latency_p50_ms": round(8.8 / latency, 2),
        "latency_p95_ms": round(10.1 / latency, 2),
        "throughput": round(115 * latency, 1),
        "memory_mb": 90.0,
        "load_ms": 45.0,
        "accuracy": round(accuracy, 4) if labelled else None,
        "interval": [accuracy - half, accuracy + half] if labelled else None,
        "agreement": agreement,
        "n": 10_000,
        "ratios": {
            "size": size,
            "latency": [latency, 0.95 * latency, 1.06 * latency],
            "throughput": [1.1 * latency, latency, 1.2 * latency],
        },
        "loss": {"points": lost, "low": low, "high": high, "n": 10_000, "needed": 40_000,
                 "of": "accuracy" if labelled else "agreement"},
        "gate": {"passed": not is_broken, "samples": 32, "max_difference": 1e-6, "tolerance": 1e-3,
                 "labels_equal": 20 if is_broken else 32},
        "offered": not is_broken,
        "facts": {"parameters": 3_383_850, "quantized": 49, "in_float": 3, "calibration": "minmax"},
        "seconds": 41.0,
    }  # fmt: skip
    row = VariantRow.from_dict({"name": variant.name, "kind": variant.kind, "passes": variant.passes, **found})
    found["verdict"] = judge(row, limit)
    return found | (_searched() if variant.passes[-1] == "static_int8" else {})


def _searched() -> dict[str, Any]:
    """What the search for layers to leave in float found."""
    groups = [{"group": f"net.blocks.{i}", "gain": 0.3 / (1 + i), "in_float": i < 2} for i in range(16)]
    ends = {"full": {"points": 2.4, "agreement": 0.86}, "kept": {"points": 0.7, "agreement": 0.91}}
    return {"sensitivity": groups, "search": {**ends, "groups": 16, "reason": "within_limit"}}


def make_optimization(status: str, *, done: int | None = None, labelled: bool = True, **columns: Any) -> Run:
    """A run in the store with its report, small files of its variants, and the curves of those that learn."""
    spec = make_spec(**columns.pop("spec", {}))
    store, now = open_store(), time.time()
    run_id = f"op-test-{len(store.list_runs()):03d}"
    store.create_run(run_id, kind="optimize", name=runs.name_for(spec), spec=spec.model_dump(mode="json"))
    artifacts = settings.folder("runs") / run_id / "artifacts"
    artifacts.mkdir(parents=True)
    (artifacts.parent / "worker.log").write_text("12:00:00 onnx\n", encoding="utf-8")
    report = make_report(spec, done, labelled=labelled)
    if status != "queued":
        (artifacts / "report.json").write_text(to_json(report), encoding="utf-8")
        _write_files(artifacts, report)
        for row in report["variants"]:
            if row["status"] in ("done", "running") and passes.PASSES[row["passes"][0]].learns:
                _write_curves(run_id, row["name"], now)
        columns = {"started_at": now - 300, **columns}
    if status == "running":
        me = psutil.Process()
        alive = {"pid": me.pid, "pid_started": me.create_time(), "host": jobs.this_host(), "heartbeat_at": now}
        phase = {"code": "train", "values": {"epoch": 1, "epochs": 2}}
        columns = {"phase": phase, "progress": 0.4, "eta_s": 210.0, **alive, **columns}
    if status not in ("queued", "running"):
        columns = {"ended_at": now, **columns}
    if status == "done":
        columns = {"summary": _summary(report), "host": jobs.this_host(), **columns}
    store.update_run(run_id, status=status, **columns)
    return store.get_run(run_id)


def _summary(report: dict[str, Any]) -> dict[str, Any]:
    best = next((row for row in report["variants"] if row["name"] == report["recommended"]), None)
    original = {name: ORIGINAL[name] for name in ("accuracy", "n", "latency_p50_ms", "throughput", "size_mb")}
    kept = {name: best[name] for name in ("name", "ratios", "loss", "accuracy")} if best else None
    return {
        "task": "image-classification",
        "recommended": report["recommended"],
        "variants": len(report["variants"]),
        "original": original,
        "best": kept,
        "data": {"id": "builtin/digits", "fingerprint": "f"},
        "phases": {"test": 60.0},
        "conclusions": report["conclusions"],
    }


def _write_files(artifacts: Path, report: dict[str, Any]) -> None:
    """Files as a bundle wants them, of a network that is none."""
    how = {
        "task": "image-classification", "labels": report["conditions"]["labels"], "image_size": 128,
        "resize_size": 128, "interpolation": "bilinear", "mean": [0.5] * 3, "std": [0.5] * 3,
    }  # fmt: skip
    (artifacts / "samples").mkdir()
    Image.new("RGB", (8, 8)).save(artifacts / "samples" / "00.png")
    for row in report["variants"]:
        if row["status"] in ("done", "broken"):
            path = artifacts / row["file"]
            path.parent.mkdir(parents=True)
            path.write_bytes(b"no network")
            path.with_name("preprocessing.json").write_text(to_json(how), encoding="utf-8")
            expected = {"labels": ["0"], "logits": [[1.0] + [0.0] * 9], "tolerance": 0.001}
            path.with_name("expected.json").write_text(to_json(expected), encoding="utf-8")


def _write_curves(run_id: str, name: str, now: float) -> None:
    rows: list[tuple[str, int, float | None, float, float]] = []
    for step in range(1, 61, 4):
        epoch = step / 40
        rows += [(f"{name}/train/loss", step, epoch, 0.8 / (1 + epoch), now)]
        rows += [(f"{name}/train/accuracy", step, epoch, 0.6 + 0.1 * epoch, now)]
    for epoch in (0.5, 1.0, 1.5):
        rows += [(f"{name}/val/loss", int(40 * epoch), epoch, 0.9 / (1 + epoch), now)]
        rows += [(f"{name}/val/accuracy", int(40 * epoch), epoch, 0.6 + 0.09 * epoch, now)]
    open_store().write_metrics(run_id, rows)
