"""What people do, as they would tell it."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from core.store import open_store

# Numbers that do not fit into their boxes.
CUT = """() => [...document.querySelectorAll("[data-testid=stMetric] *")]
  .filter(part => part.scrollWidth > part.clientWidth + 1 && getComputedStyle(part).overflowX === "hidden")
  .map(part => part.textContent)"""
LONG = 180_000  # ms, for what a worker has to do first


def _picture(colour: tuple[int, int, int], seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(-60, 60, (48, 48, 3))
    content = io.BytesIO()
    Image.fromarray(np.clip(noise + colour, 0, 255).astype(np.uint8)).save(content, "PNG")
    return content.getvalue()


def _zip() -> bytes:
    """Two classes told by colour, as somebody on a Mac would pack them."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, colour in (("红", (200, 40, 40)), ("blue", (40, 40, 200))):
            for i in range(40):
                archive.writestr(f"my pictures/{name}/{i}.png", _picture(colour, i))
        archive.writestr("__MACOSX/my pictures/._x.png", b"rubbish")
    return content.getvalue()


def _fill(page: Page, **values: int) -> None:
    """Numbers of the form, by their labels (`_` for a space)."""
    for name, value in values.items():
        field = page.get_by_role("spinbutton", name=name.replace("_", " "))
        field.fill(str(value))
        field.press("Enter")


def _choose_small(page: Page) -> None:
    """Smaller pictures, so that the journey is short."""
    _fill(page, Picture_size=32)


def _run_of(page: Page) -> str:
    expect(page).to_have_url(re.compile(r"run=ft-"))
    return re.search(r"run=(ft-[\w-]+)", page.url)[1]


def test_newcomer_trains_on_digits_leaves_comes_back_and_tries_a_picture(open_page: Any, server: Any) -> None:
    page = open_page("/")
    page.get_by_role("link", name="Fine-tune", exact=True).click()
    expect(page.get_by_role("heading", name="Fine-tune")).to_be_visible()
    _choose_small(page)
    _fill(page, Training_examples=300)
    expect(page.get_by_text("What it will cost here")).to_be_visible()
    page.get_by_role("button", name="Start training").click()
    # At once: what is happening, in words.
    expect(page.get_by_role("button", name="Stop and keep")).to_be_visible()
    run_id = _run_of(page)
    # Then curves, drawn by Plotly.
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_attached(timeout=LONG)
    address = page.url
    page.close()
    again = open_page(address.removeprefix(server.url))
    expect(again.get_by_text("What is taken for what").first).to_be_visible(timeout=LONG)
    expect(again.get_by_text(re.compile(r"\d+(\.\d)?%")).first).to_be_visible()
    assert open_store().get_run(run_id).status == "done"
    assert not server.imports_torch(), "the pages need no torch until somebody asks the model"
    again.set_viewport_size({"width": 390, "height": 900})
    expect(again.get_by_test_id("stMetric")).to_have_count(4)
    assert again.evaluate(CUT) == []
    again.locator(f".st-key-try_{run_id}_pictures input[type=file]").set_input_files(
        {"name": "seven.png", "mimeType": "image/png", "buffer": _picture((20, 20, 20), 1)}
    )
    expect(again.get_by_text(re.compile(r"\d% sure"))).to_be_visible(timeout=LONG)


def test_stopped_run_is_kept_and_resumes_to_its_end(open_page: Any) -> None:
    page = open_page("/finetune")
    _choose_small(page)
    page.get_by_text("Train the last blocks too").click()
    page.get_by_text("Train only the last layer (head)").click()
    # Few examples, seen often: long enough to be stopped in the middle, whatever else the machine does.
    _fill(page, Training_examples=200, Epochs=15)
    page.get_by_role("button", name="Start training").click()
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_attached(timeout=LONG)
    run_id = _run_of(page)
    page.get_by_role("button", name="Stop and keep").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=LONG)
    assert open_store().get_run(run_id).status == "stopped"
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("What is taken for what").first).to_be_visible(timeout=LONG)
    steps = [m.step for m in open_store().read_metrics(run_id, names=["train/loss"])]
    assert sorted(steps) == list(range(1, max(steps) + 1)), "no step is missing, none is doubled"


def test_server_is_killed_and_the_run_goes_on(open_page: Any, server: Any) -> None:
    page = open_page("/finetune")
    _choose_small(page)
    _fill(page, Training_examples=300)
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("button", name="Stop and keep")).to_be_visible()
    run_id = _run_of(page)
    server.kill()
    server.start()
    # The open tab finds the new server by itself.
    expect(page.get_by_text("What is taken for what").first).to_be_visible(timeout=LONG)
    assert open_store().get_run(run_id).attempt == 0


