"""Measurements as a worker leaves them, in any state, with hand-made numbers."""

from __future__ import annotations

import time
from typing import Any

import psutil

from core import runs, settings
from core.catalog import get_model
from core.errors import Problem
from core.fields import ModelRef
from core.files import to_json
from core.hardware import this_host
from core.model_specs import MeasureSpec
from core.store import Run, open_store

BLOCKS = [
    {"name": "stem", "ms": 4.0, "share": 0.2},
    {"name": "blocks.0", "ms": 10.0, "share": 0.5},
    {"name": "head", "ms": 6.0, "share": 0.3},
]


def make_report(model_id: str, **values: Any) -> dict[str, Any]:
    """What a measurement reports; 20 ms an answer, three blocks."""
    card = get_model(model_id)
    shown: dict[str, Any] = {"image_size": 224}
    if card.is_text:
        shown = {"tokens": 128, "short_tokens": 20, "short_p50_ms": 5.0}
    return {
        "model": model_id, "is_random": False, "latency_p50_ms": 20.0, "latency_p95_ms": 24.0, "batch_size": 32,
        "throughput": 80.0, "memory_mb": 420.0, "libraries_mb": 300.0, "load_s": 0.4, "calls": 100,
        "intervals": {"one": [20.0, 19.5, 20.5]}, "blocks": BLOCKS, "runtime": "PyTorch 2.14.1", "threads": 2,
        "precision": "fp32", "device": "cpu", **shown, "processor": "A processor", "cores": 2, "host": this_host(),
        "processors_of_others": 0.0, "problems": [], **values,
    }  # fmt: skip


def make_measurement(
    model_id: str, *, status: str = "done", weights: Any = "pretrained", host: str | None = None, **values: Any
) -> Run:
    """A run in the store, with its report where it is done."""
    spec = MeasureSpec(model=ModelRef(id=model_id, weights=weights))
    store, now = open_store(), time.time()
    run_id = f"me-test-{len(store.list_runs()):03d}"
    store.create_run(run_id, kind="measure", name=runs.name_for(spec), spec=spec.model_dump(mode="json"))
    artifacts = settings.folder("runs") / run_id / "artifacts"
    artifacts.mkdir(parents=True)
    columns: dict[str, Any] = {"status": status}
    if status != "queued":
        columns |= {"host": host or this_host(), "started_at": now - 20}
    if status == "running":
        me = psutil.Process()
        columns |= {"pid": me.pid, "pid_started": me.create_time(), "heartbeat_at": now, "progress": 0.5}
        columns |= {"phase": {"code": "measure_time", "values": {}}}
    if status == "failed":
        columns |= {"error": [Problem("run.out_of_memory").as_dict()], "ended_at": now}
    if status == "done":
        report = make_report(model_id, is_random=weights == "random", **values)
        (artifacts / "report.json").write_text(to_json(report), encoding="utf-8")
        left_out = ("blocks", "intervals", "problems")
        summary = {name: value for name, value in report.items() if name not in left_out}
        columns |= {"summary": summary, "ended_at": now}
    store.update_run(run_id, **columns)
    return store.get_run(run_id)
