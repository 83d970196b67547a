"""What is killed in `python -m bench kills`: small jobs of every kind, and the numbers that each has to end with."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

from core import settings
from core.files import sha256
from core.store import Run, open_store, read_report

Numbers = dict[str, object]
# What differs between two equal runs: how fast they were, and what else the machine did.
_TIMED = ("images_per_s", "seconds", "memory_mb", "sys/")
_WORDS = "a film the story was really good bad boring wonderful and I never saw such an awful cast"
HUB_MODEL = "someone/tiny-bert"


@dataclass(frozen=True)
class Kind:
    """One kind of job: what a server is told to do (see `bench.kill_server`), and what counts of the outcome."""

    name: str
    order: Callable[[Path], dict[str, Any]]
    numbers: Callable[[Run], Numbers]
    is_warm: bool = True  # its processes may be forked: it needs torch, and asks no library for settings at its import
    in_worker: bool = True  # else the server itself does it, and nothing can be resumed


# -- what is asked -----------------------------------------------------------------------------------------


def _training(**values: Any) -> Callable[[Path], dict[str, Any]]:
    pictures = {"model": {"id": "bundled/efficientnet_lite0"}, "data": {"id": "builtin/digits"}, "image_size": 32}
    asked = {**pictures, "train_size": 240, "test_size": 120, "precision": "fp32", **values}
    return lambda _folder: {"do": "submit", "kind": "finetune", "spec": asked}


def _lora(_folder: Path) -> dict[str, Any]:
    asked = {"model": {"id": "bundled/minilm-l6"}, "data": {"id": "builtin/reviews-en"}, "method": "lora", "epochs": 4}
    return {
        "do": "submit",
        "kind": "finetune",
        "spec": {**asked, "max_length": 32, "train_size": 96, "precision": "fp32"},
    }


def _compare(_folder: Path) -> dict[str, Any]:
    asked = {"model": {"id": "bundled/efficientnet_lite0"}, "data": {"id": "builtin/digits"}, "image_size": 32}
    small = {"sizes": [20, 60], "seeds": 2, "scratch": False, "test_size": 100, "precision": "fp32"}
    return {"do": "submit", "kind": "compare", "spec": {**asked, **small}}


def _optimize(folder: Path) -> dict[str, Any]:
    asked = {"model": {"id": f"run/{_first(folder)}"}, "data": {"id": "builtin/digits"}, "passes": ["onnx"]}
    return {"do": "submit", "kind": "optimize", "spec": {**asked, "test_size": 60}}


def _check(folder: Path) -> dict[str, Any]:
    return {"do": "submit", "kind": "import", "spec": {"data": {"id": f"path:{folder / 'pictures.zip'}"}}}


def _predict(folder: Path) -> dict[str, Any]:
    return {"do": "submit", "kind": "predict", "spec": {"file": str(folder / "asked.csv")}}


def _download(_folder: Path) -> dict[str, Any]:
    return {"do": "submit", "kind": "download", "spec": {"model": f"hub/{HUB_MODEL}"}}


def _archive(folder: Path) -> dict[str, Any]:
    return {"do": "archive", "path": str(folder / "away.zip")}


def _first(folder: Path) -> str:
    """The run that stands for a trained model."""
    return (folder / "first").read_text(encoding="utf-8")


def make_inputs(folder: Path) -> None:
    """The files that jobs read: made-up pictures and texts, the same every time."""
    import numpy as np
    from PIL import Image

    rng, random_rows = np.random.default_rng(0), random.Random(0)
    with zipfile.ZipFile(folder / "pictures.zip", "w") as archive:
        for number in range(1500):
            path = folder / "one.png"
            Image.fromarray(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(path)
            archive.write(path, f"{'ab'[number % 2]}/{number}.png")
    with (folder / "asked.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text"])
        words = _WORDS.split()
        rows.writerows([" ".join(random_rows.choices(words, k=9)) + f" {n}."] for n in range(4000))


# -- what counts -------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """A report without what is timed."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items() if not any(word in name for word in _TIMED)}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def curve(run: Run) -> dict[str, float]:
    """Every point that was measured, by name and step."""
    points = open_store().read_metrics(run.id)
    return {f"{one.name}@{one.step}": one.value for one in points if not any(word in one.name for word in _TIMED)}


