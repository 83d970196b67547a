"""Comparisons over data-set sizes: the grid, every cell a real training, stopped, killed, refused, and resumed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from core import hardware
from core.compare.cell import _CellReporter
from core.compare.estimate import cell_work, estimate_compare, lanes_for
from core.compare.grid import FAIR_STEPS, cell_spec, families, grid, steps_for
from core.compare.run import began_in_0_1, compare
from core.compare.spec import CompareSpec
from core.errors import DataError, InputError, RunError, StoppedError
from core.finetune.recipe import cell_as_in_0_1
from core.runs import manage, queue, submit
from core.runs.kinds import check_spec, command_line
from core.spec import parse_spec
from core.store import Run, open_store
from tests.fixtures.homes import living_in
from tests.fixtures.listening import Listener
from tests.fixtures.ready import lend_ready_process


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes told by colour, 32 px, with a test split. Nobody changes them."""
    home = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for split, n in (("train", 40), ("test", 10)):
        for name, colour in (("red", (180, 60, 60)), ("blue", (60, 60, 180))):
            folder = home / "pictures" / split / name
            folder.mkdir(parents=True)
            for i in range(n):
                noise = random.integers(-50, 50, (32, 32, 3))
                Image.fromarray(np.clip(noise + colour, 0, 255).astype(np.uint8)).save(folder / f"{i}.png")
    return home / "pictures"


def _spec(data: Path | str, **changes: Any) -> CompareSpec:
    values: dict[str, Any] = {
        "model": {"id": "bundled/efficientnet_lite0"},
        "data": {"id": f"path:{data}" if isinstance(data, Path) else data},
        "sizes": (8, 16),
        "seeds": 2,
        "image_size": 32,
        "steps": 4,
        "epochs": 1,
        "batch_size": 8,
        "precision": "fp32",
    }
    return CompareSpec.model_validate(values | changes)


# -- the grid ----------------------------------------------------------------------------------------------


def test_grid_holds_every_start_size_and_seed_once_and_the_cheapest_first() -> None:
    spec = _spec("builtin/digits", methods=("full", "head"), sizes=(500, 100, 100), seeds=3, seed=7)
    cells = grid(spec)
    assert families(spec) == ["scratch", "head", "full"]
    assert len({cell.id for cell in cells}) == len(cells) == 3 * 2 * 3
    assert {cell.seed for cell in cells} == {7, 8, 9}
    assert [cell.family for cell in cells[:6]] == ["head"] * 6, "heads take a second each: they answer first"
    assert [cell.size for cell in cells[6:12]] == [100] * 6
    work = [cell_work(cell_spec(spec, cell), _card()) for cell in cells if cell.family == "scratch"]
    assert work == sorted(work)


def _card() -> Any:
    from core.models.catalog import get_model

    return get_model("bundled/efficientnet_lite0")


