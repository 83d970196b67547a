"""Which rows are trained on, which choose the best epoch, and which measure the result.

The test rows never depend on the seed or on the number of training rows, so that every run on a data set is
measured on the same pictures. The training rows of a smaller run are among those of a larger one. Rows of equal
content stay in one part wherever Graft draws the parts: a copy of what was trained on measures memory. No class is
left without training rows as long as there are as many of them as classes.
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
    as_in_0_1: bool = False,
) -> Split:
    """Split the rows of `official`: the data set's own "train" and maybe "validation" and "test" rows.

    Without a test split the validation split is the test; without both, a fifth is held out. Validation rows
    come from the training rows that are not trained on; from those trained on only when nothing is left.

    `unusable` rows are passed over after everything was put in order, so that finding one more of them moves
    no other row: the test stays the same, and a smaller training set stays a part of a larger one.

    `alike` holds, for every row, the first row of the same content. What is held out and what validates out of the
    training rows holds each content once, and what is trained on none of them; of several copies the others are
    trained on last.

    `as_in_0_1` draws the rows of a run that version 0.1 began: up to half of few rows chose the epoch, and a rare
    class could be left without training rows; copies fell where they fell.
    """
    bad: Rows = np.zeros(0, dtype=np.int64) if unusable is None else unusable
    content: Rows = np.arange(len(targets), dtype=np.int64) if alike is None or as_in_0_1 else alike

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
    own = 0 if own_validation is None else len(own_validation)
    trained, take = train_and_validation(len(order), train_size, own, as_in_0_1=as_in_0_1)
    if not as_in_0_1:
        order = _with_every_class(targets, order, trained)
    every = np.concatenate([order, copies])
    if own_validation is not None and own:
        return Split(every[:train_size], np.sort(ordered(own_validation, _FIXED_SEED)[:take]), np.sort(test))
    if len(order) < 2:
        return Split(every[:train_size], order, np.sort(test))
    validation = order[trained : trained + take]
    train = every[~np.isin(content[every], content[validation])][:train_size]
    return Split(train, np.sort(validation), np.sort(test))


def train_and_validation(
    pool: int, train_size: int | None, own_validation: int, *, as_in_0_1: bool = False
) -> tuple[int, int]:
    """How many rows of `pool` are trained on, and how many validate: a fifth, of the rows that are left if there are
    any. What is left costs no training row, so that at least 50 are taken then.

    >>> train_and_validation(80, None, 0), train_and_validation(80, 20, 0)
    ((64, 16), (20, 50))
    """
    wanted = pool if train_size is None else min(train_size, pool)
    aim = min(MAX_VALIDATION, max(MIN_VALIDATION, wanted // 5))
    if own_validation:
        return wanted, min(aim, own_validation)
    if wanted < pool:
        return wanted, min(aim, pool - wanted)
    take = min(aim, pool // 2) if as_in_0_1 else min(MAX_VALIDATION, max(1, pool // 5))
    return max(1, pool - take), max(1, take)


def _with_every_class(targets: NDArray[np.int64], order: Rows, wanted: int) -> Rows:
    """The order with a row of every class among the first `wanted`, as far as they go round.

    Of a class that would come too late its first row takes the place of the last one that is not the only one of its
    class. Where none comes too late, which is the rule, the order stays what it was.
    """
    labels = targets[order]
    _, firsts = np.unique(labels, return_index=True)
    late = np.sort(firsts[firsts >= wanted]).tolist()
    if not late:
        return order
    counts, found = np.bincount(labels[:wanted]), order.copy()
    for place in range(wanted - 1, -1, -1):
        if not late:
            break
        if counts[labels[place]] > 1:
            counts[labels[place]] -= 1
            other = late.pop(0)
            found[place], found[other] = order[other], order[place]
    return found


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
