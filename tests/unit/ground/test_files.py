"""Writing beside and renaming: the old file or the whole new one, whoever writes."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from core.files import (
    ABANDONED_AFTER_S,
    forget_unfinished,
    is_unfinished,
    making_folder,
    replacing,
    sha256,
    size_of,
    to_json,
    unshared,
    write_atomically,
)


def test_json_has_no_nan_and_keeps_letters() -> None:
    assert to_json({"b": "图片", "a": 1}) == '{\n  "a": 1,\n  "b": "图片"\n}'
    with pytest.raises(ValueError, match="JSON"):
        to_json({"a": float("nan")})


def test_writing_atomically_leaves_the_whole_text_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    for text in ("one", "two\n图片"):
        write_atomically(path, text)
        assert path.read_text(encoding="utf-8") == text
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_keeps_the_old_file_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("old")
    with pytest.raises(IsADirectoryError), replacing(path) as unfinished:
        (unfinished.write_text("half"), tmp_path.read_text())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_share_no_name(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # the one that ended last
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a.npz", "图" * 80 + ".csv", "no-suffix", ".hidden", "a.b.safetensors"])
def test_unfinished_is_hidden_keeps_its_ending_and_is_known_as_such(tmp_path: Path, name: str) -> None:
    found = unshared(tmp_path / name)
    found.write_bytes(b"x")  # its name fits the file system
    assert found.suffix == (Path(name).suffix or ".tmp")
    assert is_unfinished(found)
    forget_unfinished(tmp_path)
    assert found.exists()
    forget_unfinished(tmp_path, older_than_s=0)
    assert not found.exists()


def test_only_what_killed_writers_left_long_ago_is_forgotten(tmp_path: Path) -> None:
    old, fresh, folder = (unshared(tmp_path / "report.json") for _ in range(3))
    mine = [tmp_path / name for name in (".gitignore", "report.json", ".tmp", "a.tmp")]
    for path in (old, fresh, *mine):
        path.write_text("x")
    (folder / "inner").mkdir(parents=True)
    then = time.time() - ABANDONED_AFTER_S - 1
    for path in (old, folder, *mine):
        os.utime(path, (then, then))
    forget_unfinished(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([fresh, *mine])


def test_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "im-1"
    with pytest.raises(IsADirectoryError), making_folder(path) as unfinished:
        ((unfinished / "spec.json").write_text("half"), tmp_path.read_text())
    assert list(path.parent.iterdir()) == []
    with making_folder(path) as unfinished:
        (unfinished / "spec.json").write_text("{}")
        assert not path.exists()
    with pytest.raises(FileExistsError), making_folder(path) as unfinished:
        (unfinished / "spec.json").write_text("another")
    assert (path / "spec.json").read_text() == "{}"
    assert list(path.parent.iterdir()) == [path]


def test_sum_and_size_of_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a").write_bytes(b"abc")
    (tmp_path / "b").write_bytes(b"de")
    assert sha256(tmp_path / "b") == hashlib.sha256(b"de").hexdigest()
    assert (size_of(tmp_path / "b"), size_of(tmp_path)) == (2, 5)
