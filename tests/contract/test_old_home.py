"""A home that Graft 0.1 wrote, opened by the Graft of today: nothing in it is lost, misread or computed anew.

`tests/fixtures/README.md` says what lies in it and how it was made.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from core import settings, store
from core.cli.app import app
from core.compare.spec import CompareSpec
from core.data.library import list_data
from core.finetune.autotune import ComputeChoice
from core.finetune.checkpoints import Checkpoints
from core.finetune.run import Finetuning
from core.finetune.spec import FinetuneSpec
from core.hardware import this_host
from core.measurement.report import list_measurements
from core.optimize.bundle.write import write_bundle
from core.predict.at_once import ask_pictures, ask_texts
from core.progress import SilentReporter
from core.runs import kinds, manage, queue
from core.runs.archive import import_run
from core.runs.export import export_run
from core.runs.kinds import KINDS
from core.store import Run, open_store
from tests.fixtures.homes import unpack_old_home

APP = Path(__file__).parents[2] / "app.py"
MADE_IN = "/tmp/old/graft"
AS_EVER = {"max_grad_norm": 1.0, "variant": None}
VIEWS = {
    "finetune": "finetune", "compare": "compare", "import": "data", "predict": "predict", "optimize": "optimize",
    "inspect": "models", "measure": "models", "download": "models",
}  # fmt: skip


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was packed; for tests that only read it."""
    return unpack_old_home(tmp_path_factory.mktemp("old"))


