"""Compare: the form, its problems, the start, a comparison in every state."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core.charts.theme import LOOKS
from core.compare.report import markdown_report
from core.files import to_json
from core.i18n import LANGUAGES, translator
from core.messages import explain
from core.problems import Problem
from core.store import open_store, read_report
from tests.app.conftest import ENDED, assert_sound, charts_of, texts_of
from tests.fixtures.comparisons import make_comparison


@pytest.mark.parametrize("language", LANGUAGES)
def test_form_tells_the_grid_and_the_command(open_page: Callable[..., AppTest], language: str) -> None:
    at = open_page("compare", language)
    assert ("18 trainings" if language == "en" else "共 18 次训练") in texts_of(at), "as far as the digits reach"
    assert at.dataframe[0].value["steps"].tolist() == [300, 300, 313]
    assert "core compare" in at.code[0].value
    assert not at.error


def test_form_starts_a_comparison_once_as_it_is_filled_in(open_page: Callable[..., AppTest]) -> None:
    at = open_page("compare")
    at.multiselect(key="cmp_sizes").set_value([100, "250"]).run()
    at.checkbox(key="cmp_methods_full").check().run()
    at.number_input(key="cmp_seeds").set_value(2).run()
    assert "12 trainings" in texts_of(at)
    button = at.button(key="cmp_start")
    button.click().run()
    button.click().run()
    assert_sound(at)
    (run,) = open_store().list_runs(kind="compare")
    assert run.spec["sizes"] == [100, 250]
    assert (run.spec["methods"], run.spec["seeds"], run.spec["scratch"]) == (["head", "full"], 2, True)
    assert run.spec["model"]["weights"] == "pretrained"
    assert run.spec["patience"] == 5


def test_sizes_beyond_the_data_are_told_before_the_start(open_page: Callable[..., AppTest]) -> None:
    at = open_page("compare")
    at.multiselect(key="cmp_sizes").set_value([100, 5000]).run()
    assert_sound(at)
    (told,) = [box.value for box in at.error]
    assert told.startswith("5,000: more training examples than there are. 1,150 can be trained on")
    assert at.button(key="cmp_start").disabled


@pytest.mark.parametrize(("language", "words"), [("en", "whole numbers of at least 2"), ("zh_CN", "不小于 2 的整数")])
def test_size_that_is_none_is_told_in_one_sentence(
    open_page: Callable[..., AppTest], language: str, words: str
) -> None:
    at = open_page("compare", language)
    at.multiselect(key="cmp_sizes").set_value([100, "many", "1", "2,500"]).run()
    assert_sound(at)
    (told,) = [box.value for box in at.error]
    assert words in told
    assert "many, 1" in told
    assert at.button(key="cmp_start").disabled


def test_start_is_blocked_when_sizes_or_methods_are_missing(open_page: Callable[..., AppTest]) -> None:
    at = open_page("compare")
    at.multiselect(key="cmp_sizes").set_value([]).run()
    at.checkbox(key="cmp_methods_head").uncheck().run()
    assert_sound(at)
    assert len(at.error) == 2
    assert at.button(key="cmp_start").disabled


def test_stopping_early_can_be_switched_off(open_page: Callable[..., AppTest]) -> None:
    at = open_page("compare")
    at.number_input(key="cmp_patience").set_value(None).run()
    at.button(key="cmp_start").click().run()
    assert open_store().list_runs(kind="compare")[0].spec["patience"] is None


def test_one_repeat_and_few_steps_are_warned_of_and_not_blocked(open_page: Callable[..., AppTest]) -> None:
    at = open_page("compare")
    at.number_input(key="cmp_seeds").set_value(1).run()
    at.number_input(key="cmp_steps").set_value(50).run()
    assert len(at.warning) == 2
    assert not at.button(key="cmp_start").disabled


@pytest.mark.parametrize("language", LANGUAGES)
def test_done_comparison_gives_the_answer_first(open_page: Callable[..., AppTest], language: str) -> None:
    run = make_comparison("done")
    at = open_page("compare", language, run=run.id)
    headings = [element.value for element in at.markdown if element.value.startswith("## ")]
    assert headings
    accuracy, seconds = charts_of(at)[:2]
    assert LOOKS["random"].light in json.dumps(accuracy)
    assert seconds["layout"]["yaxis"]["type"] == "log"  # type: ignore[index]
    by_size = at.dataframe[0].value
    assert by_size["size"].is_monotonic_increasing
    assert len(by_size) == 10
    assert [box.value for box in at.metric][2].startswith("≈ ")


@pytest.mark.parametrize("language", LANGUAGES)
def test_any_training_shows_its_curves(open_page: Callable[..., AppTest], language: str) -> None:
    run = make_comparison("done")
    at = open_page("compare", language, run=run.id)
    at.selectbox(key=f"cell_{run.id}").select("head-100-0").run()
    assert_sound(at)
    assert len(charts_of(at)) == 4
    at.selectbox(key=f"cell_{run.id}").select("scratch-10000-2").run()
    assert_sound(at)
    assert len(charts_of(at)) == 2


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("done", [0, 1, 22])
def test_comparison_at_work_shows_what_is_known_so_far(
    open_page: Callable[..., AppTest], done: int, language: str
) -> None:
    run = make_comparison("running", done=done)
    at = open_page("compare", language, run=run.id)
    assert len(charts_of(at)) == (0 if done == 0 else 2)
    assert any("●" in str(value) for value in at.dataframe[0].value.to_numpy().ravel())
    at.button(key=f"stop_{run.id}").click().run()
    assert_sound(at)
    assert open_store().get_run(run.id).stop_requested


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("status", ENDED)
def test_comparison_that_ended_early_tells_why_and_keeps_what_is_done(
    open_page: Callable[..., AppTest], status: str, language: str
) -> None:
    run = make_comparison(status, done=20, failed=1, error=ENDED[status])
    at = open_page("compare", language, run=run.id)
    said = texts_of(at)
    assert ("19 of 30 trainings are done" if language == "en" else "30 次训练已完成 19 次") in said
    assert ("1 training failed" if language == "en" else "1 次训练失败") in said
    assert len(charts_of(at)) == 2
    assert at.button(key=f"resume_{run.id}").label


def test_queued_comparison_and_one_without_a_report_open(open_page: Callable[..., AppTest]) -> None:
    open_page("compare", run=make_comparison("queued").id)
    run = make_comparison("done")
    (run.folder / "artifacts" / "report.json").unlink()
    open_page("compare", run=run.id)


@pytest.mark.parametrize("view", ["home", "runs", "compare"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_comparison_at_work_is_counted_and_listed(open_page: Callable[..., AppTest], view: str, language: str) -> None:
    make_comparison("running", done=3)
    make_comparison("done")
    at = open_page(view, language)
    labels = [element.proto.label for element in at.get("page_link")]
    assert ("1 run at work" if language == "en" else "1 个任务进行中") in labels
    if view == "home":
        assert ("30 of 30 trainings" if language == "en" else "30 次训练完成 30 次") in texts_of(at)


@pytest.mark.parametrize("language", LANGUAGES)
def test_record_of_a_comparison_lists_its_settings(open_page: Callable[..., AppTest], language: str) -> None:
    at = open_page("runs", language, run=make_comparison("done").id)
    assert "core compare" in at.code[0].value


def test_unknown_comparison_is_told_in_a_sentence(open_page: Callable[..., AppTest]) -> None:
    at = open_page("compare", run="co-never")
    assert "There is no run co-never here" in at.error[0].value


def test_texts_are_compared_with_a_model_that_reads_them(open_page: Callable[..., AppTest]) -> None:
    at = open_page("compare", model="bundled/minilm-l6", data="builtin/reviews-en")
    assert "cmp_max_length" in [field.key for field in at.number_input]
    assert "cmp_image_size" not in [field.key for field in at.number_input]
    at.checkbox(key="cmp_methods_lora").check().run()
    at.multiselect(key="cmp_sizes").set_value([50, 100]).run()
    at.button(key="cmp_start").click().run()
    assert_sound(at)
    (run,) = open_store().list_runs(kind="compare")
    assert run.spec["methods"] == ["head", "lora"]


def test_what_the_data_hides_stands_beside_what_was_found(open_page: Callable[..., AppTest]) -> None:
    run = make_comparison("done")
    report = read_report(run.id) or {}
    values = {"n": 15, "family": "head", "size": 50, "accuracy": 0.5, "low": 0.4, "high": 0.6}
    problems = [
        Problem("data.leak", "warning", "data", {"n": 25, "total": 40}),
        Problem("compare.without_leaks", "warning", "data", values),
    ]
    report["problems"] = [problem.as_dict() for problem in problems]
    report["without_leaks"] = {"n": 15, "families": [], "conclusions": report["conclusions"][:1]}
    (run.folder / "artifacts" / "report.json").write_text(to_json(report), encoding="utf-8")
    at = open_page("compare", run=run.id)
    assert [box.value for box in at.warning] == [explain(problem) for problem in problems]
    assert "Without what is trained on too" in texts_of(at)
    document = markdown_report(run, report, translator("en"))
    assert all(explain(problem) in document for problem in problems)
    assert "## Without what is trained on too" in document
