"""Rounds together say a median with an honest interval, whatever one hiccup does, and whether they were disturbed."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from core.measurement.rounds import Load, Round, median_interval, median_of


def test_one_hiccup_moves_neither_the_middle_nor_the_lower_end() -> None:
    calm = [7.0, 7.1, 6.9, 7.2, 6.8, 7.0, 7.1, 6.9]
    spoiled = [*calm[:-1], 400.0]
    assert median_interval(spoiled)[0] == pytest.approx(median_interval(calm)[0], rel=0.02)
    assert median_interval(spoiled)[1] > 6.7


@pytest.mark.parametrize("n", [2, 3, 5, 6, 8, 15, 40])
def test_interval_covers_the_median_in_95_of_100_cases_even_with_hiccups(n: int) -> None:
    rng = np.random.default_rng(n)
    held = 0
    for _ in range(800):
        noise = 0.1 * rng.standard_normal(n) + rng.choice([-2.0, 0.0, 2.0], n, p=[0.05, 0.9, 0.05])
        middle, low, high = median_interval(list(np.exp(noise)))
        assert low <= middle <= high
        held += low <= 1.0 <= high
    assert held / 800 > 0.93


def test_quiet_rounds_count_where_there_are_enough_of_them() -> None:
    rounds = [Round(2.0, 0.0), Round(9.0, 3.0), Round(2.1, 0.1), Round(8.0, 2.0)]
    told = median_of(rounds, 2)
    assert (told.rounds, told.is_disturbed) == (2, False)
    assert told.middle == pytest.approx(2.05)
    told = median_of(rounds, 3)
    assert (told.rounds, told.is_disturbed) == (4, True)
    assert told.others == pytest.approx(2.5), "of the rounds that were disturbed"


def test_load_counts_what_others_do_and_not_what_is_timed() -> None:
    spin = "import time\nend = time.time() + 60\nwhile time.time() < end: pass"
    with subprocess.Popen([sys.executable, "-c", spin]) as busy:
        try:
            others, mine = Load(os.getpid()), Load(os.getpid(), busy.pid)
            while busy.poll() is None and sum(times_of(busy.pid)) < 0.5:
                time.sleep(0.01)
            seen, unseen = others.take(), mine.take()
        finally:
            busy.kill()
    assert seen > unseen >= 0.0


def times_of(pid: int) -> tuple[float, float]:
    import psutil

    spent = psutil.Process(pid).cpu_times()
    return spent.user, spent.system
