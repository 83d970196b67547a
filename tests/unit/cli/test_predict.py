"""`predict` on the command line: pictures by option or argument, texts, a csv, and what is refused."""

from __future__ import annotations

import csv
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from core.cli.app import app
from core.errors import PARTLY, GraftError
from core.predict import at_once
from tests.fixtures.optimizations import make_optimization
from tests.fixtures.pictures import exif_of
from tests.fixtures.tiny import colour_classifier, predictor_of


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    paths = []
    for name, colour in (("红.png", "#f01010"), ("green.png", "#10f010")):
        Image.new("RGB", (40, 30), colour).save(tmp_path / name)
        paths.append(str(tmp_path / name))
    return paths


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tiny network answers whatever model is named; the names that were."""
    named: list[str] = []

    def load(model_id: str) -> Any:
        named.append(model_id)
        return predictor_of(colour_classifier())

    monkeypatch.setattr(at_once, "load_predictor", load)
    return named


def _predict(*words: str) -> Any:
    done = CliRunner().invoke(app, ["predict", *words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_option_and_argument_mean_the_same(pictures: list[str], models: list[str]) -> None:
    told = _predict("--image", pictures[0], "--image", pictures[1], "--top", "1")
    assert [row["answers"][0]["label"] for row in told["predictions"]] == ["red", "green"]
    assert [len(row["answers"]) for row in told["predictions"]] == [1, 1]
    again = _predict(*pictures, "--top", "1", "--model", "run/mine")
    assert again["predictions"] == told["predictions"]
    assert models == ["bundled/efficientnet_lite0", "run/mine"], "pictures alone are answered by what comes along"


def test_csv_holds_every_picture_with_its_answers(pictures: list[str], models: list[str], tmp_path: Path) -> None:
    _predict(*pictures, "--out", str(tmp_path / "answers.csv"))
    with (tmp_path / "answers.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["label"], row["label 2"]) for row in rows] == [
        (pictures[0], "red", "green"),
        (pictures[1], "green", "red"),
    ]


def test_what_cannot_be_read_is_named_and_the_others_are_answered(
    pictures: list[str], models: list[str], tmp_path: Path
) -> None:
    broken, absent, sideways = tmp_path / "broken.jpg", tmp_path / "absent.png", tmp_path / "sideways.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no more")
    Image.new("RGB", (40, 30), "#10f010").save(sideways, exif=exif_of(3, struct.pack("<HH", 9, 0)))
    asked = [pictures[0], str(broken), str(absent), pictures[1], str(sideways), pictures[0]]
    done = CliRunner().invoke(app, ["predict", *asked, "--out", str(tmp_path / "answers.csv")])
    assert done.exit_code == PARTLY
    labels = [line.split(": ")[1].split()[0] for line in done.stdout.splitlines()]
    assert labels == ["red", "green", "green", "red"]
    told = done.stderr.splitlines()
    assert [line.split(":")[0] for line in told] == ["error", "error", "warning"]
    assert ["broken.jpg" in told[0], "absent.png" in told[1], "sideways.jpg" in told[2]] == [True] * 3
    with (tmp_path / "answers.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["label"]) for row in rows[1:3]] == [(str(broken), ""), (str(absent), "")]
    values = json.loads(CliRunner().invoke(app, ["predict", *asked, "--json"]).stdout)
    assert [problem["severity"] for problem in values["problems"]] == ["error", "error", "warning"]
    with pytest.raises(GraftError, match=r"broken\.jpg"):
        CliRunner().invoke(app, ["predict", str(broken)], catch_exceptions=False)


def test_what_cannot_be_asked_is_told_before_a_model_is_loaded(pictures: list[str], tmp_path: Path) -> None:
    for words, sentence in (
        (["no.png", "nor.png"], "no file or folder nor.png"),
        ([str(tmp_path), *pictures], "give it alone"),
        ([*pictures, "--text", "a film"], "one of them at a time"),
        ([], "Nothing to ask about"),
        ([str(tmp_path)], "Say with --out"),
    ):
        with pytest.raises(GraftError, match=sentence):
            CliRunner().invoke(app, ["predict", *words], catch_exceptions=False)


def test_variant_answers_files_alone(tmp_path: Path) -> None:
    made = make_optimization("done")
    words = ["predict", "--text", "good", "--variant", f"{made.id}/static_int8"]
    with pytest.raises(GraftError) as told:
        CliRunner().invoke(app, words, catch_exceptions=False)
    assert [problem.code for problem in told.value.problems] == ["predict.variant_of_file"]
    with pytest.raises(GraftError) as told:
        CliRunner().invoke(app, [*words[:3], "--variant", "op-gone/static_int8"], catch_exceptions=False)
    assert [problem.code for problem in told.value.problems] == ["run.unknown"]
