"""Magnitude pruning (Han et al. 2015): the smallest weights of all layers become zero, the others train on."""

from __future__ import annotations

from core.optimize.layers import list_weights
from core.optimize.masks import Masks
from core.optimize.passes.base import NetworkResult, PassContext
from core.optimize.retrain import check_labels, copy_of, retrain

LR, TEXT_LR = 2e-4, 5e-5


def run(context: PassContext) -> NetworkResult:
    """The network with the share `sparsity` of its weights at zero. Raises `InputError` for other labels."""
    check_labels(context)
    network = copy_of(context.network)
    masks = Masks(list_weights(network))
    masks.draw(context.spec.sparsity)
    lr = TEXT_LR if context.trained.card.is_text else LR
    # The optimizer moves zeros too: they are set back before anything is validated or kept.
    learned = retrain(context, network, lr=lr, after_step=lambda step, total: masks.apply())
    return NetworkResult(network=network, facts={**masks.facts(), **learned})
