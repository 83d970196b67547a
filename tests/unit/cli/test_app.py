"""The command line as scripts use it: one JSON document on stdout, sentences on stderr, exit statuses."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.cli.app import VERBS, command_of, main
from core.cli.runs import list_runs
from core.compare.spec import CompareSpec
from core.finetune.spec import FinetuneSpec
from core.optimize.spec import OptimizeSpec
from core.runs.kinds import command_line
from core.spec import Spec
from core.store import Run, open_store
from tests.fixtures.comparisons import make_comparison
from tests.fixtures.optimizations import make_optimization
from tests.fixtures.ready import lend_ready_process

ROOT = Path(__file__).resolve().parents[3]


def _core(*words: str, expect: int = 0) -> Any:
    """What `python -m core …` does, in this process; returns its JSON."""
    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["core", *words, "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
    assert (ended.value.code or 0) == expect, out.getvalue() + err.getvalue()
    return json.loads(out.getvalue())


def _core_anew(*words: str) -> Any:
    """Run `python -m core …`; returns its JSON."""
    command = [sys.executable, "-m", "core", *words, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_list_of_runs_marks_accuracies_with_what_is_to_be_known(capsys: pytest.CaptureFixture[str]) -> None:
    store = open_store()
    store.create_run("ft-1", kind="finetune", name="mine", spec={})
    leak = {"code": "data.leak", "severity": "warning", "field": "data", "values": {"n": 3, "total": 9}}
    store.update_run("ft-1", status="done", summary={"test": {"accuracy": 0.9}, "problems": [leak]})
    (row,) = _core("runs")
    assert row["beside"] == ["3 of 9 test pictures are among the training pictures too: the result will flatter."]
    list_runs(kind="", limit=5, json_=False)
    line, below = capsys.readouterr().out.splitlines()
    assert "90.0%⚠" in line
    assert below == f"  ⚠ {row['beside'][0]}"


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_is_there_and_says_what_its_row_says(name: str) -> None:
    command = command_of(VERBS[name], name)
    assert (command.name, command.help) == (name, VERBS[name].help)
    assert any(parameter.name in ("json", "json_") for parameter in command.params)


def test_a_command_loads_no_more_than_it_needs() -> None:
    script = """
import sys
sys.argv = ["core", *{words!r}]
import core.cli.app
try:
    core.cli.app.main()
except SystemExit as end:
    assert not end.code
loaded = {others!r} & set(sys.modules)
assert not loaded, loaded
"""
    needless = {"core.runs.kinds", "core.finetune.spec", "core.models.catalog", "numpy", "babel", "rich"}
    for words, others in ((["runs"], needless), (["--help"], needless - {"rich"} | {"sqlalchemy"})):
        code = script.format(words=words, others=others)
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def test_models_lists_every_published_entry_without_torch() -> None:
    rows = _core_anew("models")
    assert len([row for row in rows if row["source"] == "torchvision"]) == 115
    wanted = {"id", "family", "task", "parameters", "gmacs", "metrics", "size_mb", "source", "local"}
    assert all(wanted <= row.keys() for row in rows)
    resnet = next(row for row in rows if row["id"] == "torchvision/resnet18.imagenet1k_v1")
    assert (resnet["parameters"], resnet["gmacs"], resnet["metrics"]["acc@1"]) == (11689512, 1.814, 69.758)
    assert resnet["local"] is False
    texts = {row["id"]: row for row in rows if row["task"] == "text-classification"}
    assert {"bundled/minilm-l6", "hub/google-bert/bert-base-chinese"} <= texts.keys()
    assert texts["bundled/minilm-l6"]["local"] is True
    lite0 = next(row for row in rows if row["id"] == "bundled/efficientnet_lite0")
    assert lite0["local"] is True
    code = """
import sys
sys.argv = ["core", "models", "--json"]
import core.cli.app
try:
    core.cli.app.main()
