"""The live page's race: how long a point takes to the screen, and what viewers cost the training."""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from core.files import to_json
from core.finetune.spec import FinetuneSpec
from core.hardware import describe_machine
from core.store import open_store

ROOT = Path(__file__).resolve().parent.parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_POINT_EVERY_S = 0.2
_SETTLE_S = 15.0


def race(out: Path, *, chromium: str, seconds: float) -> dict[str, Any]:
    """Measure both in one run, each on an otherwise idle page server; print and save the table."""
    table: dict[str, Any] = {"machine": asdict(describe_machine())}
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as home:
        os.environ["GRAFT_HOME"] = home
        with page_server(Path(home)) as (url, _):
            table["point_to_screen_s"] = _latency(url, chromium, seconds)
            out.write_text(to_json(table), encoding="utf-8")
            table["viewers"] = _viewers(url, seconds / 3)
    out.write_text(to_json(table) + "\n", encoding="utf-8")
    print(render(table))
    return table


@contextmanager
def page_server(home: Path) -> Iterator[tuple[str, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "app.py", "--server.port", str(port), "--server.headless", "true"]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait()


# -- a point's way -----------------------------------------------------------------------------------------


def _latency(url: str, chromium: str, seconds: float) -> dict[str, float]:
    """Seconds from a point's commit to the first frame in which the drawn curve holds it."""
    from playwright.sync_api import sync_playwright

    run_id = _pretend_run()
    committed: dict[int, float] = {}
    stop = threading.Event()
    writer = threading.Thread(target=_write_points, args=(run_id, committed, stop), daemon=True)
    writer.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{url}/finetune?run={run_id}")
            chart = page.locator(".js-plotly-plot").first
            chart.wait_for(timeout=60_000)
            page.wait_for_timeout(5_000)  # the page's own start is not what is measured
            chart.evaluate(
                """chart => {
                  chart.seen = [];
                  const look = () => {
                    const last = Math.max(...chart.data.map(t => t.x && t.x.length ? t.x[t.x.length - 1] : 0));
                    const n = chart.seen.length;
                    if (!n || chart.seen[n - 1][1] !== last) chart.seen.push([Date.now() / 1000, last]);
                    requestAnimationFrame(look);
                  };
                  requestAnimationFrame(look);
                }"""
            )
            page.wait_for_timeout(1000 * seconds)
            seen = chart.evaluate("chart => chart.seen")
            browser.close()
    finally:
        stop.set()
        writer.join()
        open_store().update_run(run_id, status="stopped")
    first = seen[0][0]
    latencies = []
    for step, moment in committed.items():
        drawn = next((when for when, last in seen if last >= step / 100 - 1e-9), None)
        if moment > first and drawn is not None:
            latencies.append(drawn - moment)
    latencies.sort()
    return {
        "points": len(latencies),
        "p50": statistics.median(latencies),
        "p95": latencies[int(0.95 * (len(latencies) - 1))],
        "max": latencies[-1],
    }


def _pretend_run() -> str:
    """A running row whose worker is this process: it writes points at a known rate."""
    store = open_store()
    spec = FinetuneSpec.model_validate(
        {"model": {"id": "bundled/efficientnet_lite0"}, "data": {"id": "builtin/digits"}}
    )
    me = psutil.Process()
    store.create_run("ft-bench", kind="finetune", name="bench", spec=spec.model_dump(mode="json"))
    from core.hardware import this_host

    now = time.time()
    store.update_run(
        "ft-bench", status="running", pid=me.pid, pid_started=me.create_time(), host=this_host(), heartbeat_at=now,
        started_at=now, phase={"code": "train", "values": {"epoch": 1, "epochs": 5}},
    )  # fmt: skip
    return "ft-bench"


def _write_points(run_id: str, committed: dict[int, float], stop: threading.Event) -> None:
    store, step = open_store(), 0
    while not stop.wait(_POINT_EVERY_S):
        step += 1
        now = time.time()
        store.write_metrics(run_id, [("train/loss", step, step / 100, 1 / step, now)])
        committed[step] = time.time()
        store.update_run(run_id, heartbeat_at=now)


# -- what viewers cost -------------------------------------------------------------------------------------


def _viewers(url: str, seconds: float) -> dict[str, Any]:
    """Training speed with viewers against the speed without, in windows that alternate."""
    from core.runs import queue, submit

    spec = FinetuneSpec.model_validate(
        {
            "model": {"id": "bundled/efficientnet_lite0"},
            "data": {"id": "builtin/digits"},
            "method": "full",
            "image_size": 96,
            "epochs": 1000,
        }
    )
    run = submit.submit(spec)
    try:
        while not open_store().read_metrics(run.id, names=["train/loss"]):
            time.sleep(0.2)
        time.sleep(10)
        windows: list[tuple[int, float]] = []
        for n in (0, 5, 0, 50, 0, 5, 0, 50, 0, 5, 0, 50, 0):
            windows.append((n, _window(url, run.id, n, seconds)))
            print(f"{n} viewers: {windows[-1][1]:.1f} pictures/s", file=sys.stderr, flush=True)
    finally:
        queue.kill_run(run.id)
    found: dict[str, Any] = {"windows": windows}
    for n in (5, 50):
        slower = []
        for place, (viewers, rate) in enumerate(windows):
            if viewers == n:
                alone = (windows[place - 1][1] + windows[place + 1][1]) / 2
                slower.append(1 - rate / alone)
        found[f"slower_with_{n}"] = statistics.median(slower)
    return found


def _window(url: str, run_id: str, n: int, seconds: float) -> float:
    """Pictures a second over one window, by the steps' own clock."""
    process = None
    if n:
        command = [sys.executable, "-m", "bench.viewers", url, run_id, str(n), str(seconds + _SETTLE_S + 1)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        time.sleep(_SETTLE_S)  # they open their pages first, and the pages find their pace
    began = time.time()
    time.sleep(seconds)
    ended = time.time()
    steps = [m for m in open_store().read_metrics(run_id, names=["train/images_per_s"]) if began <= m.time <= ended]
    if process is not None:
        answer, _ = process.communicate(timeout=60)
        # Pages rest longer the more they are; the side bar refreshes half as often as the curves.
        rest = max(0.4, (n - 1) / (os.cpu_count() or 1))
        if json.loads(answer)["refreshes"] < 0.7 * n * seconds / rest:
            raise RuntimeError(f"the viewers saw too little: {answer}")
    return sum(1 for _ in steps) * 32 / (steps[-1].time - steps[0].time)


def render(table: dict[str, Any]) -> str:
    """The table for people."""
    way, viewers = table["point_to_screen_s"], table["viewers"]
    return (
        f"point in the store → drawn: p50 {way['p50']:.2f} s, p95 {way['p95']:.2f} s ({way['points']} points)\n"
        f"training is slower by {viewers['slower_with_5']:.1%} with 5 viewers, "
        f"{viewers['slower_with_50']:.1%} with 50 (windows alternating with none)"
    )
