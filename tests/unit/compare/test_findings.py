"""What a comparison over data-set sizes shows, from trainings with known accuracies."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from core.compare.findings import find
from core.compare.pairs import Result, curves_of, pairs_of
from core.evaluate import crossed_test, paired_test, wilson
from core.messages import explain_finding
from tests.fixtures.trainings import (
    HEAD,
    ITEMS,
    ORDER,
    SCRATCH,
    SIZES,
    codes_of,
    findings_of,
    result_of,
    trained,
    values_of,
)


def _at(found: dict[str, Any], family: str, size: int) -> dict[str, Any]:
    (row,) = [row for row in found["families"] if row["family"] == family]
    return next(point for point in row["sizes"] if point["size"] == size)


# -- curves ----------------------------------------------------------------------------------------------


def test_families_come_in_the_order_asked_for_with_their_sizes_ascending() -> None:
    found = findings_of(trained("full", {300: 0.6, 100: 0.5}), trained("scratch", {300: 0.4, 100: 0.2}))
    assert [row["family"] for row in found["families"]] == ["scratch", "full"]
    assert [point["size"] for point in found["families"][0]["sizes"]] == [100, 300]
    first = found["families"][1]
    assert (first["start"], first["method"]) == ("pretrained", "full")
    point = first["sizes"][0]
    assert (point["seeds"], point["accuracy"], point["unconverged"]) == (3, pytest.approx(0.5), 0)
    assert (point["peak_memory_mb"], point["trainable_parameters"]) == (900.0, 7)


def test_band_is_a_t_interval_over_seeds_when_there_are_three() -> None:
    point = _at(findings_of(trained("head", {100: 0.5}, spread=0.02)), "head", 100)
    half = t.ppf(0.975, 2) * np.std([0.48, 0.5, 0.52], ddof=1) / 3**0.5
    assert (point["low"], point["high"], point["band"]) == (
        pytest.approx(0.5 - half),
        pytest.approx(0.5 + half),
        "seeds",
    )


def test_band_of_two_seeds_takes_in_what_the_other_sizes_show() -> None:
    results = [*trained("head", {100: 0.5}, seeds=2, spread=0.03), *trained("head", {300: 0.6}, seeds=2, spread=0.01)]
    found = findings_of(results)
    pooled = (2 * 0.03**2 + 2 * 0.01**2) / 2
    for size, accuracy, variance in ((100, 0.5, 2 * 0.03**2), (300, 0.6, pooled)):
        half = t.ppf(0.975, 2) * (variance / 2) ** 0.5
        point = _at(found, "head", size)
        assert (point["low"], point["high"]) == (pytest.approx(accuracy - half), pytest.approx(accuracy + half))


def test_band_of_one_seed_is_that_of_the_test() -> None:
    point = _at(findings_of(trained("head", {100: 0.5}, seeds=1)), "head", 100)
    assert (point["low"], point["high"]) == pytest.approx(wilson(500, ITEMS))
    assert point["band"] == "test"


def test_band_stays_between_nothing_and_all() -> None:
    point = _at(findings_of(trained("head", {100: 0.99}, spread=0.01)), "head", 100)
    assert (point["high"], point["low"] > 0.9) == (1.0, True)


def test_time_is_told_with_its_range() -> None:
    results = [result_of("head", 100, seed, 0.5, train_seconds=seconds) for seed, seconds in enumerate((4.0, 5.0, 9.0))]
    point = _at(findings_of(results), "head", 100)
    assert (point["seconds"], point["seconds_low"], point["seconds_high"]) == (6.0, 4.0, 9.0)


def test_dominated_is_what_another_beats_in_accuracy_and_time() -> None:
    found = findings_of(
        trained("scratch", {100: 0.4}, train_seconds=50.0),
        trained("head", {100: 0.6}, train_seconds=5.0),
        trained("last", {100: 0.7}, train_seconds=10.0),
        trained("lora", {100: 0.7}, train_seconds=12.0),  # as accurate as `last`: nothing is shown
        trained("full", {100: 0.8}, train_seconds=60.0),
    )
    by = {row["family"]: row["sizes"][0]["dominated_by"] for row in found["families"]}
    assert by == {"scratch": "last", "head": None, "last": None, "lora": None, "full": None}


@pytest.mark.parametrize("accuracy", [0.6, 0.605])
def test_what_no_test_shows_is_not_dominated(accuracy: float) -> None:
    found = findings_of(trained("head", {100: accuracy}, train_seconds=1.0), trained("last", {100: 0.6}))
    assert [row["sizes"][0]["dominated_by"] for row in found["families"]] == [None, None]


def test_law_is_told_with_its_curve_between_the_measured_sizes_or_why_there_is_none() -> None:
    found = findings_of(trained("scratch", SCRATCH), trained("head", {100: 0.7, 300: 0.75}))
    scratch, head = found["families"]
    assert scratch["law_refused"] is None
    assert scratch["law"]["c"] == pytest.approx(0.5, abs=0.1)
    curve = scratch["law"]["curve"]
    assert (len(curve), curve[0]["size"], curve[-1]["size"]) == (40, pytest.approx(100), pytest.approx(10_000))
    assert all(point["low"] <= point["accuracy"] <= point["high"] for point in curve)
    assert head["law"] is None
    assert head["law_refused"] == {"code": "compare.law_few_sizes", "values": {"n": 2, "needed": 4}}


# -- pairs -----------------------------------------------------------------------------------------------


def test_pairs_are_tested_at_every_size_both_have() -> None:
    scratch, head = trained("scratch", {100: 0.4, 300: 0.6}), trained("head", {100: 0.7, 1000: 0.8})
    full = trained("full", {100: 0.7})
    pairs = findings_of(scratch, head, full)["pairs"]
    assert [(pair["size"], pair["a"], pair["b"]) for pair in pairs] == [
        (100, "head", "scratch"),
        (100, "full", "scratch"),
        (100, "full", "head"),
    ]
    by_hand = crossed_test(*(np.stack([one.right for one in curve if one.size == 100]) for curve in (head, scratch)))
    assert (pairs[0]["p"], pairs[0]["interval"]) == (by_hand["p"], by_hand["interval"])
    assert (pairs[0]["better"], pairs[0]["test"], pairs[0]["seeds"], pairs[0]["n"]) == ("head", "crossed", 3, ITEMS)
    assert pairs[0]["difference"] == pytest.approx(0.3)
    assert pairs[2]["better"] is None


def test_three_seeds_take_in_how_seeds_vary_at_the_other_sizes() -> None:
    """Seeds that agree by chance at one size do not make a difference there sure."""
    steady = [*trained("head", {100: 0.6}, spread=0.0), *trained("head", {300: 0.6, 1000: 0.6}, spread=0.05)]
    scratch = trained("scratch", {100: 0.57, 300: 0.6, 1000: 0.6}, spread=0.0)
    first = findings_of(steady, scratch)["pairs"][0]
    alone = findings_of(steady[:3], scratch[:3])["pairs"][0]
    assert alone["better"] == "head"
    assert first["better"] is None
    assert np.diff(first["interval"]) > 1.5 * np.diff(alone["interval"])


def test_what_counts_as_shown_is_corrected_for_how_many_are_tested() -> None:
    seldom, sizes = {100: 0.616}, {100: 0.6, 300: 0.6, 1000: 0.6, 3000: 0.6}
    alone = findings_of(trained("head", seldom, seeds=1), trained("scratch", {100: 0.6}, seeds=1))["pairs"][0]
    assert (alone["p"] < 0.05, alone["better"]) == (True, "head")
    many = findings_of(trained("head", sizes | seldom, seeds=1), trained("scratch", sizes, seeds=1))
    pair = many["pairs"][0]
    assert (pair["p"], pair["better"]) == (alone["p"], None)
    assert pair["corrected_p"] > 0.05
    assert values_of(many, "corrected")["of"] == 4 + 3, "and three tests against the largest size from scratch"


@pytest.mark.parametrize(("seeds", "sizes"), [(3, 3), (2, 1), (3, 1)])
def test_comparison_without_differences_finds_one_in_5_of_100_cases_at_most(seeds: int, sizes: int) -> None:
    rng = np.random.default_rng(1)
    hard, false = rng.normal(0.6, 1, 300), 0
    for _ in range(150):
        results = [
            Result(
                family, "pretrained", "head", size, seed, hard + luck + rng.normal(0, 0.5, 300) > 0, 5.0, None, 7, True
            )
            for family in ORDER[1:4]
            for size in SIZES[:sizes]
            for seed, luck in enumerate(rng.normal(0, 0.1, seeds))
        ]
        pairs, _ahead = pairs_of(curves_of(results, ORDER))
        false += any(pair["better"] for pair in pairs)
    assert false / 150 <= 0.05


def test_pair_of_one_seed_is_tested_by_mcnemar_on_the_seeds_both_have() -> None:
    scratch = [result_of("scratch", 100, seed, 0.4) for seed in (0, 1)]
    head = [result_of("head", 100, seed, 0.7) for seed in (1, 2)]
    (pair,) = findings_of(scratch, head)["pairs"]
    by_hand = paired_test(head[0].right, scratch[1].right)
    assert (pair["test"], pair["seeds"]) == ("mcnemar", 1)
    assert (pair["p"], pair["interval"], pair["better"]) == (by_hand["p"], by_hand["interval"], "head")
    assert findings_of([scratch[0]], [head[1]])["pairs"] == [], "no seed is shared"


def test_results_of_different_tests_are_refused() -> None:
    with pytest.raises(ValueError, match="same items"):
        find([result_of("head", 100, 0, 0.5), result_of("head", 300, 0, 0.5, n=50)], ORDER)


# -- examples saved --------------------------------------------------------------------------------------


def _smallest(found: dict[str, Any]) -> dict[str, Any]:
    return found["equivalents"][0]


def test_equivalent_is_what_the_law_says_within_what_was_measured() -> None:
    found = findings_of(trained("scratch", SCRATCH), trained("head", HEAD))
    row = _smallest(found)
    assert (row["kind"], row["size"], row["reason"]) == ("about", 100, None)
    assert row["scratch_size"] == pytest.approx(900, rel=0.1)  # 0.7 = 0.9 - 6 n^-0.5
    assert row["low"] < row["scratch_size"] < row["high"]
    assert [one["size"] for one in found["equivalents"]] == SIZES
    told = explain_finding(next(one for one in found["conclusions"] if one["code"] == "compare.labels_about"))
    assert re.search(r"reach 70\.0% with 100 examples; from scratch, that takes about 900 \(95%: 8\d0 to ", told)


def test_equivalent_is_an_upper_bound_when_scratch_was_still_improving() -> None:
    curve = trained("scratch", {size: SCRATCH[size] for size in SIZES if size != 1000})
    found = findings_of(curve, trained("scratch", {1000: SCRATCH[1000]}, converged=False), trained("head", HEAD))
    row = _smallest(found)
    assert (row["kind"], row["low"]) == ("at_most", None)
    assert {"labels_at_most", "scratch_unconverged"} <= set(codes_of(found))
    assert (values_of(found, "scratch_unconverged")["n"], values_of(found, "scratch_unconverged")["of"]) == (3, 15)
    far = next(one for one in found["equivalents"] if one["size"] == 10_000)
    assert far["kind"] == "about", "the sizes around 10,000 examples had converged"


def test_equivalent_beyond_the_measured_sizes_is_told_as_such_up_to_three_times() -> None:
    found = findings_of(trained("scratch", SCRATCH), trained("head", {100: 0.858}))
    row = _smallest(found)
    assert row["kind"] == "about"
    assert 10_000 < row["scratch_size"] <= 30_000
    assert "labels_beyond" in codes_of(found)
    assert row["high"] is None or row["high"] <= 30_000


def test_equivalent_has_an_open_end_when_chance_may_carry_it_beyond_reach() -> None:
    noisy = trained("scratch", {100: 0.30, 300: 0.6, 1000: 0.74, 3000: 0.79}, spread=0.03)
    found = findings_of(noisy, trained("head", {100: 0.775}, spread=0.03))
    row = _smallest(found)
    assert (row["kind"], row["high"]) == ("about", None)
    assert row["scratch_size"] <= 3000
    assert "labels_about_open" in codes_of(found)


def test_equivalent_is_more_than_measured_when_scratch_never_gets_there() -> None:
    found = findings_of(trained("scratch", SCRATCH), trained("head", {100: 0.95}))
    row = _smallest(found)
    assert (row["kind"], row["scratch_size"], row["reason"]) == ("more_than", 10_000, None)
    values = values_of(found, "labels_more_than")
    assert (values["scratch_size"], values["scratch_accuracy"]) == (10_000, pytest.approx(0.84))
    assert "from scratch, 10,000 are not enough: they reach 84.0%" in explain_finding(
        {"code": "compare.labels_more_than", "values": values}
    )


def test_more_than_is_told_with_its_limit_when_scratch_was_still_improving() -> None:
    found = findings_of(trained("scratch", SCRATCH, converged=False), trained("head", {100: 0.95}))
    row = _smallest(found)
    assert (row["kind"], row["reason"]["code"]) == ("more_than", "compare.labels_still_learning")
    assert "labels_still_learning" in codes_of(found)


@pytest.mark.parametrize(("converged", "kind"), [(True, "between"), (False, "at_most")])
def test_equivalent_lies_between_two_sizes_when_there_is_no_law(converged: bool, kind: str) -> None:
    found = findings_of(trained("scratch", {100: 0.3, 1234: 0.7}, converged=converged), trained("head", {100: 0.5}))
    row = _smallest(found)
    assert row["kind"] == kind
    assert f"labels_{kind}" in codes_of(found)
    told = " ".join(map(explain_finding, found["conclusions"]))
    assert "1,234" in told, "a size that was measured is not rounded"
    if converged:
        assert (row["low"], row["high"], row["scratch_size"]) == (100, 1234, None)
    else:
        assert row["scratch_size"] == 1234


def test_equivalent_is_refused_when_scratch_is_as_good_from_the_start() -> None:
    found = findings_of(trained("scratch", {100: 0.7, 300: 0.8}), trained("head", {100: 0.6, 300: 0.65}))
    row = _smallest(found)
    assert (row["kind"], row["reason"]["code"]) == ("refused", "compare.no_labels_saved")
    assert "no_labels_saved" in codes_of(found)


def test_equivalent_is_refused_with_its_reason_when_it_cannot_be_told() -> None:
    close = findings_of(trained("scratch", {100: 0.3, 300: 0.7}), trained("head", {100: 0.703}))
    assert (_smallest(close)["kind"], _smallest(close)["reason"]["code"]) == ("refused", "compare.law_few_sizes")
    assert values_of(close, "labels_unknown")["reason"]["code"] == "compare.law_few_sizes"
    broken = {100: 0.30, 300: 0.6, 1000: 0.6, 3000: 0.6, 10_000: 0.8}
    missed = _smallest(findings_of(trained("scratch", broken), trained("head", {100: 0.802})))
    assert missed["reason"]["code"] == "compare.law_misses"
    assert missed["reason"]["values"]["missed_size"] != 100, "the size that is missed, not that of the row"
    steep = {100: 0.30, 300: 0.633, 1000: 0.75, 3000: 0.783, 10_000: 0.795}  # never above 0.8
    unclear = findings_of(trained("scratch", steep, spread=0.01), trained("head", {100: 0.801}, spread=0.01))
    assert (_smallest(unclear)["kind"], _smallest(unclear)["reason"]["code"]) == ("refused", "compare.labels_unclear")
    assert "labels_unknown" in codes_of(unclear)


def test_no_equivalents_are_told_without_training_from_scratch() -> None:
    assert findings_of(trained("head", HEAD), trained("full", HEAD))["equivalents"] == []