except SystemExit:
    pass
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def test_models_are_narrowed_down_by_the_options_of_the_page() -> None:
    limits = ["--max-parameters-m", "10", "--min-accuracy", "75", "--commercial", "--task", "image-classification"]
    rows = _core("models", "mobilenet", *limits, "--source", "timm", "--group", "vision", "--limit", "3")
    assert len(rows) == 3
    for row in rows:
        assert row["id"].startswith("timm/mobilenet")
        assert row["parameters"] <= 10e6
        assert row["metrics"]["acc@1"] >= 75
        assert row["licence"] == "Apache-2.0"
    here = {row["id"] for row in _core("models", "--local")}
    assert {"bundled/efficientnet_lite0", "bundled/minilm-l6"} == here
    families = {row["family"] for row in _core("models", "--family", "ERNIE", "--family", "MacBERT")}
    assert families == {"ERNIE", "MacBERT"}


def test_a_run_from_start_to_deletion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lend_ready_process(monkeypatch)
    options = ["--data", "builtin/digits", "--image-size", "32", "--epochs", "2", "--train-size", "200"]
    done = _core_anew(
        "finetune", "--model", "bundled/efficientnet_lite0", *options, "--test-size", "100", "--lr", "0.01"
    )
    assert done["status"] == "done"
    assert done["test"]["n"] == 100
    low, high = done["test"]["interval"]
    assert low < done["test"]["accuracy"] < high
    assert done["train_seconds"] > 0
    run_id = done["run"]
    shown = _core("run", run_id, "show")
    assert {"model/model.safetensors", "report.json", "predictions.parquet"} <= {a["name"] for a in shown["artifacts"]}
    steps = [row for row in shown["metrics"] if "train/loss" in row]
    assert [row["step"] for row in steps] == list(range(1, len(steps) + 1))
    assert shown["spec"]["lr"] == 0.01
    assert [run["id"] for run in _core("runs")] == [run_id]
    Image.new("L", (8, 8)).save(tmp_path / "黑.png")
    answer = _core("predict", "--model", f"run/{run_id}", str(tmp_path / "黑.png"))
    shares = [found["probability"] for found in answer["predictions"][0]["answers"]]
    assert shares == sorted(shares, reverse=True)
    assert len(shares) == 5
    exported = _core("run", run_id, "export")
    assert Path(exported["path"]).stat().st_size == exported["bytes"]
    assert _core("run", run_id, "delete")["deleted"] is True
    assert _core("runs") == []


def test_all_that_is_wrong_is_told_at_once_with_status_2(tmp_path: Path) -> None:
    words = ["finetune", "--model", "torchvision/resnet18", "--data", f"path:{tmp_path / 'nothing'}"]
    told = _core(*words, expect=2)
    assert {problem["code"] for problem in told["error"]} == {"data.path_missing", "weights.not_local"}
    assert all(problem["sentence"].endswith(".") for problem in told["error"])
    assert {p["code"] for p in _core("model", "torchvision/nothing", expect=2)["error"]} == {"model.unknown"}
    assert {p["code"] for p in _core("run", "ft-nothing", expect=2)["error"]} == {"run.unknown"}