def test_own_zip_is_uploaded_checked_and_compared_in_two_methods(open_page: Any) -> None:
    page = open_page("/data")
    page.locator("input[type=file]").first.set_input_files(
        {"name": "我的图片.zip", "mimeType": "application/zip", "buffer": _zip()}
    )
    expect(page.get_by_text("80 pictures").first).to_be_visible(timeout=LONG)
    page.get_by_role("link", name="Fine-tune on this").click()
    _choose_small(page)
    page.get_by_text("Train the last blocks too").click()
    page.get_by_role("button", name="Start 2 trainings to compare").click()
    expect(page).to_have_url(re.compile(r"group="))
    expect(page.get_by_text(re.compile(r"No difference shown|is better than")).first).to_be_visible(timeout=LONG)
    labels = open_store().list_runs(kind="finetune")[0].summary["data"]["labels"]
    assert labels == ["blue", "红"]


def test_hostile_zip_is_refused_with_a_sentence(open_page: Any) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("../../outside.png", _picture((1, 2, 3), 0))
    page = open_page("/data")
    page.locator("input[type=file]").first.set_input_files(
        {"name": "evil.zip", "mimeType": "application/zip", "buffer": content.getvalue()}
    )
    expect(page.get_by_text("entries point outside it")).to_be_visible()
    expect(page.get_by_text("Traceback")).to_have_count(0)


def test_sentence_is_answered_while_it_is_typed_and_a_file_as_a_run(open_page: Any) -> None:
    page = open_page("/")
    page.get_by_role("link", name="Ask about a sentence").click()
    page.get_by_role("textbox", name="A text in Chinese or English").fill(
        "我从未看过如此糟糕的电影，简直是在浪费时间。"
    )
    expect(page.get_by_role("heading", name=re.compile(r"Negative, \d"))).to_be_visible()
    expect(page.get_by_text("Strongest for negative")).to_be_visible()
    page.get_by_role("button", name="A warm, funny film").click()
    expect(page.get_by_role("heading", name=re.compile(r"Positive, \d"))).to_be_visible(timeout=LONG)
    page.get_by_text("A file", exact=True).click()
    rows = "编号,评论\n" + "".join(f'{i},"=房间很干净，服务非常好"\n' for i in range(40))
    page.locator("input[type=file]").set_input_files(
        {"name": "评论.csv", "mimeType": "text/csv", "buffer": rows.encode("gb18030")}
    )
    page.get_by_role("button", name="Answer 40 texts").click()
    expect(page.get_by_text("40 texts answered")).to_be_visible(timeout=LONG)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the answered table").click()
    lines = download.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "编号,评论,answer,confidence,p negative,p positive,answered by"
    assert lines[1].startswith("0,'=房间很干净，服务非常好,positive,")
    assert len(lines) == 41


def test_table_of_texts_is_uploaded_trained_on_and_asked(open_page: Any) -> None:
    page = open_page("/data")
    good, bad = ("lovely", "great", "warm", "funny", "brilliant"), ("dull", "awful", "boring", "weak", "broken")
    things = ("film", "story", "book", "play", "song", "meal", "room", "game")
    rows = [f"a {word} {thing} number {i},{label}" for i in range(2) for thing in things
            for label, words in (("good", good), ("bad", bad)) for word in words]  # fmt: skip
    page.locator("input[type=file]").first.set_input_files(
        {"name": "mine.csv", "mimeType": "text/csv", "buffer": ("review,verdict\n" + "\n".join(rows)).encode()}
    )
    expect(page.get_by_text("160 texts").first).to_be_visible(timeout=LONG)
    page.get_by_role("link", name="Fine-tune on this").click()
    expect(page.get_by_text("--model bundled/minilm-l6")).to_be_attached()
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_text("Word counts").or_(page.get_by_text("word counts")).first).to_be_visible(timeout=LONG)
    page.get_by_role("textbox", name="A text of your own").fill("a brilliant film")
    expect(page.get_by_role("heading", name=re.compile(r"good, \d"))).to_be_visible(timeout=LONG)


def test_page_speaks_the_browsers_language_and_changes_it_at_once(open_page: Any) -> None:
    page = open_page("/finetune", locale="zh-CN")
    expect(page.get_by_role("heading", name="微调")).to_be_visible()
    expect(page.get_by_role("button", name="开始训练")).to_be_visible()
    page = open_page("/", locale="en-US")
    page.locator("[data-testid=stSidebar]").get_by_role("combobox").click()
    page.get_by_role("option", name="简体中文").click()
    expect(page.get_by_role("link", name="微调", exact=True)).to_be_visible()