def test_every_start_of_a_size_gets_the_same_steps_and_never_fewer_than_the_least() -> None:
    spec = _spec("builtin/digits", steps=300, epochs=5, batch_size=16, sizes=(50, 10_000))
    few, many = (steps_for(spec, size) for size in spec.sizes)
    assert (few, many) == (300, 3125)
    for cell in grid(spec):
        one = cell_spec(spec, cell)
        per_epoch = -(-cell.size // 16)
        assert one.epochs * per_epoch >= steps_for(spec, cell.size)
        assert one.min_epochs * per_epoch >= 300, "no training stops early before the least number of steps"
        assert one.model.weights == ("random" if cell.start == "scratch" else "pretrained")
        assert (one.method == "full") if cell.start == "scratch" else (one.method == cell.method)


def test_cell_is_a_fine_tuning_that_the_command_line_repeats() -> None:
    cell = next(cell for cell in grid(_spec("builtin/digits")) if cell.start == "scratch")
    line = command_line(cell_spec(_spec("builtin/digits"), cell))
    assert "finetune" in line
    assert "--weights random" in line
    assert "--train-size 8" in line


def test_command_line_of_a_comparison_names_only_what_differs() -> None:
    spec = _spec("builtin/digits", scratch=False, patience=None, methods=("head", "lora"), lora_rank=4)
    line = command_line(spec)
    assert "compare --model bundled/efficientnet_lite0 --data builtin/digits --methods head,lora" in line
    for words in ("--no-scratch", "--sizes 8,16", "--patience none", "--lora-rank 4", "--seeds 2"):
        assert words in line
    assert "--last-blocks" not in line


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"methods": ()}, "form.no_method"),
        ({"sizes": ()}, "compare.no_sizes"),
        ({"model": {"id": "bundled/efficientnet_lite0", "weights": "random"}}, "compare.needs_pretrained"),
        ({"steps": FAIR_STEPS - 1}, "compare.few_steps"),
        ({"seeds": 1}, "compare.one_seed"),
        ({"methods": ("lora",)}, "model.no_attention"),
    ],
)
def test_what_speaks_against_a_comparison_is_told_at_its_field(changes: dict[str, Any], code: str) -> None:
    problems = {problem.code: problem for problem in check_spec(_spec("builtin/digits", **changes))}
    assert code in problems
    assert problems[code].field in CompareSpec.model_fields


def test_data_that_is_not_there_is_told_at_its_field() -> None:
    (problem,) = check_spec(_spec("path:/no/such/place", steps=FAIR_STEPS))
    assert (problem.code, problem.field) == ("data.path_missing", "data")


def test_size_below_two_is_refused_in_a_sentence() -> None:
    with pytest.raises(InputError) as caught:
        parse_spec(CompareSpec, _spec("builtin/digits").model_dump() | {"sizes": (1, 5)})
    assert caught.value.problems[0].field == "sizes"


# -- lanes and estimates -----------------------------------------------------------------------------------


def test_lanes_and_threads_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    for threads, seeds, wanted in ((2, 3, (2, 1)), (16, 3, (3, 5)), (4, 1, (1, 4)), (1, 3, (1, 1))):
        monkeypatch.setattr("core.compare.estimate.usable_threads", lambda n=threads: n)
        assert lanes_for(_spec("builtin/digits", seeds=seeds), "cpu") == wanted
    assert lanes_for(_spec("builtin/digits"), "cuda")[0] == 1


def test_estimate_is_unknown_until_something_was_measured_and_then_follows_the_grid() -> None:
    spec = _spec("builtin/digits")
    assert estimate_compare(spec).time_s is None
    store = open_store()
    store.create_run("cp-1", kind="compare", name="c", spec=spec.model_dump(mode="json"))
    rates = {"scratch": 5.0, "head": 50.0}
    store.update_run("cp-1", status="done", host=hardware.this_host(), summary={"rates": rates})
    small, large = estimate_compare(spec), estimate_compare(_spec("builtin/digits", sizes=(8, 1000)))
    assert small.time_s is not None
    assert large.time_s is not None
    assert small.from_run == "cp-1"
    assert large.time_s[1] > small.time_s[1]


def test_comparison_of_version_0_1_goes_on_as_it_began(tmp_path: Path) -> None:
    """All its cells read as much of each text and decay alike, those that are missing too."""
    spec = _spec("builtin/reviews-en", model={"id": "bundled/minilm-l6"})
    done: Any = {grid(spec)[0].id: {"accuracy": 0.5}}
    assert began_in_0_1(tmp_path / "new", {}) is False
    assert began_in_0_1(tmp_path / "new", done) is False, "it was marked when it began"
    assert began_in_0_1(tmp_path / "old", done) is True
    today = cell_spec(spec, grid(spec)[-1])
    then = cell_as_in_0_1(today)
    assert (today.max_length, today.weight_decay) == (None, 0.01)
    assert (then.max_length, then.weight_decay) == (128, 1e-4)


# -- whether a training had stopped learning ---------------------------------------------------------------


