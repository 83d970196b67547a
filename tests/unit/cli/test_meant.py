"""What is typed on the command line: names without a source, and places for results that are refused first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli.app import app
from core.cli.meant import meant_data, meant_model
from core.data.uploads import uploads_folder
from core.errors import GraftError, InputError
from core.messages import explain
from core.store import open_store


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("bundled/efficientnet_lite0", "bundled/efficientnet_lite0"),
        (" 'torchvision/resnet18' ", "torchvision/resnet18"),
        ("“minilm-l6”", "bundled/minilm-l6"),
        ("MiniLM-L6", "bundled/minilm-l6"),
        ("bert-base-chinese", "hub/google-bert/bert-base-chinese"),
        ("google-bert/bert-base-chinese", "hub/google-bert/bert-base-chinese"),
        ("https://huggingface.co/google-bert/bert-base-chinese/tree/main", "hub/google-bert/bert-base-chinese"),
        ("https://huggingface.co/timm/resnet18.a1_in1k", "timm/resnet18.a1_in1k"),
        ("resnet18.a1_in1k", "timm/resnet18.a1_in1k"),
        ("Torchvision/resnet18", "torchvision/resnet18"),
        ("hub/nobody/knows-this", "hub/nobody/knows-this"),
        ("sentiment", "sentiment"),
    ],
)
def test_model_is_taken_where_only_one_can_be_meant(typed: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert meant_model(typed) == meant
    assert (meant in capsys.readouterr().err) == (typed != meant), "what is taken otherwise is told"


@pytest.mark.parametrize(
    ("typed", "code", "told"),
    [
        ("resnet18", "model.which", "torchvision/resnet18, timm/resnet18"),
        ("someone/their-model", "model.write_hub", "hub/someone/their-model"),
        ("resnt18", "model.unknown", "resnet18"),
        ("", "model.unknown", "bundled/"),
        ("/tmp", "model.is_path", "weights --import"),
        ("path:/tmp", "model.is_path", "weights --import"),
        ("x" * 5000, "model.unknown", "…"),
        ("\udcff\0", "model.unknown", "bundled/"),
    ],
)
def test_model_that_is_not_certain_is_refused_with_what_to_write(typed: str, code: str, told: str) -> None:
    with pytest.raises(InputError) as refused:
        meant_model(typed)
    (problem,) = refused.value.problems
    assert problem.code == code
    assert told in explain(problem)


def test_run_is_meant_by_its_number_alone() -> None:
    open_store().create_run("ft-1129-101112-abc", kind="finetune", name="", spec={})
    assert meant_model("ft-1129-101112-abc") == "run/ft-1129-101112-abc"
    with pytest.raises(InputError):
        meant_model("ft-1129-101112-abd")


def test_data_is_taken_where_only_one_can_be_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my pets.csv").write_bytes(b"text,label\n")
    (uploads_folder() / "pets.zip").write_bytes(b"")
    for typed, meant in (
        ("digits", "builtin/digits"),
        ("Digits ", "builtin/digits"),
        ("pets", "upload/pets"),
        ("pets.zip", "upload/pets"),
        ("my pets.csv", "path:my pets.csv"),
        (f"'{tmp_path}/my pets.csv'", f"path:{tmp_path}/my pets.csv"),
        ((tmp_path / "my pets.csv").as_uri(), f"path:{tmp_path}/my pets.csv"),
        ("Path: my pets.csv", "path:my pets.csv"),
        ("https://huggingface.co/datasets/someone/pets/viewer", "hub/someone/pets"),
    ):
        assert meant_data(typed) == meant, typed
    (tmp_path / "digits").mkdir()
    for typed, code, told in (
        ("digits", "data.which", "builtin/digits, path:digits"),
        ("digitz", "data.write", "builtin/digits"),
        ("gone.csv", "data.path_missing", "gone.csv"),
        (r"C:\pets", "path.of_windows", "/home/me"),
        ("https://example.org/pets.zip", "path.address", "Save"),
        ("path:", "data.write", "path:"),
        ("a" * 5000 + ".csv", "path.too_long", "…"),
    ):
        with pytest.raises(InputError) as refused:
            assert meant_data(typed) == "refused"
        (problem,) = refused.value.problems
        assert (problem.code, problem.field) == (code, "data")
        assert told in explain(problem)


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "--text", "good", "--out", "{}"],
        ["predict", "--file", "{table}", "--out", "{}"],
        ["predict", "{picture}", "--out", "{}"],
        ["predict", "{table.parent}", "--out", "{}"],
        ["ask", "--task", "text-to-image", "--text", "a cat", "--out", "{}"],
        ["optimize", "--model", "bundled/efficientnet_lite0", "--data", "builtin/digits", "--bundle", "{}"],
    ],
)
def test_place_of_a_result_is_refused_before_the_work(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for work in (
        "core.runs.submit.submit", "core.predict.at_once.ask_texts", "core.predict.at_once.ask_pictures",
        "core.predict.tasks.load.load_task",
    ):  # fmt: skip
        monkeypatch.setattr(work, lambda *_, **__: pytest.fail("the work began"))
    table, picture = tmp_path / "asked.csv", tmp_path / "asked.png"
    for path in (table, picture):
        path.write_bytes(b"text\ngood\n")
    place = str(table / "answers.csv")
    asked = [word.format(place, table=table, picture=picture) for word in words]
    done = CliRunner().invoke(app, asked)
    assert isinstance(done.exception, GraftError), done.output
    assert done.exception.exit_code == 2
    assert [problem.code for problem in done.exception.problems] == ["path.not_a_folder"]


def test_asked_table_is_not_written_over_and_nobody_waits_for_detached_answers(tmp_path: Path) -> None:
    table = tmp_path / "asked.csv"
    table.write_bytes(b"text\ngood\n")
    for more, code in (
        (["--out", str(table)], "path.out_is_asked"),
        (["--out", "x", "--detach"], "predict.out_detached"),
    ):
        done = CliRunner().invoke(app, ["predict", "--file", str(table), *more])
        assert isinstance(done.exception, GraftError)
        assert [problem.code for problem in done.exception.problems] == [code]
    assert open_store().list_runs() == []


def test_both_names_are_told_at_once_and_the_json_stays_one_document(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["finetune", "--model", "resnet18", "--data", "digitz", "--json"])
    assert isinstance(done.exception, GraftError)
    assert [problem.code for problem in done.exception.problems] == ["model.which", "data.write"]
    shown = CliRunner().invoke(app, ["model", "'sentiment'", "--json"])
    assert json.loads(shown.stdout)
