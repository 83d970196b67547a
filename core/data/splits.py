"""Which rows are trained on, which choose the best epoch, and which measure the result.

The test rows never depend on the seed or on the number of training rows, so that every run on a data set is
measured on the same pictures. The training rows of a smaller run are among those of a larger one. Rows of equal
content stay in one part wherever Graft draws the parts: a copy of what was trained on measures memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
_FIXED_SEED = 20_240_229  # of draws that must be the same in every run
HELD_OUT = 0.2
MIN_VALIDATION, MAX_VALIDATION = 50, 1000


@dataclass(frozen=True)
class Split:
    train: Rows
    validation: Rows
    test: Rows


def stratified_order(targets: NDArray[np.int64], rows: Rows, seed: int) -> Rows:
    """The rows in a random order of which every beginning holds the classes in their proportions.

    >>> targets = np.array([0] * 6 + [1] * 3)
    >>> order = stratified_order(targets, np.arange(9), seed=0)
    >>> [int(targets[order[:n]].sum()) for n in (3, 6, 9)]
    [1, 2, 3]
    """
    generator = np.random.default_rng(seed)
    places = np.empty(len(rows))
    for label in np.unique(targets[rows]):
        members = np.flatnonzero(targets[rows] == label)
        # A class of n members takes the places (i + u) / n: evenly spread, with a random start.
        places[members[generator.permutation(len(members))]] = (np.arange(len(members)) + generator.random()) / len(
            members
        )
    return rows[np.argsort(places, kind="stable")]


def make_split(
    targets: NDArray[np.int64],
    official: dict[str, Rows],
    *,
    train_size: int | None,
    test_size: int | None,
    seed: int,
    unusable: Rows | None = None,
    alike: Rows | None = None,
) -> Split:
    """Split the rows of `official`: the data set's own "train" and maybe "validation" and "test" rows.

    Without a test split the validation split is the test; without both, a fifth is held out. Validation rows
    come from the training rows that are not trained on; from those trained on only when nothing is left.

    `unusable` rows are passed over after everything was put in order, so that finding one more of them moves
    no other row: the test stays the same, and a smaller training set stays a part of a larger one.

    `alike` holds, for every row, the first row of the same content. What is held out and what validates out of the
    training rows holds each content once, and what is trained on none of them; of several copies the others are
    trained on last.
    """
    bad: Rows = np.zeros(0, dtype=np.int64) if unusable is None else unusable
    content: Rows = np.arange(len(targets), dtype=np.int64) if alike is None else alike

    def ordered(rows: Rows, draw: int) -> Rows:
        order = stratified_order(targets, rows, draw)
        return order[~np.isin(order, bad)]

    pool, held_out = official["train"], official.get("test")
    own_validation = official.get("validation")
    if held_out is None or not len(held_out):
        held_out, own_validation = own_validation, None
    if held_out is None or not len(held_out):
        pool, test = _hold_out(targets, pool, bad, content)
        test = test[:test_size]
    else:
        test = ordered(held_out, _FIXED_SEED)[:test_size]
    firsts = _one_of_each(pool, content)
    order, copies = ordered(firsts, seed), ordered(np.setdiff1d(pool, firsts), seed)
    every = np.concatenate([order, copies])
    wanted = len(every) if train_size is None else min(train_size, len(every))
    aim = min(MAX_VALIDATION, max(MIN_VALIDATION, min(wanted, len(order)) // 5))
    if own_validation is not None and len(own_validation):
        validation = ordered(own_validation, _FIXED_SEED)[:aim]
        return Split(every[:wanted], np.sort(validation), np.sort(test))
    if len(order) < 2:
        return Split(every[:wanted], order, np.sort(test))
    if wanted < len(order):
        take = min(aim, len(order) - wanted)
        return Split(order[:wanted], np.sort(order[wanted : wanted + take]), np.sort(test))
    validation = order[len(order) - min(aim, len(order) // 2) :]
    train = every[~np.isin(content[every], content[validation])][:wanted]
    return Split(train, np.sort(validation), np.sort(test))


def _one_of_each(rows: Rows, content: Rows) -> Rows:
    """A row of each content, in the order of the rows; which one is chance: copies may have different labels."""
    mixed = np.random.default_rng(_FIXED_SEED).permutation(rows)
    _, first = np.unique(content[mixed], return_index=True)
    return rows if len(first) == len(rows) else rows[np.isin(rows, mixed[first])]


def _hold_out(targets: NDArray[np.int64], rows: Rows, bad: Rows, content: Rows) -> tuple[Rows, Rows]:
    """(rows to train on, a fifth to test on, in order); the only content of a class stays in training."""
    firsts = _one_of_each(rows, content)
    counts = np.bincount(targets[firsts], minlength=int(targets[rows].max()) + 1)
    several = counts > 1 if (counts > 1).any() else counts > 0
    order = stratified_order(targets, firsts, _FIXED_SEED)
    order = order[several[targets[order]]]
    n = max(1, round(HELD_OUT * int(counts[several].sum())))
    # What cannot be read leaves a gap: were it filled, the training rows would depend on how much was looked at.
    test, rest = order[:n], order[n:]
    if np.isin(test, bad).all():
        test = rest[~np.isin(rest, bad)][:n]
    rows = np.unique(rows)
    return rows[~np.isin(content[rows], content[test])], test[~np.isin(test, bad)]
