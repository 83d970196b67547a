"""Every picture of a folder or zip is answered as a run; what cannot be read is told; hostile zips are refused."""

from __future__ import annotations

import csv
import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core import settings
from core.errors import DataError, StoppedError
from core.models.catalog import get_model
from core.predict import run as predict_run
from core.predict.answer_tables import answers_csv, picture_row
from core.predict.load import load_predictor
from core.predict.picture_files import Squares, open_album
from core.predict.pictures import Predictor
from core.predict.run import answer_file
from core.predict.spec import PredictSpec
from core.predict.text_files import store_questions
from core.progress import SilentReporter
from core.runs import kinds, manage, submit
from core.runs.kinds import check_spec
from tests.fixtures.pictures import exif_of
from tests.fixtures.tiny import colour_classifier, predictor_of

LITE0 = "bundled/efficientnet_lite0"
COLOURS = {"red": (250, 20, 20), "green": (20, 250, 20)}


def _picture(colour: str) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (40, 48), COLOURS[colour]).save(content, "PNG")
    return content.getvalue()


@pytest.fixture
def files() -> dict[str, bytes]:
    """Pictures at several depths, a broken one, and what systems and people leave beside."""
    return {
        "a.png": _picture("red"),
        "deep/er/猫.PNG": _picture("green"),
        "deep/b.jpg": b"MZ this is a program",
        "deep/=c.png": _picture("green"),
        "notes.txt": b"nothing to see",
        "__MACOSX/._a.png": b"rubbish",
        ".hidden/d.png": _picture("red"),
    }


