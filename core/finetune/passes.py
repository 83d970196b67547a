"""The passes of a training, counted before it begins: how much work there is, by the kind of pass.

A pass answers in the quickest arithmetic (features; all of a text network but its test), learns, or answers in the
digits of the saved model (the test). Each kind has a speed of its own, so that one run's speed tells another's time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.finetune.spec import FinetuneSpec
from core.hardware import best_device
from core.registry.methods import METHODS

if TYPE_CHECKING:
    from core.models.card import ModelCard

Rows = tuple[int, int, int]  # to train on, to validate, to test

# What beginning a batch costs, in billions of multiply-adds: measured, EfficientNet-Lite0 (8 pictures of 64 px take 1.5
# times as long each as 32 do).
_BATCH_GMACS = 0.15
# Pictures go through the frozen part with others beside them where they are fewer: of so few, other kernels give other
# last digits, and a run that was killed in the middle, or ran beside another of the same pictures, would not end in the
# numbers of an undisturbed one.
LEAST_AT_ONCE = 16
MAX_START_ROWS = 5_000  # a head that a training only begins from needs no more rows than these
FOLDS = 5
# Multiplications of one pass (rows by width by classes) beyond which fewer folds are trained; and features in all (rows
# by width) beyond which fewer are, and are held in fewer digits.
_DEAR, MANY_FEATURES = 100_000_000, 8_000_000
# Features in all that a fit holds in memory at once: of more, a head learns in steps.
MAX_FEATURES = 32_000_000
# What a pass of a fit costs however few the numbers are, in multiplications: measured on 400 to 1,437 digits.
_FIT_STEP = 2_700_000
# What a fold of the cross-validation costs, the fits that follow being one: by itself, or solved with the others.
_FOLD_ALONE, _FOLD_TOGETHER = 0.6, 0.4
USUAL_TOKENS = 64  # of a text, where nothing is known of its length


@dataclass(frozen=True)
class Passes:
    """Billions of multiply-adds; a learning step costs three forward passes of what learns."""

    seen: float
    learned: float
    exact: float

    def __add__(self, other: Passes) -> Passes:
        return Passes(self.seen + other.seen, self.learned + other.learned, self.exact + other.exact)

    @property
    def total(self) -> float:
        return self.seen + self.learned + self.exact


def gmacs_of(card: ModelCard, size: int, tokens: float | None) -> float:
    """Billions of multiply-adds for one picture of this edge, or for a text of so many tokens (None: as usual)."""
    if card.is_text:
        return card.gmacs * (USUAL_TOKENS if tokens is None else tokens) / 128
    return card.gmacs * (size / card.vision.image_size) ** 2


def is_fitted(spec: FinetuneSpec) -> bool:
    """Whether all that learns is a head, whose features are kept."""
    method = METHODS[spec.method]
    return method.only_head and method.kept is not None and spec.augment == "none"


def begins_fitted(spec: FinetuneSpec) -> bool:
    """Whether a training of more than a fitted head begins from one, and tests it too."""
    return not is_fitted(spec) and spec.model.weights != "random"


def trains_exactly(spec: FinetuneSpec, card: ModelCard) -> bool:
    """Whether what learns is computed in the saved model's own digits: pictures on a processor, as a rule."""
    return not card.is_text and spec.precision in ("auto", "fp32") and best_device() != "cuda"


def count_passes(spec: FinetuneSpec, card: ModelCard, gmacs: float, rows: Rows, kept: float = 0.0) -> Passes:
    """All passes of a run: what is frozen and not varied runs once, everything else in each epoch.

    `kept`: the share of the rows that an earlier run took through the frozen part.
    """
    train, validation, test = rows
    method, begins = METHODS[spec.method], begins_fitted(spec)
    share = method.costs.work.at(spec.last_blocks)
    start = min(train, MAX_START_ROWS) if begins else 0
    looks = math.ceil(spec.epochs / spec.validate_every) + begins
    if is_fitted(spec):
        new = 1 - kept
        return Passes(_work(new * (train + validation), gmacs, spec), 0.0, _work(new * test, gmacs, spec))
    learned = spec.epochs * _work(train, gmacs, spec, 3 * share)
    exact = (1 + begins) * _work(test, gmacs, spec)
    frozen = 0.0 if method.kept is None else 1 - share
    once = 0.0
    if frozen and spec.augment == "none":
        once = _work((1 - kept) * (train + validation), gmacs, spec, frozen)
        answered = _work(start + looks * validation, gmacs, spec, share)
    else:  # varied pictures go through the frozen part every time
        learned += spec.epochs * _work(train, gmacs, spec, frozen)
        answered = _work(start + looks * validation, gmacs, spec)
    if trains_exactly(spec, card):
        return Passes(once, learned, exact + answered)
    return Passes(once + answered, learned, exact)


def _work(rows: float, gmacs: float, spec: FinetuneSpec, share: float = 1.0) -> float:
    """Of so many rows in batches, through a share of the network or several times through it."""
    return share * (rows * gmacs + math.ceil(rows / spec.batch_size) * _BATCH_GMACS)


def fit_work(spec: FinetuneSpec, rows: Rows, width: int, classes: int) -> float:
    """Of fitting a head, in billions of multiplications for one pass over each part: its strengths and ends are alike.

    Of few rows only the space that they span is searched.
    """
    if is_fitted(spec):  # where all were asked for, the validation rows are learned from too
        n = rows[0] if spec.train_size is not None else rows[0] + rows[1]
    elif begins_fitted(spec):
        n = min(rows[0], MAX_START_ROWS)
    else:
        return 0.0
    few = spans_few(n, width)
    folds = (_FOLD_ALONE if few else _FOLD_TOGETHER) * folds_for(n, width, classes)
    return (n * (n if few else width) * classes + _FIT_STEP) * (folds + 1) / 1e9


def spans_few(rows: int, width: int) -> bool:
    """Whether so few rows span so much less than all features that it is worth searching only there."""
    return 2 * rows <= width


def folds_for(rows: int, width: int, classes: int) -> int:
    """How many of the five folds are held out in turn: fewer where each is dear, and says much of so many rows.

    >>> folds_for(400, 1280, 10), folds_for(25_000, 1280, 10), folds_for(2, 1280, 2)
    (5, 1, 2)
    """
    held, work = rows * width, rows * width * classes
    return max(1, min(FOLDS, rows, FOLDS * _DEAR // work, FOLDS * MANY_FEATURES // held))
