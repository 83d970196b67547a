"""`python -m bench fair`: how fast networks are computed alone, and beside processes that only count.

Three ways to wait for other threads take turns: as GNU OpenMP does it by itself, spinning less, and Graft's, which
spins less and hardly at all while others want the processors. `python -m bench.fair WAY SECONDS` is one turn of one.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from core.files import to_json
from core.hardware import describe_machine, keep_freed_memory
from core.sharing import STAY_S, spin_less, watch

ROOT = Path(__file__).resolve().parents[1]
WAYS = ("as it comes", "spins less", "Graft")
OTHERS = (0, 1, 2)
_COUNT = "while True: pass"
_BATCH = 32

Rates = dict[str, list[float]]  # examples a second of each work, beside as many others as `OTHERS` says


def measure(out: Path, *, rounds: int, seconds: float) -> dict[str, Rates]:
    """Print and save the median of the rounds for each way and work."""
    found: dict[str, list[Rates]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way in WAYS[number % len(WAYS) :] + WAYS[: number % len(WAYS)]:
            found[way].append(_turn(way, seconds))
    table = {
        way: {
            work: [statistics.median(turn[work][place] for turn in turns) for place in range(len(OTHERS))]
            for work in turns[0]
        }
        for way, turns in found.items()
    }
    machine = asdict(describe_machine())
    out.write_text(to_json({"machine": machine, "rounds": found, "medians": table}) + "\n", encoding="utf-8")
    print(f"{'examples a second':32} {'':12} {'alone':>8} {'beside 1':>16} {'beside 2':>16}")
    for work in table[WAYS[0]]:
        idle = max(rates[work][0] for rates in table.values())
        for way, rates in table.items():
            cells = [f"{rate:8.1f} {rate / idle:6.0%}" for rate in rates[work]]
            print(f"{work:32} {way:12} " + " ".join(cells))
    return table


def _turn(way: str, seconds: float) -> Rates:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GOMP_", "OMP_"))}
    if way != "as it comes":
        environment = spin_less(environment)
    command = [sys.executable, "-m", "bench.fair", way, str(seconds)]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    rates: Rates = json.loads(done.stdout.splitlines()[-1])
    return rates


# -- one turn ----------------------------------------------------------------------------------------------


def _main(way: str, seconds: float) -> None:
    keep_freed_memory()
    if way == "Graft":
        watch()
    rates: Rates = {}
    for name, step in _works().items():
        step()
        step()
        rates[name] = []
        for others in OTHERS:
            with ExitStack() as stack:
                for _ in range(others):
                    process = stack.enter_context(subprocess.Popen([sys.executable, "-c", _COUNT]))
                    stack.callback(process.kill)
                time.sleep(1.0)  # a program that has come does not go at once
                rates[name].append(_rate(step, seconds))
            time.sleep(STAY_S + 1)
    print(json.dumps(rates))


def _rate(step: Callable[[], object], seconds: float) -> float:
    began, steps = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        step()
        steps += 1
    return _BATCH * steps / passed


def _works() -> dict[str, Callable[[], object]]:
    import torch
    from torch import nn

    from core.networks.image import build_classifier
    from core.networks.text import TokenBatch, build_text_classifier
    from core.networks.tuning import set_trainable
    from core.spec import ModelRef

    targets = torch.zeros(_BATCH, dtype=torch.long)

    def learns(model: nn.Module, answer: Callable[[], torch.Tensor], *, short: bool) -> Callable[[], object]:
        def step() -> None:
            model.train()
            with torch.autocast("cpu", torch.bfloat16, enabled=short):
                loss = nn.functional.cross_entropy(answer().float(), targets)
            loss.backward()  # type: ignore[no-untyped-call]
            model.zero_grad(set_to_none=True)

        return step

    def answers(model: nn.Module, answer: Callable[[], torch.Tensor]) -> Callable[[], object]:
        def step() -> None:
            model.eval()
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                answer()

        return step

    works: dict[str, Callable[[], object]] = {}
    for edge in (64, 128):
        model = build_classifier(
            ModelRef(id="bundled/efficientnet_lite0", weights="random"), ["a", "b"], seed=0, image_size=edge
        ).to(memory_format=torch.channels_last)
        set_trainable(model, "full")
        x = torch.randn(_BATCH, 3, edge, edge).contiguous(memory_format=torch.channels_last)
        works[f"Lite0 learns, {edge} px"] = learns(model, lambda m=model, x=x: m(x), short=False)  # type: ignore[misc]
        works[f"Lite0 answers in bf16, {edge} px"] = answers(model, lambda m=model, x=x: m(x))  # type: ignore[misc]
    reader = build_text_classifier(ModelRef(id="bundled/minilm-l6"), ["a", "b"], seed=0)
    set_trainable(reader, "full")
    ids = torch.randint(1000, 2000, (_BATCH, 64))
    batch = TokenBatch(ids, torch.ones_like(ids))
    works["MiniLM learns in bf16, 64 tokens"] = learns(reader, lambda: reader.head(reader.run(batch, 0)), short=True)
    return works


if __name__ == "__main__":
    _main(sys.argv[1], float(sys.argv[2]))
