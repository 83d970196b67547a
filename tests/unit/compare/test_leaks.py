"""A comparison says beside its numbers what they are without the test examples that could be trained on too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.compare.compared_data import check_done, load_compared
from core.compare.leaks import problems_of, without_leaks
from core.compare.pairs import Result
from core.compare.report import beside, clean_conclusions
from core.compare.spec import CompareSpec
from core.data.texts import TextData, load_texts
from core.errors import DataError
from core.i18n import translator
from core.progress import SilentReporter
from core.spec import DataRef
from tests.fixtures.copies import random_texts, write_table


def _data(folder: Path, leaked: int) -> TextData:
    rows = random_texts(100)
    write_table(folder / "train.csv", rows[:60])
    write_table(folder / "test.csv", rows[60 - leaked : 100 - leaked])
    return load_texts(DataRef(id=f"path:{folder}"), train_size=20, seed=0)


def _result(family: str, right: np.ndarray) -> Result:
    start = "random" if family == "scratch" else "pretrained"
    return Result(family, start, "head", 20, 0, right, 1.0, 100.0, 10, True)


def test_numbers_without_leaks_are_those_of_the_other_test_rows(tmp_path: Path) -> None:
    data = _data(tmp_path, leaked=25)
    assert (int(data.copied.sum()), len(data.test)) == (25, 40)
    knows_by_heart = data.copied | (np.arange(40) % 5 == 0)
    results = [_result("scratch", ~data.copied), _result("head", knows_by_heart)]
    clean = without_leaks(data, results, ["scratch", "head"], 2)
    assert clean is not None
    assert clean["n"] == 15
    shares = {family["family"]: family["sizes"][0]["accuracy"] for family in clean["families"]}
    assert shares == {"scratch": 1.0, "head": pytest.approx(knows_by_heart[~data.copied].mean())}
    problems = problems_of(data, clean)
    assert [problem["code"] for problem in problems][-2:] == ["compare.without_leaks"] * 2
    report = {"cells": [], "problems": problems, "without_leaks": clean}
    told = beside(report, translator("en"))
    assert "15 remain" in told[-1]
    assert len(clean_conclusions(report, translator("en"))) == len(clean["conclusions"])


def test_every_leak_is_counted_whatever_the_largest_training_saw(tmp_path: Path) -> None:
    rows = random_texts(200)
    write_table(tmp_path / "train.csv", rows[:160])
    write_table(tmp_path / "test.csv", rows[140:180])
    asked = {"model": {"id": "bundled/minilm-l6"}, "data": {"id": f"path:{tmp_path}"}, "sizes": (8, 16)}
    data = load_compared(CompareSpec.model_validate(asked), SilentReporter(), as_in_0_1=False)
    assert data.leaked.sum() < 20
    (problem,) = data.problems
    assert (problem.code, problem.values) == ("data.text_leak", {"n": 20, "total": 40})


@pytest.mark.parametrize("leaked", [0, 40])
def test_nothing_stands_beside_where_no_or_every_test_row_leaks(tmp_path: Path, leaked: int) -> None:
    data = _data(tmp_path, leaked)
    assert without_leaks(data, [_result("head", np.ones(40, dtype=bool))], ["head"], 1) is None
    assert ("data.nothing_new_tested" in {problem["code"] for problem in problems_of(data, None)}) == (leaked == 40)


def test_done_trainings_of_other_data_are_not_mixed_with_new_ones(tmp_path: Path) -> None:
    data = _data(tmp_path, 0)
    same = {"data": {"fingerprint": data.fingerprint, "labels": []}, "n": 40}
    check_done([same], data, tmp_path)
    for other in ({**same, "n": 39}, {**same, "data": {"fingerprint": "other", "labels": []}}):
        with pytest.raises(DataError) as caught:
            check_done([same, other], data, tmp_path)
        assert [problem.code for problem in caught.value.problems] == ["run.data_changed"]
