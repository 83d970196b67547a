"""The line that repeats a run: parsed again, it asks for the same."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli.app import app
from core.data.spec import ImportSpec
from core.finetune.spec import FinetuneSpec
from core.measurement.spec import MeasureSpec
from core.predict.spec import PredictSpec
from core.runs import submit
from core.runs.kinds import command_line
from core.spec import DataRef, Spec, option_name, parse_spec, spec_options

BASE = {"model": {"id": "bundled/efficientnet_lite0"}, "data": {"id": "builtin/digits"}}

CASES = [
    {},
    {"method": "full"},
    {"method": "last", "last_blocks": 4, "epochs": 12},
    {"lr": 3.3e-5, "weight_decay": 0.0, "batch_size": 8},
    {"lr": 0.1 + 0.2},
    {"train_size": 100, "test_size": 50, "image_size": 96, "seed": 7},
    {"augment": "strong", "patience": 2, "schedule": "constant", "precision": "fp32", "device": "cpu"},
    {"model": {"id": "bundled/efficientnet_lite0", "weights": "random"}, "method": "full"},
]


def _parsed_again(line: str, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """What the command line makes of a line, caught where it would be queued."""
    caught: list[Spec] = []

    class _CaughtError(Exception):
        pass

    def catch(spec: Spec, **_: object) -> None:
        caught.append(spec)
        raise _CaughtError

    for name in ("submit", "new_run"):
        monkeypatch.setattr(submit, name, catch)
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "core"]
    result = CliRunner().invoke(app, words[3:])
    assert caught, result.output
    return caught[0]


@pytest.mark.parametrize("changes", CASES, ids=lambda changes: ",".join(changes) or "defaults")
def test_command_line_gives_the_same_spec_when_parsed_again(
    changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = parse_spec(FinetuneSpec, {**BASE, **changes})
    assert _parsed_again(command_line(spec), monkeypatch) == spec


def test_command_line_quotes_a_path_that_a_shell_would_read_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "it's a folder; $HOME 图片"
    folder.mkdir()
    spec = parse_spec(FinetuneSpec, {**BASE, "data": {"id": f"path:{folder}"}})
    assert _parsed_again(command_line(spec), monkeypatch) == spec


def test_command_line_names_only_what_differs_from_the_defaults() -> None:
    spec = parse_spec(FinetuneSpec, BASE)
    wanted = "python -m core finetune --model bundled/efficientnet_lite0 --data builtin/digits --method head"
    assert command_line(spec) == wanted


def test_options_leave_out_what_does_not_matter_for_the_method() -> None:
    spec = parse_spec(FinetuneSpec, {**BASE, "method": "head", "last_blocks": 7})
    assert "--last-blocks" not in spec_options(spec)


@pytest.mark.parametrize("changes", [{}, {"batch_size": 8, "model": {"id": "run/ft-1", "weights": "random"}}])
def test_command_line_of_a_measurement_asks_for_the_same(
    changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = parse_spec(MeasureSpec, {"model": BASE["model"], **changes})
    assert _parsed_again(command_line(spec), monkeypatch) == spec


@pytest.mark.parametrize("words", [["--image"], []], ids=["option", "argument"])
def test_folder_of_pictures_is_asked_as_a_run(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = shlex.join(["python", "-m", "core", "predict", *words, str(tmp_path), "--out", "answers.csv"])
    spec = _parsed_again(line, monkeypatch)
    assert spec == PredictSpec(model="bundled/efficientnet_lite0", file=str(tmp_path))
    assert _parsed_again(command_line(spec), monkeypatch) == spec


def test_command_line_of_an_import_names_its_data() -> None:
    spec = ImportSpec(data=DataRef(id="path:/a b"))
    assert shlex.split(command_line(spec)) == ["python", "-m", "core", "data", "path:/a b"]


def test_option_is_named_after_its_field() -> None:
    assert option_name("batch_size") == "--batch-size"
