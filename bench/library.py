"""The library's race against patience: from the last keystroke in the Models search to the narrowed table."""

from __future__ import annotations

import os
import statistics
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from bench.live import FLAGS, page_server
from core.files import to_json
from core.hardware import describe_machine
from core.models.catalog import list_models

WORDS = ("resnet", "vit base patch16", "convnext tiny", "bert chinese", "efficientnet b0", "swin small", "clip", "zzz")
# Looks at every frame at the sentence that counts the models, and keeps when it changed.
_WATCH = """() => {
  window.typed = 0; window.seen = [];
  document.addEventListener("input", () => { window.typed = performance.now(); }, true);
  const look = () => {
    const found = [...document.querySelectorAll("[data-testid=stCaptionContainer]")].map(e => e.innerText)
      .find(text => / of .* models/.test(text)) || "";
    const last = window.seen[window.seen.length - 1];
    if (!last || last[1] !== found) window.seen.push([performance.now(), found]);
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


def race(out: Path, *, chromium: str, rounds: int) -> dict[str, Any]:
    """Type words as people do and time the answer of each; print and save the table."""
    table: dict[str, Any] = {"machine": asdict(describe_machine()), "models": len(list_models())}
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as home:
        os.environ["GRAFT_HOME"] = home
        with page_server(Path(home)) as (url, pid):
            table["answer_ms"] = _type(url, chromium, rounds)
            table["torch_in_web_process"] = _holds_torch(pid)
    answers = sorted(table["answer_ms"])
    table |= {"p50_ms": statistics.median(answers), "p95_ms": answers[int(0.95 * (len(answers) - 1))]}
    out.write_text(to_json(table) + "\n", encoding="utf-8")
    print(
        f"{table['models']} models: from the last keystroke to the narrowed table {table['p50_ms']:.0f} ms in the "
        f"median, {table['p95_ms']:.0f} ms at the 95th of 100, {answers[-1]:.0f} ms at most ({len(answers)} searches; "
        f"100 ms of each are the pause that ends typing); torch in the web process: {table['torch_in_web_process']}"
    )
    return table


def _type(url: str, chromium: str, rounds: int) -> list[float]:
    from playwright.sync_api import sync_playwright

    answers = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-US")
        page.goto(f"{url}/models")
        box = page.get_by_role("textbox", name="Search")
        box.wait_for(timeout=60_000)
        page.wait_for_timeout(3_000)  # the page's own start is not what is measured
        page.evaluate(_WATCH)
        for word in WORDS * rounds:
            before = page.evaluate("() => window.seen.length")
            box.fill("")
            page.wait_for_timeout(800)
            box.press_sequentially(word, delay=60)
            page.wait_for_timeout(1_500)
            typed, seen = page.evaluate("() => [window.typed, window.seen]")
            later = [moment for moment, _text in seen[before:] if moment > typed]
            if later:
                answers.append(later[0] - typed)
        browser.close()
    return answers


def _holds_torch(pid: int) -> bool:
    """Whether the page's process has torch's library mapped."""
    return any("libtorch" in row.path for row in psutil.Process(pid).memory_maps())
