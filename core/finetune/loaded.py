"""`python -m core.finetune.loaded`: what loading the libraries of a training takes, and nothing computed.

In JSON: MB of a process that only fits a head, and of one that has the Trainer too, and seconds without others at work.
"""

from __future__ import annotations

import importlib
import json
import time

from core.hardware import resident_mb, turns


def _load(module: str) -> float:
    began, before = time.perf_counter(), turns()
    importlib.import_module(module)
    return turns().alone(time.perf_counter() - began, before)


if __name__ == "__main__":
    found = {"start_s": _load("core.finetune.run"), "fitting_mb": resident_mb()}
    print(json.dumps({**found, "trainer_s": _load("core.finetune.loop"), "training_mb": resident_mb()}))
