"""axe-core finds nothing on any page beyond what Streamlit itself brings; nothing sticks out on a phone."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from pages.ui.words import VIEWS
from tests.browser.conftest import settle

# (rule, part of the element) that Streamlit 1.67 draws itself; anything else is ours.
STREAMLITS_OWN = {
    ("presentation-role-conflict", "stFileUploaderDropzone"),
    ("empty-table-header", "glide"),
    ("nested-interactive", "stFileUploader"),
    ("aria-allowed-attr", "stDataFrame"),
    ("scrollable-region-focusable", "stDataFrame"),
    ("landmark-unique", "stSidebar"),
    ("region", "stHeader"),
}
CARD = "/models?model=bundled/efficientnet_lite0"


def _violations(page: Page) -> list[str]:
    results = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in results.response["violations"]
        for node in violation["nodes"]
        if not any(violation["id"] == rule and part in node["html"] for rule, part in STREAMLITS_OWN)
    ]


@pytest.mark.parametrize(("scheme", "locale"), [("light", "en-US"), ("dark", "zh-CN")])
def test_pages_have_no_violation_of_ours_and_fit_a_phone(open_page: Any, scheme: str, locale: str) -> None:
    found = []
    page = open_page(CARD, scheme=scheme, locale=locale)
    links = page.get_by_test_id("stSidebarNavLink")
    pages = [None, *range(links.count())]
    assert links.count() == len(VIEWS)
    for place in pages:
        if place is not None:
            link = links.nth(place)
            link.click()
            expect(page).to_have_url(urljoin(page.url, link.get_attribute("href")))
            settle(page)
        path = urlsplit(page.url).path
        # Streamlit fades elements in after the script has run: colours are judged once they have come to rest.
        deadline = time.monotonic() + 60
        while (left := _violations(page)) and time.monotonic() < deadline:
            page.wait_for_timeout(250)
        found += [f"{path}: {violation}" for violation in left]
        page.set_viewport_size({"width": 390, "height": 900})
        deadline = time.monotonic() + 60  # the page is laid out anew, with its sidebar folded away
        while (over := _over(page)) > 1 and time.monotonic() < deadline:
            page.wait_for_timeout(100)
        found += [f"{path} ({locale}): {over} px wider than a phone"] if over > 1 else []
        page.set_viewport_size({"width": 1440, "height": 900})
    assert not found, "\n".join(found)


def _over(page: Page) -> int:
    """By how many px the page is wider than its window."""
    main = page.locator("[data-testid=stMain]")
    return int(main.evaluate("main => main.scrollWidth - main.clientWidth"))
