"""Class folders as people really make them: wrappers, splits, strays and links, all told, none guessed wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.data.collection import Collection
from core.data.readers.folder import list_album, open_folder
from core.errors import DataError
from core.problems import Problem
from core.spec import DataRef
from tests.fixtures.pictures import codes, encoded, fill


def _open(root: Path) -> Collection:
    return open_folder([root], DataRef(id=f"path:{root}"), root.name)


def _labels_of(collection: Collection, split: str = "train") -> list[str]:
    return sorted(collection.labels[c] for c in collection.targets[collection.splits[split]])


def _problem(collection: Collection, code: str) -> Problem:
    return next(problem for problem in collection.problems if problem.code == code)


def test_folders_are_classes_in_natural_order(tmp_path: Path) -> None:
    found = _open(fill(tmp_path, {"class 10": 1, "class 2": 2, "猫": 1}))
    assert found.labels == ["class 2", "class 10", "猫"]
    assert _labels_of(found) == ["class 10", "class 2", "class 2", "猫"]
    assert list(found.splits) == ["train"]
    assert found.problems == []


@pytest.mark.parametrize("word", ["val", "valid", "validation", "Val", "dev"])
def test_splits_are_told_by_their_names(tmp_path: Path, word: str) -> None:
    found = _open(fill(tmp_path, {"Train/a": 2, "Train/b": 2, f"{word}/a": 1, "TEST/b": 1}))
    assert found.labels == ["a", "b"]
    assert {name: len(rows) for name, rows in found.splits.items()} == {"train": 4, "validation": 1, "test": 1}


@pytest.mark.parametrize("wrapper", ["data", "my pictures/inner", "images/v2/all"])
@pytest.mark.parametrize("split", ["", "train/"])
def test_wrapper_folders_are_looked_through(tmp_path: Path, wrapper: str, split: str) -> None:
    fill(tmp_path / wrapper, {f"{split}cat": 2, f"{split}dog": 2})
    (tmp_path / "README.txt").write_text("about")
    found = _open(tmp_path)
    assert found.labels == ["cat", "dog"]
    assert codes(found.problems) == {"data.other_files"}


def test_wrapper_is_looked_through_when_there_is_a_single_class(tmp_path: Path) -> None:
    assert _open(fill(tmp_path, {"all/cat": 3})).labels == ["cat"]


def test_only_folder_is_a_class_when_pictures_lie_in_it(tmp_path: Path) -> None:
    assert _open(fill(tmp_path, {"cat": 3})).labels == ["cat"]


def test_what_systems_leave_behind_is_not_worth_a_word(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 1, "b": 1, "__MACOSX/a": 1, ".git/a": 1, "@eaDir": 1})
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "a/Thumbs.db", "a/._000.png", "b/.DS_Store"):
        (tmp_path / name).write_bytes(b"x")
    found = _open(tmp_path)
    assert found.labels == ["a", "b"]
    assert len(found) == 2
    assert found.problems == []


@pytest.mark.parametrize("stray", ["preview.png", "extra/a.png", "docs/figures/a.png"])
def test_splits_stay_splits_when_something_lies_beside_them(tmp_path: Path, stray: str) -> None:
    fill(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 1, "test/b": 1})
    (tmp_path / stray).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / stray).write_bytes(encoded(99))
    found = _open(tmp_path)
    assert found.labels == ["a", "b"]
    assert _problem(found, "data.loose_pictures").values == {"n": 1, "names": stray}


def test_train_is_a_class_when_it_stands_among_vehicles(tmp_path: Path) -> None:
    found = _open(fill(tmp_path, {"train": 2, "car": 2, "bus": 2}))
    assert found.labels == ["bus", "car", "train"]


def test_outer_folder_counts_when_classes_are_nested(tmp_path: Path) -> None:
    found = _open(fill(tmp_path, {"animal/cat": 2, "animal/dog": 1, "plant/rose": 2}))
    assert found.labels == ["animal", "plant"]
    problem = _problem(found, "data.nested_folders")
    assert (problem.severity, problem.values["n"]) == ("warning", 5)


def test_empty_class_folders_are_told(tmp_path: Path) -> None:
    fill(tmp_path, {"all/a": 1, "all/b": 1})
    (tmp_path / "all" / "nothing").mkdir()
    (tmp_path / "all" / "words").mkdir()
    (tmp_path / "all" / "words" / "a.txt").write_text("x")
    found = _open(tmp_path)
    assert found.labels == ["a", "b"]
    assert _problem(found, "data.empty_folder").values == {"n": 2, "names": "nothing, words"}
    assert _problem(found, "data.other_files").values == {"n": 1, "names": "all/words/a.txt"}


def test_pictures_outside_class_folders_are_left_out_and_told(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 2, "b": 2})
    (tmp_path / "cover.jpg").write_bytes(encoded(9, "JPEG"))
    found = _open(tmp_path)
    assert len(found) == 4
    assert "cover.jpg" in _problem(found, "data.loose_pictures").values["names"]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([], "data.no_pictures"),
        (["a/1.txt", "a/2.txt"], "data.no_pictures"),
        (["a/inner.zip", "b/more.rar"], "data.only_archives"),
        (["1.png", "2.png"], "data.no_class_folders"),
        (["train/1.png", "test/2.png"], "data.no_class_folders"),
    ],
)
def test_folder_without_classes_is_refused(tmp_path: Path, files: list[str], code: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded(0))
    with pytest.raises(DataError) as found:
        _open(tmp_path)
    assert found.value.code == code


def test_names_keep_their_letters_and_are_shown_short(tmp_path: Path) -> None:
    long = "很长的类别名" * 13  # 234 bytes: the longest a file system takes is 255
    found = _open(fill(tmp_path, {long: 1, "Ünïcödé 🐈": 1}))
    assert set(found.labels) == {long, "Ünïcödé 🐈"}


def test_linked_class_folders_are_followed_once(tmp_path: Path) -> None:
    real = fill(tmp_path / "elsewhere", {"cat": 2})
    root = fill(tmp_path / "data", {"dog": 2})
    (root / "cat").symlink_to(real / "cat")
    (root / "dog" / "again").symlink_to(root)
    (root / "dog" / "gone.png").symlink_to(root / "nowhere.png")
    found = _open(root)
    assert found.labels == ["cat", "dog"]
    assert len(found) == 4


def test_links_out_of_the_allowed_folders_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = fill(tmp_path / "secret", {"x": 2})
    root = fill(tmp_path / "open", {"a": 1, "b": 1})
    (root / "x").symlink_to(secret / "x")
    (root / "a" / "y.png").symlink_to(secret / "x" / "000.png")
    assert len(_open(root)) == 5
    monkeypatch.setenv("GRAFT_DATA_ROOTS", str(root))
    assert len(_open(root)) == 2


@pytest.mark.parametrize("ask", [lambda root: open_folder([root], DataRef(id="path:/"), "disk"), list_album])
def test_whole_disk_is_refused_at_once_also_by_a_link(tmp_path: Path, ask: Callable[[Path], object]) -> None:
    (tmp_path / "all").symlink_to("/")
    for root in (Path("/"), tmp_path / "all", Path("/usr/..")):
        with pytest.raises(DataError) as refused:
            ask(root)
        assert [problem.code for problem in refused.value.problems] == ["data.whole_disk"]


def test_what_the_system_tells_in_the_shape_of_files_is_not_read(tmp_path: Path) -> None:
    root = fill(tmp_path, {"a": 2, "b": 1})
    for place in ("proc", "sys", "dev"):
        (root / place).symlink_to(f"/{place}")
    found = _open(root)
    assert (found.labels, len(found)) == (["a", "b"], 3)


def test_fingerprint_follows_names_and_content_but_not_the_place(tmp_path: Path) -> None:
    root = fill(tmp_path / "one", {"a": 2, "b": 2})
    first = _open(root).fingerprint
    assert _open(root).fingerprint == first
    moved = root.rename(tmp_path / "two")
    assert _open(moved).fingerprint == first
    changed = moved / "a" / "000.png"
    changed.write_bytes(encoded(77))
    os.utime(changed, (1, 1))
    second = _open(moved).fingerprint
    assert second != first
    changed.rename(moved / "b" / "new.png")
    assert _open(moved).fingerprint not in {first, second}


def test_reading_gives_the_bytes_of_each_row_and_nothing_for_a_lost_file(tmp_path: Path) -> None:
    found = _open(fill(tmp_path, {"a": 2, "b": 1}))
    (tmp_path / found.items.name(1)).unlink()
    got = dict(found.items.read_many(np.array([2, 1, 0])))
    assert got == {0: encoded(0), 1: None, 2: encoded(2)}


def test_twenty_thousand_files_are_all_found(tmp_path: Path) -> None:
    content = encoded(0, size=(2, 2))
    for name in ("a", "b", "c", "d"):
        (tmp_path / name).mkdir()
        for i in range(5000):
            (tmp_path / name / f"{i}.png").write_bytes(content)
    found = _open(tmp_path)
    assert np.bincount(found.targets).tolist() == [5000] * 4
