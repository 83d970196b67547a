"""Training a changed network on: what all passes that learn have in common."""

from __future__ import annotations

import copy
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from core.errors import InputError
from core.finetune.autotune import default_engine
from core.finetune.checkpoints import Checkpoints
from core.finetune.learner import seed_everything
from core.finetune.loop import Loop
from core.finetune.recipe import learning_rate
from core.finetune.spec import FinetuneSpec
from core.networks.exportable import Network
from core.networks.tuning import set_trainable
from core.optimize.passes.base import PassContext
from core.optimize.rows import Learned
from core.problems import Problem

BATCH_SIZE = 32


def copy_of(network: Network) -> Network:
    """A copy to be changed. What it shares with the first one is nothing that learns."""
    return copy.deepcopy(network)


def check_labels(context: PassContext) -> None:
    """Refuse to train on classes that the network does not answer with. Raises `InputError`."""
    trained = context.trained
    if not trained.is_labelled:
        values = {"id": context.spec.data.id, "model": trained.card.name}
        raise InputError([Problem("optimize.other_labels", field="data", values=values)])


def retrain(
    context: PassContext,
    network: Network,
    *,
    lr: float,
    after_step: Callable[[int, int], None] | None = None,
    teacher: Tensor | None = None,
    weight: float = 0.0,
    heat: float = 1.0,
    precision: Literal["auto", "fp32"] = "auto",
    only_last: bool = False,
) -> Learned:
    """Train all layers of `network` on the training rows and leave it as it was in its best epoch.

    `lr` holds where the user asks for none; `teacher` are logits [rows of the data, C] to learn from too, with that
    weight and heat; with `only_last` the last epoch counts as the best, for what is finished no earlier. Returns
    epochs, the best epoch and its accuracy on the validation rows, seconds and learning rate. Raises `InputError`
    for other labels, `RunError` where the loss became infinite, `StoppedError` on request.
    """
    check_labels(context)
    spec, trained = context.spec, context.trained
    seed_everything(spec.seed)
    set_trainable(network, "full")
    learner = trained.learner(network, teacher, weight, heat)
    if spec.train_size is not None:  # their order is drawn by class: the first ones hold all classes evenly
        data: Any = learner.data
        learner.data = replace(data, train=data.train[: spec.train_size])
    how = FinetuneSpec(
        model=spec.model,
        data=spec.data,
        method="full",
        epochs=spec.epochs,
        lr=lr if spec.lr is None else spec.lr,
        batch_size=BATCH_SIZE,
        validate_every=spec.epochs if only_last else 1,
        seed=spec.seed,
    )
    checkpoints = Checkpoints(context.folder / "training")
    checkpoints.clear()
    engine = default_engine(precision, learner.device, is_text=trained.card.is_text)
    loop = Loop(learner, how, checkpoints, context.clock, engine, resumable=False, after_step=after_step)
    start = time.perf_counter()
    try:
        loop.train(resume=False)
        best = loop.load_best()
    finally:
        shutil.rmtree(checkpoints.folder, ignore_errors=True)
        _settle(network)
    return {
        "epochs": loop.epochs_done,
        "best_epoch": best["epoch"],
        "validation": best["accuracy"],
        "train_seconds": time.perf_counter() - start,
        "train_rows": len(learner.data.train),
        "learning_rate": learning_rate(how, len(learner.data.train)),
    }


def _settle(network: Network) -> None:
    """Ready to answer and to be exported."""
    network.zero_grad(set_to_none=True)
    network.to(memory_format=torch.contiguous_format)
    network.eval()
