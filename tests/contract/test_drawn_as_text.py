"""Words from outside are drawn as words on every page: names, labels, notes, files, columns, what reports hold."""

from __future__ import annotations

import importlib.metadata
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.markdown import as_label, as_text
from core.runs import queue
from core.runs.kinds import KINDS
from core.store import Run, open_store
from tests.fixtures.drawn import POISON, is_trap, more_than_text
from tests.fixtures.homes import living_in, unpack_old_home

APP = Path(__file__).parents[2] / "app.py"
# What an outsider words as they like; what a table of Graft's own tells (kinds, codes, methods) is refused elsewhere.
WORDS = {
    "labels", "label", "true", "predicted", "text", "group", "processor", "runtime", "host", "column", "columns",
    "all_columns", "structure", "path", "precision", "device", "layout", "from", "folder", "task", "file",
}  # fmt: skip
KEYED = {"counts"}


def poisoned(value: Any, key: str = "") -> Any:
    """A report with the poison wherever words stand."""
    if isinstance(value, dict):
        renamed = {f"{name} {POISON}" if key in KEYED and value else name: one for name, one in value.items()}
        return {name: poisoned(one, name) for name, one in renamed.items()}
    if isinstance(value, list):
        return [poisoned(one, key) if not isinstance(one, str) else _word(one, key) for one in value]
    return _word(value, key) if isinstance(value, str) else value


def _word(text: str, key: str) -> str:
    return f"{text} {POISON}" if key in WORDS and not text.startswith("mistakes/") and key != "task" else text


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack_old_home(tmp_path_factory.mktemp("poisoned"))


@pytest.fixture
def home(unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with a run of every kind, each with poison in every word."""
    monkeypatch.setattr("platform.node", lambda: "graft")
    monkeypatch.setattr(queue.LocalExecutor, "start", lambda *_: (os.getpid(), time.time()))
    with living_in(unpacked / "graft"):
        monkeypatch.setenv("HF_HOME", str(unpacked / "huggingface"))
        if not (unpacked / "done").exists():
            (unpacked / "done").touch()
            for run in open_store().list_runs():
                _poison(run)
        st.cache_data.clear()
        st.cache_resource.clear()
        yield unpacked


def _poison(run: Run) -> None:
    path = run.folder / "artifacts" / "report.json"
    if path.is_file():
        report = poisoned(json.loads(path.read_text(encoding="utf-8")))
        for row in report.get("blocks") or []:
            row["name"] += f" {POISON}"
        path.write_text(json.dumps(report), encoding="utf-8")
    errors: Any = [
        {"code": "run.unknown_error", "severity": "error", "field": None, "values": {"detail": POISON}},
        {"code": "odd.code", "severity": "warning", "field": None, "values": {"why": POISON}},
    ]
    if run.kind == "inspect":  # one by another torch is not shown
        run.summary["versions"]["torch"] = importlib.metadata.version("torch")
    open_store().update_run(
        run.id,
        name=f"{run.name} {POISON}",
        note=POISON,
        tags=[POISON],
        summary=poisoned(run.summary),
        error=errors if run.status != "done" else None,
    )


def open_page(view: str, **query: str) -> AppTest:
    at = AppTest.from_file(str(APP), default_timeout=120)
    at.context = {"locale": "en-US", "theme": "light"}
    if view != "home":
        at.switch_page(f"pages/views/{view}.py")
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception, at.exception
    return at


@pytest.mark.parametrize("kind", KINDS)
def test_pages_of_a_run_draw_words_as_words(kind: str, home: Path) -> None:
    for run in open_store().list_runs(kind=kind):
        asked = {"run": run.id}
        if KINDS[kind].view == "models":
            asked = {"model": _model_of(run), "look": {"inspect": "inside", "measure": "measured"}.get(kind, "")}
        for view, query in ((KINDS[kind].view, asked), ("runs", {"run": run.id})):
            at = open_page(view, **query)
            assert more_than_text(at) == [], (view, run.id)
        assert "evil" in str([element.value for element in at.title]), "it is drawn at all"


def _model_of(run: Run) -> str:
    model = run.spec["model"]
    return str(model if isinstance(model, str) else model["id"])


@pytest.mark.parametrize("view", ["home", "runs", "data", "models", "finetune", "compare", "optimize", "predict"])
def test_lists_and_forms_draw_words_as_words(view: str, home: Path) -> None:
    assert more_than_text(open_page(view)) == []
    made = next(run for run in open_store().list_runs(kind="finetune", statuses=["done"]))
    if view in ("predict", "models", "finetune", "optimize"):
        assert more_than_text(open_page(view, model=f"run/{made.id}")) == []
    if view == "finetune" and made.sibling_group:
        assert more_than_text(open_page(view, group=made.sibling_group)) == []


def test_words_are_the_same_words() -> None:
    assert not is_trap(as_text(POISON))
    assert is_trap(POISON)
    for plain in (
        "EfficientNet-Lite0 · digits · head",
        "prune_structured",
        "10:30",
        "-0.3",
        "C#",
        "R&D",
        "75.6%",
        "数字",
    ):
        assert as_text(plain) == plain
    assert as_text("a\n\n# b") == "a # b"
    assert as_text("1. May") == "1\\. May"
    assert as_text(as_text("*")) == as_text("*")
    assert as_label("<a href='http://evil.example'>x</a>").startswith("&lt;a")
