"""MB of a process before it computes anything, and what loading its libraries takes: measured on each machine."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import TypedDict

import torch

from core import lifeline, settings
from core.files import to_json, write_atomically
from core.hardware import this_host
from core.inspection.records import Baseline


class Start(TypedDict):
    """Seconds to load what a head is fitted with, and then the Trainer; MB after each."""

    start_s: float
    trainer_s: float
    fitting_mb: float
    training_mb: float


# -- the process itself ----------------------------------------------------------------------------------


def read_baseline(inference_mb: float) -> Baseline:
    """MB of a process with its libraries loaded and nothing computed yet.

    To answer: `inference_mb`, as the inspecting process itself read it. To learn: as a fresh process was measured once
    on this machine with these libraries; before that, what is known to answer, and `training_from` says so.
    """
    try:
        kept = json.loads(_kept().read_text(encoding="utf-8"))
        if (kept["host"], kept["torch"]) == (this_host(), torch.__version__):
            training_mb = float(kept["training_mb"])
            return {"inference_mb": inference_mb, "training_mb": training_mb, "training_from": "a fresh process"}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"inference_mb": inference_mb, "training_mb": inference_mb, "training_from": "this process"}


def measure_baseline() -> None:
    """Measure what a training's process holds before it computes; once for each version of torch."""
    if read_baseline(0.0)["training_from"] != "a fresh process":
        measure_start()


def measure_start() -> Start | None:
    """Load what a training loads in a fresh process, and keep what that takes; None where it fails."""
    with lifeline.start("core.finetune.loaded", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as fresh:
        try:
            found: Start = json.loads(fresh.communicate(timeout=120)[0].strip().splitlines()[-1])
        except (ValueError, IndexError):
            return None
        finally:
            fresh.kill()
    facts = {"host": this_host(), "torch": torch.__version__, **found, "measured_at": time.time()}
    write_atomically(_kept(), to_json(facts) + "\n")
    return found


def _kept() -> Path:
    return settings.home() / "baselines.json"
