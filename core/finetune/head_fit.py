"""The best linear head on features that do not change: fitted to its optimum instead of by steps.

Multinomial logistic regression on standardised features, its weights held back by an L2 penalty, by L-BFGS (Liu &
Nocedal 1989). The problem is convex: the answer is the same from wherever the fit begins, and the same every time.
How strong the penalty is, `core.finetune.cross_validation` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize
from threadpoolctl import ThreadpoolController
from torch import Tensor

from core.finetune.passes import MANY_FEATURES, MAX_FEATURES, spans_few

MAX_PASSES = 300
# As `nn.BatchNorm1d` adds it to the variance.
EPSILON = 1e-5
# Multiplications of one pass (rows by width by classes) beyond which a fit takes minutes, and steps over small batches
# are as good.
TOO_DEAR = 3_000_000_000
_WORTH_THREADS = 30_000_000  # multiplications of a pass that are worth several threads


@dataclass(frozen=True)
class LinearHead:
    """A head: features are standardised by `mean` and `variance` [F], then `weight` [C, F] and `bias` [C] answer.

    Features that hardly vary in the few rows at hand have small weights (`Problem` sees to it): they are not blown up,
    neither for a fresh row nor while the network below goes on learning.
    """

    mean: Tensor
    variance: Tensor
    weight: Tensor
    bias: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """features [n, F] → logits [n, C]."""
        standard = (features.to(self.mean) - self.mean) * torch.rsqrt(self.variance + EPSILON)
        return standard @ self.weight.T + self.bias


@dataclass(frozen=True)
class Fitted:
    """A fitted head, and how the fit ended."""

    head: LinearHead
    passes: int
    has_converged: bool


def is_worth_fitting(rows: int, width: int, classes: int) -> bool:
    """Whether a fit is bounded in memory and time; more than that is learned in steps."""
    return rows * width <= MAX_FEATURES and rows * width * classes <= TOO_DEAR


def spread_scale(variance: Tensor) -> Tensor:
    """What features are multiplied by before they are fitted [F]: to each variance the mean of all is added."""
    return torch.rsqrt(variance + variance.mean() + EPSILON)


@dataclass
class Problem:
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
    scale: Tensor = field(init=False)  # [F]
    basis: Tensor | None = field(init=False, default=None)  # [F, r]
    inputs: Tensor = field(init=False)  # [n, F] or [n, r]

    def __post_init__(self) -> None:
        digits = torch.float32 if self.features.numel() > MANY_FEATURES else torch.float64
        x = self.features.to(digits)
        self.mean, self.variance = x.mean(0), x.var(0, unbiased=False)
        self.scale = spread_scale(self.variance)
        self.inputs = (x - self.mean).mul_(self.scale)
        self.row_weights = self.row_weights.to(digits)
        if spans_few(*x.shape):
            left, sizes, right = torch.linalg.svd(self.inputs, full_matrices=False)
            self.inputs, self.basis = left * sizes, right.T

    @property
    def work(self) -> int:
        """Multiplications of a pass."""
        return self.inputs.numel() * self.classes

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
        whole = whole * (self.scale * torch.sqrt(self.variance + EPSILON))[:, None]
        return LinearHead(self.mean, self.variance, whole.T.contiguous(), bias)


def solve(
    at: Callable[..., tuple[float, NDArray[np.float64]]],
    start: NDArray[np.float64],
    strength: float,
    work: int,
    *,
    after_pass: Callable[[NDArray[np.float64]], None] | None = None,
    ftol: float = 1e-9,
) -> OptimizeResult:
    """The numbers at which `at(numbers, strength)` is least, by L-BFGS from `start` on; a pass takes `work`.

    It ends where a pass makes the loss smaller by less than `ftol` of it. `after_pass` hears of the numbers.
    """

    def heard(intermediate_result: OptimizeResult) -> None:
        if after_pass is not None:
            after_pass(intermediate_result.x)

    with _threads_for(work):
        return minimize(
            at,
            start,
            args=(strength,),
            jac=True,
            method="L-BFGS-B",
            callback=heard,
            options={"maxiter": MAX_PASSES, "maxfun": 2 * MAX_PASSES, "gtol": 1e-5, "ftol": ftol},
        )


@contextmanager
def _threads_for(work: int) -> Iterator[None]:
    """One thread for what scipy multiplies with, and for torch too where a pass takes but a moment.

    Threads wait for each other in each pass, and on a busy machine for whoever has the processor meanwhile: beside ten
    other jobs the head of 1,437 digits took eleven minutes instead of half a one. scipy only adds up vectors: its
    threads gain nothing, spin between passes, and take the processors from torch's (2,000 rows of 1,280 features, ten
    classes, five folds: 5.3 s of cross-validation, 2.1 without them).
    """
    threads = torch.get_num_threads()
    with _libraries().limit(limits=1, user_api="blas"):
        if work >= _WORTH_THREADS:
            yield
            return
        torch.set_num_threads(1)
        try:
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
    problem = Problem(features, targets, classes, row_weights(targets, class_weights))
    passes = 0

    def heard(numbers: NDArray[np.float64]) -> None:
        nonlocal passes
        passes += 1
        if after_pass is not None:
            after_pass(passes, problem.head(numbers))

    found = solve(problem.at, np.zeros(problem.num_numbers), strength, problem.work, after_pass=heard)
    return Fitted(problem.head(found.x), passes, passes < MAX_PASSES)


def row_weights(targets: Tensor, class_weights: Tensor | None) -> Tensor:
    """What each row counts [n], 1 in sum: all the same, or as its class does."""
    weights = torch.ones(len(targets)) if class_weights is None else class_weights.cpu()[targets]
    return weights.double() / weights.double().sum()
