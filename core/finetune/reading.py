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
    into: Tensor | None = None,
) -> Tensor:
    """What `read` gives of rows [n, …], in order, on the CPU as float32. Raises `StoppedError` between batches.

    It is put where it stays as it comes (`into`, where that is given): parts that wait among what batches leave behind
    would keep the memory of these, of many rows gigabytes.
    """
    learner.eval()
    with torch.inference_mode(), autocast(engine, learner.device):
        for places in learner.batches(rows, batch_size):
            clock.raise_if_stopped()
            part = read(rows[places]).float().cpu()
            if into is None:
                with torch.inference_mode(False):
                    into = torch.empty(len(rows), *part.shape[1:])
            into[torch.from_numpy(places)] = part
            clock.work("predict", len(places))
    assert into is not None
    return into
