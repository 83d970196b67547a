"""`python -m core.finetune.loaded`: MB of a process that has loaded what a training loads, and computed nothing."""

from __future__ import annotations

from core.finetune.run import finetune
from core.hardware import resident_mb

if __name__ == "__main__":
    assert finetune
    print(resident_mb())
