"""Getting weights and bringing runs on the pages: the button, its reasons, progress, faults, deletion, archives."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from core import hardware, settings
from core.i18n import LANGUAGES
from core.models import catalog
from core.models.spec import DownloadSpec
from core.problems import Problem
from core.runs import submit
from core.runs.export import export_run
from core.store import Run, open_store
from tests.app.conftest import assert_sound, texts_of

RESNET = "torchvision/resnet18.imagenet1k_v1"
Open = Callable[..., AppTest]


def _button(at: AppTest, key: str) -> object:
    return next((button for button in at.button if button.key == key), None)


def _download(status: str, **columns: object) -> Run:
    """A download as a worker leaves it."""
    run = submit.new_run(DownloadSpec(model=RESNET))
    me, now = psutil.Process(), time.time()
    if status == "running":
        alive = {"pid": me.pid, "pid_started": me.create_time(), "host": hardware.this_host(), "heartbeat_at": now}
        columns = {**alive, "started_at": now, **columns}
    open_store().update_run(run.id, status=status, **columns)
    return open_store().get_run(run.id)


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRAFT_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_download_is_greyed_with_its_reason_when_offline(open_page: Open, language: str) -> None:
    at = open_page("models", language, model=RESNET)
    assert at.button(key="get_weights").disabled
    assert "GRAFT_OFFLINE=1" in texts_of(at)


@pytest.mark.usefixtures("online")
def test_download_is_started_by_one_click_and_followed(open_page: Open) -> None:
    at = open_page("models", model=RESNET)
    assert "46.8 MB" in at.button(key="get_weights").label
    at.button(key="get_weights").click().run()
    assert_sound(at)
    (run,) = open_store().list_runs(kind="download")
    assert run.spec == {"model": RESNET}
    assert _button(at, "get_weights") is None
    phase = {"code": "fetch", "values": {"file": "resnet18.pth", "done_mb": 12.3, "total_mb": 46.8, "rate_mb": 3.1}}
    open_store().update_run(run.id, phase=phase, progress=0.26, eta_s=11.0)
    at.run()
    assert_sound(at)
    assert "Fetching `resnet18.pth`" in texts_of(at)
    at.button(key=f"stop_{run.id}").click().run()
    assert open_store().get_run(run.id).stop_requested


@pytest.mark.usefixtures("online")
@pytest.mark.parametrize("language", LANGUAGES)
def test_failed_download_says_why_and_goes_on_when_resumed(open_page: Open, language: str) -> None:
    values = {"host": "download.pytorch.org", "file": "resnet18.pth", "times": 4}
    error = [Problem("download.broken_off", values=values).as_dict()]
    phase = {"code": "fetch", "values": {"file": "resnet18.pth", "done_mb": 12.3, "total_mb": 46.8}}
    run = _download("failed", error=error, phase=phase, ended_at=time.time())
    at = open_page("models", language, model=RESNET)
    assert "download.pytorch.org" in texts_of(at)
    assert "12.3 MB" in texts_of(at)
    at.button(key="get_weights").click().run()
    assert_sound(at)
    assert open_store().get_run(run.id).attempt == 1
    assert open_store().get_run(run.id).is_active


def test_weights_that_are_here_are_told_and_deleting_them_asks_first(open_page: Open) -> None:
    card = catalog.get_model(RESNET)
    path = settings.torch_folder() / "hub" / "checkpoints" / card.file_name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"0" * 2_000_000)
    at = open_page("models", model=RESNET)
    assert "take 2 MB in" in texts_of(at)
    at.button(key="delete_weights").click().run()
    assert path.exists(), "not before the question is answered"
    assert _button(at, "delete_weights_confirmed") is not None
    assert "frees 2 MB" in texts_of(at)


@pytest.mark.parametrize("language", LANGUAGES)
def test_settings_list_the_weights_and_where_new_ones_come_from(open_page: Open, language: str) -> None:
    card = catalog.get_model(RESNET)
    path = settings.torch_folder() / "hub" / "checkpoints" / f"{card.file_name}.part"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"0" * 3_000_000)
    at = open_page("settings", language)
    assert "GRAFT_OFFLINE=1" in texts_of(at)
    table = next(frame.value for frame in at.dataframe if "model" in frame.value)
    assert table[["model", "size"]].to_numpy().tolist() == [[RESNET, 3.0]]
    assert at.button(key="delete_weights").disabled, "no row is selected"


def test_run_from_elsewhere_is_brought_on_the_page(
    open_page: Open, make_run: Callable[..., Run], tmp_path: Path
) -> None:
    path = export_run(make_run("done").id)
    at = open_page("runs")
    at.file_uploader(key="run_archive_0").upload("run.zip", path.read_bytes(), "application/zip").run()
    assert_sound(at)
    assert len(open_store().list_runs()) == 2
    assert "is here now" in texts_of(at)
    assert "is here already" in texts_of(at), "and that it got another id"
    at.file_uploader(key="run_archive_1").upload("no.zip", b"no zip", "application/zip").run()
    assert_sound(at)
    assert len(open_store().list_runs()) == 2
    assert "no.zip" in texts_of(at)
