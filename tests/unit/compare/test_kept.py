"""A training of a comparison counts as done only as it was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from core.compare.grid import Cell, artifact
from core.compare.kept import keep_result, read_result
from core.compare.records import CellResult

CELL = Cell("pretrained", "head", 100, 0)
RESULT = cast(CellResult, {"id": CELL.id, "accuracy": 0.8125, "interval": [0.7, 0.9], "n": 120})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = artifact(tmp_path, CELL, ".parquet")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"some predictions")
    keep_result(tmp_path, CELL, RESULT)
    return tmp_path


def test_result_comes_back_as_it_was_kept(folder: Path) -> None:
    assert read_result(folder, CELL) == RESULT


@pytest.mark.parametrize("ending", [".json", ".parquet"])
@pytest.mark.parametrize("how", ["a digit is another", "cut short", "empty", "gone"])
def test_damaged_result_is_trained_again(folder: Path, ending: str, how: str) -> None:
    path = artifact(folder, CELL, ending)
    content = path.read_bytes()
    changes: dict[str, Any] = {"a digit is another": content.replace(b"0.8125", b"0.9125").replace(b"some", b"sOme")}
    changes |= {"cut short": content[:-5], "empty": b""}
    path.unlink() if how == "gone" else path.write_bytes(changes[how])
    assert read_result(folder, CELL) is None


def test_result_of_an_earlier_version_is_taken(folder: Path) -> None:
    artifact(folder, CELL, ".json").write_text(json.dumps(RESULT), encoding="utf-8")
    assert read_result(folder, CELL) == RESULT
