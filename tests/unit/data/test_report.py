"""What the Data page shows of a data set, and what it says about it."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from core.data import report as data_report
from core.data.report import DataReport, describe_data
from core.errors import DataError, StoppedError
from core.progress import SilentReporter
from core.spec import DataRef
from tests.fixtures.pictures import encoded, fill, picture


def _describe(source: Path | str, reporter: SilentReporter | None = None) -> DataReport:
    name = f"path:{source}" if isinstance(source, Path) else source
    return describe_data(DataRef(id=name), reporter or SilentReporter())


def _codes(found: DataReport) -> dict[str, str]:
    return {problem.code: problem.severity for problem in found.problems}


def _thumbnails(found: DataReport) -> list[Image.Image]:
    head = "data:image/webp;base64,"
    assert all(item["picture"].startswith(head) for item in found.preview)
    return [Image.open(io.BytesIO(base64.b64decode(item["picture"].removeprefix(head)))) for item in found.preview]


def test_report_counts_classes_splits_sizes_and_bytes(tmp_path: Path) -> None:
    root = fill(tmp_path, {"train/a": 30, "train/b": 10, "test/a": 4, "test/b": 4}, size=(20, 10))
    (root / "train" / "a" / "999.png").write_bytes(encoded(500, size=(40, 30)))
    found = _describe(root)
    assert found.labels == ["a", "b"]
    assert found.counts == {"test": [4, 4], "train": [31, 10]}
    assert (found.num_images, found.checked) == (49, 49)
    assert found.sizes == {"width": [20, 20, 40], "height": [10, 10, 30]}
    assert found.bytes == sum(path.stat().st_size for path in root.rglob("*.png"))
    assert found.problems == []
    assert sum(found.planned.values()) == 49
    assert found.planned["test"] == 8


def test_report_is_plain_json(tmp_path: Path) -> None:
    found = _describe(fill(tmp_path, {"Cat": 3, "cat": 1}))
    assert DataReport.model_validate(json.loads(found.model_dump_json())) == found


def test_preview_shows_every_class_before_any_twice(tmp_path: Path) -> None:
    found = _describe(fill(tmp_path, {f"c{i}": 5 for i in range(10)}, size=(300, 200)))
    labels = [item["label"] for item in found.preview]
    assert len(labels) == 24
    assert len(set(labels[:10])) == 10
    assert len(set(labels[10:20])) == 10
    for image in _thumbnails(found):
        assert (image.format, image.size) == ("WEBP", (96, 64))


def test_preview_is_drawn_from_all_files_of_a_class(tmp_path: Path) -> None:
    numbers = [int(item["name"].split("/")[1][:3]) for item in _describe(fill(tmp_path, {"a": 80, "b": 80})).preview]
    assert max(numbers) > 40


def test_tiny_pictures_are_enlarged_by_whole_squares() -> None:
    found = _describe("builtin/digits")
    assert {image.size for image in _thumbnails(found)} == {(96, 96)}
    assert found.counts["train"] == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert found.planned == {"train": 1151, "validation": 287, "test": 359}


def test_modes_are_counted(tmp_path: Path) -> None:
    root = fill(tmp_path, {"a": 1, "b": 1})
    picture(7, mode="RGBA").save(root / "a" / "x.png")
    picture(8, mode="L").save(root / "b" / "x.png")
    assert _describe(root).modes == {"RGB": 2, "RGBA": 1, "L": 1}


def test_damaged_pictures_are_named_once_and_not_shown(tmp_path: Path) -> None:
    root = fill(tmp_path, {"a": 10, "b": 10})
    (root / "a" / "000.png").write_bytes(b"no picture")
    cut = root / "b" / "000.png"
    cut.write_bytes(cut.read_bytes()[:-30])
    scratched = root / "b" / "001.png"
    content = bytearray(scratched.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 20] = b"\xff" * 20
    scratched.write_bytes(content)
    found = _describe(root)
    assert [(problem.code, problem.values["n"]) for problem in found.problems] == [("data.unreadable", 3)]
    assert len(found.preview) == 17
    assert sum(found.planned.values()) == 17


def test_duplicates_are_told_within_training_and_across(tmp_path: Path) -> None:
    root = fill(tmp_path, {"train/a": 10, "train/b": 10, "test/a": 4, "test/b": 4})
    first = (root / "train" / "a" / "000.png").read_bytes()
    (root / "train" / "a" / "copy.png").write_bytes(first)
    (root / "test" / "a" / "000.png").write_bytes(first)
    values = {problem.code: problem.values for problem in _describe(root).problems}
    assert values == {"data.duplicates": {"n": 1}, "data.leak": {"n": 1, "total": 8}}


def test_unreadable_files_are_no_copies_of_each_other(tmp_path: Path) -> None:
    root = fill(tmp_path, {"train/a": 10, "train/b": 10, "test/a": 4, "test/b": 4})
    for name in ("train/a/000.png", "train/b/000.png", "test/a/000.png"):
        (root / name).write_bytes(b"")
    assert set(_codes(_describe(root))) == {"data.unreadable"}


def test_report_shows_what_there_is_when_it_cannot_be_trained_on(tmp_path: Path) -> None:
    found = _describe(fill(tmp_path, {"only": 5}))
    assert _codes(found) == {"data.one_class": "error"}
    assert (found.planned, len(found.preview), found.counts) == ({}, 5, {"train": [5]})


def test_report_names_every_problem_at_once(tmp_path: Path) -> None:
    root = fill(tmp_path, {"a": 5, "b": 5, "c": 1, "C": 1, "deep/er": 2})
    (root / "stray.png").write_bytes(encoded(90))
    (root / "notes.txt").write_text("x")
    (root / "none").mkdir()
    assert _codes(_describe(root)) == {
        "data.loose_pictures": "warning",
        "data.nested_folders": "warning",
        "data.empty_folder": "warning",
        "data.other_files": "warning",
        "data.labels_alike": "warning",
        "data.single_picture": "warning",
    }


def test_data_that_cannot_be_opened_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        _describe(tmp_path)


def test_large_data_are_checked_in_part_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_report, "_CHECKED_AT_MOST", 10)
    found = _describe(fill(tmp_path, {"a": 20, "b": 20}))
    assert (found.checked, found.num_images) == (10, 40)


def test_second_report_opens_only_the_pictures_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = fill(tmp_path, {"a": 40, "b": 40})
    first = _describe(root)
    monkeypatch.setattr("core.data.headers._look", lambda raw: pytest.fail("it was looked at again"))
    assert _describe(root) == first


def test_report_stops_when_asked(tmp_path: Path) -> None:
    class Stop(SilentReporter):
        def should_stop(self) -> bool:
            return True

    with pytest.raises(StoppedError):
        _describe(fill(tmp_path, {"a": 5, "b": 5}), Stop())
