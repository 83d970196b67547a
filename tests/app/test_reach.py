"""Who may see the pages: this machine alone, or whoever has the key; and nobody makes the server ask elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient
from streamlit import config, net_util
from streamlit.runtime import Runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.testing.v1 import AppTest
from streamlit.web.server.starlette import starlette_routes, starlette_websocket
from streamlit.web.server.starlette.starlette_routes import create_upload_routes

from core import settings
from core.data.spec import ImportSpec
from core.errors import GraftError, InputError
from core.runs import submit
from core.spec import DataRef
from pages.ui import reach, state
from tests.app.conftest import texts_of

KEY = "correct horse battery"


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], dict[str, object]]]:
    """Sets where the server listens, as a flag of the command line does."""
    monkeypatch.setattr(net_util, "get_external_ip", net_util.get_external_ip)

    def on(address: str) -> dict[str, object]:
        config.get_config_options(force_reparse=True, options_from_flags={"server.address": address})
        return {"server_address": address}

    yield on
    config.get_config_options(force_reparse=True)


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("127.0.0.1", False), ("127.8.0.1", False), ("::1", False), ("[::1]", False), ("localhost", False),
        ("LOCALHOST", False), ("unix:///tmp/x.sock", False), ("0.0.0.0", True), ("::", True), ("", True), (None, True),
        ("192.168.0.7", True), ("localhost.evil.example", True), ("my-machine", True), ("0", True),
    ],
)  # fmt: skip
def test_loopback_is_told_from_everything_else(address: str | None, wanted: bool) -> None:
    assert reach.is_beyond(address) is wanted


@pytest.mark.parametrize("way", ["variable", "file", "flag"])
def test_server_does_not_start_where_everybody_could_come(way: str, app: Path, tmp_path: Path, home: Path) -> None:
    environment, words = {**os.environ, "HOME": str(tmp_path)}, [sys.executable, str(app), "--server.headless", "true"]
    if way == "variable":
        environment["STREAMLIT_SERVER_ADDRESS"] = "0.0.0.0"
    elif way == "flag":
        words += ["--server.address", "0.0.0.0"]
    else:
        (tmp_path / ".streamlit").mkdir()
        (tmp_path / ".streamlit" / "config.toml").write_text('[server]\naddress = "0.0.0.0"\n')
        copy = tmp_path / "copy"
        copy.mkdir()
        for name in ("app.py", "pages"):  # without the file that keeps it to this machine
            (copy / name).symlink_to((app.parent / name).resolve())
        words[1] = str(copy / "app.py")
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 2, done.stderr
    assert "GRAFT_ACCESS_KEY" in done.stderr
    assert "Traceback" not in done.stderr


def test_server_does_not_start_at_a_port_that_cannot_be(app: Path, tmp_path: Path, home: Path) -> None:
    words = [sys.executable, str(app), "--server.headless", "true", "--server.port", "99999999"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)
    assert done.returncode == 2, done.stderr
    assert "No server can listen" in done.stderr
    assert "Traceback" not in done.stderr


def test_server_with_a_key_answers_to_its_own_names_and_reads_shared_folders(
    listen: Callable[[str], dict[str, object]], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = listen("0.0.0.0")
    with pytest.raises(GraftError, match="GRAFT_ACCESS_KEY"):
        reach.prepare(flags)
    monkeypatch.setenv("GRAFT_ACCESS_KEY", "short")
    with pytest.raises(GraftError, match="at least 16"):
        reach.prepare(flags)
    monkeypatch.setenv("GRAFT_ACCESS_KEY", KEY)
    monkeypatch.setenv("GRAFT_DATA_ROOTS", "")
    reach.prepare(flags)
    for name in ("localhost", "localhost:8501", "127.0.0.1:8501", "LOCALHOST.", "[::1]:8501", "evil.example"):
        assert not starlette_websocket.is_host_allowed(name), name
    assert starlette_websocket.is_host_allowed(f"{os.uname().nodename}:8501")
    assert settings.data_roots() == ((home / "shared").resolve(),)
    (home / "other.csv").write_text("text,label\na,b\n")
    with pytest.raises(InputError, match="outside the folders"):
        submit.submit(ImportSpec(data=DataRef(id=f"path:{home / 'other.csv'}")))
    with pytest.raises(InputError, match="outside the folders"):
        submit.submit(ImportSpec(data=DataRef(id=f"path:{home / 'shared' / '..' / 'other.csv'}")))


def test_names_that_are_given_count_and_those_of_loopback_never() -> None:
    assert reach.names_of("0.0.0.0", ["localhost", "graft.lan", "127.0.0.1"]) == ["graft.lan"]
    assert reach.names_of("10.0.0.5", ["localhost"]) == ["10.0.0.5"]


def test_page_of_a_stranger_is_refused_at_once_and_nothing_is_asked(
    listen: Callable[[str], dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(net_util, "_make_blocking_http_get", lambda *_, **__: pytest.fail("asked a server elsewhere"))
    monkeypatch.setattr(net_util, "_external_ip", None)
    reach.prepare(listen("127.0.0.1"))
    for origin in ("http://evil.example", "null", "https://localhost.evil.example"):
        assert not starlette_websocket._is_origin_allowed(origin, "localhost:8501")
    assert starlette_websocket._is_origin_allowed("http://localhost:8501", "localhost:8501")


def test_nothing_is_shown_before_the_key(open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_ACCESS_KEY", KEY)
    for view in ("home", "runs", "settings"):
        at = open_page(view)
        assert not at.title
        assert texts_of(at) == ""
        assert [box.key for box in at.text_input] == ["access_key"]
    at.text_input(key="access_key").input("correct horse batterY")
    at.button(key="access_open").click().run()
    assert [box.value for box in at.error] == ["This is not the key."]
    assert not at.title
    at.text_input(key="access_key").input(KEY)
    at.button(key="access_open").click().run()
    assert at.title
    assert KEY not in str(at.session_state)
    assert not open_page("runs").title, "and for this session alone"


def test_key_is_shown_nowhere(open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_ACCESS_KEY", KEY)
    monkeypatch.setattr(reach, "is_admitted", lambda: True)
    at = open_page("settings")
    table = next(frame.value for frame in at.dataframe if "help" in frame.value)
    assert KEY not in table.to_csv()


@pytest.fixture
def uploads(monkeypatch: pytest.MonkeyPatch) -> tuple[TestClient, MemoryUploadedFileManager]:
    """Streamlit's own upload address, with a page open in the session `mine` and in `other`."""
    monkeypatch.setattr(Runtime, "is_active_session", Runtime.is_active_session)
    monkeypatch.setattr(reach, "_let_in", set())
    monkeypatch.setattr(starlette_routes, "is_xsrf_enabled", lambda: False)
    runtime = object.__new__(Runtime)
    runtime._session_mgr = SimpleNamespace(is_active_session={"mine", "other"}.__contains__)
    manager = MemoryUploadedFileManager("/_stcore/upload_file")
    return TestClient(Starlette(routes=create_upload_routes(runtime, manager, None))), manager


