"""Words from outside in a real browser: drawn as they stand, and no request leaves for elsewhere."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from core.store import Run, open_store
from tests.browser.conftest import settle
from tests.fixtures.comparisons import make_comparison
from tests.fixtures.drawn import POISON
from tests.fixtures.optimizations import make_optimization


def _poisoned(run: Run) -> Run:
    open_store().update_run(run.id, name=f"{POISON} {run.kind}", note=POISON, tags=[POISON])
    path = run.folder / "artifacts" / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    for row in report.get("variants", []):
        row["runtime"] = POISON
    path.write_text(json.dumps(report), encoding="utf-8")
    return open_store().get_run(run.id)


def test_words_are_read_as_they_stand_and_nothing_is_fetched_for_them(open_page: Any) -> None:
    runs = [_poisoned(make_comparison("done")), _poisoned(make_optimization("done"))]
    page: Page = open_page("/")
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    here = urlsplit(page.url)
    for path in (f"/compare?run={runs[0].id}", f"/optimize?run={runs[1].id}", f"/runs?run={runs[1].id}", "/runs", "/"):
        page.goto(f"{here.scheme}://{here.netloc}{path}")
        settle(page)
        drawn = page.get_by_test_id("stMain")
        if "?run=" in path:
            title = page.get_by_role("heading", level=1)
            expect(title).to_be_visible()
            # What holds signs apart has no width: without it these are the very words.
            assert (title.text_content() or "").replace("\u2060", "").startswith(POISON)
        expect(drawn.locator("img[src*=evil], a[href*=evil]")).to_have_count(0)
    assert hosts <= {here.netloc, ""}, "no server but this one; what has none is data of the page itself"
