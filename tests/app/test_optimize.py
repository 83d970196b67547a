"""Optimize: the form, what cannot be done, the start, an optimization in every state."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.charts.theme import BRAND
from core.files import to_json
from core.i18n import LANGUAGES
from core.messages import explain
from core.models.catalog import get_model
from core.problems import Problem
from core.registry.passes import PASSES
from core.store import Run, open_store, read_report
from pages.ui.cached import answers as cached_answers
from pages.ui.cached import models as cached_models
from pages.ui.cached import runs as cached_runs
from tests.app.conftest import ENDED, assert_sound, charts_of, texts_of
from tests.fixtures.optimizations import able_machine, make_optimization
from tests.fixtures.pictures import exif_of


def headings_of(at: AppTest) -> list[str]:
    return [element.value for element in at.markdown if element.value.startswith("## ")]


@pytest.fixture(autouse=True)
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is offered does not depend on the processor that the tests run on."""
    monkeypatch.setattr("core.optimize.checks.describe_machine", able_machine)


@pytest.fixture
def made_model(make_run: Callable[..., Run]) -> Callable[[], Run]:
    """A finished fine-tuning with the files of its model, as far as its card reads them."""

    def make() -> Run:
        run, base = make_run("done"), get_model("bundled/efficientnet_lite0")
        folder = run.folder / "artifacts" / "model"
        folder.mkdir()
        facts = {"base": base.id, "labels": ["cat", "dog"], "preprocessing": base.vision.model_dump(mode="json")}
        facts |= {"parameters": 3_000_000, "method": "head"}
        (folder / "model.json").write_text(json.dumps(facts), encoding="utf-8")
        (folder / "model.safetensors").write_bytes(b"weights")
        return run

    return make


# -- the form ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_form_tells_variants_and_command(open_page: Callable[..., AppTest], language: str) -> None:
    at = open_page("optimize", language)
    assert ("variants**, measured beside" if language == "en" else "个变体**") in texts_of(at)
    assert "core optimize" in at.code[0].value
    assert "--passes onnx,static_int8" in at.code[0].value
    assert at.button(key="opt_start").label


