"""axe-core finds nothing on any page beyond what Streamlit itself brings; nothing sticks out on a phone."""

from __future__ import annotations

import time
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

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
PAGES = ["/", "/models", CARD, "/data", "/compare", "/finetune", "/predict", "/optimize", "/runs", "/settings"]


def _violations(page: Page) -> list[str]:
    results = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in results.response["violations"]
        for node in violation["nodes"]
        if not any(violation["id"] == rule and part in node["html"] for rule, part in STREAMLITS_OWN)
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_have_no_violation_of_ours(open_page: Any, scheme: str) -> None:
    found = []
    for path in PAGES:
        page = open_page(path, scheme=scheme)
        # Streamlit fades elements in after the script has run: colours are judged once they have come to rest.
        deadline = time.monotonic() + 15
        while (left := _violations(page)) and time.monotonic() < deadline:
            page.wait_for_timeout(250)
        found += [f"{path}: {violation}" for violation in left]
        page.close()
    assert not found, "\n".join(found)


def test_nothing_is_wider_than_a_phone(open_page: Any) -> None:
    wide = []
    for locale in ("en-US", "zh-CN"):
        for path in PAGES:
            page = open_page(path, width=390, locale=locale)
            main = page.locator("[data-testid=stMain]")
            over = main.evaluate("main => main.scrollWidth - main.clientWidth")
            if over > 1:
                wide.append(f"{path} ({locale}): {over} px")
            page.close()
    assert not wide, "\n".join(wide)
