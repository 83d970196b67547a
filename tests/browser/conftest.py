"""A server and a browser for the journeys; the server's words are printed when one fails."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from core import settings
from core.runs import manage, queue
from core.store import ACTIVE, open_store
from tests.fixtures.checkout import link_app
from tests.fixtures.homes import living_in
from tests.fixtures.ready import lend_ready_process

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# Nothing fades or spins: a journey looks at what stands there, and drawing sixty times a second takes a processor.
STILL = """addEventListener("DOMContentLoaded", () => {
  const style = document.createElement("style");
  style.textContent = "*, ::before, ::after { animation: none !important; transition: none !important }";
  document.head.append(style);
});"""
READY = "[data-testid=stApp][data-test-script-state=notRunning][data-test-connection-state=CONNECTED]"
PATIENCE = 120_000  # ms; several journeys may share a busy machine
expect.set_options(timeout=PATIENCE)


def _find_chromium() -> str | None:
    place = importlib.util.spec_from_file_location("chromium", Path(__file__).with_name("chromium.py"))
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    found: str | None = module.find_chromium()
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if os.environ.get("GRAFT_NO_BROWSER") == "1":
                item.add_marker(pytest.mark.skip(reason="GRAFT_NO_BROWSER=1: skipped as asked"))


class Server:
    """`python app.py` with a home of its own; it can be killed and started again on its port."""

    def __init__(self, home: Path, app: Path) -> None:
        self.home, self.app = home, app
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home / f"server-{self.port}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.begin()
        self.wait()

    def begin(self) -> None:
        """Start the process."""
        environment = {**os.environ, "GRAFT_HOME": str(self.home)}
        environment |= {"GRAFT_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, self.app.name, "--server.port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--server.headless", "true"], cwd=self.app.parent, env=environment, stdout=log, stderr=log
            )

    def wait(self) -> None:
        """Until it answers."""
        assert self.process is not None
        deadline = time.monotonic() + 180
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1):
                    return
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.1)

    def kill(self) -> None:
        """Without a word, as a power cut would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def imports_torch(self) -> bool:
        """Whether torch's library is mapped into the server's memory."""
        assert self.process is not None
        return any("libtorch" in region.path for region in psutil.Process(self.process.pid).memory_maps())


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """app.py as a fresh checkout has it; what a server writes beside it is the tests' own."""
    return link_app(tmp_path_factory.mktemp("app"))


@pytest.fixture
def server(home: Path, app: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server and a home of the journey's own: one that kills its server, or asks what is in its memory."""
    lend_ready_process(monkeypatch)
    found = Server(home, app)
    found.start()
    yield found
    found.kill()
    _end_runs()


@pytest.fixture(scope="session")
def _server_of_all(app: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with living_in(tmp_path_factory.mktemp("shared")) as home, pytest.MonkeyPatch.context() as patch:
        lend_ready_process(patch)
        found = Server(home, app)
        found.start()
    yield found
    found.kill()


@pytest.fixture
def shared_server(_server_of_all: Server) -> Iterator[Server]:
    """The server of all other journeys, with no run and no upload in its home; the test lives in it."""
    with living_in(_server_of_all.home), pytest.MonkeyPatch.context() as patch:
        lend_ready_process(patch)
        yield _server_of_all
        _end_runs()
        for run in open_store().list_runs():
            manage.delete_run(run.id)
        shutil.rmtree(settings.folder("uploads"))


def _end_runs() -> None:
    for run in open_store().list_runs(statuses=ACTIVE):
        if run.pid == os.getpid():  # written by the test itself
            open_store().update_run(run.id, status="stopped")
        else:
            queue.kill_run(run.id)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = _find_chromium()
    if path is None:
        pytest.fail(
            "No Chromium for the browser tests. Install it (apt-get install chromium), set GRAFT_CHROMIUM to it, "
            "or skip them with GRAFT_NO_BROWSER=1."
        )
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def open_page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Any]:
    """Opens an address: `open_page("/finetune", locale="zh-CN", width=390)`; one browser for tabs of one look."""
    name = "server" if "server" in request.fixturenames else "shared_server"
    server: Server = request.getfixturevalue(name)
    request.node.server = server
    contexts: dict[tuple[str, int, str], BrowserContext] = {}

    def open_(path: str = "/", *, locale: str = "en-US", width: int = 1440, scheme: str = "light") -> Page:
        look = (locale, width, scheme)
        if look not in contexts:
            contexts[look] = browser.new_context(
                viewport={"width": width, "height": 900}, locale=locale, color_scheme=scheme, reduced_motion="reduce"
            )
            contexts[look].add_init_script(STILL)
            contexts[look].set_default_timeout(PATIENCE)
        page = contexts[look].new_page()
        page.goto(server.url + path)
        settle(page)
        return page

    yield open_
    for context in contexts.values():
        context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    server = getattr(item, "server", None)
    if report.when == "call" and report.failed and server is not None and server.log.exists():
        report.sections.append(("server", server.log.read_text()[-5000:]))
    return report


def settle(page: Page) -> None:
    """Wait until the page has been drawn."""
    expect(page.locator(READY)).to_be_attached()