@pytest.mark.parametrize("language", LANGUAGES)
def test_ways_that_cannot_be_had_are_greyed_with_reason_and_remedy(
    open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setattr("core.optimize.checks.missing_packages", lambda name: PASSES[name].packages)
    at = open_page("optimize", language)
    assert at.checkbox(key="opt_refused_dynamic_int8").disabled
    assert at.checkbox(key="opt_refused_openvino_int8").disabled
    said = texts_of(at)
    assert "pip install openvino nncf" in said
    assert ("on convolutions it is known to collapse" if language == "en" else "卷积") in said
    at.checkbox(key="opt_pass_torchscript").check().run()
    assert_sound(at)
    assert ("deprecated" if language == "en" else "弃用") in texts_of(at)


def test_run_that_is_chosen_brings_its_data_along(
    open_page: Callable[..., AppTest], made_model: Callable[[], Run]
) -> None:
    run = made_model()
    at = open_page("optimize", model=f"run/{run.id}")
    assert at.selectbox(key="opt_model").value == f"run/{run.id}"
    assert at.selectbox(key="opt_data").value == run.spec["data"]["id"]


def test_form_starts_an_optimization_once_as_it_is_filled_in(open_page: Callable[..., AppTest]) -> None:
    at = open_page("optimize", model="bundled/efficientnet_lite0", data="builtin/digits")
    assert "opt_epochs" not in [field.key for field in at.number_input], "nothing learns yet"
    at.checkbox(key="opt_pass_prune_magnitude").check().run()
    at.checkbox(key="opt_pass_half").uncheck().run()
    at.number_input(key="opt_epochs").set_value(3)
    at.number_input(key="opt_max_drop").set_value(0.5)
    at.checkbox(key="opt_combine").check().run()
    button = at.button(key="opt_start")
    button.click().run()
    button.click().run()
    assert_sound(at)
    (run,) = open_store().list_runs(kind="optimize")
    assert run.spec["passes"] == ["prune_magnitude", "onnx", "static_int8"]
    assert (run.spec["epochs"], run.spec["max_drop"], run.spec["combine"]) == (3, 0.5, True)
    assert run.id.startswith("op-")


def test_start_is_blocked_when_no_way_is_chosen(open_page: Callable[..., AppTest]) -> None:
    at = open_page("optimize")
    for name in ("onnx", "static_int8", "half"):
        at.checkbox(key=f"opt_pass_{name}").uncheck()
    at.run()
    assert_sound(at)
    assert len(at.error) == 1
    assert at.button(key="opt_start").disabled


def test_text_models_are_offered_what_suits_them(
    open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    sst2 = "hub/distilbert/distilbert-base-uncased-finetuned-sst-2-english"
    monkeypatch.setattr(cached_models, "models", lambda: [(get_model(sst2), True)])
    at = open_page("optimize", data="builtin/reviews-en")
    assert at.checkbox(key="opt_pass_dynamic_int8").value


def test_form_says_what_to_do_when_there_is_no_model(
    open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached_models, "models", list)
    at = open_page("optimize")
    assert any(element.proto.query_string == "data=builtin%2Fdigits" for element in at.get("page_link"))


# -- runs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_done_optimization_gives_the_answer_first(open_page: Callable[..., AppTest], language: str) -> None:
    run = make_optimization("done")
    at = open_page("optimize", language, run=run.id)
    assert len(headings_of(at)) == 1
    assert [box.value for box in at.metric][:3] == ["3.5×", "9.6×", "11×"]
    pareto = charts_of(at)[0]
    assert pareto["layout"]["xaxis"]["type"] == "log"
    assert BRAND["light"] in json.dumps(pareto)
    table = at.dataframe[0].value
    assert len(table) == 9
    assert table["name"][1].startswith("★")
    assert {label.split()[0] for label in table["status"]} == {"✓", "⊘", "✕", "≠"}
    keys = [button.key for button in at.get("download_button")]
    assert f"download_static_int8_{run.id}" in keys
    assert f"download_prune_magnitude_{run.id}" not in keys, "what does not agree is not offered"
    assert ("What was not made" if language == "en" else "没有做成的") in texts_of(at)


def test_any_variant_is_told_in_full(open_page: Callable[..., AppTest]) -> None:
    run = make_optimization("done", spec={"combine": True})
    at = open_page("optimize", run=run.id)
    at.selectbox(key=f"variant_{run.id}").select("prune_structured+static_int8").run()
    assert_sound(at)
    told = at.get("plotly_chart")[0].proto.spec
    assert "net.blocks.0" in told
    at.selectbox(key=f"variant_{run.id}").select("qat+static_int8").run()
    assert_sound(at)
    assert len(charts_of(at)) == 3, "what learned shows its curves"


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_the_data_has_no_labels_of_the_model_agreement_counts(
    open_page: Callable[..., AppTest], language: str
) -> None:
    run = make_optimization("done", labelled=False)
    at = open_page("optimize", language, run=run.id)
    assert at.metric[3].value.endswith("%")
    words = ("Agreement with the original", "与原模型")
    assert words[language != "en"] in charts_of(at)[0]["layout"]["yaxis"]["title"]["text"]
    assert at.dataframe[0].value["accuracy"].isna().all()


@pytest.mark.parametrize("done", [0, 2, 4])
def test_optimization_at_work_shows_what_is_known_so_far(open_page: Callable[..., AppTest], done: int) -> None:
    run = make_optimization("running", done=done, spec={"passes": ("qat", "onnx", "dynamic_int8", "static_int8")})
    at = open_page("optimize", run=run.id)
    if done == 0:
        assert not charts_of(at)
    assert any("●" in str(value) for value in at.dataframe[0].value["status"]) or done == 4
    at.button(key=f"stop_{run.id}").click().run()
    assert_sound(at)
    assert open_store().get_run(run.id).stop_requested


def test_variant_that_learns_shows_its_curves_while_it_does(open_page: Callable[..., AppTest]) -> None:
    run = make_optimization("running", done=1, spec={"passes": ("qat", "onnx")})
    at = open_page("optimize", run=run.id)
    loss, accuracy, _pareto = charts_of(at)
    assert loss["layout"]["xaxis"]["range"] == [0, 2]
    assert accuracy["layout"]["yaxis"]["tickformat"] == ".0%"
    assert "Quantization-aware training learns" in texts_of(at)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("status", ENDED)
def test_optimization_that_ended_early_tells_why_and_keeps_what_is_done(
    open_page: Callable[..., AppTest], status: str, language: str
) -> None:
    run = make_optimization(status, done=3, error=ENDED[status])
    at = open_page("optimize", language, run=run.id)
    assert "3" in next(
        element.value for element in at.markdown if "variants are" in element.value or "变体" in element.value
    )
    assert at.button(key=f"resume_{run.id}").label


def test_nothing_recommended_is_told(open_page: Callable[..., AppTest]) -> None:
    run = make_optimization("done", spec={"max_drop": 0.0})
    at = open_page("optimize", run=run.id)
    assert headings_of(at)
    assert not at.metric


def test_queued_optimization_and_one_without_a_report_open(open_page: Callable[..., AppTest]) -> None:
    open_page("optimize", run=make_optimization("queued").id)
    run = make_optimization("done")
    (run.folder / "artifacts" / "report.json").unlink()
    open_page("optimize", run=run.id)
    open_page("optimize", run=make_optimization("running", done=0).id)


@pytest.mark.parametrize("view", ["home", "runs"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_optimization_is_counted_and_listed(open_page: Callable[..., AppTest], view: str, language: str) -> None:
    make_optimization("running", done=3)
    make_optimization("done")
    at = open_page(view, language)
    labels = [element.proto.label for element in at.get("page_link")]
    assert ("1 run at work" if language == "en" else "1 个任务进行中") in labels
    if view == "home":
        assert ("3.5× smaller, 9.6× faster" if language == "en" else "9.6") in texts_of(at)
    else:
        assert at.dataframe[0].value["accuracy"].max() == pytest.approx(78.5)


def test_record_of_an_optimization_lists_its_settings(open_page: Callable[..., AppTest]) -> None:
    at = open_page("runs", run=make_optimization("done").id)
    assert "core optimize" in at.code[0].value


def test_finished_training_leads_here(open_page: Callable[..., AppTest], make_run: Callable[..., Run]) -> None:
    run = make_run("done")
    at = open_page("finetune", run=run.id)
    links = {element.proto.label: element.proto.query_string for element in at.get("page_link")}
    assert links["Make it smaller"] == f"model=run%2F{run.id}"
    at = open_page("models", model="bundled/efficientnet_lite0")
    assert "Make it smaller" in [element.proto.label for element in at.get("page_link")]


def test_original_and_variant_answer_side_by_side(
    open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch, shown: list[Any]
) -> None:
    import io

    from PIL import Image

    class Stub:
        latency_ms = 2.5

        def predict(self, images: list[Any]) -> list[list[tuple[str, float]]]:
            return [[("seven", 0.9), ("one", 0.1)] for _image in images]

    asked = []
    monkeypatch.setattr(cached_answers, "predictor", lambda model_id: Stub())
    monkeypatch.setattr(cached_runs, "optimized", lambda run_id, name: asked.append(name) or Stub())
    run = make_optimization("done")
    at = open_page("optimize", run=run.id)
    content = io.BytesIO()
    exif = exif_of(3, struct.pack("<HH", 6, 0))
    Image.fromarray(np.zeros((8, 16, 3), np.uint8)).save(content, "JPEG", exif=exif)
    at.file_uploader(key=f"try_picture_{run.id}").upload("seven.jpg", content.getvalue()).run()
    assert_sound(at)
    assert [picture.size for picture in shown] == [(8, 16)], "upright, as both see it"
    assert asked == ["static_int8"]
    assert texts_of(at).count("seven, 90.0% sure") == 2


def test_what_the_data_hides_stands_beside_what_was_found(open_page: Callable[..., AppTest]) -> None:
    run = make_optimization("done")
    report = read_report(run.id) or {}
    problem = Problem("optimize.leaks_left_out", "warning", "data", {"leaked": 20, "n": 80})
    report["problems"] = [problem.as_dict()]
    (run.folder / "artifacts" / "report.json").write_text(to_json(report), encoding="utf-8")
    assert explain(problem) in [box.value for box in open_page("optimize", run=run.id).warning]
