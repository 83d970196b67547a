"""How strongly a fitted head is held back, and how well it tells rows that it has not seen (Stone 1974).

Each fold is held out in turn, for one strength of the penalty after the other, from strong to weak. Of few rows each
fold is solved by itself in the few dimensions that its rows span. Of more, all folds are solved together: the rows are
read once for all of them, which takes a quarter of the time (docs/decisions/0011).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.data.splits import stratified_order
from core.finetune.head_fit import Problem, row_weights, solve, spread_scale
from core.finetune.passes import FOLDS, spans_few

Ints = NDArray[np.int64]

# Of the mean cross-entropy's penalty, from strong to weak: half of it times the sum of the squared weights is added.
STRENGTHS = tuple(10.0 ** (half / 2) for half in range(3, -8, -1))
# Where so many weaker ones in a row were worse, those that are weaker still are not tried.
_PATIENCE = 2
# A pass that gains less than this of the loss ends a fit here: which strength is best, it does not change.
_FTOL = 1e-6


@dataclass(frozen=True)
class CrossValidation:
    """What cross-validation found: the strength with the smallest loss, and which held-out rows were right then."""

    strength: float
    loss: float
    right: NDArray[np.bool_]
    folds: int


def draw_folds(targets: Ints, alike: Ints, seed: int) -> list[Ints]:
    """Rows in five parts that hold the classes in their shares; rows of one content (`alike`) are in one part.

    >>> [len(part) for part in draw_folds(np.arange(10) % 2, np.arange(10) // 5, seed=0)]
    [5, 5]
    """
    contents, first, place = np.unique(alike, return_index=True, return_inverse=True)
    order = stratified_order(targets[first], np.arange(len(contents)), seed)
    parts = np.array_split(order, min(FOLDS, len(order)))
    return [np.flatnonzero(np.isin(place, part)) for part in parts]


def cross_validate(
    features: Tensor,
    targets: Tensor,
    classes: int,
    folds: Sequence[Ints],
    *,
    class_weights: Tensor | None = None,
    after_strength: Callable[[], None] | None = None,
) -> CrossValidation:
    """Hold out each of the folds in turn and find the strength with which the held-out rows are told best.

    Best is the smallest loss: of few rows it tells more than how many are right. `after_strength` hears of each
    strength that was tried; what it raises ends it all.
    """
    data = _Folded(features, targets, classes, list(folds), class_weights)
    solver = _solver(data)
    rows = torch.from_numpy(np.concatenate(data.folds))
    best: CrossValidation | None = None
    worse = 0
    for strength in STRENGTHS:
        logits = solver.answers(strength)
        losses = F.cross_entropy(logits, targets[rows], reduction="none")
        loss = float((losses * row_weights(targets[rows], class_weights)).sum())
        if after_strength is not None:
            after_strength()
        worse = 0 if best is None or loss < best.loss else worse + 1
        if best is None or loss < best.loss:
            best = CrossValidation(strength, loss, (logits.argmax(1) == targets[rows]).numpy(), len(data.folds))
        if worse == _PATIENCE:
            break
    assert best is not None
    return best


def held_out_logits(features: Tensor, targets: Tensor, classes: int, folds: Sequence[Ints], strength: float) -> Tensor:
    """Logits [n, C] of rows [n, F], each by a head that did not learn from it; `folds` together hold every row once."""
    data = _Folded(features, targets, classes, list(folds), None)
    found = _solver(data).answers(strength)
    ordered = torch.empty_like(found)
    ordered[torch.from_numpy(np.concatenate(data.folds))] = found
    return ordered


@dataclass(frozen=True)
class _Folded:
    """Features [n, F] of rows, their classes, and the rows of each fold."""

    features: Tensor
    targets: Tensor
    classes: int
    folds: list[Ints]
    class_weights: Tensor | None

    def rest(self, fold: Ints) -> Tensor:
        """The rows that are not held out."""
        return torch.from_numpy(np.setdiff1d(np.arange(len(self.targets)), fold))

    def weights(self, rest: Tensor) -> Tensor:
        return row_weights(self.targets[rest], self.class_weights)


class _Solver(Protocol):
    def answers(self, strength: float) -> Tensor:
        """Logits [rows of all folds in order, C] of the held-out rows; begins where the last strength ended."""


def _solver(data: _Folded) -> _Solver:
    few = spans_few(len(data.targets) - min(len(fold) for fold in data.folds), data.features.shape[1])
    return _OneByOne(data) if few else _Together(data)


class _OneByOne:
    """Each fold by itself, in the dimensions that its rows span."""

    def __init__(self, data: _Folded) -> None:
        self._data = data
        self._problems = [
            Problem(data.features[rest], data.targets[rest], data.classes, data.weights(rest))
            for rest in map(data.rest, data.folds)
        ]
        self._numbers = [np.zeros(problem.num_numbers) for problem in self._problems]

    def answers(self, strength: float) -> Tensor:
        found = []
        for place, (fold, problem) in enumerate(zip(self._data.folds, self._problems, strict=True)):
            self._numbers[place] = solve(problem.at, self._numbers[place], strength, problem.work, ftol=_FTOL).x
            head = problem.head(self._numbers[place])
            found.append(head.logits(self._data.features[torch.from_numpy(fold)]).double())
        return torch.cat(found)


class _Together:
    """All folds as one problem of independent parts, on the same rows: a held-out row counts nothing in its fold.

    Every fold has the mean and the spread of its own rows. They move into the weights, so that one table of features
    serves all: (z - mean) * ratio @ weight = z @ (ratio * weight) - mean @ (ratio * weight).
    """

    def __init__(self, data: _Folded) -> None:
        self._folds = [torch.from_numpy(fold) for fold in data.folds]
        n, width, k = len(data.targets), data.features.shape[1], len(data.folds)
        scale = spread_scale(data.features.var(0, unbiased=False))
        self._inputs = (data.features - data.features.mean(0)).mul_(scale).float()
        self._means, self._ratios = torch.empty(2, width, k, 1)
        self._row_weights = torch.zeros(n, k, 1)
        for place, rest in enumerate(map(data.rest, data.folds)):
            self._means[:, place, 0] = self._inputs[rest].mean(0)
            self._ratios[:, place, 0] = spread_scale(data.features[rest].var(0, unbiased=False)) / scale
            self._row_weights[rest, place, 0] = data.weights(rest).float()
        self._targets = data.targets[:, None, None].expand(n, k, 1)
        self._shape = (width + 1, k, data.classes)
        self._work = n * width * k * data.classes
        self._numbers = np.zeros(self._shape).reshape(-1)

    def answers(self, strength: float) -> Tensor:
        self._numbers = solve(self._at, self._numbers, strength, self._work, ftol=_FTOL).x
        logits = self._logits(*self._parts(self._numbers))
        return torch.cat([logits[fold, place] for place, fold in enumerate(self._folds)]).double()

    def _parts(self, numbers: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
        table = torch.from_numpy(numbers).float().view(self._shape)
        return table[:-1], table[-1]

    def _logits(self, weight: Tensor, bias: Tensor) -> Tensor:
        """Logits [n, folds, C] of all rows."""
        scaled = weight * self._ratios
        logits: Tensor = (self._inputs @ scaled.flatten(1)).view(-1, *self._shape[1:])
        logits += bias - (self._means * scaled).sum(0)
        return logits

    def _at(self, numbers: NDArray[np.float64], strength: float) -> tuple[float, NDArray[np.float64]]:
        """The sum of the folds' losses with penalty, and its slope."""
        weight, bias = self._parts(numbers)
        log_shares = torch.log_softmax(self._logits(weight, bias), 2)
        loss = strength / 2 * weight.square().sum() - (log_shares.gather(2, self._targets) * self._row_weights).sum()
        apart = log_shares.exp_()
        apart.scatter_add_(2, self._targets, apart.new_full(self._targets.shape, -1.0))
        apart *= self._row_weights
        sums = apart.sum(0)
        slope = (self._inputs.T @ apart.flatten(1)).view_as(weight) - self._means * sums
        slope = torch.cat([slope * self._ratios + strength * weight, sums[None]])
        return float(loss), slope.double().reshape(-1).numpy()
