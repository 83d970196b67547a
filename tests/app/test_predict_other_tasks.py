"""Predict, other tasks: chosen by address or by hand, asked, answered; and greyed where a model is not here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.registry.tasks import TASKS
from tests.app.conftest import assert_sound, texts_of
from tests.fixtures.tiny_models import plant


def test_every_task_opens_greyed_with_its_size_when_no_model_is_here(open_page: Callable[..., AppTest]) -> None:
    at = open_page("predict", "zh_CN", task=next(iter(TASKS)))
    assert at.segmented_control(key="predict_kind").value == "tasks"
    for task in TASKS.values():
        at.selectbox(key="other_task").set_value(task.id).run()
        assert_sound(at)
        assert at.query_params["task"] == task.id
        assert at.button(key=f"task_{task.id}_go").disabled
        assert any("MB" in box.value or "GB" in box.value for box in at.info), task.id
        assert any("core download" in box.value for box in at.info), task.id
    assert any("pip install" in box.value for box in at.info), "the last needs a package"


def test_text_is_answered_by_the_model_that_is_here(open_page: Callable[..., AppTest], home: Path) -> None:
    plant("zero-shot-classification")
    at = open_page("predict", task="zero-shot-classification")
    chosen = at.selectbox(key="task_model_zero-shot-classification")
    assert chosen.value == "hub/tiny/zero-shot-classification", "what is here comes first"
    go = "task_zero-shot-classification_go"
    assert at.button(key=go).disabled, "nothing is given yet"
    at.text_area(key="task_zero-shot-classification_text").set_value("a cat ran " * 40)
    at.text_input(key="task_zero-shot-classification_labels").set_value("praise, 狗").run()
    at.button(key=go).click().run()
    assert_sound(at)
    table = at.dataframe[0].value
    assert set(table["label"]) == {"praise", "狗"}
    assert table["share"].sum() == pytest.approx(100)
    assert any("the rest was cut off" in box.value for box in at.warning)
    at.text_input(key="task_zero-shot-classification_labels").set_value("praise, cat").run()
    assert not at.dataframe, "an answer to something else is not shown"


def test_written_text_can_be_copied_and_seed_is_a_setting(open_page: Callable[..., AppTest], home: Path) -> None:
    plant("text-generation", "hub/distilbert/distilgpt2")
    at = open_page("predict", task="text-generation", model="hub/distilbert/distilgpt2")
    at.button(key="task_text-generation_example").click().run()
    at.number_input(key="task_text-generation_max_new_tokens").set_value(4)
    at.number_input(key="task_text-generation_seed").set_value(7).run()
    at.button(key="task_text-generation_go").click().run()
    assert_sound(at)
    assert at.code[0].value.startswith("The old lighthouse keeper")
    assert "hub/distilbert/distilgpt2" in texts_of(at)


def test_another_kind_is_asked_when_it_is_chosen_after_a_task(open_page: Callable[..., AppTest]) -> None:
    at = open_page("predict", task="fill-mask")
    at.segmented_control(key="predict_kind").set_value("texts").run()
    assert_sound(at)
    assert at.segmented_control(key="predict_kind").value == "texts"
    assert "task" not in at.query_params
    at.segmented_control(key="predict_kind").set_value("tasks").run()
    assert at.selectbox(key="other_task").value == "fill-mask", "it is remembered"
