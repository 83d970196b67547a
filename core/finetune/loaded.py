"""`python -m core.finetune.loaded`: what loading the libraries of a training takes, and nothing computed.

In JSON: MB of a process that only fits a head, and of one that has the Trainer too, and seconds without others at work.
"""

from __future__ import annotations

import json
import time

from core.hardware import resident_mb, turns

if __name__ == "__main__":
    began, before = time.perf_counter(), turns()
    from core.finetune.run import finetune  # noqa: F401
    from core.networks import from_timm  # noqa: F401

    start_s, fitting_mb = turns().alone(time.perf_counter() - began, before), resident_mb()
    began, before = time.perf_counter(), turns()
    from core.finetune.loop import Loop  # noqa: F401

    trainer_s = turns().alone(time.perf_counter() - began, before)
    print(
        json.dumps({"start_s": start_s, "trainer_s": trainer_s, "fitting_mb": fitting_mb, "training_mb": resident_mb()})
    )
