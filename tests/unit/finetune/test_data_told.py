"""What the data hides is said beside the number: leaks, copies, changes since the run began."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.errors import DataError, StoppedError
from core.finetune.run import finetune
from core.finetune.spec import FinetuneSpec
from core.messages import explain
from core.problems import Problem
from tests.fixtures.copies import random_texts, write_table
from tests.fixtures.listening import Listener
from tests.fixtures.pictures import fill
from tests.fixtures.text_models import plant


class Log(Listener):
    """A listener that keeps the log too."""

    def __init__(self, stop_after: int | None = None) -> None:
        super().__init__(stop_after)
        self.lines: list[str] = []

    def log(self, text: str) -> None:
        self.lines.append(text)


def _spec(data: Path, model: str, weights: str = "pretrained", **changes: Any) -> FinetuneSpec:
    model_ = {"id": model, "weights": weights}
    values = {"model": model_, "data": {"id": f"path:{data}"}, "epochs": 2, "batch_size": 16, "method": "full"}
    return FinetuneSpec.model_validate(values | changes)


def test_texts_with_labels_by_chance_are_told_at_chance_however_often_each_stands_there(
    home: Path, tmp_path: Path
) -> None:
    data = write_table(tmp_path / "a.csv", random_texts(250) * 4)
    summary = finetune(_spec(data, plant("bert", home)), tmp_path / "run", Log(), resume=False)
    for told in (summary["test"], summary["baseline"]):
        low, high = told["interval"]
        assert low < 0.5 < high
    assert summary["test"]["n"] == 50
    assert [problem["code"] for problem in summary["problems"]] == ["data.text_duplicates"]


def test_leaks_of_a_given_split_are_told_everywhere_and_the_number_without_them_stands_beside(
    home: Path, tmp_path: Path
) -> None:
    rows = random_texts(60)
    write_table(tmp_path / "set" / "train.csv", rows[:40])
    write_table(tmp_path / "set" / "test.csv", rows[30:60])
    log = Log()
    summary = finetune(_spec(tmp_path / "set", plant("bert", home), lr=0.01), tmp_path / "run", log, resume=False)
    artifacts = tmp_path / "run" / "artifacts"
    report = json.loads((artifacts / "report.json").read_text(encoding="utf-8"))
    model = json.loads((artifacts / "model" / "model.json").read_text(encoding="utf-8"))
    clean = report["without_leaks"]
    assert (summary["test"]["n"], clean["n"]) == (30, 20)
    assert clean == summary["test"]["without_leaks"] == model["test"]["without_leaks"]
    assert summary["problems"] == report["problems"]
    assert [problem["code"] for problem in report["problems"]] == ["data.text_leak", "data.without_leaks"]
    for problem in report["problems"]:
        assert f"warning: {explain(Problem.from_dict(problem))}" in log.lines
    assert json.loads((artifacts / "data.json").read_text(encoding="utf-8"))["problems"] == report["problems"][:1]
    for rival in (summary["baseline"], summary["probe"]):
        assert rival["without_leaks"]["n"] == rival["tested_on"] == 20
    assert summary["baseline"]["without_leaks"]["accuracy"] < summary["baseline"]["accuracy"], "it remembers the others"
    predictions = pd.read_parquet(artifacts / "predictions.parquet")
    clean_rows = predictions[~predictions["leaked"]]
    assert (clean_rows["target"] == clean_rows["predicted"]).mean() == pytest.approx(clean["accuracy"])


def test_a_test_of_nothing_but_leaks_is_told_as_nothing_new(home: Path, tmp_path: Path) -> None:
    rows = random_texts(40)
    write_table(tmp_path / "set" / "train.csv", rows)
    write_table(tmp_path / "set" / "test.csv", rows[:20])
    summary = finetune(_spec(tmp_path / "set", plant("bert", home)), tmp_path / "run", Log(), resume=False)
    assert summary["test"]["without_leaks"] is None
    assert summary["problems"][-1]["code"] == "data.nothing_new_tested"
    for rival in (summary["baseline"], summary["probe"]):
        assert (rival["without_leaks"], rival["better"]) == (None, None)
        assert "difference" not in rival


@pytest.mark.parametrize("change", ["a class more", "another label"])
def test_a_run_does_not_go_on_with_other_data(change: str, home: Path, tmp_path: Path) -> None:
    rows = random_texts(60)
    data = write_table(tmp_path / "a.csv", rows)
    spec = _spec(data, plant("bert", home))
    with pytest.raises(StoppedError):
        finetune(spec, tmp_path / "run", Log(stop_after=5), resume=False)
    others = {
        "a class more": [*rows, ("something else", "unsure"), ("something more", "unsure")],
        "another label": [*rows[:-1], (rows[-1][0], "neg" if rows[-1][1] == "pos" else "pos")],
    }
    write_table(data, others[change])
    with pytest.raises(DataError) as caught:
        finetune(spec, tmp_path / "run", Log(), resume=True)
    (problem,) = caught.value.problems
    assert problem.code == "run.data_changed"
    assert "run run repeat" in explain(problem)
    write_table(data, rows)
    assert finetune(spec, tmp_path / "run", Log(), resume=True)["epochs_done"] == 2


def test_a_run_on_pictures_does_not_go_on_with_a_class_folder_more(home: Path, tmp_path: Path) -> None:
    root = fill(tmp_path / "set", {"a": 20, "b": 20})
    spec = _spec(root, "torchvision/squeezenet1_1", "random", image_size=32)
    with pytest.raises(StoppedError):
        finetune(spec, tmp_path / "run", Log(stop_after=8), resume=False)
    fill(root, {"c": 10}, first=90)
    with pytest.raises(DataError, match="Going on would mix two data sets"):
        finetune(spec, tmp_path / "run", Log(), resume=True)
