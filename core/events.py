"""How a long step tells what it is doing, without knowing who listens.

The heavy rooms (data, models, train, evaluate) receive a `Reporter` and never see a run, a store or a
page; the worker's reporter writes to the store, the command line's draws a bar, a test's keeps a list.
"""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Where a long step reports to. Every method returns at once and never raises."""

    def phase(self, code: str, **values: object) -> None:
        """Say what happens now: a code of `core.messages.PHASES` and its values."""

    def progress(self, done: float, total: float) -> None:
        """Say how far the whole step is, in any unit; the time left is computed from it."""

    def metrics(self, step: int, epoch: float, **values: float) -> None:
        """Record measurements at an optimizer step. Names use `__` for `/`: `train__loss=0.3`."""

    def log(self, text: str) -> None:
        """Write one line to the run's log."""

    def should_stop(self) -> bool:
        """Whether the user asked to stop. Cheap enough to ask after every step."""


class Silence:
    """A reporter that listens to nothing and never stops anything."""

    def phase(self, code: str, **values: object) -> None: ...

    def progress(self, done: float, total: float) -> None: ...

    def metrics(self, step: int, epoch: float, **values: float) -> None: ...

    def log(self, text: str) -> None: ...

    def should_stop(self) -> bool:
        return False