class _Pipe:
    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, message: Any) -> None:
        self.sent.append(message)


def _reporter(train: list[float], losses: list[float], total: int = 100) -> tuple[_CellReporter, _Pipe]:
    pipe = _Pipe()
    reporter = _CellReporter("x", total, pipe, None)  # type: ignore[arg-type]
    for step, accuracy in enumerate(train):
        reporter.metrics(step, step / 10, train__loss=1.0, train__accuracy=accuracy, train__lr=0.1)
    for step, loss in enumerate(losses):
        reporter.metrics(step, float(step), val__loss=loss, val__accuracy=0.5)
    return reporter, pipe


def test_training_that_still_improves_has_not_converged() -> None:
    rising = [0.1 + 0.008 * i for i in range(100)]
    falling, flat = [2.0 - 0.05 * i for i in range(20)], [1.0] * 20
    assert not _reporter(rising, flat)[0].has_converged(stopped_early=False)
    assert not _reporter([0.5] * 100, falling)[0].has_converged(stopped_early=False)
    assert _reporter([0.5] * 100, flat)[0].has_converged(stopped_early=False)
    assert _reporter([1.0] * 100, falling)[0].has_converged(stopped_early=False), "nothing is left to learn"
    assert _reporter(rising, falling)[0].has_converged(stopped_early=True)


def test_curves_of_a_cell_are_thinned_to_means() -> None:
    _, pipe = _reporter([0.0, 1.0] * 1000, [], total=2000)
    assert len(pipe.sent) == 200
    assert {message[1][2]["train__accuracy"] for message in pipe.sent} == {0.5}


# -- the whole, in processes of its own --------------------------------------------------------------------


def _numbers(report: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    names = ("status", "accuracy", "val_accuracy", "best_epoch", "steps", "converged")
    return {cell["id"]: tuple(cell.get(name) for name in names) for cell in report["cells"]}


def _report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "artifacts" / "report.json").read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True)
class Whole:
    """A comparison that nothing interrupted."""

    folder: Path
    summary: dict[str, Any]
    shares: list[float]


@pytest.fixture(scope="module")
def whole(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    home, listener = tmp_path_factory.mktemp("whole"), Listener()
    # Whatever script this process came from: cells must not run it.
    script = ModuleType("__main__")
    script.__file__ = str(home / "script.py")
    Path(script.__file__).write_text("raise SystemExit(9)\n", encoding="utf-8")
    with living_in(home), pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "__main__", script)
        summary = compare(_spec(pictures), home / "runs" / "whole", listener, resume=False)
    return Whole(home / "runs" / "whole", summary, listener.shares)


def test_every_cell_is_trained_kept_and_told(whole: Whole) -> None:
    report, summary = _report(whole.folder), whole.summary
    assert {cell["status"] for cell in report["cells"]} == {"done"}
    assert len(report["cells"]) == summary["cells_done"] == 8
    assert {cell["n"] for cell in report["cells"]} == {20}, "one test for all"
    assert summary["data"]["labels"] == ["blue", "red"]
    assert set(summary["rates"]) == {"scratch", "head"}
    assert [row["size"] for row in report["families"][0]["sizes"]] == [8, 16]
    assert {pair["test"] for pair in report["pairs"]} == {"crossed"}
    assert report["conclusions"]
    assert whole.shares[-1] == pytest.approx(1.0)
    assert not (whole.folder / "cells").exists()
    scratch = next(cell for cell in report["cells"] if cell["start"] == "scratch")
    head = next(cell for cell in report["cells"] if cell["start"] == "pretrained")
    assert scratch["trainable_parameters"] == scratch["parameters"] > 100 * head["trainable_parameters"]
    assert all(cell["peak_memory_mb"] > 100 and cell["train_seconds"] > 0 for cell in report["cells"])


