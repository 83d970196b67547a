"""Every view opens in both languages, with nothing and with runs in every state."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core.i18n import translator
from core.store import Run
from tests.app.conftest import texts_of

TITLES = {
    "home": "Graft",
    "models": "Models",
    "data": "Data",
    "compare": "Compare",
    "finetune": "Fine-tune",
    "predict": "Predict",
    "optimize": "Optimize",
    "runs": "Runs",
    "settings": "Settings",
}
ENDED = {
    "failed": [{"code": "run.out_of_memory", "severity": "error", "field": None, "values": {}}],
    "interrupted": [{"code": "run.process_gone", "severity": "error", "field": None, "values": {"pid": 7}}],
    "stopped": [{"code": "run.stopped", "severity": "error", "field": None, "values": {}}],
}


@pytest.mark.parametrize("language", ["en", "zh_CN"])
@pytest.mark.parametrize("view", TITLES)
def test_view_opens_in_the_browsers_language_when_there_is_nothing_yet(
    open_page: Callable[..., AppTest], view: str, language: str
) -> None:
    at = open_page(view, language)
    assert at.title[0].value == translator(language)(TITLES[view])


@pytest.mark.parametrize("language", ["en", "zh_CN"])
@pytest.mark.parametrize("view", ["home", "models", "finetune", "runs", "settings"])
def test_view_opens_when_runs_of_every_state_are_there(
    open_page: Callable[..., AppTest], make_run: Callable[..., Run], view: str, language: str
) -> None:
    make_run("running")
    for status in ("queued", "done"):
        make_run(status)
    for status, error in ENDED.items():
        make_run(status, error=error)
    open_page(view, language)


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_language_switches_at_once(open_page: Callable[..., AppTest], language: str) -> None:
    other = "zh_CN" if language == "en" else "en"
    at = open_page("settings", language)
    at.selectbox(key="lang").select(other).run()
    assert at.title[0].value == translator(other)("Settings")


def test_home_offers_a_first_success_when_nothing_ran(open_page: Callable[..., AppTest]) -> None:
    assert "No run has ended yet" in texts_of(open_page("home"))


def test_home_lists_what_is_at_work_and_what_ended(
    open_page: Callable[..., AppTest], make_run: Callable[..., Run]
) -> None:
    make_run("running")
    make_run("done")
    said = texts_of(open_page("home"))
    assert "Training, epoch 2 of 5" in said
    assert "about 20 s left" in said
    assert "85.0% (95%:" in said


@pytest.mark.parametrize("view", ["finetune", "runs", "data"])
def test_unknown_run_is_told_in_a_sentence(open_page: Callable[..., AppTest], view: str) -> None:
    at = open_page(view, run="ft-never")
    assert "There is no run ft-never here" in at.error[0].value


def test_unknown_model_is_told_in_a_sentence(open_page: Callable[..., AppTest]) -> None:
    at = open_page("models", model="torchvision/resnet19")
    assert "torchvision/resnet18" in at.error[0].value


def test_models_narrow_down_by_words_and_size(open_page: Callable[..., AppTest]) -> None:
    at = open_page("models")
    everything = len(at.dataframe[0].value)
    at.text_input(key="models_search").input("resnet").run()
    found = at.dataframe[0].value
    assert 0 < len(found) < everything
    assert found["id"].str.contains("resnet").all()
    at.number_input(key="models_size").set_value(20.0).run()
    assert (at.dataframe[0].value["parameters"] <= 20).all()


def test_models_say_so_when_nothing_fits(open_page: Callable[..., AppTest]) -> None:
    at = open_page("models")
    at.text_input(key="models_search").input("no such network").run()
    assert at.info[0].value == "No model fits these filters."


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_model_card_tells_facts_of_a_model_that_is_not_here(open_page: Callable[..., AppTest], language: str) -> None:
    at = open_page("models", language, model="torchvision/vit_b_16.imagenet1k_v1")
    assert at.title[0].value == "ViT-B-16 · V1"
    assert "vit_b_16-c867db91.pth" in at.info[0].value


def test_settings_list_folders_and_every_setting(open_page: Callable[..., AppTest]) -> None:
    at = open_page("settings")
    assert at.button(key="clear_pixels").disabled
    assert "GRAFT_HOME" in at.dataframe[1].value["name"].tolist()
