"""Looking for a model, opening it, taking it apart, asking it: as somebody does who has never seen the library."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from core.store import open_store
from tests.browser.conftest import Server, settle


def test_newcomer_finds_a_small_model_takes_it_apart_and_puts_two_side_by_side(open_page: Any, server: Server) -> None:
    page = open_page("/")
    page.get_by_role("link", name="Models", exact=True).first.click()
    counted = page.get_by_text(re.compile(r"[\d,]+ of [\d,]+ models"))
    expect(counted).to_contain_text(re.compile(r"^(2,\d{3}) of \1 models"))
    page.get_by_role("textbox", name="Search").press_sequentially("squeezenet1 1", delay=40)
    expect(counted).to_contain_text(re.compile(r"^\d of "))
    assert not server.imports_torch()
    page.goto(f"{server.url}/models?model=torchvision/squeezenet1_1.imagenet1k_v1")
    settle(page)
    expect(page.get_by_text("weights are not on this machine")).to_be_visible()
    page.get_by_role("radio", name="Inside").click()
    expect(page.get_by_text("The parameters are as many as published.")).to_be_visible(timeout=180_000)
    expect(page.locator(".js-plotly-plot .iciclelayer").first).to_be_attached()
    expect(page).to_have_url(re.compile("look=inside"))
    assert [run.status for run in open_store().list_runs(kind="inspect")] == ["done"]
    expect(page.get_by_text("Traceback")).to_have_count(0)
    assert not server.imports_torch()
    pair = "bundled/efficientnet_lite0,torchvision/mobilenet_v2.imagenet1k_v2"
    chinese = open_page(f"/models?beside={pair}", locale="zh-CN", scheme="dark")
    for name in ("EfficientNet-Lite0", "MobileNet-V2"):
        expect(chinese.get_by_text(name, exact=False).first).to_be_visible()
    expect(chinese.get_by_text("Traceback")).to_have_count(0)