def test_a_model_is_shown_with_what_its_inspection_found(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Spec] = []
    tuning = {"classes": 10, "blocks": 0, "rank": 8}
    totals = {"parameters": 7, "gmacs": 0.5, "layers": [], "blocks": [], "tuning": tuning, "memory": {}}

    def submit(spec: Spec) -> Run:
        asked.append(spec)
        row: dict[str, Any] = {"kind": "inspect", "name": "", "spec": spec.model_dump(mode="json"), "status": "done"}
        version = importlib.metadata.version("torch")
        open_store().create_run("in-1", **row, summary={"versions": {"torch": version}})
        folder = open_store().get_run("in-1").folder / "artifacts"
        folder.mkdir(parents=True)
        (folder / "report.json").write_text(json.dumps({"id": "a", **totals}), encoding="utf-8")
        return open_store().get_run("in-1")

    monkeypatch.setattr("core.runs.submit.submit", submit)
    for _ in range(2):
        found = _core("model", "torchvision/squeezenet1_1.imagenet1k_v1")
        assert (found["parameters"], found["gmacs"], found["local"]) == (7, 0.5, False)
    assert len(asked) == 1, "the second asks for nothing that is there"
    wrong = _core("model", "torchvision/vit_b_16.imagenet1k_v1", "--image-size", "100", expect=2)
    assert {problem["code"] for problem in wrong["error"]} == {"model.size_not_a_multiple"}
    open_store().update_run("in-1", status="failed", error=[{"code": "run.out_of_memory", "values": {}}])
    monkeypatch.setattr("core.runs.submit.submit", lambda _spec: open_store().get_run("in-1"))
    assert _core("model", "torchvision/squeezenet1_1.imagenet1k_v1", expect=1)["status"] == "failed"