@pytest.fixture(params=["folder", "zip"])
def album(request: pytest.FixtureRequest, files: dict[str, bytes], tmp_path: Path) -> Path:
    target = tmp_path / ("pictures.zip" if request.param == "zip" else "pictures")
    if request.param == "zip":
        with zipfile.ZipFile(target, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return target
    for name, content in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(content)
    return target


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The tiny network answers; how many pictures it was given in each call."""
    predictor, calls = predictor_of(colour_classifier()), list[int]()
    answer = predictor.answer_seen

    def counting(squares: Any, top: int) -> Any:
        calls.append(len(squares))
        return answer(squares, top)

    monkeypatch.setattr(predictor, "answer_seen", counting)
    monkeypatch.setattr("core.predict.load.load_predictor", lambda _id: predictor)
    return calls


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "artifacts" / "answers.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_every_picture_has_a_row_in_order(album: Path, answers: list[int], tmp_path: Path, home: Path) -> None:
    spec = PredictSpec(model=LITE0, file=str(album))
    assert not check_spec(spec)
    summary = answer_file(spec, tmp_path, SilentReporter(), False)
    rows = _rows(tmp_path)
    assert [row["file"] for row in rows] == ["a.png", "deep/=c.png", "deep/b.jpg", "deep/er/猫.PNG"]
    assert [row["label"] for row in rows] == ["red", "green", "", "green"]
    assert list(rows[0])[:5] == ["file", "label", "confidence", "label 2", "confidence 2"]
    assert (rows[0]["label 2"], rows[0]["label 3"]) == ("green", "")
    assert float(rows[0]["confidence"]) > 0.9
    assert (summary["kind"], summary["rows"]) == ("pictures", 4)
    assert summary["counts"] == {"green": 2, "red": 1, "": 1}
    codes = {problem["code"]: problem["values"] for problem in summary["problems"]}
    assert codes["predict.unreadable_pictures"] == {"n": 1, "names": "deep/b.jpg"}
    assert codes["data.other_files"]["names"] == "notes.txt"
    assert answers == [3]
    shown = json.loads((tmp_path / "artifacts" / "report.json").read_text(encoding="utf-8"))["rows"]
    assert shown[0]["file"] == "a.png"


def test_a_folder_of_which_nothing_can_be_read_is_no_answer(answers: list[int], tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("a.png", "b.jpg"):
        (folder / name).write_bytes(b"no picture")
    with pytest.raises(DataError, match="None of the 2 pictures can be read"):
        answer_file(PredictSpec(model=LITE0, file=str(folder)), tmp_path, SilentReporter(), False)


def test_odd_pictures_are_answered_and_told_by_name(answers: list[int], tmp_path: Path, home: Path) -> None:
    """EXIF that Pillow stumbles over, and grey values that use little of their range."""
    folder = tmp_path / "album"
    folder.mkdir()
    tags = {"turned": (3, 6, -5), "nine": (3, 9, 40)}
    for name, (kind, turn, width) in tags.items():
        exif = exif_of(kind, struct.pack("<HH", turn, 0), (0x0100, 9, 1, struct.pack("<i", width)))
        Image.new("RGB", (40, 48), COLOURS["red"]).save(folder / f"{name}.jpg", exif=exif)
    faint = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    Image.fromarray(faint).save(folder / "twelve.png")
    summary = answer_file(PredictSpec(model=LITE0, file=str(folder)), tmp_path, SilentReporter(), False)
    assert [row["file"] for row in _rows(tmp_path) if row["label"]] == ["nine.jpg", "turned.jpg", "twelve.png"]
    told = {problem["code"]: problem["values"]["names"] for problem in summary["problems"]}
    assert told == {"data.turn_unknown": "nine.jpg", "data.nearly_flat": "twelve.png"}


def test_stopped_run_goes_on_where_it_was(
    answers: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setattr(predict_run, "PICTURES_PART", 4)
    monkeypatch.setattr(predict_run, "PICTURES_AT_ONCE", 3)
    (tmp_path / "set").mkdir()
    for place in range(10):
        (tmp_path / "set" / f"{place}.png").write_bytes(_picture("red" if place % 2 else "green"))

    class Stops(SilentReporter):
        def should_stop(self) -> bool:
            return len(list((tmp_path / "checkpoint").glob("*.json"))) >= 2

    spec = PredictSpec(model=LITE0, file=str(tmp_path / "set"))
    with pytest.raises(StoppedError):
        answer_file(spec, tmp_path, Stops(), False)
    assert answers == [3, 1, 3, 1]
    answer_file(spec, tmp_path, SilentReporter(), True)
    assert answers == [3, 1, 3, 1, 2], "what was answered is not asked again"
    assert [row["label"] for row in _rows(tmp_path)] == ["green", "red"] * 5


def test_squares_are_those_of_one_after_another(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many were decoded ahead, in whatever order they are taken."""
    found, seen = open_album(album), get_model(LITE0).vision
    with Squares(found, seen) as plain:
        wanted = [plain.take(row, row + 1)[0] for row in range(len(found))]
    for n in (1, 3, len(found)):
        monkeypatch.setattr(Squares, "AHEAD_BYTES", n * 3 * seen.image_size**2)
        with Squares(found, seen) as squares:
            squares.begin()
            got = squares.take(2, 9) + squares.take(0, 2)
        for one, other in zip(got, wanted[2:] + wanted[:2], strict=True):
            assert (one.name, one.odd) == (other.name, other.odd)
            np.testing.assert_array_equal(one.square, other.square)
    with Squares(found, seen) as squares:
        squares.begin()
        squares.be_shown_as(seen.at(32))
        assert {one.square.shape for one in squares.take(0, 9) if one.square is not None} == {(32, 32, 3)}


def test_no_more_is_decoded_ahead_than_memory_is_meant_for(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("core.predict.picture_files.fit_image", lambda *_: opened.append("") or np.zeros((1, 1, 3)))
    monkeypatch.setattr(Squares, "AHEAD_BYTES", 2 * 3 * 224**2)
    with Squares(open_album(album), get_model(LITE0).vision) as squares:
        squares.begin()
        squares._ahead.shutdown()
        assert len(opened) == 2


def test_hastened_predictor_answers_the_same() -> None:
    predictor = load_predictor(LITE0)
    assert isinstance(predictor, Predictor)
    squares = list(np.random.default_rng(0).integers(0, 255, (4, 224, 224, 3), dtype=np.uint8))
    before = predictor.answer_seen(squares)
    predictor.hasten()
    for one, other in zip(predictor.answer_seen(squares, 5), before, strict=True):
        assert [label for label, _ in one] == [label for label, _ in other[:5]]
        assert [share for _, share in one] == pytest.approx([share for _, share in other[:5]], abs=1e-5)
        assert len(other) == len(predictor.labels)


def test_hostile_zip_is_refused_with_its_reason(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("../../out.png", _picture("red"))
    with pytest.raises(DataError, match="point outside it"):
        open_album(tmp_path / "x.zip")
    (tmp_path / "y.zip").write_bytes(b"PK this is no zip")
    with pytest.raises(DataError, match="cannot be read"):
        open_album(tmp_path / "y.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="No pictures were found in empty"):
        open_album(tmp_path / "empty")


def test_uploaded_zip_is_kept_as_one_and_deleted_with_its_run(home: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.png", _picture("red"))
    path = store_questions(content, "my ../pictures.zip", "upload-9")
    assert path.suffix == ".zip"
    assert path.is_relative_to(settings.folder("asked"))
    run = submit.new_run(PredictSpec(model=LITE0, file=str(path)))
    assert kinds.command_line(manage.spec_of(run)).startswith(f"python -m core predict --model {LITE0} --file")


def test_rows_of_pictures_hold_five_answers_and_no_formula() -> None:
    found = [(f"class {place}", 0.5 / 2**place) for place in range(9)]
    rows = [picture_row("=1+1.png", found), picture_row("none.png", [])]
    assert len(rows[0]) == 11
    assert (rows[0]["label 5"], rows[1]["label"], rows[1]["confidence"]) == ("class 4", "", None)
    assert b"'=1+1.png" in answers_csv(rows)