def _of_training(run: Run) -> Numbers:
    report = _plain(read_report(run.id) or {})
    kept = {name: run.summary.get(name) for name in ("test", "val", "best_epoch", "epochs_done")}
    weights = sorted((run.folder / "artifacts" / "model").glob("*.safetensors"))
    return {**kept, "report": report, "curve": curve(run), "weights": [_sum_of_tensors(path) for path in weights]}


def _sum_of_tensors(path: Path) -> str:
    """Of the values alone: the library writes the facts beside them in an order that changes."""
    total = hashlib.sha256()
    with safe_open(path, framework="numpy") as file:
        for name in sorted(file.keys()):
            total.update(name.encode() + file.get_tensor(name).tobytes())
    return total.hexdigest()


def _of_comparison(run: Run) -> Numbers:
    report = read_report(run.id) or {}
    names = ("id", "status", "accuracy", "n", "val_accuracy", "best_epoch", "steps", "converged")
    return {"cells": [{name: cell.get(name) for name in names} for cell in report.get("cells", [])]}


def _of_optimization(run: Run) -> Numbers:
    report = read_report(run.id) or {}
    return {
        "variants": [
            {name: row.get(name) for name in ("name", "status", "accuracy", "agreement", "loss")}
            for row in report.get("variants", [])
        ]
    }


def _of_check(run: Run) -> Numbers:
    return {"report": _plain(read_report(run.id) or {})}


def _of_answers(run: Run) -> Numbers:
    return {"counts": run.summary.get("counts"), "answers": sha256(run.folder / "artifacts" / "answers.csv")}


def _of_download(run: Run) -> Numbers:
    folder = Path(str((read_report(run.id) or {}).get("folder")))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {"files": {path.name: sha256(path) for path in files}}


def _of_archive(run: Run) -> Numbers:
    files = {one.name: one.sha256 for one in open_store().list_artifacts(run.id)}
    there = {name: sha256(run.folder / "artifacts" / name) for name in files}
    return {"status": run.status, "curve": curve(run), "files": files, "there": there, "summary": _plain(run.summary)}


KINDS = {
    kind.name: kind
    for kind in (
        Kind("head", _training(method="head"), _of_training),
        Kind("full", _training(method="full", epochs=3, train_size=160), _of_training),
        Kind("last", _training(method="last", epochs=4), _of_training),
        Kind("lora", _lora, _of_training),
        Kind("compare", _compare, _of_comparison),
        Kind("optimize", _optimize, _of_optimization),
        Kind("import", _check, _of_check),
        Kind("predict", _predict, _of_answers),
        Kind("download", _download, _of_download, is_warm=False),
        Kind("archive", _archive, _of_archive, in_worker=False),
    )
}


def forget_download() -> None:
    """Let the next download begin with nothing, as the first did."""
    shutil.rmtree(settings.hub_folder(), ignore_errors=True)


def make_archive(folder: Path, run: Run) -> None:
    """The export of a run under the id of one that was never here, as if another machine had sent it."""
    from core.runs.export import export_run

    whole = export_run(run.id)
    with zipfile.ZipFile(whole) as source:
        contents = {name: source.read(name) for name in source.namelist()}
    facts = json.dumps(json.loads(contents["run.json"]) | {"id": "ft-0101-000000-abc"}).encode()
    manifest = json.loads(contents["manifest.json"])
    manifest["files"]["run.json"] = {"bytes": len(facts), "sha256": hashlib.sha256(facts).hexdigest()}
    contents |= {"run.json": facts, "manifest.json": json.dumps(manifest).encode()}
    with zipfile.ZipFile(folder / "away.zip", "w") as target:
        for name, content in contents.items():
            target.writestr(name, content)
    whole.unlink()


def environment(home: Path, hub: str) -> dict[str, str]:
    """What a server and its workers live in: a home of their own, and no network but the hub on loopback."""
    left = {name: value for name, value in os.environ.items() if not name.startswith(("GRAFT_", "HF_"))}
    return {
        **left,
        "GRAFT_HOME": str(home),
        "HF_HOME": str(home / "huggingface"),
        "HF_ENDPOINT": hub,
        "GRAFT_TORCH_MIRROR": hub,
        "OMP_WAIT_POLICY": "PASSIVE",
    }
