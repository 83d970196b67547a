"""Verdicts agree with their intervals: take it only where the limit is kept for sure and something is gained."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.i18n import LANGUAGES, translator
from core.messages import explain_finding
from core.optimize.rows import OptimizeReport, VariantRow
from core.optimize.verdicts import TAKEN, choose, conclude, judge, measure_loss, no_loss, recommend
from core.values import Finding
from tests.fixtures.optimizations import make_report, make_spec


def make_row(
    name: str = "static_int8",
    *,
    loss: tuple[float, float, float] = (0.3, 0.1, 0.5),
    latency: tuple[float, float, float] = (6.8, 6.5, 7.1),
    throughput: tuple[float, float, float] = (9.0, 8.5, 9.5),
    size: float = 3.5,
    of: str = "accuracy",
    needed: int | None = None,
    validation: tuple[float, float] | None = (0.3, 0.1),
    exact: bool = False,
    busy: float | None = None,
) -> VariantRow:
    """`validation`: points lost on the validation rows, and their standard error."""
    kept = {
        "name": name,
        "kind": "int8",
        "passes": [name],
        "status": "done",
        "offered": True,
        "facts": {},
        "loss": {"points": loss[0], "low": loss[1], "high": loss[2], "n": 1000, "needed": needed, "of": of,
                 "exact": exact},
        "validation_loss": {"points": validation[0], "error": validation[1]} if validation else None,
        "ratios": {"latency": list(latency), "throughput": list(throughput), "size": size, "busy": busy},
    }  # fmt: skip
    row = VariantRow.from_dict(kept)
    return replace(row, verdict=judge(row, 1.0))


def verdict_of(row: VariantRow) -> Finding:
    assert row.verdict is not None
    return row.verdict


def code_of(row: VariantRow) -> str:
    return verdict_of(row)["code"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "take"),
        ({"latency": (1.0, 0.9, 1.1)}, "take_batches"),
        ({"latency": (1.0, 0.9, 1.1), "throughput": (1.0, 0.9, 1.1)}, "take_smaller"),
        ({"latency": (1.0, 0.9, 1.1), "throughput": (1.0, 0.9, 1.1), "size": 1.0}, "no_gain"),
        ({"latency": (0.5, 0.4, 0.6), "throughput": (0.9, 0.8, 1.1)}, "smaller_but_slower"),
        ({"latency": (0.5, 0.4, 0.6), "throughput": (0.9, 0.8, 0.95), "size": 1.0}, "slower"),
        ({"loss": (3.0, 2.0, 4.0)}, "loses_too_much"),
        ({"loss": (0.4, -0.5, 1.3), "needed": 4000}, "not_shown"),
        ({"loss": (1.0, 0.1, 1.9)}, "not_shown_at_limit"),
    ],
)
def test_verdict_follows_from_interval_and_speed(changes: dict[str, Any], code: str) -> None:
    assert code_of(make_row(**changes)) == f"optimize.{code}"


@pytest.mark.parametrize("high", [0.99, 1.0, 1.01, 5.0])
def test_nothing_is_taken_whose_upper_bound_passes_the_limit(high: float) -> None:
    row = make_row(loss=(0.5, 0.0, high), needed=9000)
    assert (code_of(row) in TAKEN) == (high <= 1.0)


def test_recommended_is_the_fastest_of_those_to_take() -> None:
    rows = [
        make_row("onnx", latency=(2.4, 2.2, 2.6), throughput=(5.0, 4.5, 5.5), size=1.0),
        make_row("static_int8"),
        make_row("half", latency=(20.0, 19.0, 21.0), loss=(3.0, 2.0, 4.0), validation=(3.0, 0.2)),
        make_row("torchscript", latency=(37.0, 5.1, 272.0)),  # fast by one hiccup
        replace(make_row("openvino", latency=(30.0, 29.0, 31.0)), offered=False),
    ]
    assert recommend(rows, 1.0) == "static_int8"
    assert recommend([rows[2], rows[4]], 1.0) is None
    assert conclude(rows, "static_int8", 1.0)[0] == rows[1].verdict


def test_validation_chooses_and_the_test_confirms() -> None:
    """What the test rows say of the others does not choose: only the fastest on validation is asked."""
    lucky = make_row("half", latency=(20.0, 19.0, 21.0), validation=(1.4, 0.2))
    rows = [lucky, make_row("static_int8")]
    assert recommend(rows, 1.0) == "static_int8", "the test alone would have taken the other"
    near = make_row("half", latency=(20.0, 19.0, 21.0), validation=(0.9, 0.4))
    assert choose([near], 1.0) is None, "as near to the limit as chance moves it"
    unconfirmed = make_row("static_int8", latency=(9.0, 8.8, 9.2), loss=(0.8, 0.1, 1.5), needed=4000)
    exact = make_row("onnx", latency=(2.4, 2.2, 2.6), size=1.0, loss=(0.0, 0.0, 0.0), validation=(0.0, 0.0), exact=True)
    rows = [unconfirmed, make_row("dynamic_int8"), exact]
    assert recommend(rows, 1.0) == "onnx", "what loses nothing by proof needs no test"
    told = [one["code"] for one in conclude(rows, "onnx", 1.0)]
    assert told == ["optimize.take", "optimize.not_confirmed", "optimize.not_shown"]
    assert recommend(rows[:2], 1.0) is None
    assert conclude(rows[:2], None, 1.0)[0]["code"] == "optimize.none_to_take"


@pytest.mark.parametrize("n", [1, 20, 150, 5000])
def test_exact_file_loses_nothing_whatever_the_number_of_test_rows(n: int) -> None:
    row = make_row("onnx", size=1.0)
    row = replace(row, loss={**no_loss(n), "of": "accuracy"}, validation_loss=no_loss(n))
    row = replace(row, verdict=judge(row, 0.0))
    assert recommend([row], 0.0) == "onnx"
    assert "nothing lost" in explain_finding(verdict_of(row))


def test_conclusion_says_so_when_none_is_to_take() -> None:
    unsure = make_row("onnx", loss=(0.4, -0.5, 1.3), needed=4000, validation=(0.9, 0.4))
    told = conclude([unsure, make_row("half", loss=(3.0, 2.0, 4.0), validation=(3.0, 0.2))], None, 1.0)
    assert [one["code"] for one in told] == ["optimize.none_to_take", "optimize.not_shown"]


def test_loss_is_paired_and_says_how_many_rows_would_tell() -> None:
    n = 1000
    original = np.ones(n, dtype=bool)
    variant = original.copy()
    variant[:6] = False
    loss = measure_loss(original, variant, limit=1.0)
    assert loss["points"] == pytest.approx(0.6)
    assert loss["low"] < 0.6 < loss["high"]
    assert loss["high"] > 1.0
    # The interval shrinks with the square root of n, the distance to the limit stays 0.4.
    assert n < loss["needed"] < 20 * n
    many = measure_loss(np.tile(original, 30), np.tile(variant, 30), limit=1.0)
    assert many["high"] < 1.0
    assert many["needed"] is None


def test_loss_at_the_limit_promises_no_number_of_rows() -> None:
    original = np.ones(1000, dtype=bool)
    variant = original.copy()
    variant[:10] = False
    assert measure_loss(original, variant, limit=1.0)["needed"] is None


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("of", ["accuracy", "agreement"])
@pytest.mark.parametrize("loss", [(-0.4, -0.9, 0.1), (0.4, 0.1, 0.9), (0.4, -0.5, 1.3), (3.0, 2.0, 4.0)])
def test_every_sentence_is_filled_in(language: str, of: str, loss: tuple[float, float, float]) -> None:
    row = make_row(loss=loss, of=of, needed=4000)
    sentence = explain_finding(row.verdict, translator(language))
    assert "{" not in sentence
    assert "optimize." not in sentence


def test_sentence_carries_name_ratio_interval_loss_and_limit() -> None:
    told = explain_finding(verdict_of(make_row()))
    assert told == (
        "Static int8 answers 6.8 times faster here (95%: 6.5 to 7.1), 0.3 points lost (at most 0.5; limit 1): take it."
    )


def test_wide_or_disturbed_speed_is_told_by_its_lower_end() -> None:
    wide = explain_finding(verdict_of(make_row(latency=(37.0, 5.1, 272.0))))
    assert "at least 5.1 times faster here (95%: 5.1 to 270)" in wide
    assert "37" not in wide
    disturbed = explain_finding(verdict_of(make_row(busy=2.13)))
    assert "at least 6.5 times faster here" in disturbed
    assert "Other work kept 2.1 processors busy" in disturbed


def test_verdict_of_an_earlier_version_is_told_without_an_interval() -> None:
    kept = verdict_of(make_row())
    new = {"latency_low", "latency_high", "throughput_low", "throughput_high", "others", "exact"}
    old: Finding = {"code": kept["code"], "values": {k: v for k, v in kept["values"].items() if k not in new}}
    assert explain_finding(old).startswith("Static int8 answers 6.8 times faster here, 0.3 points lost")


def test_a_gain_is_not_told_as_a_negative_loss() -> None:
    told = explain_finding(verdict_of(make_row(loss=(-0.4, -0.9, 0.1))))
    assert "0.4 points gained" in told
    assert "-" not in told


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("done", [0, 3, None])
def test_report_is_kept_as_it_was_read(done: int | None, labelled: bool) -> None:
    kept = make_report(make_spec(combine=True), done, labelled=labelled)
    again = OptimizeReport.from_dict(kept).as_dict()
    kept.setdefault("problems", [])
    for row in kept["variants"]:
        row.setdefault("offered", False)
    kept.setdefault("problems", [])
    assert json.loads(json.dumps(again)) == json.loads(json.dumps(kept))
