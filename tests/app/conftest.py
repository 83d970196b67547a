"""Pages as their users meet them, without a browser: AppTest through `app.py`, runs written to the store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest

from core import hardware, settings
from core.data.spec import ImportSpec
from core.evaluate import report_classification, write_predictions
from core.files import to_json
from core.finetune.spec import FinetuneSpec
from core.i18n import LANGUAGES
from core.runs import kinds as runs_kinds
from core.runs import queue
from core.spec import DataRef, ModelRef
from core.store import Run, open_store
from tests.fixtures.checkout import link_app

LABELS = ["cat", "dog", "数字"]
_DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
# Runs that did not get to their end, with what is told of them.
ENDED = {
    "failed": [{"code": "run.out_of_memory", "severity": "error", "field": None, "values": {}}],
    "interrupted": [{"code": "run.process_gone", "severity": "error", "field": None, "values": {"pid": 7}}],
    "stopped": [{"code": "run.stopped", "severity": "error", "field": None, "values": {}}],
}


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A started run is this very process: alive, and doing nothing."""
    me = psutil.Process()
    monkeypatch.setattr(queue.LocalExecutor, "start", lambda _self, _run: (me.pid, me.create_time()))
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every picture that a page shows."""
    pictures: list[Any] = []
    whole = DeltaGenerator.image

    def image(self: DeltaGenerator, picture: Any, *more: Any, **how: Any) -> DeltaGenerator:
        pictures.append(picture)
        return whole(self, picture, *more, **how)

    monkeypatch.setattr(DeltaGenerator, "image", image)
    monkeypatch.setattr(st, "image", partial(image, st.image.__self__))
    return pictures


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """app.py as a fresh checkout has it; what it writes beside itself is the tests' own."""
    return link_app(tmp_path_factory.mktemp("app"))


@pytest.fixture
def open_page(app: Path) -> Callable[..., AppTest]:
    """Opens a view through the frame, in a language, with parts of its address."""

    def open_(view: str, language: str = "en", **query: str) -> AppTest:
        at = AppTest.from_file(str(app), default_timeout=180)
        at.context = {"locale": LANGUAGES[language].tag, "theme": "light"}
        if view != "home":  # the frame opens there by itself
            at.switch_page(f"pages/views/{view}.py")
        for name, value in query.items():
            at.query_params[name] = value
        at.run()
        assert_sound(at)
        return at

    return open_


def assert_sound(at: AppTest) -> None:
    """Nothing unforeseen happened: no exception, not even one told in a sentence."""
    assert not at.exception, at.exception
    assert not [box.value for box in at.error if "does not know" in box.value or "未知问题" in box.value]


def charts_of(at: AppTest) -> list[dict[str, Any]]:
    """The data that the page hands to its charts."""
    found = [json.loads(element.proto.json) for element in at.get("bidi_component")]
    return [data for data in found if "traces" in data]


def texts_of(at: AppTest) -> str:
    """Everything the page says in running text."""
    kinds = ("title", "header", "markdown", "caption", "error", "warning", "info")
    return "\n".join(str(element.value) for kind in kinds for element in getattr(at, kind))


@pytest.fixture
def make_run() -> Callable[..., Run]:
    return _make_run


def _make_run(status: str, method: str = "head", *, right: int = 85, group: str | None = None, **columns: Any) -> Run:
    """A fine-tuning as a worker leaves it, in any state; when done, with results on 100 test pictures."""
    spec = FinetuneSpec(
        model=ModelRef(id="bundled/efficientnet_lite0"), data=DataRef(id="builtin/digits"), method=method
    )
    store, now = open_store(), time.time()
    run_id = f"ft-test-{len(store.list_runs()):03d}"
    store.create_run(
        run_id, kind="finetune", name=runs_kinds.name_for(spec), spec=spec.model_dump(mode="json"), sibling_group=group
    )
    folder = settings.folder("runs") / run_id
    (folder / "artifacts" / "mistakes").mkdir(parents=True)
    (folder / "worker.log").write_text("12:00:00 libraries\n", encoding="utf-8")
    if status != "queued":
        _write_curves(run_id, now)
        columns = {"started_at": now - 30, **columns}
    if status == "done":
        columns = {"summary": _write_results(folder, right), **columns}
    if status == "running":
        me = psutil.Process()
        phase = {"code": "train", "values": {"epoch": 2, "epochs": 5}}
        alive = {"pid": me.pid, "pid_started": me.create_time(), "host": hardware.this_host(), "heartbeat_at": now}
        columns = {"phase": phase, "progress": 0.4, "eta_s": 21.0, **alive, **columns}
    if status not in ("queued", "running"):
        columns = {"ended_at": now, **columns}
    store.update_run(run_id, status=status, **columns)
    return store.get_run(run_id)


