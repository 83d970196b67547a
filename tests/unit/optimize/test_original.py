"""What the variants are tested on: rows that were not trained on, where there are enough of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from core.messages import explain
from core.optimize.original import LEAST_TEST, beside, clean_test
from core.optimize.report import summary_of
from core.optimize.rows import OptimizeReport
from core.optimize.trained_model import TrainedModel
from core.problems import Problem


def _trained(num_leaked: int, total: int = 50) -> TrainedModel:
    test = np.arange(100, 100 + total)
    leak = Problem("data.leak", "warning", "data", {"n": num_leaked, "total": total})
    data = SimpleNamespace(test=test, leaked=np.arange(total) < num_leaked, problems=[leak] if num_leaked else [])
    return cast(TrainedModel, SimpleNamespace(data=data))


@pytest.mark.parametrize(
    ("num_leaked", "tested", "code"),
    [(0, 50, None), (10, 40, "optimize.leaks_left_out"), (31, 50, "optimize.leaks_stay")],
)
def test_rows_that_are_trained_on_are_not_tested_on_where_others_are_enough(
    num_leaked: int, tested: int, code: str | None
) -> None:
    trained = _trained(num_leaked)
    assert len(clean_test(trained)) == tested >= LEAST_TEST
    told = beside(trained)
    assert [problem.code for problem in told] == ([] if code is None else ["data.leak", code])
    for problem in told:
        assert "{" not in explain(problem)


def test_what_is_odd_stays_with_the_report_and_the_summary() -> None:
    conditions: Any = {"task": "image-classification", "test": 40, "data": {"id": "builtin/digits"}}
    report = OptimizeReport(conditions=conditions, problems=tuple(beside(_trained(10))))
    assert OptimizeReport.from_dict(report.as_dict()).problems == report.problems
    assert [problem["code"] for problem in summary_of(report, {})["problems"]] == [
        "data.leak",
        "optimize.leaks_left_out",
    ]
