"""What the races share: rounds in turns while the machine is watched, and "times faster" with its interval."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TypedDict

from core.measurement.rounds import BUSY, Load, Round, median_of


class Faster(TypedDict):
    """How many times faster: the median of the rounds that count, with its 95% interval."""

    by_round: list[float]
    median: float
    low: float
    high: float
    processors_of_others: list[float]  # by round
    is_disturbed: bool  # other work was done during rounds that count


def do_rounds(wanted: int, do: Callable[[int], None]) -> list[float]:
    """Do rounds until `wanted` were left alone, at most twice as many; returns the processors of other work in each."""
    load, others = Load(os.getpid()), list[float]()
    while len(others) < 2 * wanted and sum(one <= BUSY for one in others) < wanted:
        load.take()
        do(len(others))
        others.append(load.take())
        print(f"round {len(others)} done, other work {others[-1]:.1f} processors", file=sys.stderr, flush=True)
    return others


def faster(theirs: Sequence[float], ours: Sequence[float], others: Sequence[float], wanted: int) -> Faster:
    """From the seconds of each round."""
    ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
    told = median_of([Round(ratio, busy) for ratio, busy in zip(ratios, others, strict=True)], wanted)
    return {
        "by_round": ratios,
        "median": told.middle,
        "low": told.low,
        "high": told.high,
        "processors_of_others": list(others),
        "is_disturbed": told.is_disturbed,
    }


def in_words(row: Faster) -> str:
    """2.1× (95%: 1.9 to 2.3), and that the machine was busy where it was."""
    words = f"{row['median']:.2f}× (95%: {row['low']:.2f} to {row['high']:.2f})"
    return f"{words}, DISTURBED by other work" if row["is_disturbed"] else words
