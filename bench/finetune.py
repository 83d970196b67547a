"""The fine-tuning race: alternating rounds, each contender in a fresh process, ratios of one run."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.rounds import do_rounds, faster, in_words
from core.files import to_json
from core.hardware import describe_machine
from core.models.catalog import get_model
from core.spec import DataRef

OTHERS = ("tutorial", "trainer", "lightning")
LR = {"head": 1e-3, "full": 5e-4, "last": 1e-3}
BATCH = 32


def race(
    data: str, out: Path, *, train: int, epochs: int, steps: int, rounds: int, accuracy: bool, cut: bool
) -> dict[str, Any]:
    """Race head and full at 224 px, compare accuracy once at 96 px, and the cached cut with the head."""
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as scratch:
        folder = Path(scratch) / "images"
        classes = _export(data, folder, train)
        job = {"folder": str(folder), "classes": classes, "batch": BATCH, "size": 224, "epochs": epochs}
        table: dict[str, Any] = {
            "machine": asdict(describe_machine()),
            "train": train,
            "epochs": epochs,
        }
        for method in ("head", "full"):
            table[method] = _speed(job | {"method": method, "lr": LR[method]}, Path(scratch), train, steps, rounds)
            _save(table, out)
        if accuracy:
            table["accuracy_96px"] = {
                method: _accuracies(job | {"size": 96, "method": method, "lr": LR[method], "epochs": n}, Path(scratch))
                for method, n in (("head", epochs), ("full", 2))
            }
            _save(table, out)
    if cut:
        with tempfile.TemporaryDirectory(prefix="graft-bench-") as scratch:
            table["cut_128px"] = _cut(data, Path(scratch))
    _save(table, out)
    print(render(table))
    return table


def _save(table: dict[str, Any], out: Path) -> None:
    out.write_text(to_json(table) + "\n", encoding="utf-8")


def _export(data: str, folder: Path, train: int) -> int:
    """Write the same images for everybody: class folders of train and test. Who wants to validate does it on some of
    the first: nobody reads more rows than the others."""
    from PIL import Image

    from core.data.images import load_images
    from core.progress import SilentReporter

    images = load_images(
        DataRef(id=data),
        get_model("bundled/efficientnet_lite0").vision,
        train_size=train,
        test_size=1000,
        seed=0,
        reporter=SilentReporter(),
    )
    for split, rows in (("train", images.train), ("test", images.test)):
        images.pixels.ensure(rows, SilentReporter())
        for row, picture in zip(rows, images.pixels.read(rows), strict=True):
            place = folder / split / f"{images.targets[row]:03d}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(place / f"{row}.jpg", quality=95)
    return len(images.labels)


def _run(name: str, job: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """One contender in a process and a home of its own, so that nothing is warm for anybody."""
    with tempfile.TemporaryDirectory(dir=scratch) as home:
        environment = {**os.environ, "GRAFT_HOME": home, "TOKENIZERS_PARALLELISM": "false"}
        command = [
            sys.executable,
            "-m",
            "bench.contenders",
            name,
            json.dumps(job | {"scratch": str(Path(home) / "run")}),
        ]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        for line in done.stdout.splitlines():
            if line.startswith("RESULT "):
                result: dict[str, Any] = json.loads(line[7:])
                return result
        raise RuntimeError(f"{name} failed:\n{done.stderr[-3000:]}")


def _speed(job: dict[str, Any], scratch: Path, train: int, steps: int, rounds: int) -> dict[str, Any]:
    """Seconds of the whole training by contender: the others' from timed steps, Graft's head as it ran."""
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in (*OTHERS, "graft")}

    def do(number: int) -> None:
        for name in seen:
            if name == "graft":
                # Frozen, the run is short enough to be run whole; in full, some steps are timed like the others'.
                short = {} if job["method"] == "head" else {"train_size": BATCH * (steps + 2), "epochs": 1}
                seen[name].append(_run(name, job | short, scratch))
            else:
                seen[name].append(_run(name, job | {"steps": steps}, scratch))
            print(f"{job['method']} round {number + 1}: {name} done", file=sys.stderr, flush=True)

    others = do_rounds(rounds, do)
    all_steps = epochs_steps(train, job["epochs"])
    rows: dict[str, Any] = {}
    for name, results in seen.items():
        if name == "graft" and job["method"] == "head":
            rows[name] = {
                "total_s": [result["work_s"] for result in results],
                "extrapolated": False,
                "engine": results[-1]["engine"],
                "phases": results[-1]["phases"],
            }
            continue
        if name == "graft":  # the first two steps warm up
            gaps = [[BATCH * s for s in result["step_seconds"][2:]] for result in results]
        else:
            gaps = [result["step_s"] for result in results]
        rows[name] = {
            "step_s": [statistics.median(gap) for gap in gaps],
            "timed_steps": sum(len(gap) for gap in gaps),
            "total_s": [statistics.median(gap) * all_steps for gap in gaps],
            "extrapolated": True,
            "start_s": [result["start_s"] for result in results],
        }
        if name == "graft":
            rows[name]["engine"] = results[-1]["engine"]
    for row in rows.values():
        row["median_total_s"] = statistics.median(row["total_s"])
    for name in OTHERS:
        rows[name]["graft_is_faster"] = faster(rows[name]["total_s"], rows["graft"]["total_s"], others, rounds)
    return rows


def epochs_steps(train: int, epochs: int) -> int:
    return -(-train // BATCH) * epochs


def _accuracies(job: dict[str, Any], scratch: Path) -> dict[str, float]:
    return {name: _run(name, job | {"steps": None}, scratch)["accuracy"] for name in (*OTHERS, "graft")}


def _cut(data: str, scratch: Path) -> dict[str, Any]:
    """Last two blocks from a cached cut against the head alone: 5,000 images, 128 px, 4 epochs, cold caches."""
    folder = scratch / "images"
    classes = _export(data, folder, 5000)
    job = {"folder": str(folder), "classes": classes, "batch": BATCH, "size": 128, "epochs": 4}
    results = {m: _run("graft", job | {"method": m, "lr": LR[m]}, scratch) for m in ("head", "last")}
    rows = {m: {"accuracy": r["accuracy"], "wall_s": r["wall_s"], "work_s": r["work_s"]} for m, r in results.items()}
    return {
        **rows,
        "points_better": 100 * (rows["last"]["accuracy"] - rows["head"]["accuracy"]),
        "times_as_long": rows["last"]["wall_s"] / rows["head"]["wall_s"],
    }


def render(table: dict[str, Any]) -> str:
    """The table for people."""
    lines = [f"{table['train']} images, {table['epochs']} epochs, batch {BATCH}, {table['machine']['processor']}"]
    for method in ("head", "full"):
        lines.append(f"\n{method}, 224 px{'':12} step (median)   whole training      Graft is faster by (rounds)")
        for name, row in table[method].items():
            step = f"{1000 * statistics.median(row['step_s']):8.0f} ms" if "step_s" in row else " " * 11
            how = "extrapolated" if row["extrapolated"] else "measured"
            ratio = row.get("graft_is_faster")
            by = "" if ratio is None else in_words(ratio)
            lines.append(f"  {name:20} {step}   {row['median_total_s']:9.1f} s {how:12}  {by}")
    for method, found in table.get("accuracy_96px", {}).items():
        lines.append(f"\naccuracy at 96 px, {method}: " + ", ".join(f"{n} {a:.1%}" for n, a in found.items()))
    if "cut_128px" in table:
        cut = table["cut_128px"]
        lines.append(
            f"\nlast blocks from a cached cut, 5,000 images, 128 px: {cut['last']['accuracy']:.1%} in "
            f"{cut['last']['wall_s']:.0f} s; head {cut['head']['accuracy']:.1%} in {cut['head']['wall_s']:.0f} s: "
            f"{cut['points_better']:+.1f} points, {cut['times_as_long']:.1f}× the time"
        )
    return "\n".join(lines)
