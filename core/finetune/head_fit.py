"""The best linear head on features that do not change: fitted to its optimum instead of by steps.

Multinomial logistic regression on standardised features, its weights held back by an L2 penalty, by L-BFGS (Liu &
Nocedal 1989). The problem is convex: the answer is the same from wherever the fit begins, and the same every time.
How strong the penalty is, cross-validation says (Stone 1974), on the same features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize
from threadpoolctl import ThreadpoolController
from torch import Tensor

from core.data.splits import stratified_order
from core.finetune.passes import FOLDS, MANY_FEATURES

Ints = NDArray[np.int64]

# Of the mean cross-entropy's penalty, from strong to weak: half of it times the sum of the squared weights is added.
STRENGTHS = tuple(10.0 ** (half / 2) for half in range(3, -8, -1))
# Where so many weaker ones in a row were worse, those that are weaker still are not tried.
_PATIENCE = 2
MAX_PASSES = 300
# As `nn.BatchNorm1d` adds it to the variance.
_EPSILON = 1e-5
# Features in all (rows by width) that are held in memory at once.
MAX_FEATURES = 32_000_000
# Multiplications of one pass (rows by width by classes) beyond which a fit takes minutes, and steps over small batches
# are as good.
TOO_DEAR = 3_000_000_000
_WORTH_THREADS = 30_000_000  # multiplications of a pass that are worth several threads


@dataclass(frozen=True)
class LinearHead:
    """A head: features are standardised by `mean` and `variance` [F], then `weight` [C, F] and `bias` [C] answer.

    Features that hardly vary in the few rows at hand have small weights (`_Problem` sees to it): they are not blown up,
    neither for a fresh row nor while the network below goes on learning.
    """

    mean: Tensor
    variance: Tensor
    weight: Tensor
    bias: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """features [n, F] → logits [n, C]."""
        standard = (features.to(self.mean) - self.mean) * torch.rsqrt(self.variance + _EPSILON)
        return standard @ self.weight.T + self.bias


@dataclass(frozen=True)
class Fitted:
    """A fitted head, and how the fit ended."""

    head: LinearHead
    passes: int
    has_converged: bool


@dataclass(frozen=True)
class CrossValidation:
    """What cross-validation found: the strength with the smallest loss, and which held-out rows were right then."""

    strength: float
    loss: float
    right: NDArray[np.bool_]
    folds: int


def is_worth_fitting(rows: int, width: int, classes: int) -> bool:
    """Whether a fit is bounded in memory and time; more than that is learned in steps."""
    return rows * width <= MAX_FEATURES and rows * width * classes <= TOO_DEAR


@dataclass
class _Problem:
    """The loss of one set of rows as L-BFGS asks for it, in the fewest dimensions that hold them.

    The best weights lie in the space that the rows span (the penalty sees to it), so that of few rows with many
    features only so many dimensions are searched.
    """

    features: Tensor  # [n, F]
    targets: Tensor  # [n]
    classes: int
    row_weights: Tensor  # [n], 1 in sum
    mean: Tensor = field(init=False)
    variance: Tensor = field(init=False)
    scale: Tensor = field(init=False)  # [F]: to each variance the mean of all is added
    basis: Tensor | None = field(init=False, default=None)  # [F, r]
    inputs: Tensor = field(init=False)  # [n, F] or [n, r]

    def __post_init__(self) -> None:
        digits = torch.float32 if self.features.numel() > MANY_FEATURES else torch.float64
        x = self.features.to(digits)
        self.mean, self.variance = x.mean(0), x.var(0, unbiased=False)
        self.scale = torch.rsqrt(self.variance + self.variance.mean() + _EPSILON)
        self.inputs = (x - self.mean) * self.scale
        self.row_weights = self.row_weights.to(digits)
        if 2 * len(x) <= x.shape[1]:
            left, sizes, right = torch.linalg.svd(self.inputs, full_matrices=False)
            self.inputs, self.basis = left * sizes, right.T

    @property
    def num_numbers(self) -> int:
        return (self.inputs.shape[1] + 1) * self.classes

    def at(self, numbers: NDArray[np.float64], strength: float) -> tuple[float, NDArray[np.float64]]:
        """Loss with penalty, and its slope."""
        weight, bias = self._parts(numbers)
        log_shares = torch.log_softmax(self.inputs @ weight + bias, 1)
        places = torch.arange(len(self.targets))
        loss = -(self.row_weights * log_shares[places, self.targets]).sum() + strength / 2 * weight.square().sum()
        apart = log_shares.exp()
        apart[places, self.targets] -= 1
        apart *= self.row_weights[:, None]
        slope = torch.cat([self.inputs.T @ apart + strength * weight, apart.sum(0, keepdim=True)])
        return float(loss), slope.double().reshape(-1).numpy()

    def _parts(self, numbers: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
        table = torch.from_numpy(numbers).to(self.inputs).view(-1, self.classes)
        return table[:-1], table[-1]

    def head(self, numbers: NDArray[np.float64]) -> LinearHead:
        """The head that these numbers stand for."""
        weight, bias = self._parts(numbers)
        whole = weight if self.basis is None else self.basis @ weight
        whole = whole * (self.scale * torch.sqrt(self.variance + _EPSILON))[:, None]
        return LinearHead(self.mean, self.variance, whole.T.contiguous(), bias)


def _solve(
    problem: _Problem,
    strength: float,
    start: NDArray[np.float64] | None,
    after_pass: Callable[[NDArray[np.float64]], None] | None = None,
) -> OptimizeResult:
    def heard(intermediate_result: OptimizeResult) -> None:
        if after_pass is not None:
            after_pass(intermediate_result.x)

    with _threads_for(problem):
        return minimize(
            problem.at,
            np.zeros(problem.num_numbers) if start is None else start,
            args=(strength,),
            jac=True,
            method="L-BFGS-B",
            callback=heard,
            options={"maxiter": MAX_PASSES, "maxfun": 2 * MAX_PASSES, "gtol": 1e-5, "ftol": 1e-9},
        )


@contextmanager
def _threads_for(problem: _Problem) -> Iterator[None]:
    """One thread where a pass takes but a moment, for torch and for what scipy multiplies with.

    Threads wait for each other in each pass, and on a busy machine for whoever has the processor meanwhile: beside ten
    other jobs the head of 1,437 digits took eleven minutes instead of half a one.
    """
    if problem.inputs.numel() * problem.classes >= _WORTH_THREADS:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with _libraries().limit(limits=1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def fit_head(
    features: Tensor,
    targets: Tensor,
    classes: int,
    strength: float,
    *,
    class_weights: Tensor | None = None,
    after_pass: Callable[[int, LinearHead], None] | None = None,
) -> Fitted:
    """Fit a head to features [n, F]; `after_pass(number, head)` hears of every pass over the rows that brought it on.

    What `after_pass` raises ends the fit.
    """
    problem = _Problem(features, targets, classes, row_weights(targets, class_weights))
    passes = 0

    def heard(numbers: NDArray[np.float64]) -> None:
        nonlocal passes
        passes += 1
        if after_pass is not None:
            after_pass(passes, problem.head(numbers))

    found = _solve(problem, strength, None, heard)
    return Fitted(problem.head(found.x), passes, passes < MAX_PASSES)


def row_weights(targets: Tensor, class_weights: Tensor | None) -> Tensor:
    """What each row counts [n], 1 in sum: all the same, or as its class does."""
    weights = torch.ones(len(targets)) if class_weights is None else class_weights.cpu()[targets]
    return weights.double() / weights.double().sum()


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
    every, held = np.arange(len(targets)), list(folds)
    problems, starts = list[_Problem](), list[NDArray[np.float64] | None]()
    for fold in held:
        rest = torch.from_numpy(np.setdiff1d(every, fold))
        weights = row_weights(targets[rest], class_weights)
        problems.append(_Problem(features[rest], targets[rest], classes, weights))
        starts.append(None)
    rows = torch.from_numpy(np.concatenate(held))
    best: CrossValidation | None = None
    worse = 0
    for strength in STRENGTHS:
        answers = []
        for number, (fold, problem) in enumerate(zip(held, problems, strict=True)):
            numbers = _solve(problem, strength, starts[number]).x
            starts[number] = numbers
            answers.append(problem.head(numbers).logits(features[torch.from_numpy(fold)]).double())
        logits = torch.cat(answers)
        losses = F.cross_entropy(logits, targets[rows], reduction="none")
        loss = float((losses * row_weights(targets[rows], class_weights)).sum())
        if after_strength is not None:
            after_strength()
        worse = 0 if best is None or loss < best.loss else worse + 1
        if best is None or loss < best.loss:
            best = CrossValidation(strength, loss, (logits.argmax(1) == targets[rows]).numpy(), len(held))
        if worse == _PATIENCE:
            break
    assert best is not None
    return best