@pytest.fixture
def old(unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The old home as `GRAFT_HOME`, with the weights that lay on that machine."""
    monkeypatch.setenv("GRAFT_HOME", str(unpacked / "graft"))
    monkeypatch.setenv("HF_HOME", str(unpacked / "huggingface"))
    monkeypatch.setattr("platform.node", lambda: "graft")
    monkeypatch.setattr(queue.LocalExecutor, "start", lambda *_: pytest.fail("a run was started"))
    store._open.cache_clear()
    yield unpacked
    store._open.cache_clear()


def run_of(kind: str, method: str | None = None) -> Run:
    """The newest run of a kind, and for trainings of a method."""
    return next(run for run in open_store().list_runs(kind=kind) if run.spec.get("method") == method)


def told_now(*words: str) -> Any:
    """What the command line prints as JSON."""
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def told_then(folder: Path, name: str) -> Any:
    """What version 0.1 printed, its folder being this one."""
    text = (folder / "told" / f"{name}.json").read_text(encoding="utf-8")
    return json.loads(text.replace(MADE_IN, str(settings.home())))


def lost(then: Any, now: Any, where: str = "") -> list[str]:
    """Where `now` lacks or changes what `then` held; sentences may be worded anew."""
    if where.endswith(".sentence"):
        return [] if now else [where]
    if isinstance(then, dict) and isinstance(now, dict):
        return [line for name in then for line in lost(then[name], now.get(name), f"{where}.{name}")]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return [line for n, pair in enumerate(zip(then, now, strict=True)) for line in lost(*pair, f"{where}.{n}")]
    return [] if then == now else [where]


def test_every_run_is_listed_and_told_as_it_was(old: Path) -> None:
    then, now = told_then(old, "runs"), told_now("runs")
    assert {row["kind"] for row in then} == set(KINDS)
    assert lost(then, now) == []
    for row in then:
        assert lost(told_then(old, row["id"]), told_now("run", row["id"], "show")) == []
        assert row["name"] in CliRunner().invoke(app, ["run", row["id"], "show"]).stdout


def test_every_spec_is_understood(old: Path) -> None:
    for run in open_store().list_runs():
        understood = manage.spec_of(run).model_dump(mode="json")
        assert {name: understood[name] for name in run.spec} == run.spec
        came_later = {name: understood[name] for name in understood.keys() - run.spec.keys()}
        assert came_later.items() <= AS_EVER.items(), "a new field stands at what version 0.1 did"
        kept = json.loads((run.folder / "spec.json").read_text(encoding="utf-8"))
        assert kept == {"kind": run.kind, **run.spec}
        assert kinds.command_line(manage.spec_of(run)).startswith("python -m core ")


@pytest.mark.parametrize("kind", VIEWS)
def test_page_shows_runs_of_every_kind(old: Path, kind: str) -> None:
    for run in open_store().list_runs(kind=kind):
        at = open_page(VIEWS[kind], run=run.id)
        said = "\n".join(str(element.value) for element in (*at.title, *at.markdown, *at.caption, *at.error))
        assert run.name.partition(" · ")[0] in said


def test_page_compares_runs_that_were_started_together(old: Path) -> None:
    group = run_of("finetune", method="lora").sibling_group
    assert group
    assert open_page("finetune", group=group).title


def open_page(view: str, **query: str) -> AppTest:
    """A view through the frame, with parts of its address."""
    st.cache_data.clear()
    st.cache_resource.clear()
    at = AppTest.from_file(str(APP), default_timeout=60)
    at.context = {"locale": "en-US", "theme": "light"}
    at.switch_page(f"pages/views/{view}.py")
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception, at.exception
    return at


def test_every_run_can_be_taken_in_elsewhere(old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_of(old / "graft", tmp_path / "graft")
    monkeypatch.setenv("GRAFT_HOME", str(tmp_path / "graft"))
    store._open.cache_clear()
    for run in open_store().list_runs():
        found, _told = import_run(export_run(run.id))
        assert (found.kind, found.summary, found.is_from_outside) == (run.kind, run.summary, True)


def test_data_and_measurements_are_found_again(old: Path) -> None:
    assert {"upload/shapes", "upload/reviews"} <= {card.id for card in list_data()}
    (checked,) = open_store().list_runs(kind="import", statuses=["done"])
    assert manage.latest_import(checked.spec["data"]) == checked
    measured = run_of("measure")
    assert list_measurements(open_store())[measured.spec["model"]["id"]].run == measured.id


def test_stopped_run_goes_on_from_its_checkpoint(old: Path, tmp_path: Path) -> None:
    (run,) = open_store().list_runs(statuses=["stopped"])
    assert manage.has_checkpoint(run)
    kept = Checkpoints(run.folder / "checkpoint")
    last, done = kept.last(), kept.validated_epoch()
    assert last is not None
    assert done >= 2
    spec = manage.spec_of(run)
    assert isinstance(spec, FinetuneSpec)
    copy_of(run.folder / "checkpoint", tmp_path / "checkpoint")
    heard = Heard()
    again = spec.model_copy(update={"epochs": done + 1})
    summary = Finetuning(again, tmp_path, heard, resume=True, engine=engine_of(run)).run()
    assert summary["epochs_done"] == done + 1
    assert min(heard.steps) > int(last.name.rpartition("-")[2])


def copy_of(folder: Path, target: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            (target / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(folder)).write_bytes(path.read_bytes())


def engine_of(run: Run) -> ComputeChoice | None:
    """How a run computed; None where it ended before that was written."""
    path = run.folder / "artifacts" / "autotune.json"
    return ComputeChoice(**json.loads(path.read_text(encoding="utf-8"))["engine"]) if path.exists() else None


class Heard(SilentReporter):
    """Keeps the steps that were measured."""

    def __init__(self) -> None:
        self.steps = list[int]()

    def metrics(self, step: int, epoch: float, **values: float) -> None:
        self.steps.append(step)


@pytest.mark.parametrize("model", ["timm/test_convnext.r160_in1k", "hub/tiny/bert"])
def test_features_of_an_old_run_are_computed_anew_and_once(old: Path, tmp_path: Path, model: str) -> None:
    """Version 0.1 kept them under the model's name: nothing says which weights made them."""
    run = next(run for run in open_store().list_runs(kind="finetune") if is_head_of(run, model))
    spec, folders = manage.spec_of(run), cached(old)
    assert isinstance(spec, FinetuneSpec)
    summary = Finetuning(spec, tmp_path, SilentReporter(), resume=False, engine=engine_of(run)).run()
    assert summary["engine"]["cached_rows"] == 0
    # Begun anew, it draws its rows, reads its texts and fits its head as is done today: no worse, not the same.
    assert summary["test"]["accuracy"] > run.summary["test"]["accuracy"] - 0.15
    assert cached(old) > folders
    again = Finetuning(spec, tmp_path, SilentReporter(), resume=False, engine=engine_of(run)).run()
    assert again["engine"]["computed_rows"] == 0


def is_head_of(run: Run, model: str) -> bool:
    return run.spec["method"] == "head" and run.spec["model"]["id"] == model


def cached(folder: Path) -> set[str]:
    """The entries of the cache, by kind and key."""
    return {path.relative_to(folder).as_posix() for path in (folder / "graft" / "cache").glob("[!l]*/*")}


def test_models_of_old_runs_answer_as_they_did(old: Path, tmp_path: Path) -> None:
    texts = told_then(old, "answers")
    now = ask_texts(texts["model"], [one["text"] for one in texts["predictions"]], 5).values["predictions"]
    assert [one["label"] for one in now] == [one["label"] for one in texts["predictions"]]

    answered = next(run for run in open_store().list_runs(kind="predict") if run.spec["model"] != "sentiment")
    with zipfile.ZipFile(old / "graft" / "uploads" / "shapes.zip") as archive:
        archive.extractall(tmp_path)
    with (answered.folder / "artifacts" / "answers.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))[:8]
    pictures = [tmp_path / row["file"] for row in rows]
    answers = ask_pictures(answered.spec["model"], pictures, 1).values["predictions"]
    assert [one["answers"][0]["label"] for one in answers] == [row["label"] for row in rows]


def test_exported_run_is_taken_in_elsewhere(unpacked: Path, home: Path) -> None:
    (archive,) = (unpacked / "graft" / "exports").iterdir()
    run, said = import_run(archive)
    assert (run.id, run.status, said) == (archive.stem, "done", [])
    assert store.read_report(run.id)
    assert run.folder.is_relative_to(home)
    assert lost(told_then(unpacked, run.id)["metrics"], told_now("run", run.id, "show")["metrics"]) == []


def test_bundle_proves_itself_and_is_written_alike_today(old: Path, tmp_path: Path) -> None:
    run = run_of("optimize")
    again = write_bundle(run, str((store.read_report(run.id) or {})["recommended"]), tmp_path / "again.zip")
    with zipfile.ZipFile(old / "bundle.zip") as then, zipfile.ZipFile(again) as now:
        assert set(then.namelist()) <= set(now.namelist())
        then.extractall(tmp_path)
    (script,) = tmp_path.glob("*/predict.py")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GRAFT"))}
    command = [sys.executable, "-I", str(script), "sample"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, env=plain, check=False)
    assert done.returncode == 0, done.stderr
    assert "samples as expected" in done.stdout


def test_worker_of_the_old_version_is_known_by_its_command_line(home: Path, tmp_path: Path) -> None:
    """A run goes on while Graft is updated, and the clock may be set meanwhile: only the command line tells then."""
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "__init__.py").touch()
    (tmp_path / "core" / "worker.py").write_text("import sys\nprint('up', flush=True)\nsys.stdin.read()\n")
    command = [sys.executable, "-m", "core.worker", "cp-old"]
    worker = subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    try:
        assert worker.stdout.readline() == "up\n"
        born = psutil.Process(worker.pid).create_time() - 3600
        alive = {"pid": worker.pid, "pid_started": born, "host": this_host(), "heartbeat_at": time.time()}
        spec = CompareSpec.model_validate({"model": {"id": "bundled/minilm-l6"}, "data": {"id": "builtin/reviews-en"}})
        values = spec.model_dump(mode="json")
        open_store().create_run("cp-old", kind="compare", name="old", spec=values, status="running", **alive)
        assert queue.reconcile() == []
    finally:
        worker.communicate()
    assert queue.reconcile() == ["cp-old"]