def test_no_file_is_taken_from_who_has_no_key(
    uploads: tuple[TestClient, MemoryUploadedFileManager], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, manager = uploads
    monkeypatch.setenv("GRAFT_ACCESS_KEY", KEY)
    known = {"mine": reach._digest(KEY), "other": "", "gone": reach._digest(KEY)}
    for session, kept in known.items():
        monkeypatch.setattr(state, "session_id", lambda session=session: session)
        monkeypatch.setattr(state, "recall", lambda _name, _default="", kept=kept: kept)
        assert reach.is_admitted() == bool(kept)
    sent = {name: {"file": ("a.csv", b"text,label\n")} for name in ("mine", "other", "gone", "never seen")}
    answers = {name: client.put(f"/_stcore/upload_file/{name}/f1", files=files) for name, files in sent.items()}
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "mine": 204, "other": 400, "gone": 400, "never seen": 400,
    }  # fmt: skip
    assert len(manager.get_files("mine", ["f1"])) == 1
    assert not manager.get_files("other", ["f1"])
    monkeypatch.setattr(state, "session_id", lambda: "mine")
    monkeypatch.setattr(state, "recall", lambda *_: "the key of yesterday")
    reach.is_admitted()
    assert client.put("/_stcore/upload_file/mine/f2", files=sent["mine"]).status_code == 400


def test_nothing_of_a_refused_file_is_read(
    uploads: tuple[TestClient, MemoryUploadedFileManager], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _manager = uploads
    reach.keep_uploads_out()
    monkeypatch.setattr(Request, "stream", lambda *_: pytest.fail("the body was read"))
    assert client.put("/_stcore/upload_file/other/f1", content=b"x" * 1000).status_code == 400
