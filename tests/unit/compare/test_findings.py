"""What a comparison over data-set sizes shows, from trainings with known accuracies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from core.compare.findings import Result, find
from core.evaluate import crossed_test, paired_test, wilson
from core.i18n import LANGUAGES, translator
from core.messages import SENTENCES, explain_finding

ITEMS = 1000
SIZES = [100, 300, 1000, 3000, 10_000]
ORDER = ["scratch", "head", "last", "lora", "full"]
SCRATCH = {100: 0.30, 300: 0.554, 1000: 0.71, 3000: 0.79, 10_000: 0.84}  # 1 - 0.1 - 6 n^-0.5
HEAD = {100: 0.70, 300: 0.75, 1000: 0.79, 3000: 0.82, 10_000: 0.842}


def _right(accuracy: float, salt: list[int], n: int = ITEMS) -> np.ndarray:
    """Right on this share of the items, exactly: the easy ones first, as every training finds them, with some luck."""
    luck = np.random.default_rng(0).random(n) + 0.15 * np.random.default_rng(salt).random(n)
    right = np.zeros(n, dtype=bool)
    right[np.argsort(luck)[: round(accuracy * n)]] = True
    return right


def _result(family: str, size: int, seed: int, accuracy: float, **facts: Any) -> Result:
    right = _right(accuracy, [seed, ORDER.index(family)], facts.pop("n", ITEMS))
    start, method = ("scratch", "full") if family == "scratch" else ("pretrained", family)
    given = {"train_seconds": 60.0 if method == "full" else 5.0, "converged": True, **facts}
    return Result(family, start, method, size, seed, right, peak_memory_mb=900.0, trainable_parameters=7, **given)


def _trained(family: str, curve: dict[int, float], seeds: int = 3, spread: float = 0.004, **facts: Any) -> list[Result]:
    """A curve; from seed to seed the accuracy goes up and down by `spread` around its mean."""
    steps = {1: [0.0], 2: [-1.0, 1.0], 3: [-1.0, 0.0, 1.0]}[seeds]
    return [
        _result(family, size, seed, accuracy + spread * step, **facts)
        for size, accuracy in curve.items()
        for seed, step in enumerate(steps)
    ]


def _find(*curves: Iterable[Result], planned: int | None = None) -> dict[str, Any]:
    found = find([result for curve in curves for result in curve], ORDER, planned)
    json.dumps(found, allow_nan=False)
    for told in (found["conclusions"], [row["reason"] for row in found["equivalents"]]):
        for one in filter(None, told):
            _check_words(one)
    return found


def _check_words(conclusion: dict[str, Any]) -> None:
    """A filled sentence in every language, its numbers rounded."""
    assert conclusion["code"] in SENTENCES
    told = [explain_finding(conclusion, translator(language)) for language in LANGUAGES]
    assert len(set(told)) == len(LANGUAGES)
    for sentence in told:
        assert not re.search(r"[{}]|None|nan|compare\.|\d\.\d\d", sentence), sentence
    assert explain_finding(conclusion) == told[0]
    assert told[0][0] == told[0][0].upper()


def _codes(found: dict[str, Any]) -> list[str]:
    return [conclusion["code"].removeprefix("compare.") for conclusion in found["conclusions"]]


def _values(found: dict[str, Any], code: str) -> dict[str, Any]:
    (values,) = [one["values"] for one in found["conclusions"] if one["code"] == f"compare.{code}"]
    return values


def _at(found: dict[str, Any], family: str, size: int) -> dict[str, Any]:
    (row,) = [row for row in found["families"] if row["family"] == family]
    return next(point for point in row["sizes"] if point["size"] == size)


# -- curves ----------------------------------------------------------------------------------------------


def test_families_come_in_the_order_asked_for_with_their_sizes_ascending() -> None:
    found = _find(_trained("full", {300: 0.6, 100: 0.5}), _trained("scratch", {300: 0.4, 100: 0.2}))
    assert [row["family"] for row in found["families"]] == ["scratch", "full"]
    assert [point["size"] for point in found["families"][0]["sizes"]] == [100, 300]
    first = found["families"][1]
    assert (first["start"], first["method"]) == ("pretrained", "full")
    point = first["sizes"][0]
    assert (point["seeds"], point["accuracy"], point["unconverged"]) == (3, pytest.approx(0.5), 0)
    assert (point["peak_memory_mb"], point["trainable_parameters"]) == (900.0, 7)


def test_band_is_a_t_interval_over_seeds_when_there_are_three() -> None:
    point = _at(_find(_trained("head", {100: 0.5}, spread=0.02)), "head", 100)
    half = t.ppf(0.975, 2) * np.std([0.48, 0.5, 0.52], ddof=1) / 3**0.5
    assert (point["low"], point["high"], point["band"]) == (
        pytest.approx(0.5 - half),
        pytest.approx(0.5 + half),
        "seeds",
    )


def test_band_of_two_seeds_takes_in_what_the_other_sizes_show() -> None:
    results = [*_trained("head", {100: 0.5}, seeds=2, spread=0.03), *_trained("head", {300: 0.6}, seeds=2, spread=0.01)]
    found = _find(results)
    pooled = (2 * 0.03**2 + 2 * 0.01**2) / 2
    half = t.ppf(0.975, 2) * (pooled / 2) ** 0.5
    for size, accuracy in ((100, 0.5), (300, 0.6)):
        point = _at(found, "head", size)
        assert (point["low"], point["high"]) == (pytest.approx(accuracy - half), pytest.approx(accuracy + half))


def test_band_of_one_seed_is_that_of_the_test() -> None:
    point = _at(_find(_trained("head", {100: 0.5}, seeds=1)), "head", 100)
    assert (point["low"], point["high"]) == pytest.approx(wilson(500, ITEMS))
    assert point["band"] == "test"


def test_band_stays_between_nothing_and_all() -> None:
    point = _at(_find(_trained("head", {100: 0.99}, spread=0.01)), "head", 100)
    assert (point["high"], point["low"] > 0.9) == (1.0, True)


def test_time_is_told_with_its_range() -> None:
    results = [_result("head", 100, seed, 0.5, train_seconds=seconds) for seed, seconds in enumerate((4.0, 5.0, 9.0))]
    point = _at(_find(results), "head", 100)
    assert (point["seconds"], point["seconds_low"], point["seconds_high"]) == (6.0, 4.0, 9.0)


def test_dominated_is_what_another_beats_in_accuracy_and_time() -> None:
    found = _find(
        _trained("scratch", {100: 0.4}, train_seconds=50.0),
        _trained("head", {100: 0.6}, train_seconds=5.0),
        _trained("last", {100: 0.7}, train_seconds=10.0),
        _trained("lora", {100: 0.7}, train_seconds=12.0),
        _trained("full", {100: 0.8}, train_seconds=60.0),
    )
    by = {row["family"]: row["sizes"][0]["dominated_by"] for row in found["families"]}
    assert by == {"scratch": "lora", "head": None, "last": None, "lora": "last", "full": None} | {"scratch": "last"}


def test_equal_in_both_is_not_dominated() -> None:
    found = _find(_trained("head", {100: 0.6}), _trained("last", {100: 0.6}))
    assert [row["sizes"][0]["dominated_by"] for row in found["families"]] == [None, None]


def test_law_is_told_with_its_curve_between_the_measured_sizes_or_why_there_is_none() -> None:
    found = _find(_trained("scratch", SCRATCH), _trained("head", {100: 0.7, 300: 0.75}))
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
    scratch, head = _trained("scratch", {100: 0.4, 300: 0.6}), _trained("head", {100: 0.7, 1000: 0.8})
    full = _trained("full", {100: 0.7})
    pairs = _find(scratch, head, full)["pairs"]
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


def test_pair_of_one_seed_is_tested_by_mcnemar_on_the_seeds_both_have() -> None:
    scratch = [_result("scratch", 100, seed, 0.4) for seed in (0, 1)]
    head = [_result("head", 100, seed, 0.7) for seed in (1, 2)]
    (pair,) = _find(scratch, head)["pairs"]
    by_hand = paired_test(head[0].right, scratch[1].right)
    assert (pair["test"], pair["seeds"]) == ("mcnemar", 1)
    assert (pair["p"], pair["interval"], pair["better"]) == (by_hand["p"], by_hand["interval"], "head")
    assert _find([scratch[0]], [head[1]])["pairs"] == [], "no seed is shared"


def test_results_of_different_tests_are_refused() -> None:
    with pytest.raises(ValueError, match="same items"):
        find([_result("head", 100, 0, 0.5), _result("head", 300, 0, 0.5, n=50)], ORDER)


# -- examples saved --------------------------------------------------------------------------------------


def _smallest(found: dict[str, Any]) -> dict[str, Any]:
    return found["equivalents"][0]


def test_equivalent_is_what_the_law_says_within_what_was_measured() -> None:
    found = _find(_trained("scratch", SCRATCH), _trained("head", HEAD))
    row = _smallest(found)
    assert (row["kind"], row["size"], row["reason"]) == ("about", 100, None)
    assert row["scratch_size"] == pytest.approx(900, rel=0.1)  # 0.7 = 0.9 - 6 n^-0.5
    assert row["low"] < row["scratch_size"] < row["high"]
    assert [one["size"] for one in found["equivalents"]] == SIZES
    told = explain_finding(next(one for one in found["conclusions"] if one["code"] == "compare.labels_about"))
    assert re.search(r"reach 70\.0% with 100 examples; from scratch, that takes about 900 \(95%: 8\d0 to ", told)


def test_equivalent_is_an_upper_bound_when_scratch_was_still_improving() -> None:
    curve = _trained("scratch", {size: SCRATCH[size] for size in SIZES if size != 1000})
    found = _find(curve, _trained("scratch", {1000: SCRATCH[1000]}, converged=False), _trained("head", HEAD))
    row = _smallest(found)
    assert (row["kind"], row["low"]) == ("at_most", None)
    assert {"labels_at_most", "scratch_unconverged"} <= set(_codes(found))
    assert (_values(found, "scratch_unconverged")["n"], _values(found, "scratch_unconverged")["of"]) == (3, 15)
    far = next(one for one in found["equivalents"] if one["size"] == 10_000)
    assert far["kind"] == "about", "the sizes around 10,000 examples had converged"


def test_equivalent_beyond_the_measured_sizes_is_told_as_such_up_to_three_times() -> None:
    found = _find(_trained("scratch", SCRATCH), _trained("head", {100: 0.858}))
    row = _smallest(found)
    assert row["kind"] == "about"
    assert 10_000 < row["scratch_size"] <= 30_000
    assert "labels_beyond" in _codes(found)
    assert row["high"] is None or row["high"] <= 30_000


def test_equivalent_has_an_open_end_when_chance_may_carry_it_beyond_reach() -> None:
    noisy = _trained("scratch", {100: 0.30, 300: 0.6, 1000: 0.74, 3000: 0.79}, spread=0.03)
    found = _find(noisy, _trained("head", {100: 0.775}, spread=0.03))
    row = _smallest(found)
    assert (row["kind"], row["high"]) == ("about", None)
    assert row["scratch_size"] <= 3000
    assert "labels_about_open" in _codes(found)


def test_equivalent_is_more_than_measured_when_scratch_never_gets_there() -> None:
    found = _find(_trained("scratch", SCRATCH), _trained("head", {100: 0.95}))
    row = _smallest(found)
    assert (row["kind"], row["scratch_size"], row["reason"]) == ("more_than", 10_000, None)
    values = _values(found, "labels_more_than")
    assert (values["scratch_size"], values["scratch_accuracy"]) == (10_000, pytest.approx(0.84))
    assert "from scratch, 10,000 are not enough: they reach 84.0%" in explain_finding(
        {"code": "compare.labels_more_than", "values": values}
    )


def test_more_than_is_told_with_its_limit_when_scratch_was_still_improving() -> None:
    found = _find(_trained("scratch", SCRATCH, converged=False), _trained("head", {100: 0.95}))
    row = _smallest(found)
    assert (row["kind"], row["reason"]["code"]) == ("more_than", "compare.labels_still_learning")
    assert "labels_still_learning" in _codes(found)


@pytest.mark.parametrize(("converged", "kind"), [(True, "between"), (False, "at_most")])
def test_equivalent_lies_between_two_sizes_when_there_is_no_law(converged: bool, kind: str) -> None:
    found = _find(_trained("scratch", {100: 0.3, 1234: 0.7}, converged=converged), _trained("head", {100: 0.5}))
    row = _smallest(found)
    assert row["kind"] == kind
    assert f"labels_{kind}" in _codes(found)
    told = " ".join(map(explain_finding, found["conclusions"]))
    assert "1,234" in told, "a size that was measured is not rounded"
    if converged:
        assert (row["low"], row["high"], row["scratch_size"]) == (100, 1234, None)
    else:
        assert row["scratch_size"] == 1234


def test_equivalent_is_refused_when_scratch_is_as_good_from_the_start() -> None:
    found = _find(_trained("scratch", {100: 0.7, 300: 0.8}), _trained("head", {100: 0.6, 300: 0.65}))
    row = _smallest(found)
    assert (row["kind"], row["reason"]["code"]) == ("refused", "compare.no_labels_saved")
    assert "no_labels_saved" in _codes(found)


def test_equivalent_is_refused_with_its_reason_when_it_cannot_be_told() -> None:
    close = _find(_trained("scratch", {100: 0.3, 300: 0.7}), _trained("head", {100: 0.703}))
    assert (_smallest(close)["kind"], _smallest(close)["reason"]["code"]) == ("refused", "compare.law_few_sizes")
    assert _values(close, "labels_unknown")["reason"]["code"] == "compare.law_few_sizes"
    broken = {100: 0.30, 300: 0.6, 1000: 0.6, 3000: 0.6, 10_000: 0.8}
    missed = _smallest(_find(_trained("scratch", broken), _trained("head", {100: 0.802})))
    assert missed["reason"]["code"] == "compare.law_misses"
    assert missed["reason"]["values"]["missed_size"] != 100, "the size that is missed, not that of the row"
    steep = {100: 0.30, 300: 0.633, 1000: 0.75, 3000: 0.783, 10_000: 0.795}  # never above 0.8
    unclear = _find(_trained("scratch", steep, spread=0.01), _trained("head", {100: 0.801}, spread=0.01))
    assert (_smallest(unclear)["kind"], _smallest(unclear)["reason"]["code"]) == ("refused", "compare.labels_unclear")
    assert "labels_unknown" in _codes(unclear)


def test_no_equivalents_are_told_without_training_from_scratch() -> None:
    assert _find(_trained("head", HEAD), _trained("full", HEAD))["equivalents"] == []


# -- conclusions -----------------------------------------------------------------------------------------


def test_pretrained_is_ahead_and_no_difference_is_left_at_the_end() -> None:
    found = _find(_trained("scratch", SCRATCH), _trained("head", HEAD))
    assert _codes(found) == ["ahead_at", "even_at_last", "time_faster", "labels_about"]
    values = _values(found, "ahead_at")
    assert (values["size"], values["least_size"], values["sizes"]) == (100, 3000, [100, 300, 1000, 3000])
    assert values["difference"] == pytest.approx(0.4)
    assert values["low"] < 0.4 < values["high"]
    assert _values(found, "even_at_last")["largest"] == 10_000
    told = explain_finding(found["conclusions"][0])
    assert told.startswith(
        "Pretrained weights (head only) are ahead of training from scratch at 100, 300, 1,000, 3,000"
    )
    assert "by 40.0 points at 100 (95%" in told
    assert "（只训练最后一层）" in explain_finding(found["conclusions"][0], translator("zh_CN"))


def test_size_from_which_on_no_difference_is_shown_is_told() -> None:
    late = {**HEAD, 1000: 0.709, 3000: 0.791}
    values = _values(_find(_trained("scratch", SCRATCH), _trained("head", late)), "even_from")
    assert (values["size"], values["largest"]) == (1000, 10_000)
    assert 0 <= values["difference"] < values["high"]


def test_pretrained_is_ahead_everywhere_when_the_gap_remains() -> None:
    found = _find(_trained("scratch", {100: 0.3, 300: 0.5}), _trained("lora", {100: 0.7, 300: 0.75}))
    assert _codes(found)[:2] == ["ahead_everywhere", "gap_remains"]
    assert _values(found, "gap_remains")["difference"] == pytest.approx(0.25)
    assert "(LoRA)" in explain_finding(found["conclusions"][0])


def test_pretrained_is_ahead_once_when_one_size_is_done() -> None:
    found = _find(_trained("scratch", {100: 0.3}), _trained("head", {100: 0.7}))
    assert _codes(found) == ["ahead_once", "time_faster", "labels_more_than"]


def test_training_from_scratch_is_ahead_when_it_is() -> None:
    once = _find(_trained("scratch", {100: 0.7}), _trained("head", {100: 0.5}))
    assert _codes(once)[0] == "scratch_ahead_once"
    found = _find(_trained("scratch", {100: 0.7, 300: 0.8}), _trained("head", {100: 0.6, 300: 0.65}))
    assert _codes(found)[0] == "scratch_ahead"
    values = _values(found, "scratch_ahead")
    assert (values["size"], values["difference"]) == (300, pytest.approx(0.15))
    assert 0 < values["low"] < values["high"]


def test_both_sides_are_told_when_the_curves_cross() -> None:
    found = _find(_trained("scratch", {100: 0.3, 300: 0.8}), _trained("head", {100: 0.6, 300: 0.65}))
    assert _codes(found)[:2] == ["ahead_once", "scratch_ahead_once"]
    assert not {"even_from", "gap_remains"} & set(_codes(found))


def test_no_difference_is_told_when_none_is_shown() -> None:
    once = _find(_trained("scratch", {100: 0.5}), _trained("head", {100: 0.503}))
    assert _codes(once)[0] == "none_shown_once"
    found = _find(_trained("scratch", {100: 0.504, 300: 0.6}), _trained("head", {100: 0.5, 300: 0.602}))
    assert _codes(found)[0] == "none_shown"
    values = _values(found, "none_shown")
    assert values["difference"] == pytest.approx(0.004), "whoever it favours"
    assert values["low"] < 0 < values["high"]


@pytest.mark.parametrize(
    ("seconds", "code", "times"), [(5.0, "time_faster", 12), (180.0, "time_slower", 3), (62.0, "time_alike", 1)]
)
def test_time_is_compared_at_the_largest_size_both_have(seconds: float, code: str, times: float) -> None:
    head = _trained("head", {100: 0.7, 300: 0.75}, train_seconds=seconds)
    found = _find(_trained("scratch", {100: 0.3, 300: 0.5, 1000: 0.7}, train_seconds=60.0), head)
    values = _values(found, code)
    assert values["size"] == 300
    assert values["times"] == pytest.approx(times, rel=0.05)


def test_main_family_is_the_most_accurate_over_the_sizes_all_have() -> None:
    found = _find(_trained("scratch", SCRATCH), _trained("head", HEAD), _trained("full", {100: 0.72, 300: 0.78}))
    assert {_values(found, code)["family"] for code in ("ahead_everywhere", "gap_remains")} == {"full"}


def test_methods_are_told_apart_only_when_the_test_does() -> None:
    found = _find(
        _trained("head", {100: 0.7, 300: 0.71}, train_seconds=5.0),
        _trained("last", {100: 0.6, 300: 0.709}, train_seconds=20.0),
        _trained("full", {100: 0.5, 300: 0.708}, train_seconds=60.0),
    )
    assert _codes(found) == ["method_best", "methods_alike", "dominated", "dominated"]
    values = _values(found, "method_best")
    assert (values["best"], values["second"], values["size"]) == ("head", "last", 100)
    assert found["conclusions"][2]["values"] == {"family": "last", "by": "head", "sizes": [100, 300]}
    assert explain_finding(found["conclusions"][0]).startswith(
        "With 100 examples, head only adapts the pretrained weights best"
    )


def test_nothing_is_concluded_when_nothing_can_be_compared() -> None:
    assert _codes(_find([])) == ["nothing_yet"]
    found = _find(_trained("scratch", {100: 0.4}, converged=False), planned=12)
    assert _codes(found) == ["nothing_yet", "scratch_unconverged", "still_missing"]
    assert _values(found, "still_missing") == {"missing": 9, "planned": 12}
    assert "still_missing" not in _codes(_find(_trained("head", {100: 0.4}), planned=3))


def test_decimals_are_left_out_when_the_interval_is_wide() -> None:
    values = {"family": "head", "size": 100, "difference": 0.213, "low": 0.1, "high": 0.32}
    told = explain_finding({"code": "compare.ahead_once", "values": values})
    assert "21 points" in told
    assert "10 to 32" in told
    nearly_none = {**values, "difference": 0.02, "low": -0.0001, "high": 0.04}
    assert "(95%: 0.0 to 4.0)" in explain_finding({"code": "compare.ahead_once", "values": nearly_none})
