"""What the variants are tested on: rows that were not trained on, where there are enough of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from core.messages import explain
from core.optimize.original import LEAST_TEST, beside, clean_test
from core.optimize.report import summary_of
from core.optimize.rows import OptimizeReport
from core.optimize.trained_model import TrainedModel
from core.problems import Problem


def _trained(num_leaked: int, total: int = 50) -> TrainedModel:
    test = np.arange(100, 100 + total)
    leak = Problem("data.leak", "warning", "data", {"n": num_leaked, "total": total})
    data = SimpleNamespace(
        test=test,
        leaked=np.arange(total) < num_leaked,
        problems=[leak] if num_leaked else [],
        targets=np.arange(100 + total) % 2,
    )
    return cast(TrainedModel, SimpleNamespace(data=data, is_labelled=True))


def _answers(rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Every row is told as of the first class: the even ones rightly."""
    return np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (len(rows), 1))


@pytest.mark.parametrize(
    ("num_leaked", "tested", "codes"),
    [
        (0, 50, []),
        (10, 40, ["optimize.leaks_left_out"]),
        (31, 50, ["optimize.leaks_stay", "data.without_leaks"]),
        (50, 50, ["optimize.leaks_stay", "data.nothing_new_tested"]),
    ],
)
def test_rows_that_are_trained_on_are_not_tested_on_where_others_are_enough(
    num_leaked: int, tested: int, codes: list[str]
) -> None:
    trained = _trained(num_leaked)
    rows = clean_test(trained)
    assert len(rows) == tested >= LEAST_TEST
    told = beside(trained, rows, _answers(rows))
    assert [problem.code for problem in told] == (["data.leak", *codes] if codes else [])
    for problem in told:
        assert "{" not in explain(problem)


def test_original_is_told_on_the_few_rows_that_are_not_trained_on_too() -> None:
    trained = _trained(35)
    some = trained.data.test[10:40]  # the last five of them are new: rows 135 to 139, of which 136 and 138 are even
    told = beside(trained, some, _answers(some))[-1]
    assert told.values["n"] == 5
    assert told.values["accuracy"] == pytest.approx(2 / 5)


def test_what_is_odd_stays_with_the_report_and_the_summary() -> None:
    conditions: Any = {"task": "image-classification", "test": 40, "data": {"id": "builtin/digits"}}
    trained = _trained(10)
    rows = clean_test(trained)
    report = OptimizeReport(conditions=conditions, problems=tuple(beside(trained, rows, _answers(rows))))
    assert OptimizeReport.from_dict(report.as_dict()).problems == report.problems
    assert [problem["code"] for problem in summary_of(report, {})["problems"]] == [
        "data.leak",
        "optimize.leaks_left_out",
    ]
