"""What was told of a run before it began, kept in its folder, beside what happened."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from core.files import to_json, write_atomically
from core.runs.kinds import kind_of
from core.spec import Spec
from core.store import Run, Store

_FILE = "estimate.json"


@dataclass(frozen=True)
class Told:
    """Seconds (from, to) and MB as they were told, and as they came; None for what is not known."""

    time_s: tuple[float, float] | None
    memory_mb: float
    seconds: float | None
    peak_mb: float | None

    @property
    def held_time(self) -> bool | None:
        """Whether it took as long as was told."""
        if self.time_s is None or self.seconds is None:
            return None
        return self.time_s[0] <= self.seconds <= self.time_s[1]

    @property
    def held_memory(self) -> bool | None:
        """Whether what was told of the memory is within a fifth of what it took."""
        return None if not self.peak_mb else abs(self.memory_mb / self.peak_mb - 1) <= 0.2


def keep(spec: Spec, folder: Path, store: Store) -> None:
    """Write down what is told of a run that is about to wait for its turn, where its kind tells anything."""
    estimate = kind_of(spec).estimate
    if estimate is not None:
        write_atomically(folder / _FILE, to_json(estimate(spec, store).model_dump(mode="json")) + "\n")


def told_of(run: Run) -> Told | None:
    """What was told of a run and what happened; None for a run of which nothing was told."""
    try:
        kept = json.loads((run.folder / _FILE).read_text(encoding="utf-8"))
        times = None if kept["time_s"] is None else (float(kept["time_s"][0]), float(kept["time_s"][1]))
        memory = float(kept["memory_mb"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # What was interrupted waited between its attempts, too.
    is_whole = run.status == "done" and not run.attempt and run.started_at and run.ended_at
    seconds = run.ended_at - run.started_at if is_whole and run.ended_at and run.started_at else None
    peak = run.summary.get("peak_memory_mb") if run.kind == "finetune" else None  # a comparison's is of one training
    return Told(times, memory, seconds, float(peak) if peak else None)