def test_stopped_comparison_keeps_what_is_done_and_resumes_to_the_same_numbers(
    pictures: Path, tmp_path: Path, whole: Whole
) -> None:
    spec = _spec(pictures)

    class AfterTwo(Listener):
        def phase(self, code: str, **values: object) -> None:
            if code == "cells" and int(str(values["done"])) >= 2:
                self.stop_after = 0

    with pytest.raises(StoppedError):
        compare(spec, tmp_path / "run", AfterTwo(), resume=False)
    kept = {cell["id"] for cell in _report(tmp_path / "run")["cells"] if cell["status"] == "done"}
    assert 2 <= len(kept) < 8
    files = {name: (tmp_path / "run" / "artifacts" / "cells" / f"{name}.json").stat().st_mtime_ns for name in kept}
    compare(spec, tmp_path / "run", Listener(), resume=True)
    assert _numbers(_report(tmp_path / "run")) == _numbers(_report(whole.folder))
    for name, written in files.items():
        path = tmp_path / "run" / "artifacts" / "cells" / f"{name}.json"
        assert path.stat().st_mtime_ns == written, "what is done is not trained again"


def test_more_examples_than_there_are_is_refused_with_the_number_there_is(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        compare(_spec(pictures, sizes=(8, 500)), tmp_path / "run", Listener(), resume=False)
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == ("compare.size_too_large", "sizes")
    assert 8 < problem.values["n"] < 80


def test_cell_that_fails_is_told_and_the_others_are_kept(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = _spec(pictures, sizes=(8,), seeds=1)
    # A folder where a cell's predictions should lie: writing them fails.
    (tmp_path / "run" / "artifacts" / "cells" / "head-8-0.parquet").mkdir(parents=True)
    monkeypatch.setattr("core.compare.run.shutil.rmtree", lambda *_args, **_more: None)
    with pytest.raises(RunError) as caught:
        compare(spec, tmp_path / "run", Listener(), resume=False)
    assert caught.value.problems[0].code == "compare.cells_failed"
    assert dict(caught.value.problems[0].values) == {"n": 1, "total": 2}
    found = {cell["id"]: cell["status"] for cell in _report(tmp_path / "run")["cells"]}
    assert found == {"head-8-0": "failed", "scratch-8-0": "done"}


# -- killed ------------------------------------------------------------------------------------------------


@pytest.fixture
def no_worker_survives() -> Iterator[None]:
    yield
    for run in open_store().list_runs(statuses=["running", "queued"]):
        queue.kill_run(run.id)


def _wait(run_id: str, until: Callable[[Run], bool], *, seconds: float = 150) -> Run:
    deadline = time.monotonic() + seconds
    while not until(run := open_store().get_run(run_id)):
        assert time.monotonic() < deadline, manage.read_log(run_id)
        time.sleep(0.05)
    return run


@pytest.mark.usefixtures("no_worker_survives")
def test_killed_comparison_leaves_no_process_behind_and_resumes_without_training_again(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lend_ready_process(monkeypatch)
    run = submit.submit(_spec(pictures, steps=6, seeds=1))
    folder = run.folder / "artifacts" / "cells"
    _wait(run.id, lambda r: len(list(folder.glob("*.json"))) >= 2)
    worker = psutil.Process(open_store().get_run(run.id).pid)
    children = worker.children(recursive=True)
    worker.kill()
    gone, alive = psutil.wait_procs(children, timeout=30)
    assert gone
    assert not alive, "cells of a killed comparison end by themselves"
    queue.pump()
    assert open_store().get_run(run.id).status == "interrupted"
    written = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.json")}
    manage.resume_run(run.id)
    ended = _wait(run.id, lambda r: not r.is_active)
    assert ended.status == "done", manage.read_log(run.id)
    assert ended.summary["cells_done"] == 4
    assert {name: (folder / name).stat().st_mtime_ns for name in written} == written
    names = {metric.name for metric in open_store().read_metrics(run.id)}
    assert {"head-8-0/val/accuracy", "scratch-16-0/train/loss"} <= names
