"""A head fitted to its optimum on the features of a network: all of a training, or where one begins.

`HeadFit` does for a head what `core.finetune.loop` does for more: it measures, is stopped and goes on. A stopped fit
begins again, since it takes moments; the features are kept, so that its numbers are those of a whole one.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.errors import RunError
from core.evaluate import wilson
from core.files import write_atomically
from core.finetune.autotune import ComputeChoice
from core.finetune.checkpoints import Checkpoints
from core.finetune.cross_validation import STRENGTHS, cross_validate, draw_folds
from core.finetune.head_fit import LinearHead, fit_head, is_worth_fitting
from core.finetune.learner import Learner, balanced_weights
from core.finetune.passes import MAX_START_ROWS, folds_for
from core.finetune.reading import read_rows
from core.finetune.recipe import learning_rate
from core.finetune.records import BestEpoch, CrossValidated, FitFacts, StartFacts
from core.finetune.spec import FinetuneSpec
from core.i18n import N_
from core.networks.heads import head_inputs, is_linear_head, put_linear
from core.progress import PhaseClock

Ints = NDArray[np.int64]

# Of the training rows, the shares whose features are there when a first head says how well they can be told apart.
SHARES = (0.125, 0.25, 0.5)
# The penalty before cross-validation has chosen one.
_FIRST_STRENGTH = 1.0
# Every pass is a point of the curve at first; later ones change little.
_SHOWN_PASSES, _SHOWN_EVERY = 20, 5
# What the clock counts: the first heads, each strength, and two fits at the end.
FIT_UNITS = len(SHARES) + len(STRENGTHS) + 2


def read_features(
    learner: Learner,
    rows: Ints,
    clock: PhaseClock,
    batch_size: int,
    engine: ComputeChoice,
    into: Tensor | None = None,
) -> Tensor:
    """What the head standardises [n, F], on the CPU, of rows in order. Raises `StoppedError` between batches."""

    def standardised(part: Ints) -> Tensor:
        return head_inputs(learner.model.head, learner.features(part))

    return read_rows(learner, rows, clock, batch_size, engine, standardised, into)


def can_be_fitted(learner: Learner, rows: int) -> bool:
    """Whether the head of this learner can be fitted on so many rows within bounds of memory and time."""
    head = learner.model.head
    if not is_linear_head(head):
        return False
    linear = head.get_submodule("linear")
    assert isinstance(linear, torch.nn.Linear)
    return is_worth_fitting(rows, linear.in_features, linear.out_features)


@dataclass(frozen=True)
class _Known:
    """Features of rows, with their classes."""

    rows: Ints
    features: Tensor
    targets: Tensor

    def first(self, n: int) -> _Known:
        """The first of them; nothing is copied."""
        return _Known(self.rows[:n], self.features[:n], self.targets[:n])


class HeadFit:
    """Fits the head of one learner, and says how well it does while the features arrive and while it is fitted.

    Where all examples were asked for, the validation rows are learned from too once the strength is chosen.
    """

    steps_per_epoch = 1  # of a pass over all rows

    def __init__(
        self,
        learner: Learner,
        spec: FinetuneSpec,
        checkpoints: Checkpoints,
        clock: PhaseClock,
        engine: ComputeChoice,
    ) -> None:
        self.learner, self.spec, self.checkpoints, self.clock, self.engine = learner, spec, checkpoints, clock, engine
        self.classes = len(learner.data.labels)
        self.class_weights = balanced_weights(learner.data) if spec.class_weights else None
        self.epochs_done = 0
        self.images_per_s: float | None = None
        self.facts: FitFacts | None = None
        self._points = 0
        self._units = 0

    @property
    def _finished(self) -> Path:
        return self.checkpoints.folder / "finished.json"

    @property
    def is_finished(self) -> bool:
        """Whether the head was fitted in an earlier attempt."""
        try:
            kept = json.loads(self._finished.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # not there, or damaged: what is done again comes out the same
            return False
        self.epochs_done, self.images_per_s, self.facts = kept["epochs_done"], kept["images_per_s"], kept.get("fit")
        return True

    @property
    def has_converged(self) -> bool:
        return self.facts is None or self.facts["has_converged"]

    @property
    def learned_rows(self) -> Ints:
        """The rows that the saved head has learned from."""
        data = self.learner.data
        return data.train if self.spec.train_size is not None else np.union1d(data.train, data.validation)

    def train(self, *, resume: bool) -> None:
        """Fit to the end, or until the user stops (`StoppedError`)."""
        every, validation = self._gather()
        train = every.first(len(self.learner.data.train))
        self.clock.phase("fit")
        strength, told = self.choose(every)
        best = self._fit_and_tell(train, validation, strength)
        if len(every.rows) > len(train.rows):
            fitted = fit_head(
                every.features, every.targets, self.classes, strength,
                class_weights=self.class_weights, after_pass=self._look,
            )  # fmt: skip
            self.put(fitted.head)
        self.clock.work("fit", FIT_UNITS - self._units)  # of the strengths some were not tried
        self.facts = {
            "strength": strength,
            "trained_on": len(every.rows),
            "passes": self.epochs_done - 1,  # the first computed the features
            "has_converged": self._has_ended,
        }
        if told is not None:
            self.facts["cross_validation"] = told
        self.checkpoints.save_best(self.learner.learned_state(), best)
        kept = {"epochs_done": self.epochs_done, "images_per_s": self.images_per_s, "fit": self.facts}
        write_atomically(self._finished, json.dumps(kept))

    def load_best(self) -> BestEpoch:
        """Give the learner the fitted head; returns what is known of it."""
        facts = self.checkpoints.best_facts()
        if facts is None:
            raise RunError("run.best_epoch_lost", detail=N_("no head was fitted"))
        self.learner.load_learned_state(self.checkpoints.load_best())
        return facts

    # -- the features ----------------------------------------------------------------------------------------
    def read(self, rows: Ints) -> _Known:
        """The features of rows."""
        return _Known(rows, self._read(rows), torch.from_numpy(self.learner.data.targets[rows]))

    def _read(self, rows: Ints, into: Tensor | None = None) -> Tensor:
        return read_features(self.learner, rows, self.clock, self.spec.batch_size, self.engine, into)

    def _gather(self) -> tuple[_Known, _Known]:
        """Features of the rows that are learned from, those of the training first, and of the validation rows.

        On the way first heads are tried on what is there. All stand in one table from the start: of many rows it is
        large, and would be there twice while it grows.
        """
        data = self.learner.data
        self.clock.phase("features")
        began, n = time.perf_counter(), len(data.train)
        validation = self.read(data.validation)
        # Where all were asked for, the validation rows are learned from too.
        more = np.zeros(0, dtype=np.int64)
        if self.spec.train_size is None:
            more = np.flatnonzero(~np.isin(data.validation, data.train))
        rows = np.concatenate([data.train, data.validation[more]])
        table = torch.empty(len(rows), validation.features.shape[1])
        table[n:] = validation.features[torch.from_numpy(more)]
        every = _Known(rows, table, torch.from_numpy(data.targets[rows]))
        known = 0
        for share in (*SHARES, 1.0):
            upto = max(1, round(share * n))
            if upto > known:
                self._read(data.train[known:upto], table[known:upto])
                known = upto
            self.images_per_s = (known + len(validation.rows)) / (time.perf_counter() - began)
            if share < 1.0 and upto > self.classes:
                train = every.first(known)
                fitted = fit_head(
                    train.features, train.targets, self.classes, _FIRST_STRENGTH, class_weights=self.class_weights
                )
                self._tell(share, fitted.head, train, validation)
            self._count()
        return every, validation

    def _tell(self, epoch: float, head: LinearHead, train: _Known, validation: _Known) -> tuple[float, float]:
        """Report how a head does; returns its accuracy and loss on the validation rows."""
        self._points += 1
        answers, checked = head.logits(train.features), head.logits(validation.features)
        weights = None if self.class_weights is None else self.class_weights.to(answers)
        loss = float(F.cross_entropy(answers, train.targets, weight=weights))
        val_loss = float(F.cross_entropy(checked, validation.targets))
        if not np.isfinite(loss) or not np.isfinite(val_loss):
            raise RunError("run.diverged", step=self._points, lr=learning_rate(self.spec, len(train.rows)))
        accuracy = float((checked.argmax(1) == validation.targets).double().mean())
        self.clock.metrics(
            self._points,
            epoch,
            train__loss=loss,
            train__accuracy=float((answers.argmax(1) == train.targets).double().mean()),
            train__images_per_s=self.images_per_s or 0.0,
            val__loss=val_loss,
            val__accuracy=accuracy,
        )
        return accuracy, val_loss

    # -- the fit ---------------------------------------------------------------------------------------------
    def choose(self, every: _Known) -> tuple[float, CrossValidated | None]:
        """The strength of the penalty, and what cross-validation measured with it; nothing of too few rows."""
        folds = draw_folds(self.learner.data.targets[every.rows], self.learner.data.alike[every.rows], self.spec.seed)
        if len(folds) < 2:
            return _FIRST_STRENGTH, None
        folds = folds[: folds_for(len(every.rows), every.features.shape[1], self.classes)]
        found = cross_validate(
            every.features, every.targets, self.classes, folds,
            class_weights=self.class_weights, after_strength=self._count,
        )  # fmt: skip
        right, n = int(found.right.sum()), len(found.right)
        return found.strength, {
            "accuracy": right / n,
            "interval": list(wilson(right, n)),
            "n": n,
            "folds": found.folds,
        }

    def _fit_and_tell(self, train: _Known, validation: _Known, strength: float) -> BestEpoch:
        """Fit on the training rows, a point of the curve for each pass; returns how the end validates."""

        def heard(passes: int, head: LinearHead) -> None:
            self._look(passes, head)
            if passes <= _SHOWN_PASSES or passes % _SHOWN_EVERY == 0:
                self._tell(1.0 + passes, head, train, validation)

        fitted = fit_head(
            train.features, train.targets, self.classes, strength,
            class_weights=self.class_weights, after_pass=heard,
        )  # fmt: skip
        self._has_ended = fitted.has_converged
        self.put(fitted.head)
        self._count()
        epoch = 1 + fitted.passes
        accuracy, loss = self._tell(epoch, fitted.head, train, validation)
        self.epochs_done = epoch
        return {"epoch": epoch, "step": self._points, "accuracy": accuracy, "loss": loss}

    def put(self, head: LinearHead) -> None:
        """Give the learner's network this head."""
        put_linear(self.learner.model.head, head.mean, head.variance, head.weight, head.bias)

    def _look(self, passes: int, head: LinearHead) -> None:
        self.clock.raise_if_stopped()

    def _count(self) -> None:
        self.clock.raise_if_stopped()
        self._units += 1
        self.clock.work("fit", 1)

    def begin(self) -> StartFacts:
        """Give the network the head that fits its training rows as they are: what more than a head begins from.

        Nothing is told of it on the curve, and the validation rows stay what chooses the epoch.
        """
        began, rows = time.perf_counter(), self.learner.data.train[:MAX_START_ROWS]
        self.clock.phase("fit")
        train = self.read(rows)
        strength, told = self.choose(train)
        fitted = fit_head(
            train.features, train.targets, self.classes, strength,
            class_weights=self.class_weights, after_pass=self._look,
        )  # fmt: skip
        self.put(fitted.head)
        facts: StartFacts = {"strength": strength, "trained_on": len(rows), "seconds": time.perf_counter() - began}
        if told is not None:
            facts["cross_validation"] = told
        return facts
