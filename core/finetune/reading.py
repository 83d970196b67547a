"""What a learner says of rows: its answers, or its features, in batches and in the order asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.finetune.autotune import ComputeChoice, autocast
from core.finetune.learner import Learner
from core.progress import PhaseClock


def predict_rows(
    learner: Learner, rows: NDArray[np.int64], clock: PhaseClock, batch_size: int, engine: ComputeChoice
) -> Tensor:
    """Logits [n, C] of rows, in order, on the CPU. Raises `StoppedError` between batches."""
    # Not by `forward`: whoever prepares a network for training in bf16 leaves its precision there.
    return read_rows(learner, rows, clock, batch_size, engine, learner.logits)


def read_rows(
    learner: Learner,
    rows: NDArray[np.int64],
    clock: PhaseClock,
    batch_size: int,
    engine: ComputeChoice,
    read: Callable[[NDArray[np.int64]], Tensor],
) -> Tensor:
    """What `read` gives of rows [n, …], in order, on the CPU as float32. Raises `StoppedError` between batches."""
    learner.eval()
    batches = learner.batches(rows, batch_size)
    parts = []
    with torch.inference_mode(), autocast(engine, learner.device):
        for places in batches:
            clock.raise_if_stopped()
            parts.append(read(rows[places]).float().cpu())
            clock.work("predict", len(places))
    found = torch.cat(parts)
    ordered = torch.empty_like(found)
    ordered[torch.from_numpy(np.concatenate(batches))] = found
    return ordered
