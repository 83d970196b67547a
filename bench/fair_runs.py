"""`python -m bench fair --runs`: whole runs of the command line, alone and beside processes that only count.

Each in a home of its own, from the imports to the saved result, so that what is kept of one helps no other; alone and
beside others in turns.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from core.files import to_json
from core.hardware import describe_machine

ROOT = Path(__file__).resolve().parents[1]
OTHERS = (0, 1, 2)
_COUNT = "while True: pass"
_PHOTOS = 300

Seconds = dict[str, list[list[float]]]  # of each run, beside as many others as `OTHERS` says, in every round


def measure(out: Path, *, rounds: int) -> Seconds:
    """Print and save the median of the rounds for each run, and what is left of its speed beside others."""
    seconds: Seconds = {}
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as folder:
        asked = _runs(Path(folder))
        for _ in range(rounds):
            for name, words in asked.items():
                places = seconds.setdefault(name, [[] for _ in OTHERS])
                for others in OTHERS:
                    places[others].append(_beside(others, words))
    out.write_text(to_json({"machine": asdict(describe_machine()), "seconds": seconds}) + "\n", encoding="utf-8")
    print(f"{'seconds':44} {'alone':>8} {'beside 1':>16} {'beside 2':>16}")
    for name, places in seconds.items():
        medians = [statistics.median(place) for place in places]
        print(f"{name:44} {medians[0]:8.1f} " + " ".join(f"{one:8.1f} {medians[0] / one:6.0%}" for one in medians[1:]))
    return seconds


def _runs(folder: Path) -> dict[str, list[str]]:
    pictures = ["finetune", "--model", "bundled/efficientnet_lite0", "--data", "builtin/digits"]
    texts = ["finetune", "--model", "bundled/minilm-l6", "--data", "builtin/reviews-en"]
    rng = np.random.default_rng(0)
    photos = folder / "photos"
    photos.mkdir()
    for number in range(_PHOTOS):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        coarse.resize((500, 375), Image.Resampling.BICUBIC).save(photos / f"{number}.jpg", quality=88)
    few = ["--train-size", "640", "--test-size", "100", "--epochs", "1"]
    return {
        "all layers, 640 digits at 128 px": [*pictures, "--method", "full", "--image-size", "128", *few],
        "head from nothing, digits at 128 px": [*pictures, "--method", "head", "--image-size", "128"],
        "MiniLM, all layers": [*texts, "--method", "full", "--epochs", "3"],
        f"a folder of {_PHOTOS} photos": ["predict", "--image", str(photos), "--out", str(folder / "answers.csv")],
    }


def _beside(others: int, words: list[str]) -> float:
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as home, ExitStack() as stack:
        for _ in range(others):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", _COUNT]))
            stack.callback(process.kill)
        environment = {**os.environ, "GRAFT_HOME": home, "GRAFT_OFFLINE": "1"}
        began = time.perf_counter()
        command = [sys.executable, "-m", "core", *words]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr[-500:]}")
        return time.perf_counter() - began
