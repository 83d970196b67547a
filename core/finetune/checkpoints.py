"""Where a run can go on from: complete checkpoints only, and the best epoch so far.

A checkpoint counts once its `complete` mark is written, after everything else: what a killed worker or a
full disk left half-written is passed over, and the one before it is taken. The mark holds the sums of the files: what
was damaged since is passed over too.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.errors import RunError
from core.files import replacing, sha256, to_json, write_atomically
from core.finetune.records import BestEpoch
from core.i18n import N_

MARK = "complete"
RECIPE = 4


class Checkpoints:
    """The checkpoint folder of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def recipe(self) -> int:
        """How what lies here was begun, which goes on so: 1 by version 0.1, which split and began otherwise; 2 with
        all embeddings of a text network learning, 3 with norms of their own; else it is marked as today's, 4."""
        mark = self.folder / "began.json"
        try:
            return int(json.loads(mark.read_text(encoding="utf-8"))["recipe"])
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError):  # damaged, but there: version 0.1 wrote none
            return RECIPE
        if self.last() is not None or self.best_facts() is not None:
            return 1
        write_atomically(mark, json.dumps({"recipe": RECIPE}))
        return RECIPE

    def clear(self) -> None:
        """Forget everything: the run starts anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)

    def mark_complete(self, step: int) -> None:
        """Say that a checkpoint is all there, with the sum of each of its files."""
        folder = self.folder / f"checkpoint-{step}"
        sums = {path.name: sha256(path) for path in sorted(folder.iterdir()) if path.name != MARK and path.is_file()}
        write_atomically(folder / MARK, to_json(sums))

    def last(self) -> Path | None:
        """The newest checkpoint that is as it was written."""
        return next((path for path in self._complete() if _is_whole(path)), None)

    def damaged(self) -> list[str]:
        """The names of complete checkpoints that are not as they were written, newest first."""
        return [path.name for path in self._complete() if not _is_whole(path)]

    def _complete(self) -> list[Path]:
        folders = [path for path in self.folder.glob("checkpoint-*") if (path / MARK).exists()]
        return sorted(folders, key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)

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
            save_file(state, unfinished, metadata={"facts": json.dumps(facts), "sum": _sum_of(state)})

    def make_ready(self, log: Callable[[str], None], *, resume: bool) -> None:
        """Forget everything, or say what is damaged before a training goes on from it. Raises as `check_best`."""
        if not resume:
            self.clear()
        for name in self.damaged():
            log(f"warning: {name} is damaged: it is not gone on from, but from the one before or anew")
        self.check_best()

    def check_best(self) -> None:
        """For a training that goes on: raises `RunError` where its best epoch so far is damaged.

        Where there is nothing else to go on from, it is forgotten: all is done again.
        """
        try:
            if not (self.folder / "best.safetensors").exists() or self.load_best():
                return
        except RunError:
            if self.last() is not None:
                raise
            for name in ("best.safetensors", "finished.json"):
                (self.folder / name).unlink(missing_ok=True)

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
        """The learned tensors of the best epoch. Raises `RunError` when they are not as they were written."""
        path = self.folder / "best.safetensors"
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                known = (file.metadata() or {}).get("sum")
            state: dict[str, Tensor] = load_file(path)
        except (OSError, safetensors.SafetensorError) as error:
            raise RunError("run.best_epoch_lost", detail=str(error)) from error
        if known is not None and known != _sum_of(state):
            raise RunError("run.best_epoch_lost", detail=N_("their sum is another"))
        return state


def _sum_of(state: dict[str, Tensor]) -> str:
    total = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        total.update(name.encode() + tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def _is_whole(path: Path) -> bool:
    try:
        sums = json.loads((path / MARK).read_text(encoding="utf-8") or "{}")
        if sums:
            return all(sha256(path / name) == total for name, total in sums.items())
        return _is_readable(path)  # the mark of an earlier version says nothing more
    except (OSError, ValueError, AttributeError, safetensors.SafetensorError):
        return False


def _is_readable(path: Path) -> bool:
    with safetensors.safe_open(path / "model.safetensors", framework="pt") as file:
        file.keys()
    json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
    return all((path / name).stat().st_size > 0 for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"))
