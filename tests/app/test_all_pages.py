"""Every view opens in both languages, with nothing and with runs in every state."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core import settings
from core.i18n import LANGUAGES, translator
from core.models.families import FAMILIES
from core.store import Run
from pages.ui.cached import models as cached_models
from tests.app.conftest import ENDED, assert_sound, texts_of

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


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("view", TITLES)
def test_view_opens_in_the_browsers_language_when_there_is_nothing_yet(
    open_page: Callable[..., AppTest], view: str, language: str
) -> None:
    at = open_page(view, language)
    assert at.title[0].value == translator(language)(TITLES[view])


@pytest.mark.parametrize("language", LANGUAGES)
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


@pytest.mark.parametrize("language", LANGUAGES)
def test_language_switches_at_once(open_page: Callable[..., AppTest], language: str) -> None:
    other = next(name for name in LANGUAGES if name != language)
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
    assert (found["id"] + found["family"].str.lower()).str.contains("resnet").all()
    at.number_input(key="models_size").set_value(20.0).run()
    assert (at.dataframe[0].value["parameters"] <= 20).all()


def test_models_narrow_down_by_what_licence_task_and_source_say(open_page: Callable[..., AppTest]) -> None:
    at = open_page("models")
    at.toggle(key="models_commercial").set_value(True)
    at.selectbox(key="models_source").set_value("timm")
    at.selectbox(key="models_task").set_value("image-classification")
    at.number_input(key="models_accuracy").set_value(75.0)
    at.number_input(key="models_size").set_value(10.0).run()
    found = at.dataframe[0].value
    assert 0 < len(found) < 200
    assert found["id"].str.startswith("timm/").all()
    assert (found["accuracy"] >= 75).all()
    assert (found["parameters"] <= 10).all()
    assert not found["licence"].str.contains("nc", regex=False).any()


@pytest.mark.parametrize("language", LANGUAGES)
def test_families_tell_what_they_brought_and_lead_to_their_models(
    open_page: Callable[..., AppTest], language: str
) -> None:
    at = open_page("models", language)
    at.segmented_control(key="models_way").set_value("families").run()
    told = texts_of(at)
    assert "ResNet · 2015" in told
    assert translator(language)(FAMILIES["ResNet"].brought) in told
    at.text_input(key="families_search").input("no such family").run()
    assert at.info[0].value == translator(language)("No family fits.")


def test_a_family_narrows_the_table_to_its_models(open_page: Callable[..., AppTest]) -> None:
    at = open_page("models", family="ConvNeXt")
    assert set(at.dataframe[0].value["family"]) == {"ConvNeXt"}


def test_models_stand_side_by_side_and_the_smallest_is_named(open_page: Callable[..., AppTest]) -> None:
    at = open_page("models", beside="bundled/efficientnet_lite0,torchvision/resnet50.imagenet1k_v1,bundled/minilm-l6")
    table = at.dataframe[0].value
    assert list(table.columns) == ["EfficientNet-Lite0", "ResNet50 · V1", "MiniLM-L6"]
    assert table.loc["Accuracy"].tolist() == ["75.1%", "76.1%", "–"]
    assert "Fewest parameters: **EfficientNet-Lite0**" in texts_of(at)


def test_the_hub_is_not_asked_while_offline(open_page: Callable[..., AppTest], monkeypatch: Any) -> None:
    monkeypatch.setenv("GRAFT_OFFLINE", "1")
    at = open_page("models")
    at.segmented_control(key="models_way").set_value("hub").run()
    assert "GRAFT_OFFLINE" in at.info[0].value
    assert not at.text_input


@pytest.mark.parametrize("model", ["hub/openai/whisper-tiny", "hub/openai/clip-vit-base-patch32", "timm/resnet18"])
def test_card_of_any_kind_opens_and_offers_training_only_where_it_can_be(
    open_page: Callable[..., AppTest], model: str
) -> None:
    at = open_page("models", model=model)
    assert not at.exception
    offered = {link.proto.label for link in at.get("page_link")}
    assert "All models" in offered
    assert (model == "timm/resnet18") == ("Fine-tune this" in offered)


def test_models_say_so_when_nothing_fits(open_page: Callable[..., AppTest]) -> None:
    at = open_page("models")
    at.text_input(key="models_search").input("no such network").run()
    assert at.info[0].value == "No model fits these filters."


def test_words_lead_on_to_the_hub(open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(cached_models, "search_hub", lambda words: asked.append(words) or [])
    at = open_page("models")
    at.text_input(key="models_search").input("no such network").run()
    assert not [button for button in at.button if button.key == "models_to_hub"], "the switch is on"
    monkeypatch.delenv("GRAFT_OFFLINE")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    at.run()
    at.button(key="models_to_hub").click().run()
    assert asked == ["no such network"]
    assert_sound(at)


@pytest.mark.parametrize("language", LANGUAGES)
def test_model_card_tells_facts_of_a_model_that_is_not_here(open_page: Callable[..., AppTest], language: str) -> None:
    at = open_page("models", language, model="torchvision/vit_b_16.imagenet1k_v1")
    assert at.title[0].value == "ViT-B-16 · V1"
    assert at.button(key="get_weights").disabled, "the switch is on: nothing is fetched"
    assert "GRAFT_OFFLINE" in texts_of(at)


@pytest.mark.parametrize(
    ("tag", "how"),
    [
        ("convnext_base.fb_in22k_ft_in1k_384", "squeezing"),
        ("deepseek_vit_412m.deepseek_v4_1_flash", "adding a border in the mean colour"),
        ("convnext_base.fb_in22k_ft_in1k", "cutting the middle out"),
    ],
)
def test_model_card_says_how_pictures_become_square(open_page: Callable[..., AppTest], tag: str, how: str) -> None:
    at = open_page("models", model=f"timm/{tag}")
    facts = "\n".join(table.value.to_string() for table in at.table)
    assert how in facts
    assert "nothing is cut off" not in facts + texts_of(at)


def test_settings_list_folders_and_every_setting(open_page: Callable[..., AppTest]) -> None:
    # A sparse file, as decoded pictures lie in: long, and hardly anything on the disk.
    with (settings.folder("cache") / "sparse.bin").open("wb") as file:
        file.truncate(10**9)
    at = open_page("settings")
    assert "GB" not in str(at.dataframe[0].value["size"].tolist())
    assert at.button(key="clear_pixels").disabled
    assert "GRAFT_HOME" in at.dataframe[1].value["name"].tolist()


def test_page_serves_the_installed_plotly_from_beside_its_script(app: Path, open_page: Callable[..., AppTest]) -> None:
    (app.parent / "static").mkdir(exist_ok=True)
    (app.parent / "static" / "plotly-0.0.1.min.js").touch()
    for path in (app.parent / "static").glob(f"plotly-{version('plotly')}.min.js"):
        path.unlink()
    open_page("home")
    (served,) = (app.parent / "static").iterdir()
    assert served.name == f"plotly-{version('plotly')}.min.js"
    assert served.read_bytes() == (resources.files("plotly") / "package_data" / "plotly.min.js").read_bytes()


def _breaking() -> None:
    import streamlit as st

    from pages.ui import parts

    def fail(*_: object) -> None:
        raise ValueError("a planted detail")

    parts.tell_everywhere()
    where = st.radio("where", ["fragment", "script", "callback"])
    st.button("press", on_click=fail)
    if where == "script":
        fail()
    if where == "fragment":
        st.fragment(fail)()


def test_what_no_page_foresaw_is_a_sentence_wherever_it_happens(home: Path) -> None:
    at = AppTest.from_function(_breaking).run()
    for where in ("fragment", "script", "callback"):
        at.radio[0].set_value(where).run()
        if where == "callback":
            assert not at.error
            at.button[0].click().run()
        assert not at.exception
        (box,) = at.error
        assert "a planted detail" in box.value, where
        assert "Traceback" not in box.value
    assert "Traceback" in (home / "graft.log").read_text(encoding="utf-8")
