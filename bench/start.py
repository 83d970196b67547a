"""`python -m bench start`: from the click on *Start training* to the first curve, on the digits at the defaults.

The first training computes the features that the others find; it is told, and counted apart. Each ends before the next.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

import psutil

from bench.live import FLAGS, page_server
from core import ready, settings
from core.files import to_json
from core.hardware import describe_machine
from core.store import ACTIVE, open_store

_DRAWN = ".js-plotly-plot .scatterlayer .trace path"
_IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
_LOADED_WITHIN_S = 60.0


class Table(TypedDict):
    """Seconds of each training in turn, and MB (PSS) of the server and of the process kept ready (0: there is none)."""

    machine: dict[str, object]
    seconds: list[float]
    server_mb: float
    ready_mb: float


def measure(out: Path, *, chromium: str, times: int) -> Table:
    """Print and save what one home, one server and one browser took."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="graft-bench-") as home, sync_playwright() as playwright:
        os.environ |= {"GRAFT_HOME": home, "GRAFT_OFFLINE": "1"}
        settings.pass_to_libraries()  # as the server does: what is ready is so under its settings
        with page_server(Path(home)) as (url, pid):
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            page = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
            page.set_default_timeout(120_000)
            seconds: list[float] = []
            for _ in range(times + 1):
                page.goto(f"{url}/finetune")
                page.wait_for_selector(_IDLE)
                start = page.get_by_role("button", name="Start training").first
                start.wait_for()
                _wait_until_ready()
                page.wait_for_timeout(2_000)  # a person who reads the form
                began = time.perf_counter()
                start.click()
                page.wait_for_selector(_DRAWN, state="attached")
                seconds.append(time.perf_counter() - began)
                while open_store().list_runs(statuses=ACTIVE):
                    page.wait_for_timeout(500)
            record = ready.read_record() if ready.is_there() else None
            if record:  # a copy that still ends shares its memory with it
                psutil.wait_procs(psutil.Process(record.pid).children(), timeout=60)
            table: Table = {
                "machine": asdict(describe_machine()),
                "seconds": seconds,
                "server_mb": _pss_mb(pid),
                "ready_mb": _pss_mb(record.pid) if record else 0.0,
            }
            browser.close()
    out.write_text(to_json(table) + "\n", encoding="utf-8")
    again = seconds[1:]
    print(f"first training {seconds[0]:.1f} s; the {len(again)} after it: " + " ".join(f"{one:.1f}" for one in again))
    print(f"median {statistics.median(again):.1f} s, worst {max(again):.1f} s")
    print(f"memory: server {table['server_mb']:.0f} MB, kept ready {table['ready_mb']:.0f} MB")
    return table


def _wait_until_ready() -> None:
    deadline = time.monotonic() + _LOADED_WITHIN_S
    while os.environ.get("GRAFT_WARM") != "0" and not ready.is_there():
        if time.monotonic() > deadline:
            raise RuntimeError("no process was ready within a minute")
        time.sleep(0.2)


def _pss_mb(pid: int) -> float:
    return float(psutil.Process(pid).memory_full_info().pss) / 1e6
