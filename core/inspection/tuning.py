"""What each tuning method would train, counted."""

from __future__ import annotations

import itertools

from core.inspection.blueprint import NEW_CLASSES
from core.inspection.records import Trained, Tuning
from core.networks.heads import count_parameters
from core.networks.image import ImageClassifier
from core.networks.tuning import Tunable, count_put_in, set_trainable
from core.registry.methods import METHODS, MethodSettings

# -- ways of tuning --------------------------------------------------------------------------------------


def count_tuning(model: Tunable) -> Tuning:
    """What each way of tuning trains of a network with a new head for `NEW_CLASSES` classes.

    A way that is told how many blocks learn has an entry for every number of them; one that puts layers in is None
    for a network without a place for them.
    """
    total, head = count_parameters(model)[0], count_parameters(model.head)[0]
    whole: dict[str, Trained | None] = {}
    by_blocks: dict[str, dict[str, Trained]] = {}
    for row in METHODS.values():
        if row.adds_layers:
            whole[row.id] = _told_of_added(model, row.id, head, total)
        elif "last_blocks" in row.fields:
            by_blocks[row.id] = {str(k): _told(n, total) for k, n in enumerate(_by_blocks(model, row.id), 1)}
        else:
            set_trainable(model, row.id)
            whole[row.id] = _told(count_parameters(model)[1], total)
    return Tuning(NEW_CLASSES, model.num_blocks, MethodSettings().lora_rank, whole, by_blocks)


def _told(trained: int, total: int) -> Trained:
    return {"parameters": trained, "share": trained / total}


def _told_of_added(model: Tunable, method: str, head: int, total: int) -> Trained | None:
    added = count_put_in(model, method, MethodSettings())
    return None if added is None else _told(head + added, total + added)


def _by_blocks(model: Tunable, method: str) -> list[int]:
    """Parameters that learn with the last 1, 2 … blocks; counted block by block where blocks share nothing."""
    if not isinstance(model, ImageClassifier):
        counts = []
        for k in range(1, int(model.num_blocks) + 1):
            set_trainable(model, method, MethodSettings(last_blocks=k))
            counts.append(count_parameters(model)[1])
        return counts
    sizes = [sum(p.numel() for p in stage.parameters()) for stage in reversed(model.stages)]
    return list(itertools.accumulate(sizes, initial=count_parameters(model.head)[0]))[1:]
