"""Copies are found by content, kept on one side, and told as what they are: copies, leaks or contradictions."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from core.cache import RowStore, cache_folder
from core.data.report import describe_data
from core.data.showing import DECODING
from core.data.texts import TextData, load_texts
from core.errors import DataError
from core.messages import explain
from core.progress import SilentReporter
from core.spec import DataRef
from tests.fixtures.pictures import codes, encoded, fill, load


def _table(path: Path, rows: list[tuple[str, str]]) -> DataRef:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return DataRef(id=f"path:{path}")


def _contents(data: TextData) -> list[set[str]]:
    return [{data.texts[row].casefold() for row in part} for part in (data.train, data.validation, data.test)]


def test_equal_texts_lie_in_one_part_whatever_their_capitals(tmp_path: Path) -> None:
    rows = [(f"film number {i}", "pos" if i % 2 else "neg") for i in range(60)]
    shouted = [(text.upper(), label) for text, label in rows]
    data = load_texts(_table(tmp_path / "a.csv", [*rows, *shouted, *rows]), seed=0)
    train, validation, test = _contents(data)
    assert sum(map(len, (train, validation, test))) == len(train | validation | test) == 60
    assert (len(data.test), len(test)) == (12, 12)
    assert codes(data.problems) == {"data.text_duplicates"}
    assert not data.leaked.any()


def test_equal_pictures_lie_in_one_part(tmp_path: Path) -> None:
    root = fill(tmp_path, {"a": 20, "b": 20})
    for name in ("a", "b"):
        for i in range(20):
            (root / name / f"copy-{i}.png").write_bytes((root / name / f"{i:03}.png").read_bytes())
    data = load(root)
    held = [{bytes(square) for square in data.pixels.read(part)} for part in (data.train, data.validation, data.test)]
    assert sum(map(len, held)) == len(set().union(*held)) == 40
    assert codes(data.problems) == {"data.duplicates"}
    assert len(data.test) == 8


def test_test_rows_that_are_trained_on_are_marked_where_the_split_is_given(tmp_path: Path) -> None:
    _table(tmp_path / "train.csv", [(f"film {i}", "pos" if i % 2 else "neg") for i in range(40)])
    _table(tmp_path / "test.csv", [("Film 3", "pos"), ("new one", "neg"), ("film 8", "neg"), ("other", "pos")])
    data = load_texts(DataRef(id=f"path:{tmp_path}"), seed=0)
    assert {data.texts[row] for row in data.test[data.leaked]} == {"Film 3", "film 8"}
    (problem,) = data.problems
    assert (problem.code, problem.values) == ("data.text_leak", {"n": 2, "total": 4})


def test_validation_rows_that_are_trained_on_are_told_where_they_are_given(tmp_path: Path) -> None:
    rows = [(f"film {i}", "pos" if i % 2 else "neg") for i in range(60)]
    for name, part in (("train", rows[:30]), ("val", rows[26:36]), ("test", rows[40:50])):
        _table(tmp_path / f"{name}.csv", part)
    ref = DataRef(id=f"path:{tmp_path}")
    for problems in (load_texts(ref, seed=0).problems, describe_data(ref, SilentReporter()).problems):
        (problem,) = problems
        assert (problem.code, problem.values) == ("data.validation_leak", {"n": 4, "total": 10})


def test_same_text_under_two_classes_is_told_as_a_contradiction(tmp_path: Path) -> None:
    rows = [(f"film {i}", "pos" if i % 2 else "neg") for i in range(40)]
    ref = _table(tmp_path / "a.csv", [*rows, ("film 3", "neg"), ("FILM 4", "pos"), ("film 5", "pos")])
    for problems in (load_texts(ref, seed=0).problems, describe_data(ref, SilentReporter()).problems):
        told = {problem.code: problem for problem in problems}
        assert told["data.text_contradictions"].values["n"] == 2
        assert "“film 3” (negative, positive)" in explain(told["data.text_contradictions"])
        assert told["data.text_duplicates"].values["n"] == 1


def test_same_picture_in_two_class_folders_is_told_as_a_contradiction(tmp_path: Path) -> None:
    root = fill(tmp_path, {"cat": 20, "dog": 20})
    (root / "dog" / "again.png").write_bytes((root / "cat" / "004.png").read_bytes())
    for problems in (load(root).problems, describe_data(DataRef(id=f"path:{root}"), SilentReporter()).problems):
        (problem,) = problems
        assert problem.code == "data.contradictions"
        assert "cat/004.png (cat), dog/again.png (dog)" in explain(problem)


def test_nothing_but_copies_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(5):
            (tmp_path / name / f"{i}.png").write_bytes(encoded(1))
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert "data.all_alike" in codes(caught.value.problems, "error")
    with pytest.raises(DataError) as caught:
        load_texts(_table(tmp_path / "a.csv", [("same", "pos"), ("Same", "neg")] * 3), seed=0)
    assert "data.all_texts_alike" in codes(caught.value.problems, "error")


@pytest.mark.parametrize("part", ["test", "val"])
def test_a_test_or_validation_of_one_class_is_told(tmp_path: Path, part: str) -> None:
    classes = {"train/ill": 8, "train/well": 8, "test/ill": 4, "test/well": 4, f"{part}/well": 6}
    if part == "test":
        classes.pop("test/ill")
    root = fill(tmp_path, classes)
    code = {"test": "data.test_one_class", "val": "data.validation_one_class"}[part]
    for problems in (load(root).problems, describe_data(DataRef(id=f"path:{root}"), SilentReporter()).problems):
        (problem,) = problems
        assert (problem.code, problem.values) == (code, {"label": "well", "n": 6})


def test_classes_that_are_not_tested_are_told_where_the_test_is_given(tmp_path: Path) -> None:
    classes = {"train/a": 8, "train/b": 8, "train/c": 8, "test/a": 3, "test/b": 3}
    (problem,) = load(fill(tmp_path, classes)).problems
    assert (problem.code, problem.values) == ("data.untested_classes", {"n": 1, "labels": "c"})


def test_only_files_of_one_size_are_read_to_find_copies(tmp_path: Path) -> None:
    root = fill(tmp_path, {"a": 30, "b": 30}, size=(12, 10))
    for i, path in enumerate(sorted(root.rglob("*.png"))):
        path.write_bytes(encoded(i) + bytes(i))  # no two are as long
    data = load(root, train_size=4, test_size=4)
    looked_at = RowStore(cache_folder("facts", f"{data.fingerprint}-{DECODING}"), 60, (5,), np.int64)
    used = np.concatenate([data.train, data.validation, data.test])
    assert len(looked_at.missing(np.arange(60))) == 60 - len(used) > 0
