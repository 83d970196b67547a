"""Reading a comparison, told as a reader does it: while it fills in, and when it is done."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import expect

from core.compare.grid import grid
from core.files import to_json, write_atomically
from core.store import open_store
from tests.browser.charts import assert_more_points_in_the_marked_chart, charts, mark, points
from tests.fixtures.comparisons import make_comparison, make_report, make_spec


def test_comparison_fills_in_while_one_watches_and_ends_in_its_answer(open_page: Any) -> None:
    run = make_comparison("running", done=16)
    page = open_page(f"/compare?run={run.id}")
    expect(charts(page)).to_have_count(2)
    expect(page).to_have_title("40% · Graft")
    mark(page)
    before = points(page)
    path = run.folder / "artifacts" / "report.json"
    write_atomically(path, to_json(make_report(make_spec(), 25)))
    assert_more_points_in_the_marked_chart(page, before)
    write_atomically(path, to_json(make_report(make_spec())))
    cells = len(grid(make_spec()))
    open_store().update_run(run.id, status="done", ended_at=time.time(), summary={"cells_done": cells, "cells": cells})
    expect(page.get_by_role("heading", name="What was held equal")).to_be_visible()
    expect(page.get_by_role("heading", level=2).first).to_be_visible()


def test_a_row_shows_its_curves_and_a_chart_is_carried_away(open_page: Any) -> None:
    run = make_comparison("done")
    page = open_page(f"/compare?run={run.id}")
    expect(charts(page)).to_have_count(2)
    charts(page).first.hover()
    for ending in ("png", "svg"):
        with page.expect_download() as download:
            charts(page).first.locator(f'[data-title="Download as {ending.upper()}"]').click()
        assert download.value.suggested_filename.endswith(f".{ending}")
    choice = page.get_by_role("combobox", name="Learning curves of")
    choice.press_sequentially("Pretrained, head only · 100", delay=30)
    page.get_by_role("option", name="Pretrained, head only · 100 training examples · seed 0").click()
    expect(charts(page)).to_have_count(4)
    with page.expect_download() as download:
        page.get_by_role("button", name="Charts (HTML)").click()
    assert download.value.suggested_filename == f"{run.id}.html"


def test_comparison_fits_a_phone(open_page: Any) -> None:
    run = make_comparison("done", spec={"methods": ["head", "last", "full"]})
    for locale in ("en-US", "zh-CN"):
        page = open_page(f"/compare?run={run.id}", width=390, locale=locale)
        expect(charts(page)).to_have_count(2)
        main = page.locator("[data-testid=stMain]")
        assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 1
        page.close()


def test_newcomer_compares_on_digits_and_reads_the_answer(open_page: Any) -> None:
    page = open_page("/")
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(page.get_by_text("18 trainings")).to_be_visible()
    sizes = page.get_by_role("combobox", name="Training examples")
    sizes.click()
    for _ in range(3):
        sizes.press("Backspace")
    sizes.press_sequentially("30")
    sizes.press("Enter")
    sizes.press("Escape")
    page.get_by_text("More settings").click()
    for name, value in (("Picture size", "32"), ("Repeats", "1"), ("Steps at least", "20")):
        field = page.get_by_role("spinbutton", name=name)
        field.fill(value)
        field.press("Enter")
    expect(page.get_by_text("2 trainings")).to_be_visible()
    expect(page.get_by_text("20 steps are few")).to_be_visible()
    page.get_by_role("button", name="Start comparison").click()
    expect(page.get_by_role("button", name="Stop and keep")).to_be_visible()
    expect(charts(page)).to_have_count(2, timeout=180_000)
    expect(page.get_by_role("heading", name="What was held equal")).to_be_visible(timeout=180_000)
    expect(page.get_by_role("heading", level=2).first).to_contain_text("from scratch")
    (run,) = open_store().list_runs(kind="compare")
    assert (run.status, run.summary["cells_done"]) == ("done", 2)
    expect(page.get_by_text("Traceback")).to_have_count(0)
