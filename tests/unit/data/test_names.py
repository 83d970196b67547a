"""Names as people write them: splits by other usual words, classes that look the same, columns that say the split."""

from __future__ import annotations

import csv
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from core.data.collection import Collection
from core.data.open import open_collection
from core.registry.split_names import split_of, splits_of
from core.spec import DataRef
from tests.fixtures.pictures import codes, encoded, fill, pack


def _open(path: Path) -> Collection:
    return open_collection(DataRef(id=f"path:{path}"))


def _sizes(collection: Collection) -> dict[str, int]:
    return {split: len(rows) for split, rows in collection.splits.items()}


def _table(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("TRAIN", "Val"),
        ("training_set", "test_set"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("train_data/train", "test_data/test"),
        ("训练集", "测试集"),
        ("训练数据", "验证"),
        ("訓練集", "測試集"),
        ("trainSet", "devSet"),
        ("flowers-train", "flowers-test"),
        ("1-train", "2-test"),
        ("Train images", "Test images"),
        ("train2017", "val2017"),
    ],
)
def test_folders_of_splits_are_found_by_other_usual_names(tmp_path: Path, train: str, test: str) -> None:
    parts = {f"{train}/cat": 3, f"{train}/dog": 3, f"{test}/cat": 2, f"{test}/dog": 2}
    collection = _open(fill(tmp_path / "set", parts))
    (other,) = set(collection.splits) - {"train"}
    assert (collection.labels, _sizes(collection)) == (["cat", "dog"], {"train": 6, other: 4})
    assert not collection.problems


def test_unlabelled_pictures_beside_splits_are_left_out_and_told(tmp_path: Path) -> None:
    root = fill(
        tmp_path / "set", {"seg_train/seg_train/sea": 3, "seg_train/seg_train/ice": 3, "seg_test/seg_test/sea": 2}
    )
    fill(root, {"seg_pred/seg_pred": 4}, first=50)
    collection = _open(root)
    assert (collection.labels, _sizes(collection)) == (["ice", "sea"], {"train": 6, "test": 2})
    assert codes(collection.problems) == {"data.loose_pictures"}


@pytest.mark.parametrize(
    "classes", [("train station", "test tube"), ("cat_train", "cat_test", "dog_train", "dog_test"), ("train", "bus")]
)
def test_classes_named_with_such_words_stay_classes(tmp_path: Path, classes: tuple[str, ...]) -> None:
    collection = _open(fill(tmp_path / "set", dict.fromkeys(classes, 3)))
    assert (collection.labels, list(collection.splits)) == (sorted(classes), ["train"])


@pytest.mark.parametrize(
    ("column", "train", "test"),
    [
        ("split", "训练", "测试"),
        ("划分", "训练集", "测试集"),
        ("Usage", "Training", "PublicTest"),
        ("what it is for", "train", "test"),
        ("subset", "TRAIN", "dev"),
    ],
)
def test_a_column_tells_the_split_whatever_it_is_called(tmp_path: Path, column: str, train: str, test: str) -> None:
    rows = [(f"text {i}", "ab"[i % 2], test if i >= 30 else train) for i in range(40)]
    collection = _open(_table(tmp_path / "set.csv", ("text", "label", column), rows))
    assert sorted(_sizes(collection).values()) == [10, 30]
    assert collection.labels == ["a", "b"]


def test_a_column_of_splits_with_other_words_is_passed_over_and_told(tmp_path: Path) -> None:
    rows = [(f"text {i}", "ab"[i % 2], ("train", "test", "later", "")[i % 4]) for i in range(40)]
    collection = _open(_table(tmp_path / "set.csv", ("text", "label", "split"), rows))
    assert _sizes(collection) == {"train": 40}
    (problem,) = collection.problems
    assert (problem.code, problem.values) == ("data.split_column_unclear", {"column": "split", "values": "–, later"})


def test_files_of_one_set_are_its_splits_by_their_names(tmp_path: Path) -> None:
    for name, n in (("评论_训练集.csv", 20), ("评论_测试集.csv", 10)):
        _table(tmp_path / name, ("text", "label"), [(f"{name} {i}", "ab"[i % 2]) for i in range(n)])
    assert _sizes(_open(tmp_path)) == {"train": 20, "test": 10}


def test_tables_in_folders_of_splits_are_these_splits(tmp_path: Path) -> None:
    for folder, n in (("训练集", 20), ("测试集", 10)):
        (tmp_path / folder).mkdir()
        _table(tmp_path / folder / "data.csv", ("text", "label"), [(f"{folder} {i}", "ab"[i % 2]) for i in range(n)])
    assert _sizes(_open(tmp_path)) == {"train": 20, "test": 10}


def test_classes_that_look_the_same_are_one_and_told(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    names = [composed, apart, "ca\u200bfé", "bar", "bar\ufeff", "ba\u00adr"]
    picture_files = {f"{name}/{i}.png": encoded(9 * place + i) for place, name in enumerate(names) for i in range(2)}
    rows = [(f"text {i}", names[i % len(names)]) for i in range(60)]
    for path in (pack(tmp_path / "set.zip", picture_files), _table(tmp_path / "a.csv", ("text", "label"), rows)):
        collection = _open(path)
        assert collection.labels == ["bar", composed]
        assert np.bincount(collection.targets).tolist() == [len(collection) // 2] * 2
        (problem,) = collection.problems
        assert (problem.code, problem.values) == ("data.labels_look_alike", {"n": 2, "names": f"bar, {composed}"})


def test_words_of_other_meaning_are_no_splits() -> None:
    assert not any(map(split_of, ("images", "data", "cats", "test tube", "training wheels", "2024", "")))
    assert splits_of(["a_train", "a_test", "b_train"]) == {}
