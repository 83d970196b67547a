"""The card of a model with its inspection: begun by itself, waited for, drawn, failed, in both languages."""

from __future__ import annotations

import time
from typing import Any

import pytest

from core.files import to_json
from core.i18n import LANGUAGES
from core.inspection.run import take_apart
from core.inspection.spec import InspectSpec
from core.spec import ModelRef
from core.store import Run, open_store
from tests.app.conftest import assert_sound, texts_of

MODEL = "torchvision/squeezenet1_1.imagenet1k_v1"
SPEC = InspectSpec(model=ModelRef(id=MODEL))


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return take_apart(SPEC)


def _inspection(status: str, report: dict[str, Any] | None = None, **columns: Any) -> Run:
    store, now = open_store(), time.time()
    store.create_run("in-test", kind="inspect", name="SqueezeNet", spec=SPEC.model_dump(mode="json"), device="disk")
    folder = store.get_run("in-test").folder / "artifacts"
    folder.mkdir(parents=True)
    if report is not None:
        (folder / "report.json").write_text(to_json(report), encoding="utf-8")
        columns["summary"] = {"versions": report["versions"]}
    store.update_run("in-test", status=status, started_at=now - 3, ended_at=now, **columns)
    return store.get_run("in-test")


def _tables(at: Any) -> dict[str, Any]:
    """The tables of the page, told by a column that each alone has."""
    columns = {"mac_share": "layers", "method": "tuning", "precision": "memory"}
    return {columns[name]: table.value for table in at.dataframe for name in columns if name in table.value.columns}


def test_inspection_begins_by_itself_on_the_first_visit(open_page) -> None:
    at = open_page("models", model=MODEL, look="inside")
    found = open_store().list_runs(kind="inspect")
    assert [run.spec["model"]["id"] for run in found] == [MODEL]
    assert "taken apart" in texts_of(at)
    at.run()
    assert len(open_store().list_runs(kind="inspect")) == 1, "the second visit begins none"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_finished_inspection_is_drawn(open_page, report, language: str) -> None:
    _inspection("done", report)
    at = open_page("models", language, model=MODEL, look="inside")
    tables = _tables(at)
    assert {"layers", "tuning", "memory"} <= tables.keys()
    assert len(tables["layers"]) == 17  # the whole, two holders, what lies in them
    assert len(tables["memory"]) == 8
    at.text_input(key="layers_search").set_value("squeeze conv2d").run()
    assert_sound(at)
    assert len(_tables(at)["layers"]) == 8
    at.slider(key="tuning_last").set_value(4).run()
    assert_sound(at)


def test_a_failed_inspection_says_why_and_can_be_begun_again(open_page) -> None:
    _inspection("failed", error=[{"severity": "error", "code": "run.out_of_memory", "values": {}}])
    at = open_page("models", model=MODEL, look="inside")
    at.button(key="inspect_again").click().run()
    assert_sound(at)
    assert len(open_store().list_runs(kind="inspect")) == 2
