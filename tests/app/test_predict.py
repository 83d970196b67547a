"""Predict: the sentiment model while one types, many lines, a file as a run, one's own models."""

from __future__ import annotations

import io
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core import settings
from core.files import to_json
from core.i18n import LANGUAGES
from core.predict.answers import Piece, TextAnswer
from core.predict.spec import PredictSpec
from core.store import Run, open_store
from pages.ui.cached import answers as cached_answers
from pages.ui.cached import models as cached_models
from tests.app.conftest import assert_sound, texts_of
from tests.fixtures.pictures import exif_of, seeing

PRAISE, COMPLAINT = (
    "这部电影真是太棒了，演员的表演非常出色，剧情也很吸引人。",
    "我从未看过如此糟糕的电影，简直是在浪费时间。",
)


@pytest.fixture(autouse=True)
def _not_warmed_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The Chinese half needs no torch: these tests load none."""
    monkeypatch.setattr(cached_answers, "warm_up", lambda: None)
    return iter([None])


def drawn(at: AppTest) -> str:
    return "\n".join(str(box.proto.body) for box in at.get("html"))


@pytest.mark.parametrize(
    ("language", "positive", "negative"), [("en", "Positive", "Negative"), ("zh_CN", "正面", "负面")]
)
def test_text_is_answered_with_its_words(
    open_page: Callable[..., AppTest], language: str, positive: str, negative: str
) -> None:
    at = open_page("predict", language)
    at.text_input(key="predict_text").input(PRAISE).run()
    assert_sound(at)
    assert positive in texts_of(at)
    assert "solid" in drawn(at)
    at.text_input(key="predict_text").input(COMPLAINT).run()
    assert negative in texts_of(at)
    assert "wavy" in drawn(at)


def test_example_is_one_click_away(open_page: Callable[..., AppTest]) -> None:
    at = open_page("predict")
    at.button(key="predict_example_2").click().run()
    assert_sound(at)
    assert "Unsure, leaning to positive" in texts_of(at)


@pytest.mark.parametrize("text", ["🙂🎉", "12345"])
def test_text_it_cannot_read_is_told(open_page: Callable[..., AppTest], text: str) -> None:
    at = open_page("predict")
    at.text_input(key="predict_text").input(text).run()
    assert_sound(at)
    assert "neither Chinese nor Latin letters" in at.info[0].value


def test_texts_in_other_languages_are_declined_with_the_reason(open_page: Callable[..., AppTest]) -> None:
    at = open_page("predict")
    for text in ("Une soirée merveilleuse, tout était parfait.", "مرحبا بالعالم"):
        at.text_input(key="predict_text").input(text).run()
        assert_sound(at)
        assert "another language than Chinese and English" in at.info[0].value
        assert "text-decoration" not in drawn(at)
    at.segmented_control(key="predict_way").set_value("lines").run()
    at.text_area(key="predict_lines").input(f"{PRAISE}\n방이 깨끗하고 조용했어요\nNicht zu empfehlen").run()
    at.button(key="predict_go").click().run()
    assert_sound(at)
    assert "2 of 3 texts are in other languages" in at.warning[0].value
    (table,) = (one.value for one in at.dataframe if "reason" in one.value)
    assert table["label"].tolist() == ["Positive", "Not answered", "Not answered"]
    assert [str(reason)[:4] for reason in table["reason"]][1:] == ["This", "This"]


def test_markup_in_a_text_stays_text(open_page: Callable[..., AppTest]) -> None:
    at = open_page("predict")
    at.text_input(key="predict_text").input("<script>alert(1)</script> 很好，很好，**太棒了**").run()
    assert_sound(at)
    assert "<script" not in drawn(at)


def test_lines_are_answered_at_once(open_page: Callable[..., AppTest]) -> None:
    at = open_page("predict")
    at.segmented_control(key="predict_way").set_value("lines").run()
    at.text_area(key="predict_lines").input(f"{PRAISE}\n\n{COMPLAINT}\n=1+1 {PRAISE}").run()
    at.button(key="predict_go").click().run()
    assert_sound(at)
    assert at.dataframe[0].value["label"].tolist() == ["Positive", "Negative", "Positive"]
    assert {metric.label: metric.value for metric in at.metric} == {"Positive": "2", "Negative": "1"}


def test_too_many_lines_are_refused_with_a_sentence(open_page: Callable[..., AppTest]) -> None:
    at = open_page("predict")
    at.segmented_control(key="predict_way").set_value("lines").run()
    at.text_area(key="predict_lines").input("好\n" * 501).run()
    assert "501 lines are more than the 500" in at.error[0].value


def test_own_model_answers_with_its_own_classes(
    open_page: Callable[..., AppTest], make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Model:
        latency_ms = 3.0

        def answer(self, texts: list[str]) -> list[TextAnswer]:
            return [TextAnswer("Billing", {"Billing": 0.7, "other": 0.2, "third": 0.1}, "run/x")] * len(texts)

        def explain(self, text: str) -> tuple[str, list[Piece]]:
            return "Billing", [Piece(text, 0.5)]

    from core.models.catalog import get_model

    card = get_model("bundled/minilm-l6").model_copy(
        update={"id": "run/ft-x", "name": "mine", "source": "run", "num_classes": 3}
    )
    monkeypatch.setattr(cached_models, "models", lambda: [(card, True)])
    monkeypatch.setattr(cached_answers, "text_model", lambda _id: Model())
    at = open_page("predict", model="run/ft-x")
    assert at.selectbox(key="predict_model_texts").value == "run/ft-x"
    at.text_input(key="predict_text").input("a question about my bill").run()
    assert_sound(at)
    assert "Billing, 70.0% sure" in texts_of(at)
    assert len(at.dataframe[0].value) == 3


def test_model_that_is_not_here_says_how_to_get_it(
    open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    at = open_page("predict", model="hub/uer/roberta-base-finetuned-dianping-chinese")
    assert "core download hub/uer/roberta-base-finetuned-dianping-chinese" in at.error[0].value
    assert not at.text_input


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("status", ["queued", "running", "done", "stopped", "failed"])
def test_answered_file_opens_in_every_state(open_page: Callable[..., AppTest], status: str, language: str) -> None:
    spec, store, now = PredictSpec(file="/data/reviews.csv"), open_store(), time.time()
    store.create_run("pr-test", kind="predict", name="sentiment · reviews", spec=spec.model_dump(mode="json"))
    folder = settings.folder("runs") / "pr-test" / "artifacts"
    folder.mkdir(parents=True)
    columns: dict[str, Any] = {}
    if status == "done":
        rows = [{"text": PRAISE, "label": "positive", "confidence": 0.9, "model": "sentiment/zh"}]
        rows.append({"text": "", "label": "unsure", "confidence": None, "model": ""})
        (folder / "report.json").write_text(to_json({"rows": rows, "labels": ["negative", "positive"]}))
        (folder / "answers.csv").write_text("text,answer\n")
        counts = {"positive": 1500, "unsure": 1}
        columns["summary"] = {
            "rows": 1501, "column": "text", "counts": counts, "texts_per_s": 900.0, "problems": [],
        }  # fmt: skip
    if status == "running":
        columns["phase"] = {"code": "answer", "values": {"done": 1000, "total": 1501}}
        columns |= {"progress": 0.66, "heartbeat_at": now}
    if status in ("stopped", "failed"):
        code = {"stopped": "run.stopped", "failed": "run.out_of_memory"}[status]
        columns["error"] = [{"code": code, "severity": "error", "field": None, "values": {}}]
    store.update_run("pr-test", status=status, started_at=now - 5, **columns)
    at = open_page("predict", language, run="pr-test")
    assert at.title[0].value == "sentiment · reviews"
    if status == "done":
        assert len(at.dataframe[0].value) == 2
    if status == "running" and language == "en":
        assert "Answering, 1000 of 1501" in texts_of(at)
    open_page("runs", language, run="pr-test")
    open_page("runs", language)


# -- pictures ----------------------------------------------------------------------------------------------


class _Sees:
    """A model that answers the same of every picture."""

    latency_ms = 12.0
    seen = seeing(8, 8)

    def __init__(self, label: str) -> None:
        self.label = label

    def answer_seen(self, squares: list[Any]) -> list[list[tuple[str, float]]]:
        return [[(self.label, 0.7), ("second", 0.2), ("third", 0.1)]] * len(squares)


@pytest.fixture
def two_models(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two models for pictures whose weights are here, and one that is not."""
    from core.models.catalog import get_model

    card = get_model("bundled/efficientnet_lite0")
    ids = ["bundled/one", "bundled/two", "bundled/absent"]
    cards = [(card.model_copy(update={"id": one, "name": one.partition("/")[2]}), one != ids[2]) for one in ids]
    monkeypatch.setattr(cached_models, "models", lambda: cards)
    monkeypatch.setattr(cached_answers, "predictor", lambda one: _Sees(f"seen by {one.partition('/')[2]}"))
    return ids


