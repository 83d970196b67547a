"""`python -m core ask`: one question from the command line, its answer as one document or as lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile
from typer.testing import CliRunner

from core.cli.app import app
from core.errors import GraftError, InputError, NotFoundError
from core.registry.tasks import TASKS
from tests.fixtures.tiny_models import plant


def _ask(*words: str) -> Any:
    """The answer as JSON; what Graft can explain is raised."""
    done = CliRunner().invoke(app, ["ask", *words, "--json"])
    if isinstance(done.exception, GraftError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_ask_lists_the_tasks_with_what_is_here(home: Path) -> None:
    plant("fill-mask", "hub/hfl/rbt3")
    rows = {row["task"]: row for row in _ask()}
    assert list(rows) == list(TASKS)
    local = {model["id"]: model["local"] for model in rows["fill-mask"]["models"]}
    assert local["hub/hfl/rbt3"] is True
    assert local["hub/google-bert/bert-base-uncased"] is False


def test_ask_takes_the_model_that_is_here_when_none_is_named(home: Path) -> None:
    plant("fill-mask", "hub/hfl/rbt3")
    found = _ask("--task", "fill-mask", "--text", "a [MASK] ran", "--set", "top=3")
    assert found["model"] == "hub/hfl/rbt3"
    assert len(found["labels"]) == 3


def test_ask_writes_the_drawn_picture(home: Path, tmp_path: Path) -> None:
    model, picture, out = plant("image-segmentation"), tmp_path / "in.png", tmp_path / "out.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)).save(picture)
    words = ["--task", "image-segmentation", "--model", model, "--image", str(picture), "--out", str(out)]
    assert _ask(*words)["segments"]
    with Image.open(out) as drawn:
        assert drawn.size == (60, 40)


def test_ask_reads_questions_labels_and_recordings(home: Path, tmp_path: Path) -> None:
    sound = tmp_path / "a.wav"
    wavfile.write(sound, 16_000, np.zeros(16_000, np.int16))
    speech = _ask("--task", "automatic-speech-recognition", "--model", plant("wav2vec2"), "--sound", str(sound))
    assert "text" in speech
    question = ["--question", "who?", "--text", "a cat ran home", "--model", plant("question-answering")]
    assert _ask("--task", "question-answering", *question)["spans"]
    labels = ["--labels", "cat,狗", "--text", "a cat", "--model", plant("zero-shot-classification")]
    assert {row["label"] for row in _ask("--task", "zero-shot-classification", *labels)["labels"]} == {"cat", "狗"}
    done = CliRunner().invoke(app, ["ask", "--task", "zero-shot-classification", *labels])
    assert "answered in" in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--task", "fill-mask", "--image", "x.png"], "does not take --image"),
        (["--task", "fill-mask", "--text", "a [MASK]", "--set", "top=many"], "top: many is not allowed"),
        (["--task", "fill-mask"], "text is missing"),
        (["--task", "object-detection", "--image", "/nowhere.png"], "no file"),
        (["--task", "nothing"], "no task nothing"),
        (["--task", "summarization", "--text", "a"], "needs a download of about 1.2 GB"),
    ],
)
def test_ask_tells_what_is_wrong(words: list[str], told: str, home: Path) -> None:
    with pytest.raises((InputError, NotFoundError, GraftError), match=told):
        _ask(*words)
