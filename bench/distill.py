"""What a teacher brings: students of half the layers, taught by a fine-tuned network, and by the labels alone.

Both kinds start from the same layers, see the same rows in the same order for the same steps, and differ in the loss
alone; seeds change the order and the new head.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from core.evaluate import crossed_test, wilson
from core.files import to_json
from core.hardware import describe_machine, keep_freed_memory
from core.optimize.passes.base import PassContext
from core.optimize.passes.distill import run
from core.optimize.rows import PassFacts
from core.optimize.spec import OptimizeSpec
from core.optimize.trained_model import load_trained_model
from core.progress import PhaseClock, SilentReporter


def measure(data: str, teacher: str, out: Path, *, seeds: int, epochs: int) -> dict[str, Any]:
    """Train `seeds` students of each kind, test all on the same rows, and save the table."""
    keep_freed_memory()
    right: dict[str, list[Any]] = {"taught": [], "alone": []}
    facts: PassFacts = {}
    trained: Any = None
    for seed in range(seeds):
        for kind, weight in (("taught", None), ("alone", 0.0)):
            asked: dict[str, Any] = {
                "model": {"id": teacher}, "data": {"id": data}, "passes": ["distill"], "epochs": epochs, "seed": seed,
            }  # fmt: skip
            asked |= {} if weight is None else {"teacher_weight": weight}
            spec = OptimizeSpec.model_validate(asked)
            clock = PhaseClock(SilentReporter())
            trained = load_trained_model(spec, clock)
            with tempfile.TemporaryDirectory() as scratch:
                made = run(PassContext(spec, trained, trained.model, Path(scratch), clock, lambda: Path()))
            assert made.network is not None
            rows = trained.data.test
            right[kind].append(trained.logits(made.network, rows).argmax(1) == trained.data.targets[rows])
            facts = made.facts
            print(f"seed {seed}, {kind}: {right[kind][-1].mean():.1%}", file=sys.stderr, flush=True)
    rows = trained.data.test
    of_teacher = trained.logits(trained.model, rows).argmax(1) == trained.data.targets[rows]
    gain = crossed_test(np.stack(right["taught"]), np.stack(right["alone"]))
    table = {
        "machine": asdict(describe_machine()),
        "teacher": {
            "id": teacher,
            "accuracy": float(of_teacher.mean()),
            "interval": wilson(int(of_teacher.sum()), len(rows)),
        },
        "student": facts,
        "accuracy": {kind: [float(one.mean()) for one in found] for kind, found in right.items()},
        "gain": gain,
    }
    out.write_text(to_json(table) + "\n", encoding="utf-8")
    low, high = (100 * edge for edge in gain["interval"])
    print(
        f"teacher {of_teacher.mean():.1%}; taught {np.mean(right['taught']):.1%}, alone {np.mean(right['alone']):.1%} "
        f"over {seeds} seeds on {len(rows)} rows: the teacher brings {100 * gain['difference']:+.1f} points "
        f"(95%: {low:+.1f} to {high:+.1f}, p = {gain['p']:.2g})"
    )
    return table