def _write_curves(run_id: str, now: float) -> None:
    rows: list[tuple[str, int, float | None, float, float]] = []
    for step in range(1, 21):
        rows += [("train/loss", step, step / 10, 2 / step, now), ("train/accuracy", step, step / 10, 0.5, now)]
        rows.append(("train/images_per_s", step, step / 10, 150.0, now))
    for epoch in (1, 2):
        rows += [("val/loss", 10 * epoch, float(epoch), 0.9 / epoch, now)]
        rows += [("val/accuracy", 10 * epoch, float(epoch), 0.4 * epoch, now)]
    open_store().write_metrics(run_id, rows)


def _write_results(folder: Path, right: int) -> dict[str, Any]:
    """`right` of 100 test pictures are named rightly."""
    targets = np.arange(100) % 3
    answers = np.where(np.arange(100) < right, targets, (targets + 1) % 3)
    probabilities = np.full((100, 3), 0.1)
    probabilities[np.arange(100), answers] = 0.8
    report = report_classification(targets.astype(np.int64), probabilities, LABELS)
    write_predictions(folder / "artifacts" / "predictions.parquet", np.arange(100), targets, probabilities)
    Image.new("RGB", (96, 96), "grey").save(folder / "artifacts" / "mistakes" / "0.webp")
    mistake = {"row": 99, "file": "mistakes/0.webp", "true": "cat", "predicted": "dog", "confidence": 0.8}
    report["mistakes"] = [mistake] if right < 100 else []
    (folder / "artifacts" / "report.json").write_text(to_json(report), encoding="utf-8")
    timing = {"part": "prefix", "option": "eager", "images_per_s": 120.0, "reason": ""}
    kept = {"engine": {"precision": "fp32"}, "timings": [timing]}
    (folder / "artifacts" / "autotune.json").write_text(to_json(kept), encoding="utf-8")
    return {
        "test": {name: report[name] for name in ("accuracy", "interval", "n", "macro_f1", "loss")},
        "val": {"accuracy": 0.8, "n": 50},
        "best_epoch": 2,
        "epochs_done": 2,
        "images_per_s": 150.0,
        "parameters": 3_400_000,
        "trainable_parameters": 3_843,
        "peak_memory_mb": 900.0,
        "data": {
            "id": "builtin/digits",
            "fingerprint": "f",
            "labels": LABELS,
            "train": 60,
            "validation": 50,
            "test": 100,
        },
        "engine": {"precision": "fp32", "layout": "channels_last", "threads": 2, "device": "cpu", "prefix": "eager"},
        "learning_rate": 1e-3,
        "image_size": 224,
        "phases": {"libraries": 4.0, "train": 3.0, "test": 1.0},
    }


@pytest.fixture
def make_check() -> Callable[..., Run]:
    """A finished data check with its report."""

    def make(problems: list[dict[str, Any]] | None = None) -> Run:
        spec = ImportSpec(data=DataRef(id="builtin/digits"))
        store, run_id = open_store(), "im-test-000"
        store.create_run(run_id, kind="import", name="digits", spec=spec.model_dump(mode="json"), device="disk")
        artifacts = settings.folder("runs") / run_id / "artifacts"
        artifacts.mkdir(parents=True)
        dot = "data:image/png;base64," + _DOT
        report = {
            "id": "builtin/digits",
            "name": "digits",
            "labels": LABELS,
            "num_images": 90,
            "counts": {"train": [20, 30, 10], "test": [10, 10, 10]},
            "planned": {"train": 48, "validation": 12, "test": 30},
            "checked": 90,
            "problems": problems or [],
            "sizes": {"width": [8, 8, 8], "height": [8, 8, 8]},
            "modes": {"L": 24},
            "bytes": 5000,
            "preview": [{"label": "cat", "name": "0", "picture": dot}],
        }
        (artifacts / "report.json").write_text(to_json(report), encoding="utf-8")
        now = time.time()
        store.update_run(run_id, status="done", started_at=now - 1, ended_at=now)
        return store.get_run(run_id)

    return make
