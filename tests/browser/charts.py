"""What a journey looks at in the charts of a page."""

from __future__ import annotations

import time

from playwright.sync_api import Locator, Page

# What a point that arrives leaves where it is: the component's box, and Plotly's drawing in it.
_MARK = "box => { box.dataset.mark = box.querySelector('.main-svg').dataset.mark = 'same'; }"
_MARKS = "box => [box.dataset.mark, box.querySelector('.main-svg').dataset.mark]"


def charts(page: Page) -> Locator:
    return page.locator(".graft-curve:has(svg.main-svg)")


def points(page: Page) -> int:
    """How many points the first chart shows."""
    return int(charts(page).first.get_attribute("data-points") or 0)


def mark(page: Page) -> None:
    """Mark the first chart, to see whether it is the same one later."""
    charts(page).first.evaluate(_MARK)


def assert_more_points_in_the_marked_chart(page: Page, before: int) -> None:
    """Points arrived, and the chart was neither mounted nor drawn anew for them."""
    deadline = time.monotonic() + 60
    while points(page) <= before and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    assert points(page) > before
    assert charts(page).first.evaluate(_MARKS) == ["same", "same"], "the chart was mounted or drawn anew"
