"""Runs started together: the table and the conclusion."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest

from core.evaluate import compare_paired, write_predictions
from core.i18n import translator
from core.messages import explain
from core.problems import Problem
from core.runs.siblings import compare_siblings
from core.store import Artifact, Run, open_store

LABELS = ["a", "b"]


def _run(
    name: str,
    right: list[bool] | None,
    *,
    status: str = "done",
    fingerprint: str = "f",
    leaked: np.ndarray | None = None,
    **summary: object,
) -> Run:
    """A run of the group g that was right on these test rows."""
    store = open_store()
    spec = {"method": "head", "last_blocks": 2, "model": {"id": "m", "weights": "pretrained"}}
    store.create_run(name, kind="finetune", name=f"Run {name}", spec=spec, sibling_group="g")
    facts: dict[str, object] = {"data": {"fingerprint": fingerprint, "labels": LABELS}, **summary}
    if right is not None:
        facts["test"] = test = {"accuracy": float(np.mean(right)), "interval": [0.1, 0.9], "n": len(right)}
        folder = store.get_run(name).folder / "artifacts"
        folder.mkdir(parents=True)
        guesses = np.array([[0.9, 0.1] if ok else [0.1, 0.9] for ok in right])
        rows = np.arange(len(right))
        write_predictions(folder / "predictions.parquet", rows, np.zeros(len(right), dtype=np.int64), guesses, leaked)
        if leaked is not None:
            clean = np.array(right)[~leaked]
            test["without_leaks"] = (
                {"accuracy": float(clean.mean()), "interval": [0.1, 0.9], "n": len(clean)} if len(clean) else None
            )
            facts["problems"] = [{"code": "data.text_leak", "severity": "warning", "values": {"n": 50, "total": 100}}]
    store.update_run(name, status=status, summary=facts, started_at=100.0, ended_at=None if right is None else 160.0)
    return store.get_run(name)


def _right(both: int, mine: int, other: int, none: int) -> list[bool]:
    return [True] * (both + mine) + [False] * (other + none)


def _wrong(both: int, mine: int, other: int, none: int) -> list[bool]:
    return [True] * both + [False] * mine + [True] * other + [False] * none


def test_best_is_called_better_when_the_paired_test_says_so() -> None:
    cells = (60, 15, 3, 22)
    _run("low", _wrong(*cells))
    _run("high", _right(*cells), train_seconds=9.0, peak_memory_mb=500, trainable_parameters=10)
    found = compare_siblings("g")
    assert [row["run"] for row in found["rows"]] == ["high", "low"]
    row = found["rows"][0]
    assert (row["accuracy"], row["n"], row["seconds"], row["train_seconds"]) == (0.75, 100, 60.0, 9.0)
    assert (row["method"], row["weights"], row["size_mb"]) == ("head", "pretrained", None)
    (pair,) = found["pairs"]
    assert (pair["a"], pair["b"], pair["better"], pair["comparable"]) == ("high", "low", "high", True)
    paths = [open_store().get_run(name).folder / "artifacts" / "predictions.parquet" for name in ("high", "low")]
    by_hand = compare_paired(*paths)
    conclusion = found["conclusion"]
    assert conclusion["code"] == "compare.better"
    values = conclusion["values"]
    assert (values["best_run"], values["second_run"], values["n"]) == ("high", "low", 100)
    assert values["p"] == by_hand["p"] == pytest.approx(0.007538, abs=1e-6)
    assert values["difference"] == pytest.approx(0.12)
    assert [values["low"], values["high"]] == by_hand["interval"]


def test_test_rows_that_are_trained_on_too_do_not_decide() -> None:
    leaked = np.arange(100) < 50
    _run("remembers", [True] * 50 + [True] * 20 + [False] * 30, leaked=leaked)
    _run("learns", [True] * 15 + [False] * 35 + [True] * 40 + [False] * 10, leaked=leaked)
    found = compare_siblings("g")
    assert [row["run"] for row in found["rows"]] == ["learns", "remembers"], "it is better on what is new"
    (pair,) = found["pairs"]
    assert (pair["better"], pair["n"], pair["left_out"]) == ("learns", 50, 50)
    assert found["conclusion"]["code"] == "compare.better_without_leaks"
    told = explain(Problem.from_dict(found["conclusion"]))
    assert "80.0% against 40.0% on the 50 test examples that neither is trained on" in told
    assert "50 others are left out" in told
    assert [problem["code"] for problem in found["rows"][0]["problems"]] == ["data.text_leak"]


def test_no_better_one_is_named_where_every_test_row_is_trained_on() -> None:
    leaked = np.ones(20, dtype=bool)
    _run("a", [True] * 20, leaked=leaked)
    _run("b", [False] * 20, leaked=leaked)
    found = compare_siblings("g")
    assert found["conclusion"]["code"] == "compare.nothing_new"
    assert "is not known" in explain(Problem.from_dict(found["conclusion"]))


def test_no_difference_is_concluded_when_it_could_be_chance() -> None:
    cells = (60, 8, 5, 27)
    _run("high", _right(*cells))
    _run("low", _wrong(*cells))
    found = compare_siblings("g")
    assert found["conclusion"]["code"] == "compare.no_difference"
    assert found["pairs"][0]["better"] is None


def test_every_pair_is_tested_and_the_first_is_of_the_two_best() -> None:
    _run("c", [True] * 2 + [False] * 8)
    _run("a", [True] * 9 + [False])
    _run("b", [True] * 5 + [False] * 5)
    found = compare_siblings("g")
    assert [(pair["a"], pair["b"]) for pair in found["pairs"]] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert found["conclusion"]["values"]["second_run"] == "b"


def test_conclusion_waits_while_a_sibling_is_at_work() -> None:
    _run("a", [True])
    _run("b", None, status="running")
    _run("c", None, status="queued")
    found = compare_siblings("g")
    assert found["conclusion"] == {"code": "compare.waiting", "values": {"n": 2}}
    assert found["rows"][0]["run"] == "a", "what has no result yet stands last"


def test_nothing_is_concluded_when_fewer_than_two_are_done() -> None:
    assert compare_siblings("nothing") == {"group": "nothing", "rows": [], "pairs": [], "conclusion": None}
    _run("a", [True])
    _run("b", None, status="failed")
    assert compare_siblings("g")["conclusion"] is None


@pytest.mark.parametrize("how", ["fingerprint", "labels", "rows", "file"])
def test_runs_are_not_compared_when_their_tests_were_not_the_same(how: str) -> None:
    a, b = _run("a", [True] * 10), _run("b", [True] * 5 + [False] * 5)
    if how == "fingerprint":
        open_store().update_run("b", summary={**b.summary, "data": {"fingerprint": "other", "labels": LABELS}})
    elif how == "labels":
        open_store().update_run("b", summary={**b.summary, "data": {"fingerprint": "f", "labels": ["a", "c"]}})
    elif how == "rows":
        path = b.folder / "artifacts" / "predictions.parquet"
        write_predictions(path, np.arange(50, 60), np.zeros(10, dtype=np.int64), np.full((10, 2), 0.5))
    else:
        (a.folder / "artifacts" / "predictions.parquet").unlink()
    found = compare_siblings("g")
    assert found["conclusion"]["code"] == "compare.not_comparable"
    assert found["pairs"] == [{"a": "a", "b": "b", "comparable": False}]


def test_size_is_that_of_the_model_files() -> None:
    _run("a", [True])
    for name, kind, size in (("model/model.safetensors", "model", 3_000_000), ("report.json", "report", 77)):
        open_store().write_artifact(Artifact("a", name, kind, f"artifacts/{name}", size, "0", time.time()))
    assert compare_siblings("g")["rows"][0]["size_mb"] == 3.0


def test_conclusion_is_told_in_rounded_numbers_in_both_languages() -> None:
    cells = (60, 15, 3, 22)
    _run("high", _right(*cells))
    _run("low", _wrong(*cells))
    conclusion = compare_siblings("g")["conclusion"]
    told = explain(Problem.from_dict(conclusion))
    assert told.startswith(
        "Run high is better than Run low: 75.0% against 63.0% on the same 100 test examples, 12 points"
    )
    assert "p = 0.0075" in told or "p = 0.008" in told
    assert not re.search(r"\d\.\d{5}", told), "no more digits than the test supports"
    chinese = explain(Problem.from_dict(conclusion), translator("zh_CN"))
    assert "75.0%" in chinese
    assert "测试样本" in chinese
    tiny = {**conclusion, "values": {**conclusion["values"], "p": 1e-9}}
    assert "p < 0.001" in explain(Problem.from_dict(tiny))


def test_waiting_and_incomparable_are_told() -> None:
    waiting = {"code": "compare.waiting", "values": {"n": 2}}
    assert explain(Problem.from_dict(waiting)).startswith("2 of these runs")
    names = {"best": "A", "second": "B", "best_run": "a", "second_run": "b"}
    assert "A and B" in explain(Problem("compare.not_comparable", values=names))
