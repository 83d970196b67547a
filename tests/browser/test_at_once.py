"""The first visit of a fresh checkout, twice at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Server, settle
from tests.fixtures.checkout import link_app


@pytest.fixture
def two_servers(home: Path, tmp_path: Path) -> Iterator[list[Server]]:
    """Two servers of one fresh checkout and one empty home, started at the same moment."""
    app = link_app(tmp_path)
    found = [Server(home, app) for _ in range(2)]
    for server in found:
        server.begin()
    for server in found:
        server.wait()
    yield found
    for server in found:
        server.kill()


def test_two_first_visitors_of_two_new_servers_meet_a_sound_page(
    browser: Browser, two_servers: list[Server], tmp_path: Path
) -> None:
    contexts = [browser.new_context(locale="en-US") for _ in two_servers]
    pages = [context.new_page() for context in contexts]
    for page, server in zip(pages, two_servers, strict=True):
        page.evaluate("address => { location.href = address }", server.url)  # waits for nothing
    for page, server in zip(pages, two_servers, strict=True):
        page.wait_for_url(f"{server.url}/**")
        settle(page)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_test_id("stException")).to_have_count(0)
        script = page.request.get(f"{server.url}/app/static/{_plotly(tmp_path).name}")
        assert script.body() == _plotly(tmp_path).read_bytes()
        assert "Traceback" not in server.log.read_text()
    for context in contexts:
        context.close()
    assert [path.name for path in (tmp_path / "static").iterdir()] == [_plotly(tmp_path).name]


def _plotly(checkout: Path) -> Path:
    (found,) = (checkout / "static").glob("plotly-*.min.js")
    return found
