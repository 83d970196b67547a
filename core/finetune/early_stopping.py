"""When a training stops before its last epoch, and when a setting of it can never take effect."""

from __future__ import annotations

from core.finetune.spec import FinetuneSpec
from core.problems import Problem


def is_patience_over(epoch: int, best_epoch: int | None, *, patience: int | None, min_epochs: int) -> bool:
    """Whether to stop after this epoch: validation accuracy has not risen for `patience` epochs.

    `best_epoch` is the one with the best validation accuracy so far (None before the first look); before `min_epochs`
    nothing stops, and without a patience nothing ever does.

    >>> is_patience_over(7, 4, patience=3, min_epochs=1)
    True
    >>> is_patience_over(7, 5, patience=3, min_epochs=1)
    False
    """
    if patience is None or best_epoch is None or epoch < min_epochs:
        return False
    return epoch - best_epoch >= patience


def check_patience(spec: FinetuneSpec) -> list[Problem]:
    """A warning where so much patience cannot run out within the epochs asked for."""
    if spec.patience is None or spec.patience < spec.epochs:
        return []
    values = {"patience": spec.patience, "epochs": spec.epochs}
    return [Problem("spec.patience_never", "warning", "patience", values)]
