"""Gradual pruning (Zhu & Gupta 2017): more and more weights become zero while training goes on.

The share of zeros rises along s(t) = S + (s0 - S) (1 - t)³, fast while many weights are superfluous and slowly
towards the end, so that the network can settle after each loss.
"""

from __future__ import annotations

from core.optimize.layers import list_weights
from core.optimize.masks import Masks
from core.optimize.passes.base import NetworkResult, PassContext
from core.optimize.retrain import check_labels, copy_of, retrain

LR, TEXT_LR = 2e-4, 5e-5
# The part of the steps in which zeros are added; in the rest the weights that are left train on.
RISING = 0.75
# Weighing all weights against each other takes longer than a small step: so often at most.
DRAWS = 100


def run(context: PassContext) -> NetworkResult:
    """The network with the share `sparsity` of its weights at zero. Raises `InputError` for other labels."""
    check_labels(context)
    network = copy_of(context.network)
    masks = Masks(list_weights(network))
    first = masks.sparsity

    def after_step(step: int, total: int) -> None:
        masks.apply()
        end = max(1, int(RISING * total))
        if step <= end and (step == end or step % max(1, end // DRAWS) == 0):
            masks.draw(_share_at(step / end, first, context.spec.sparsity))

    lr = TEXT_LR if context.trained.card.is_text else LR
    # An earlier epoch has fewer zeros than were asked for, so the last one counts.
    learned = retrain(context, network, lr=lr, after_step=after_step, only_last=True)
    return NetworkResult(network=network, facts={**masks.facts(), **learned})


def _share_at(t: float, first: float, last: float) -> float:
    """The share of zeros at time `t` (0 … 1) on the way from `first` to `last`."""
    return last + (first - last) * (1 - min(1.0, t)) ** 3
