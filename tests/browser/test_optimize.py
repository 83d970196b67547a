"""Reading an optimization, told as a reader does it: while variants arrive, and when it is done."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import expect

from core.files import to_json, write_atomically
from core.store import open_store
from tests.browser.charts import assert_more_points_in_the_marked_chart, charts, mark, points
from tests.fixtures.optimizations import make_optimization, make_report, make_spec


def test_variants_arrive_while_one_watches_and_end_in_the_answer(open_page: Any) -> None:
    passes = {"passes": ("onnx", "static_int8", "half", "export")}
    run = make_optimization("running", done=1, spec=passes)
    page = open_page(f"/optimize?run={run.id}")
    expect(charts(page)).to_have_count(1)
    mark(page)
    before = points(page)
    path = run.folder / "artifacts" / "report.json"
    write_atomically(path, to_json(make_report(make_spec(**passes), 3)))
    assert_more_points_in_the_marked_chart(page, before)
    write_atomically(path, to_json(make_report(make_spec(**passes))))
    open_store().update_run(run.id, status="done", ended_at=time.time(), summary={"recommended": "static_int8"})
    expect(page.get_by_role("heading", name="How it was measured")).to_be_visible()
    expect(page.get_by_role("heading", level=2).first).to_be_visible()


def test_recommended_variant_is_carried_away(open_page: Any) -> None:
    run = make_optimization("done")
    page = open_page(f"/optimize?run={run.id}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Static int8").first.click()
    assert download.value.suggested_filename == f"{run.id}-static_int8.zip"


def test_optimization_fits_a_phone(open_page: Any) -> None:
    run = make_optimization("done", spec={"combine": True})
    for locale in ("en-US", "zh-CN"):
        page = open_page(f"/optimize?run={run.id}", width=390, locale=locale)
        expect(charts(page)).to_have_count(1)
        main = page.locator("[data-testid=stMain]")
        assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 1
        page.close()