def test_data_report_names_classes_and_problems(tmp_path: Path) -> None:
    for name, n in (("a", 6), ("b", 5)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(n):
            Image.new("RGB", (9, 9), (i, i, 60)).save(tmp_path / "set" / name / f"{i}.png")
    (tmp_path / "set" / "b" / "broken.jpg").write_bytes(b"MZ this is a program")
    report = _core("data", f"path:{tmp_path / 'set'}")
    assert report["labels"] == ["a", "b"]
    assert "data.unreadable" in {problem["code"] for problem in report["problems"]}


def test_data_tells_what_is_wrong_in_sentences(home: Path, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("text,label\n" + "fine,good\n" * 20, encoding="utf-8")
    told = [problem["sentence"] for problem in _core("data", f"path:{tmp_path / 'one.csv'}")["problems"]]
    assert "All 20 examples are of one class (good). At least two classes are needed to tell apart." in told


_ASKED: list[Spec] = [
    FinetuneSpec.model_validate(
        {
            "model": {"id": "bundled/efficientnet_lite0", "weights": "random"},
            "data": {"id": "builtin/digits"},
            "method": "last",
            "last_blocks": 3,
            "lr": 0.003,
            "augment": "light",
            "seed": 7,
            "device": "cpu",
        }
    ),
    CompareSpec.model_validate(
        {
            "model": {"id": "bundled/efficientnet_lite0"},
            "data": {"id": "builtin/digits"},
            "methods": ["last", "head"],
            "last_blocks": 3,
            "sizes": [100, 50],
            "seeds": 2,
            "scratch": False,
            "patience": None,
            "test_size": 200,
        }
    ),
    CompareSpec.model_validate(
        {"model": {"id": "bundled/minilm-l6"}, "data": {"id": "builtin/reviews-en"}, "patience": 3}
    ),
    OptimizeSpec.model_validate({"model": {"id": "bundled/efficientnet_lite0"}, "data": {"id": "builtin/digits"}}),
    OptimizeSpec.model_validate(
        {
            "model": {"id": "bundled/efficientnet_lite0"},
            "data": {"id": "builtin/digits"},
            "passes": ("static_int8", "distill", "onnx"),
            "max_drop": 0.5,
            "combine": True,
            "search": False,
            "calibration": "entropy",
            "calibration_rows": 100,
            "student": "torchvision/resnet18.imagenet1k_v1",
            "test_size": 500,
            "epochs": 3,
        }
    ),
]


@pytest.mark.parametrize("spec", _ASKED)
def test_equivalent_command_line_asks_for_the_same_spec(monkeypatch: pytest.MonkeyPatch, spec: Spec) -> None:
    import shlex

    from typer.testing import CliRunner

    from core.cli.app import app

    seen = []

    class Submitted(Exception):
        pass

    def submit(found: Spec) -> None:
        seen.append(found)
        raise Submitted

    monkeypatch.setattr("core.runs.submit.submit", submit)
    words = shlex.split(command_line(spec))
    assert words[:3] == ["python", "-m", "core"]
    CliRunner().invoke(app, words[3:])
    assert seen == [spec]


def test_home_is_not_that_of_the_developer(home: Path) -> None:
    assert os.environ["GRAFT_HOME"] == str(home)


def test_comparison_is_shown_with_its_cells_and_its_conclusions_in_sentences() -> None:
    run = make_comparison("done")
    shown = _core("run", run.id, "show")
    assert {"start", "method", "size", "seed", "accuracy", "seconds", "status"} <= set(shown["cells"][0])
    assert {(cell["start"], cell["method"]) for cell in shown["cells"]} == {("scratch", "full"), ("pretrained", "head")}
    for conclusion in shown["conclusions"]:
        assert conclusion["code"].startswith("compare.")
        assert conclusion["sentence"].endswith(".")


def test_comparison_without_a_method_or_size_is_refused_with_both_problems() -> None:
    words = ["compare", "--model", "bundled/efficientnet_lite0", "--data", "builtin/digits", "--methods", ""]
    told = _core(*words, "--sizes", "", expect=2)
    assert {problem["code"] for problem in told["error"]} == {"form.no_method", "compare.no_sizes"}
    assert {p["field"] for p in _core(*words[:-2], "--sizes", "ten", expect=2)["error"]} == {"sizes"}


# -- optimizing ----------------------------------------------------------------------------------------------


def test_optimization_is_shown_with_its_variants_and_their_verdicts_in_sentences() -> None:
    run = make_optimization("done")
    shown = _core("run", run.id, "show")
    assert {"original", "conditions", "conclusions", "variants", "recommended"} <= shown.keys()
    assert shown["recommended"] == "static_int8"
    by_name = {row["name"]: row for row in shown["variants"]}
    assert by_name["static_int8"]["verdict"]["sentence"].endswith(".")
    (problem,) = by_name["dynamic_int8"]["problems"]
    assert "on convolutions" in problem["sentence"]


@pytest.mark.parametrize(("max_drop", "status"), [(1.0, 3), (0.0, 1)])  # 3: a variant failed
def test_bundle_is_written_of_the_recommended_variant_or_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, max_drop: float, status: int
) -> None:
    from typer.testing import CliRunner

    from core.cli.app import app
    from core.optimize.bundle import write as bundle_write

    run = make_optimization("done", spec={"max_drop": max_drop})
    monkeypatch.setattr("core.runs.submit.submit", lambda spec: open_store().get_run(run.id))

    def write(run: Any, name: str, target: Path) -> Path:
        target.write_text(f"{run.id} {name}", encoding="utf-8")
        return target

    monkeypatch.setattr(bundle_write, "write_bundle", write)
    target = tmp_path / "new" / "bundle.zip"
    words = ["optimize", "--model", "bundled/efficientnet_lite0", "--data", "builtin/digits", "--bundle", str(target)]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == status
    told = json.loads(done.stdout)
    if status == 1:
        assert [problem["code"] for problem in told["error"]] == ["optimize.nothing_recommended"]
        assert not target.exists()
    else:
        assert target.read_text() == f"{run.id} static_int8"
        assert told["bundle"] == str(target)


def test_bundle_and_detach_do_not_go_together(tmp_path: Path) -> None:
    words = ["optimize", "--model", "bundled/efficientnet_lite0", "--data", "builtin/digits", "--detach"]
    told = _core(*words, "--bundle", str(tmp_path / "bundle.zip"), expect=2)
    assert {problem["code"] for problem in told["error"]} == {"optimize.bundle_detached"}


def test_unknown_way_is_refused_with_those_there_are() -> None:
    words = ["optimize", "--model", "bundled/efficientnet_lite0", "--data", "builtin/digits", "--passes", "onnx,int7"]
    (problem,) = _core(*words, expect=2)["error"]
    assert problem["field"] == "passes"
    assert "static_int8" in problem["sentence"]
