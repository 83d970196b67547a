"""Runs and Data: tables, records, checks."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.i18n import LANGUAGES
from core.registry.formats import upload_suffixes
from core.store import Run, open_store
from pages.ui.runs import table
from tests.app.conftest import assert_sound, texts_of
from tests.fixtures.bombs import TABLES


def test_runs_narrow_down_by_words_and_status(open_page: Callable[..., AppTest], make_run: Callable[..., Run]) -> None:
    make_run("done")
    make_run("failed", "full")
    at = open_page("runs")
    assert len(at.dataframe[0].value) == 2
    at.multiselect(key="runs_status").select("failed").run()
    assert at.dataframe[0].value["status"].tolist() == ["✕ Failed"]
    at.text_input(key="runs_search").input("no such run").run()
    assert at.info[0].value == "No run fits these filters."


def test_runs_beyond_what_is_shown_are_counted_and_found(
    open_page: Callable[..., AppTest], make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MOST", 2)
    oldest = make_run("done", tags=["数字"])
    for _ in range(3):
        make_run("done")
    at = open_page("runs")
    assert "The newest 2 of 4 runs. Search to find the others." in texts_of(at)
    at.text_input(key="runs_search").input("数字").run()
    assert len(at.dataframe[0].value) == 1
    assert at.dataframe[0].value["tags"].tolist() == [oldest.tags]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("status", ["running", "done", "failed"])
def test_record_opens_in_every_state(
    open_page: Callable[..., AppTest], make_run: Callable[..., Run], status: str, language: str
) -> None:
    run = make_run(status)
    at = open_page("runs", language, run=run.id)
    assert at.title[0].value == run.name
    assert "--method head" in at.code[0].value


def test_record_keeps_name_tags_and_note(open_page: Callable[..., AppTest], make_run: Callable[..., Run]) -> None:
    run = make_run("done", tags=["mine"])
    at = open_page("runs", run=run.id)
    at.text_input(key=f"name_{run.id}").input("Best so far")
    at.text_area(key=f"note_{run.id}").input("with the new pictures")
    at.button(key=f"save_{run.id}").click().run()
    assert_sound(at)
    kept = open_store().get_run(run.id)
    assert (kept.name, kept.note, kept.tags) == ("Best so far", "with the new pictures", ["mine"])


def test_name_without_a_letter_is_refused_in_a_sentence(
    open_page: Callable[..., AppTest], make_run: Callable[..., Run]
) -> None:
    run = make_run("done")
    at = open_page("runs", run=run.id)
    at.text_input(key=f"name_{run.id}").input("  ")
    at.button(key=f"save_{run.id}").click().run()
    assert at.error[0].value == "A name needs at least one letter."


def test_delete_asks_first_and_shows_the_size(open_page: Callable[..., AppTest], make_run: Callable[..., Run]) -> None:
    run = make_run("done")
    at = open_page("runs", run=run.id)
    at.button(key="record_delete").click().run()
    assert "This frees" in texts_of(at)
    assert open_store().get_run(run.id).status == "done"


def test_running_run_cannot_be_deleted(open_page: Callable[..., AppTest], make_run: Callable[..., Run]) -> None:
    at = open_page("runs", run=make_run("running").id)
    assert "record_delete" not in {button.key for button in at.button}


def test_repeat_makes_a_new_run_of_the_same_settings(
    open_page: Callable[..., AppTest], make_run: Callable[..., Run]
) -> None:
    run = make_run("done")
    at = open_page("runs", run=run.id)
    at.button(key="record_repeat").click().run()
    assert_sound(at)
    again, first = open_store().list_runs()
    assert first.id == run.id
    assert again.spec == run.spec


@pytest.mark.parametrize("language", LANGUAGES)
def test_check_tells_classes_and_problems(
    open_page: Callable[..., AppTest], make_check: Callable[..., Run], language: str
) -> None:
    problem = {"code": "data.duplicates", "severity": "warning", "field": "data", "values": {"n": 4}}
    at = open_page("data", language, run=make_check([problem]).id)
    assert "4" in at.warning[0].value
    assert at.metric[0].value == "90"
    assert at.get("plotly_chart")


def test_data_set_is_checked_by_a_run(open_page: Callable[..., AppTest]) -> None:
    at = open_page("data")
    at.button(key="check_builtin/digits").click().run()
    assert_sound(at)
    (run,) = open_store().list_runs()
    assert (run.kind, run.spec["data"]["id"]) == ("import", "builtin/digits")
    assert "Starting the worker" in texts_of(at)


def test_upload_becomes_a_data_set_and_is_checked(open_page: Callable[..., AppTest]) -> None:
    at = open_page("data")
    at.file_uploader(key="data_upload").upload("flowers.zip", _zip_of_pictures()).run()
    assert_sound(at)
    (run,) = open_store().list_runs()
    assert run.spec["data"]["id"] == "upload/flowers"


def test_upload_field_takes_every_format_that_may_be_uploaded(open_page: Callable[..., AppTest]) -> None:
    at = open_page("data")
    assert tuple(at.file_uploader(key="data_upload").proto.type) == upload_suffixes()


def test_upload_that_is_no_zip_is_refused_in_a_sentence(open_page: Callable[..., AppTest]) -> None:
    at = open_page("data")
    at.file_uploader(key="data_upload").upload("flowers.zip", b"MZ this is a program").run()
    assert "is nothing Graft reads" in at.error[0].value
    assert not open_store().list_runs()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("repeated-value.parquet", "unfolds to more than"),
        ("new-names.jsonl", "has more than 500 columns"),
        ("broken-footer.parquet", "cannot be read"),
    ],
)
def test_upload_that_unfolds_or_is_broken_is_refused_in_a_sentence(
    open_page: Callable[..., AppTest], name: str, words: str, tmp_path: Path
) -> None:
    make, _ = TABLES[name]
    make(path := tmp_path / name)
    at = open_page("data")
    at.file_uploader(key="data_upload").upload(name, path.read_bytes()).run()
    (said,) = [error.value for error in at.error]
    assert said.startswith(f"{name} {words}")
    assert not open_store().list_runs()


def _zip_of_pictures() -> bytes:
    from PIL import Image

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for label, colour in (("rose", "red"), ("violet", "purple")):
            for n in range(4):
                picture = io.BytesIO()
                Image.new("RGB", (32 + n, 32), colour).save(picture, "PNG")
                archive.writestr(f"{label}/{n}.png", picture.getvalue())
    return content.getvalue()


LEAKS: list[dict[str, Any]] = [
    {"code": "data.leak", "severity": "warning", "field": "data", "values": {"n": 50, "total": 100}},
    {
        "code": "data.without_leaks",
        "severity": "warning",
        "field": "data",
        "values": {"accuracy": 0.7, "n": 50, "low": 0.56, "high": 0.81},
    },
]


def test_an_accuracy_with_leaks_is_marked_in_the_table_of_runs(
    open_page: Callable[..., AppTest], make_run: Callable[..., Run]
) -> None:
    run = make_run("done")
    assert "beside" not in open_page("runs").dataframe[0].proto.column_order
    open_store().update_run(run.id, summary={**run.summary, "problems": LEAKS})
    table = open_page("runs").dataframe[0]
    assert "beside" in table.proto.column_order
    (told,) = table.value["beside"]
    assert told.startswith("⚠ 70.0% on 50 new examples (95%: 56.0% to 81.0%).")
    assert "50 of 100 test pictures are among the training pictures too" in told


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("/dev/zero", "a pipe or a socket"),
        ("a\0b", "no path can hold"),
        ("x" * 6000, "at most 4096"),
        ("“/gone”", "/gone"),
    ],
)
def test_path_that_cannot_be_looked_into_is_told(open_page: Callable[..., AppTest], typed: str, told: str) -> None:
    at = open_page("data")
    at.text_input("data_path").set_value(typed).run()
    at.button("data_check_path").click().run()
    assert_sound(at)
    (box,) = at.error
    assert told in box.value
    assert open_store().list_runs() == []
