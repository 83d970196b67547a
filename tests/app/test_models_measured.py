"""A model's speed on its card: before, while and after it is measured; without weights; and the picture of all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core.i18n import LANGUAGES
from core.problems import Problem
from core.store import open_store
from pages.ui.cached import models as cached_models
from tests.app.conftest import assert_sound, texts_of
from tests.fixtures.measurements import make_measurement

LITE0, RESNET = "bundled/efficientnet_lite0", "torchvision/resnet18.imagenet1k_v1"


def _measured(open_page: Callable[..., AppTest], language: str = "en", model: str = LITE0) -> AppTest:
    at = open_page("models", language, model=model)
    return at.segmented_control(key=f"card_way_{model}").set_value("measured").run()


def test_click_starts_a_measurement_and_its_progress_is_shown(open_page: Callable[..., AppTest]) -> None:
    at = _measured(open_page)
    at.button(key="measure_go").click().run()
    assert_sound(at)
    (run,) = open_store().list_runs(kind="measure")
    assert run.spec == {"model": {"id": LITE0, "weights": "pretrained"}, "batch_size": 32}
    assert "timed in a process of its own" in texts_of(at)
    assert at.button(key=f"stop_{run.id}")


def test_without_weights_the_button_is_grey_and_random_ones_are_offered(open_page: Callable[..., AppTest]) -> None:
    at = _measured(open_page, model=RESNET)
    assert at.button(key="measure_go").disabled
    assert "are not on this machine" in texts_of(at)
    at.button(key="measure_random").click().run()
    assert_sound(at)
    assert open_store().list_runs(kind="measure")[0].spec["model"] == {"id": RESNET, "weights": "random"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("status", ["queued", "running", "done", "failed"])
def test_card_opens_with_a_measurement_in_every_state(
    open_page: Callable[..., AppTest], status: str, language: str
) -> None:
    make_measurement(LITE0, status=status)
    at = _measured(open_page, language)
    if status == "done":
        assert "blocks.0" in texts_of(at)
        assert not at.button(key="measure_go").disabled
    if status == "failed":
        assert at.error


def test_numbers_say_what_they_hold_for_and_what_was_odd(open_page: Callable[..., AppTest]) -> None:
    busy = Problem("measure.machine_busy", "warning", values={"processors": "1.2"})
    make_measurement(RESNET, weights="random", problems=[busy.as_dict()], batch_size=16)
    at = _measured(open_page, model=RESNET)
    shown = {metric.label: (metric.value, metric.delta) for metric in at.metric}
    assert shown["Time of an answer"] == ("20 ms", "24 ms for 95 of 100")
    assert shown["Throughput"] == ("80 pictures/s", "16 at once")
    assert "1.2 processors busy" in at.warning[0].value
    said = texts_of(at)
    assert "random weights" in said
    assert "PyTorch 2.14.1, fp32, 2 threads of A processor." in said
    assert "blocks.0`: 10 ms, 50% of the whole" in said


def test_chart_says_what_to_do_first_and_then_shows_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def script() -> None:
        from pages.ui.models import measured as models_measured

        models_measured.chart()

    drawn = []
    monkeypatch.setattr("pages.ui.models.measured.draw_chart", lambda chart, key, alt: drawn.append(alt))
    at = AppTest.from_function(script, default_timeout=30).run()
    assert "Nothing was measured here yet" in texts_of(at)
    make_measurement(LITE0)
    cached_models.measurements.clear()
    at = at.run()
    assert not at.exception
    assert "EfficientNet-Lite0: 7" in drawn[0]
    assert "20 ms" in drawn[0]