def _png() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(content, "PNG")
    return content.getvalue()


@pytest.mark.parametrize("language", LANGUAGES)
def test_pictures_are_answered_by_models_side_by_side(
    open_page: Callable[..., AppTest], two_models: list[str], language: str
) -> None:
    at = open_page("predict", language, model="bundled/one")
    assert at.multiselect(key="predict_beside").options == ["two"], "only what is here can be asked"
    at.multiselect(key="predict_beside").set_value(["bundled/two"])
    at.file_uploader(key="predict_pictures").upload("a.png", _png()).run()
    assert_sound(at)
    said = texts_of(at)
    assert "seen by one" in said
    assert "seen by two" in said
    assert [len(table.value) for table in at.dataframe[:2]] == [3, 3]


def test_where_it_looked_is_shown_on_demand_and_a_picture_that_is_none_is_told(
    open_page: Callable[..., AppTest], two_models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def heat(model_id: str, data: bytes, label: str) -> tuple[Any, tuple[int, int]]:
        asked.append((model_id, label))
        return np.zeros((8, 8, 3), dtype=np.uint8), (7, 7)

    monkeypatch.setattr(cached_answers, "heat", heat)
    at = open_page("predict", model="bundled/one")
    at.file_uploader(key="predict_pictures").upload("a.png", _png()).run()
    assert asked == []
    at.toggle(key="predict_looks").set_value(True).run()
    assert_sound(at)
    assert asked == [("bundled/one", "seen by one")]
    at.file_uploader(key="predict_pictures").upload("b.png", b"MZ this is a program").run()
    assert "not a picture that can be read" in at.error[0].value


def _saved(values: Any, format: str, **options: Any) -> bytes:
    content = io.BytesIO()
    Image.fromarray(values).save(content, format, **options)
    return content.getvalue()


def _turned() -> bytes:
    # Of a negative width, which Pillow cannot write again when it turns the picture.
    exif = exif_of(3, struct.pack("<HH", 6, 0), (0x0100, 9, 1, struct.pack("<i", -5)))
    return _saved(np.zeros((20, 30, 3), np.uint8), "JPEG", exif=exif)


def test_of_several_pictures_each_that_fails_is_told_by_name_and_the_others_are_answered(
    open_page: Callable[..., AppTest], two_models: list[str], shown: list[Any]
) -> None:
    deep = np.linspace(0, 65535, 600).reshape(20, 30)
    at = open_page("predict", model="bundled/one")
    files = at.file_uploader(key="predict_pictures")
    files.set_value(
        [
            ("broken.jpg", b"\xff\xd8\xff\xe0 no more", "image/jpeg"),
            ("program.png", b"MZ this is a program", "image/png"),
            ("turned.jpg", _turned(), "image/jpeg"),
            ("grey.png", _saved(deep.astype(np.uint16), "PNG"), "image/png"),
            ("scan.tif", _saved(deep.astype(np.int32), "TIFF"), "image/tiff"),
            ("field.tif", _saved((deep / 65535).astype(np.float32), "TIFF"), "image/tiff"),
            ("faint.tif", _saved((deep / 20).astype(np.uint16), "TIFF"), "image/tiff"),
        ]
    ).run()
    assert_sound(at)
    assert ["broken.jpg" in at.error[0].value, "program.png" in at.error[1].value, len(at.error)] == [True, True, 2]
    assert [(picture.mode, picture.size) for picture in shown] == [("RGB", (20, 30))] + [("RGB", (30, 20))] * 4
    assert texts_of(at).count("seen by one") == 5
    assert [("faint.tif" in one.value, "nearly one colour" in one.value) for one in at.warning] == [(True, True)]


def test_zip_of_pictures_becomes_a_run_and_a_folder_that_is_missing_is_told(
    open_page: Callable[..., AppTest], two_models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = open_page("predict", model="bundled/efficientnet_lite0")
    at.segmented_control(key="predict_picture_way").set_value("album").run()
    at.text_input(key="predict_folder").input("/no/such/folder").run()
    at.button(key="predict_album_go").click().run()
    assert "There is no file or folder" in at.error[0].value


@pytest.mark.parametrize("language", LANGUAGES)
def test_answered_pictures_open_with_their_table(open_page: Callable[..., AppTest], language: str) -> None:
    spec, store = PredictSpec(model="bundled/efficientnet_lite0", file="/data/pictures.zip"), open_store()
    store.create_run("pr-pic", kind="predict", name="Lite0 · pictures", spec=spec.model_dump(mode="json"))
    folder = settings.folder("runs") / "pr-pic" / "artifacts"
    folder.mkdir(parents=True)
    rows = [{"file": "a.png", "label": "tabby", "confidence": 0.9}, {"file": "b.png", "label": "", "confidence": None}]
    (folder / "report.json").write_text(to_json({"rows": rows}))
    (folder / "answers.csv").write_text("file,label\n")
    summary = {"kind": "pictures", "rows": 2, "counts": {"tabby": 1, "": 1}, "pictures_per_s": 20.0, "problems": []}
    store.update_run("pr-pic", status="done", summary=summary, started_at=time.time(), ended_at=time.time())
    at = open_page("predict", language, run="pr-pic")
    assert at.dataframe[0].value["file"].tolist() == ["a.png", "b.png"]
    assert ("2 pictures answered" if language == "en" else "2") in texts_of(at)
