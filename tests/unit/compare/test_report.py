"""A comparison as csv and Markdown, and the conditions that are told with it."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from core.compare.report import (
    COLUMNS,
    cells_csv,
    clean_words,
    failed_cells,
    held_equal,
    law_words,
    markdown_report,
    not_held_equal,
    p_words,
    points_words,
    size_rows,
)
from core.finetune.recipe import usual_rate
from core.i18n import translator
from tests.fixtures.comparisons import make_comparison, make_report, make_spec

ENGLISH, CHINESE = translator("en"), translator("zh_CN")


def test_csv_holds_every_cell_in_every_state() -> None:
    report = make_report(make_spec(), 12, failed=2)
    data = cells_csv(report)
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert tuple(rows[0]) == COLUMNS
    assert [row["id"] for row in rows] == [cell["id"] for cell in report["cells"]]
    assert float(rows[0]["low"]) < float(rows[0]["accuracy"]) < float(rows[0]["high"])
    assert rows[11]["error"] == "run.out_of_memory"
    assert rows[20]["accuracy"] == ""


def test_every_table_tells_the_numbers_without_leaks_beside() -> None:
    spec = make_spec(methods=["head"])
    report = make_report(spec)
    assert "Without what is trained on too" not in markdown_report(make_comparison("done"), report, ENGLISH)
    clean = [
        {**family, "sizes": [{**row, "accuracy": 0.123, "low": 0.1, "high": 0.15} for row in family["sizes"]]}
        for family in report["families"]
    ]
    report["without_leaks"] = {"n": 15, "families": clean, "conclusions": []}
    report["cells"][0]["without_leaks"] = {"accuracy": 0.456, "interval": [0.3, 0.6], "n": 15}
    rows = list(csv.DictReader(io.StringIO(cells_csv(report).decode("utf-8-sig"))))
    assert (rows[0]["accuracy_without_leaks"], rows[0]["n_without_leaks"]) == ("0.456", "15")
    assert all(clean_words(row, ENGLISH) == "12.3% (10.0% to 15.0%)" for row in size_rows(report))
    table = [
        line for line in markdown_report(make_comparison("done"), report, ENGLISH).splitlines() if line[:2] == "| "
    ]
    assert "Without what is trained on too" in table[0]
    assert len({line.count("|") for line in table}) == 1
    assert all("12.3% (10.0% to 15.0%)" in line for line in table[2:])


def test_rows_are_sorted_by_size_and_carry_the_difference_to_scratch() -> None:
    rows = size_rows(make_report(make_spec(methods=["head", "full"])))
    assert [row["family"] for row in rows[:3]] == ["scratch", "head", "full"]
    assert [row["size"] for row in rows] == sorted(row["size"] for row in rows)
    assert rows[0]["versus"] is None
    assert rows[1]["versus"]["difference"] > 0.3


def test_differences_and_p_are_told_as_far_as_they_are_known() -> None:
    versus = {"difference": 0.2514, "interval": [0.2, 0.3], "p": 0.00002}
    assert points_words(versus, ENGLISH) == "+25.1 (+20.0 to +30.0)"
    assert p_words(versus, ENGLISH) == "< 0.001"
    assert p_words({**versus, "p": 0.0312}, ENGLISH) == "0.031"
    assert points_words(None, ENGLISH) == p_words(None, ENGLISH) == ""


def test_law_is_told_with_its_fit_or_why_there_is_none() -> None:
    fitted = make_report(make_spec())["families"][0]
    assert law_words(fitted, ENGLISH).startswith("From scratch: share of errors ≈ 0.02 + 5.6 · n^−0.48.")
    assert "leave 33%" in law_words(fitted, ENGLISH)
    refused = make_report(make_spec(sizes=[100, 200]))["families"][0]
    assert law_words(refused, ENGLISH).startswith("From scratch: no law is drawn. ")
    assert law_words({"family": "head"}, ENGLISH) == ""


def test_failed_trainings_are_named_with_their_reason() -> None:
    (told,) = failed_cells(make_report(make_spec(), 5, failed=1), ENGLISH)
    assert told.startswith("Pretrained, head only · 500 training examples · seed 1: The memory did not suffice")


def test_conditions_name_steps_rates_and_validation_examples() -> None:
    spec = make_spec(sizes=[100, 5000])
    report = make_report(spec)
    equal = "\n".join(held_equal(spec, report, ENGLISH))
    assert "the same 1,000 examples" in equal
    assert "300 at 100, 1,563 at 5,000" in equal
    assert "when 5 of its looks" in equal
    unequal = "\n".join(not_held_equal(spec, report, {"data": {"validation": {"100": 50, "5000": 1000}}}, ENGLISH))
    assert "From scratch 0.002, Pretrained, head only 0.001" in unequal
    assert "50 at 100, 1,000 at 5,000" in unequal
    assert "3 repeats" in unequal


def test_conditions_hold_for_one_repeat_without_early_stopping_before_anything_is_done() -> None:
    spec = make_spec(seeds=1, patience=None)
    assert "No training stops early" in "\n".join(held_equal(spec, {}, ENGLISH))
    unequal = "\n".join(not_held_equal(spec, {}, {}, ENGLISH))
    assert "One repeat" in unequal
    assert f"head only {usual_rate(spec.model, 'head', 1):g}" in unequal
    spec = make_spec(sizes=[100, 1000, 5000], methods=["full"])
    assert "all layers 0.0001–0.0005" in "\n".join(not_held_equal(spec, {}, {}, ENGLISH))


@pytest.mark.parametrize("columns", [{"status": "done"}, {"status": "stopped", "done": 7, "failed": 1}])
@pytest.mark.parametrize("translate", [ENGLISH, CHINESE])
def test_markdown_tells_the_whole_in_the_readers_language(columns: dict[str, Any], translate: Any) -> None:
    from core import store

    run = make_comparison(**columns)
    report = store.read_report(run.id)
    assert report is not None
    text = markdown_report(run, report, translate)
    assert text.startswith(f"# {run.name}\n")
    assert f"## {translate('What was held equal')}" in text
    assert "core compare" in text
    head, rule = [line for line in text.splitlines() if line.startswith("|")][:2]
    assert head.count("|") == rule.count("|") == 11
    assert (translate("Trainings that failed") in text) == (columns["status"] == "stopped")
