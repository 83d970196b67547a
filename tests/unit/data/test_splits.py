"""The same test rows for every run, smaller training sets inside larger ones, no row on two sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.data.splits import MAX_VALIDATION, MIN_VALIDATION, Split, make_split, stratified_order

TARGETS = np.repeat(np.arange(4), [400, 300, 200, 100])
ROWS = np.random.default_rng(5).permutation(1000).astype(np.int64)


def _split(official: dict[str, Any] | None = None, **changes: Any) -> Split:
    values: dict[str, Any] = {"train_size": None, "test_size": None, "seed": 0}
    return make_split(TARGETS, official or {"train": ROWS}, **(values | changes))


def _with_test() -> dict[str, Any]:
    return {"train": ROWS[:700], "test": ROWS[700:]}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("n", [4, 10, 37, 100, 1000])
def test_order_holds_the_proportions_when_cut_anywhere(seed: int, n: int) -> None:
    order = stratified_order(TARGETS, ROWS, seed)
    assert sorted(order) == sorted(ROWS)
    counts = np.bincount(TARGETS[order[:n]], minlength=4)
    assert np.abs(counts - n * np.array([0.4, 0.3, 0.2, 0.1])).max() <= 2


def test_order_differs_when_the_seed_does() -> None:
    assert (stratified_order(TARGETS, ROWS, 0) != stratified_order(TARGETS, ROWS, 1)).any()
    assert (stratified_order(TARGETS, ROWS, 1) == stratified_order(TARGETS, ROWS, 1)).all()


@pytest.mark.parametrize("train_size", [None, 2, 50, 300, 5000])
@pytest.mark.parametrize("official", ["train only", "train and test", "all three", "train and validation"])
def test_parts_share_no_row_and_are_never_empty(official: str, train_size: int | None) -> None:
    parts = {
        "train only": {"train": ROWS},
        "train and test": _with_test(),
        "all three": {"train": ROWS[:500], "validation": ROWS[500:700], "test": ROWS[700:]},
        "train and validation": {"train": ROWS[:700], "validation": ROWS[700:]},
    }[official]
    split = _split(parts, train_size=train_size)
    every = np.concatenate([split.train, split.validation, split.test])
    assert len(every) == len(np.unique(every))
    assert min(len(split.train), len(split.validation), len(split.test)) > 0
    assert set(every.tolist()) <= set(ROWS.tolist())


def test_test_rows_are_the_same_when_seed_and_train_size_differ() -> None:
    wanted = _split().test
    assert len(wanted) == 200
    for seed, train_size in ((1, None), (2, 10), (3, 400)):
        np.testing.assert_array_equal(_split(seed=seed, train_size=train_size).test, wanted)


def test_fewer_test_rows_are_a_part_of_more_and_stratified() -> None:
    few, more = _split(_with_test(), test_size=50).test, _split(_with_test(), test_size=150).test
    assert (len(few), len(more)) == (50, 150)
    assert set(few.tolist()) < set(more.tolist())
    share = np.bincount(TARGETS[ROWS[700:]], minlength=4) / 300
    assert np.abs(np.bincount(TARGETS[few], minlength=4) - 50 * share).max() <= 2


def test_smaller_training_set_is_a_part_of_a_larger_one_when_the_seed_is_the_same() -> None:
    small, large = _split(train_size=100).train, _split(train_size=200).train
    assert (len(small), len(large)) == (100, 200)
    np.testing.assert_array_equal(small, large[:100])


@pytest.mark.parametrize("train_size", [10, 100, 400])
def test_validation_is_a_fifth_within_its_limits_when_rows_are_left(train_size: int) -> None:
    split = _split(train_size=train_size)
    assert len(split.train) == train_size
    assert len(split.validation) == max(MIN_VALIDATION, train_size // 5)


def test_validation_is_at_most_its_limit_when_there_is_plenty() -> None:
    targets = np.arange(20_000) % 10
    split = make_split(targets, {"train": np.arange(20_000)}, train_size=10_000, test_size=None, seed=0)
    assert len(split.validation) == MAX_VALIDATION


def test_validation_comes_out_of_the_training_rows_when_nothing_is_left() -> None:
    split = _split(_with_test())
    assert (len(split.train), len(split.validation)) == (560, 140)


def test_all_that_is_left_validates_when_it_is_less_than_wanted() -> None:
    split = _split(_with_test(), train_size=670)
    assert (len(split.train), len(split.validation)) == (670, 30)


@pytest.mark.parametrize("n", [20, 40, 100, 200])
def test_few_rows_spend_a_fifth_on_choosing_and_two_thirds_on_training(n: int) -> None:
    targets = np.arange(n) % 4
    split = make_split(targets, {"train": np.arange(n)}, train_size=None, test_size=None, seed=0)
    assert len(split.test) == n // 5
    assert len(split.validation) == (n - n // 5) // 5
    assert len(split.train) >= 0.64 * n
    began = make_split(targets, {"train": np.arange(n)}, train_size=None, test_size=None, seed=0, as_in_0_1=True)
    assert len(began.validation) == min(50, (n - n // 5) // 2), "a run that was begun so goes on so"
    np.testing.assert_array_equal(began.test, split.test)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("train_size", [None, 7, 12])
@pytest.mark.parametrize("counts", [[2] * 10, [2] * 100, [40, 30, 2, 2, 1], [3] * 5 + [1] * 2, [500, 1, 1]], ids=len)
def test_no_class_is_left_without_training_rows(counts: list[int], train_size: int | None, seed: int) -> None:
    targets = np.repeat(np.arange(len(counts)), counts)
    official = {"train": np.random.default_rng(seed).permutation(len(targets))}
    split = make_split(targets, official, train_size=train_size, test_size=None, seed=seed)
    trained = np.unique(targets[split.train])
    assert len(trained) == min(len(counts), len(split.train))
    every = np.concatenate([split.train, split.validation, split.test])
    assert len(every) == len(np.unique(every))


def test_own_validation_split_is_the_test_when_there_is_none() -> None:
    split = _split({"train": ROWS[:700], "validation": ROWS[700:]})
    assert set(split.test.tolist()) == set(ROWS[700:].tolist())
    assert set(split.validation.tolist()) < set(ROWS[:700].tolist())


def test_own_validation_split_validates_when_there_is_a_test_split_too() -> None:
    parts = {"train": ROWS[:500], "validation": ROWS[500:700], "test": ROWS[700:]}
    split = _split(parts)
    assert set(split.validation.tolist()) <= set(ROWS[500:700].tolist())
    assert len(split.train) == 500


def test_empty_test_split_counts_as_none() -> None:
    empty = np.zeros(0, dtype=np.int64)
    np.testing.assert_array_equal(_split({"train": ROWS, "test": empty, "validation": empty}).test, _split().test)


@pytest.mark.parametrize("official", [None, _with_test()], ids=["held out", "own test"])
def test_no_other_row_moves_when_one_more_is_found_unreadable(official: dict[str, Any] | None) -> None:
    whole = _split(official, train_size=100)
    bad = np.array([whole.train[3], whole.train[60], whole.test[5]])
    split = _split(official, train_size=100, unusable=bad)
    assert not set(bad.tolist()) & set(np.concatenate([split.train, split.validation, split.test]).tolist())
    assert len(split.train) == 100
    assert set(whole.train.tolist()) - set(bad.tolist()) <= set(split.train.tolist())
    assert set(split.test.tolist()) == set(whole.test.tolist()) - set(bad.tolist())
    other_seed = _split(official, train_size=50, seed=9, unusable=np.array([whole.test[5]]))
    np.testing.assert_array_equal(other_seed.test, split.test)
    larger = _split(official, train_size=200, unusable=bad)
    np.testing.assert_array_equal(larger.train[:100], split.train)


def test_only_picture_of_a_class_is_trained_on_when_a_test_is_held_out() -> None:
    targets = np.array([0] * 20 + [1] * 20 + [2, 3, 4])
    for seed in range(5):
        split = make_split(targets, {"train": np.arange(43)}, train_size=None, test_size=None, seed=seed)
        assert not {2, 3, 4} & set(targets[split.test].tolist())
        assert len(split.test) == 8


@pytest.mark.parametrize("counts", [[1, 1], [2, 1], [1] * 10, [2, 2], [3, 3], [5, 1, 1]])
def test_tiny_data_set_gives_every_part_something(counts: list[int]) -> None:
    targets = np.repeat(np.arange(len(counts)), counts)
    split = make_split(targets, {"train": np.arange(len(targets))}, train_size=None, test_size=None, seed=0)
    assert min(len(split.train), len(split.validation), len(split.test)) > 0
    assert not set(split.test.tolist()) & set(np.concatenate([split.train, split.validation]).tolist())


def test_readable_rows_are_tested_when_all_that_was_held_out_is_not() -> None:
    targets = np.repeat([0, 1], 5)
    rows = np.arange(10)
    held_out = make_split(targets, {"train": rows}, train_size=None, test_size=None, seed=0).test
    split = make_split(targets, {"train": rows}, train_size=None, test_size=None, seed=0, unusable=held_out)
    assert len(split.test) == 2
    assert not set(split.test.tolist()) & {*held_out.tolist(), *split.train.tolist()}


def _copies(n: int, times: int) -> np.ndarray:
    """For each of n * times rows the first of its content: every content this many times, far apart."""
    return np.tile(np.arange(n), times)


@pytest.mark.parametrize("official", ["train only", "own test"])
@pytest.mark.parametrize("train_size", [None, 20, 150, 5000])
def test_copies_stay_in_one_part_where_the_split_is_drawn(official: str, train_size: int | None) -> None:
    alike = _copies(250, 4)
    rows = np.arange(1000)
    parts = {"train only": {"train": rows}, "own test": {"train": rows[rows % 5 > 0], "test": rows[rows % 5 == 0]}}
    split = _split(parts[official], train_size=train_size, alike=alike)
    train, validation, test = (set(alike[part].tolist()) for part in (split.train, split.validation, split.test))
    assert not train & validation
    assert min(map(len, (train, validation, test))) > 0
    assert len(validation) == len(split.validation)
    if official == "train only":
        assert not test & (train | validation)
        assert len(test) == len(split.test) == 50
    assert len(split.train) == min(train_size or 5000, 4 * 160)


def test_copies_change_neither_the_test_nor_what_a_smaller_training_is_part_of() -> None:
    alike = _copies(250, 4)
    wanted = _split(alike=alike).test
    for seed, train_size in ((1, None), (2, 10), (3, 400)):
        np.testing.assert_array_equal(_split(alike=alike, seed=seed, train_size=train_size).test, wanted)
    small, large = (_split(alike=alike, train_size=size).train for size in (50, 120))
    np.testing.assert_array_equal(small, large[:50])
    assert len(np.unique(alike[large])) == 120


def test_copies_of_one_content_do_not_fill_the_test() -> None:
    alike = np.concatenate([np.arange(100), np.zeros(60, dtype=np.int64)])
    split = make_split(
        np.arange(160) % 2, {"train": np.arange(160)}, train_size=None, test_size=None, seed=0, alike=alike
    )
    assert len(split.test) == len(np.unique(alike[split.test])) == 20


def test_a_class_that_is_copied_from_another_is_tested_too() -> None:
    targets = np.repeat([0, 1], 50)
    split = make_split(
        targets, {"train": np.arange(100)}, train_size=None, test_size=None, seed=0, alike=_copies(50, 2)
    )
    assert set(targets[split.test].tolist()) == {0, 1}
