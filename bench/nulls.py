"""`python -m bench nulls`: how often Graft's tests find what is not there, simulated. No share may pass 5%.

Comparisons: methods that are equally good, over sizes and seeds, their accuracies varying from seed to seed and every
method with its own taste in test items. Optimizations: variants that all lose as much as the limit. Speeds: rounds
whose true ratio is 1, with hiccups, and where each round resembles the one before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from core.compare.grid import Start
from core.compare.pairs import Result, curves_of, pairs_of
from core.evaluate import Bools
from core.files import to_json
from core.measurement import timing
from core.measurement.rounds import median_interval
from core.optimize.rows import VariantRow
from core.optimize.verdicts import judge, measure_loss, recommend

ALLOWED = 0.05
FAMILIES = ("scratch", "head", "last", "full")
ITEMS = 400
LIMIT = 1.0


@dataclass(frozen=True)
class Row:
    """One regime: what was simulated, the share of false findings, and what it was told before, where it was."""

    what: str
    tries: int
    false: float
    before: float | None = None

    def line(self) -> str:
        """For people."""
        before = "" if self.before is None else f"   without correction {self.before:6.1%}"
        return f"{self.what:58} {self.false:6.1%}{before}"


def simulate(out: Path, *, tries: int) -> list[Row]:
    """Print and save the share of false findings of every regime, and of all of them together."""
    rng, rows = np.random.default_rng(0), list[Row]()
    for part in (_comparisons(rng, tries), _optimizations(rng, tries), _speeds(rng, tries)):
        mine = list(_printed(part))
        whole = sum(row.false * row.tries for row in mine) / sum(row.tries for row in mine)
        print(
            f"{'overall':58} {whole:6.1%}   worst {max(row.false for row in mine):.1%}, allowed {ALLOWED:.0%}\n",
            flush=True,
        )
        rows += mine
    out.write_text(to_json([vars(row) for row in rows]) + "\n", encoding="utf-8")
    return rows


def _printed(rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        print(row.line(), flush=True)
        yield row


# -- comparisons -----------------------------------------------------------------------------------------


def _comparisons(rng: np.random.Generator, tries: int) -> Iterator[Row]:
    for families, sizes, seeds, by_seed in product((2, 4), (1, 3, 5), (2, 3), (0.0, 0.05, 0.3)):
        found = [_compared(rng, families, sizes, seeds, by_seed) for _ in range(tries)]
        false, before = (float(np.mean(one)) for one in zip(*found, strict=True))
        what = f"compare: {families} methods, {sizes} sizes, {seeds} seeds that vary by {by_seed}"
        yield Row(what, tries, false, before)


def _compared(rng: np.random.Generator, families: int, sizes: int, seeds: int, by_seed: float) -> tuple[bool, bool]:
    """Whether any difference is told between methods that are equally good; and whether a p alone is below 0.05."""
    hard = rng.normal(0.6, 1, ITEMS)
    results = []
    for family in FAMILIES[:families]:
        taste = rng.normal(0, 0.35, ITEMS)
        start: Start = "scratch" if family == "scratch" else "pretrained"
        for place in range(sizes):
            liking = hard + taste + rng.normal(0, 0.35, ITEMS)
            for seed, luck in enumerate(rng.normal(0, by_seed, seeds)):
                right: Bools = liking + luck + rng.normal(0, 0.5, ITEMS) > 0
                results.append(Result(family, start, "head", 100 * 3**place, seed, right, 5.0, None, 7, True))
    pairs, ahead = pairs_of(curves_of(results, FAMILIES))
    return any(pair["better"] for pair in pairs) or any(ahead.values()), any(pair["p"] < 0.05 for pair in pairs)


# -- optimizations ---------------------------------------------------------------------------------------


def _optimizations(rng: np.random.Generator, tries: int) -> Iterator[Row]:
    for variants, validation, test in product((1, 4, 12), (50, 500), (200, 2000)):
        false = float(np.mean([_optimized(rng, variants, validation, test) for _ in range(tries)]))
        yield Row(f"optimize: {variants} variants at the limit, {validation} to choose, {test} to test", tries, false)


def _optimized(rng: np.random.Generator, variants: int, validation: int, test: int) -> bool:
    """Whether a variant is recommended as shown to keep the limit, where all lose just as much."""
    rows = []
    for number in range(variants):
        losses = [measure_loss(*_answers(rng, n), LIMIT) for n in (validation, test)]
        for loss in losses:
            loss["of"] = "accuracy"
        ratio = [2.0 + number, 1.9 + number, 2.1 + number]
        row = VariantRow(
            f"v{number}", "int8", "done", passes=("static_int8",), offered=True, loss=losses[1],
            validation_loss=losses[0], ratios={"latency": ratio, "throughput": ratio, "size": 3.5},
        )  # fmt: skip
        rows.append(VariantRow(**{**vars(row), "verdict": judge(row, LIMIT)}))
    return recommend(rows, LIMIT) is not None


def _answers(rng: np.random.Generator, n: int) -> tuple[Bools, Bools]:
    """What original and variant get right: of 100 answers 2.5 are lost and 1.5 gained."""
    fate = rng.random(n)
    original = (fate < 0.025) | (fate > 0.2)
    return original, (original & (fate > 0.025)) | ((fate > 0.025) & (fate < 0.04))


# -- speeds ----------------------------------------------------------------------------------------------


def _speeds(rng: np.random.Generator, tries: int) -> Iterator[Row]:
    for spread, hiccups, alike in product((0.03, 0.1), (0.0, 0.1), (0.0, 0.3)):
        false = float(np.mean([_missed(rng, spread, hiccups, alike) for _ in range(tries)]))
        yield Row(f"speed: rounds ± {spread:.0%}, {hiccups:.0%} hiccups, each like the last by {alike}", tries, false)


def _missed(rng: np.random.Generator, spread: float, hiccups: float, alike: float) -> bool:
    """Whether the interval leaves out the true ratio, looked at after every round as a race does."""
    values, state = list[float](), 0.0
    while True:
        state = alike * state + (1 - alike**2) ** 0.5 * rng.normal()
        slip = rng.choice([-1, 1]) * rng.exponential(1.5) if rng.random() < hiccups else 0.0
        values.append(float(np.exp(spread * state + slip)))
        _middle, low, high = median_interval(values)
        is_narrow = np.log(high / low) / 2 < timing.NARROW
        if (len(values) >= timing.LEAST_ROUNDS and is_narrow) or len(values) >= 25:
            return not low <= 1 <= high
