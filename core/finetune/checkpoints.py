"""Where a run can go on from: complete checkpoints only, and the best epoch so far.

A checkpoint counts once its `complete` mark is written, after everything else: what a killed worker or a
full disk left half-written is passed over, and the one before it is taken.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import safetensors
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.errors import RunError
from core.files import replacing, write_atomically
from core.finetune.records import BestEpoch

MARK = "complete"


class Checkpoints:
    """The checkpoint folder of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def began_in_0_1(self) -> bool:
        """Whether what lies here was begun by version 0.1, which split and began otherwise; else the run is marked as
        one of today."""
        mark = self.folder / "began.json"
        if mark.exists():
            return False
        is_old = self.last() is not None or self.best_facts() is not None
        if not is_old:
            write_atomically(mark, json.dumps({"recipe": 2}))
        return is_old

    def clear(self) -> None:
        """Forget everything: the run starts anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)

    def mark_complete(self, step: int) -> None:
        (self.folder / f"checkpoint-{step}" / MARK).touch()

    def last(self) -> Path | None:
        """The newest checkpoint that is complete and can be read."""
        folders = [path for path in self.folder.glob("checkpoint-*") if (path / MARK).exists()]
        for path in sorted(folders, key=lambda p: int(p.name.rpartition("-")[2]), reverse=True):
            if _is_readable(path):
                return path
        return None

    def drop_unusable(self) -> None:
        """Remove what cannot be resumed from, so that a new checkpoint of the same step finds its place free."""
        usable = self.last()
        for path in self.folder.glob("checkpoint-*"):
            newer = usable is None or int(path.name.rpartition("-")[2]) > int(usable.name.rpartition("-")[2])
            if newer:
                shutil.rmtree(path, ignore_errors=True)

    # -- what was validated, and the best epoch ------------------------------------------------------------
    def note_validated(self, epoch: int) -> None:
        """Remember that an epoch was measured; its checkpoint may be older than that."""
        write_atomically(self.folder / "validated", str(epoch))

    def validated_epoch(self) -> int:
        """The last epoch that was measured; 0 before the first."""
        try:
            return int((self.folder / "validated").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0

    def save_best(self, state: dict[str, Tensor], facts: BestEpoch) -> None:
        """Keep the learned tensors of the best epoch and what is known of it, both or neither."""
        with replacing(self.folder / "best.safetensors") as unfinished:
            save_file(state, unfinished, metadata={"facts": json.dumps(facts)})

    def best_facts(self) -> BestEpoch | None:
        """What is known of the best epoch: epoch, accuracy. None before the first."""
        path = self.folder / "best.safetensors"
        if not path.exists():
            return None
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                facts: BestEpoch = json.loads(file.metadata()["facts"])
                return facts
        except (safetensors.SafetensorError, ValueError, KeyError, TypeError):
            return None

    def load_best(self) -> dict[str, Tensor]:
        """The learned tensors of the best epoch. Raises `RunError` when they cannot be read."""
        try:
            return load_file(self.folder / "best.safetensors")
        except (OSError, safetensors.SafetensorError) as error:
            raise RunError("run.best_epoch_lost", detail=str(error)) from error


def _is_readable(path: Path) -> bool:
    try:
        with safetensors.safe_open(path / "model.safetensors", framework="pt") as file:
            file.keys()
        json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        return all((path / name).stat().st_size > 0 for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"))
    except (OSError, ValueError, safetensors.SafetensorError):
        return False
