"""What nobody foresaw: a sentence that names a log, an exit status, and no traceback, at every door."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from streamlit import config, net_util
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import bootstrap

from core import settings
from core.cli import app as cli_app
from core.errors import InputError, log_error
from core.optimize.bundle.write import script
from core.registry.model_formats import FORMATS
from core.runs import worker
from core.store import open_store
from core.unforeseen import door, print_document, told
from pages.ui import server


def _status(work: Callable[[], Any]) -> Any:
    with pytest.raises(SystemExit) as ended:
        door(work)
    return ended.value.code


def _fail(*_: object, **__: object) -> None:
    raise ValueError("a planted detail with hf_planted_token.")


def test_unknown_error_is_one_sentence_and_its_traceback_a_private_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_planted_token")
    assert _status(_fail) == 1
    said, log = capsys.readouterr(), home / "graft.log"
    assert said.out == ""
    assert said.err.startswith("error: Graft met something it does not know: ValueError: a planted detail")
    assert said.err.count("\n") == 1
    assert str(log) in said.err
    assert "Traceback" not in said.err
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert log.stat().st_mode & 0o077 == 0
    assert "hf_planted_token" not in said.err + log.read_text(encoding="utf-8")


def test_log_does_not_grow_without_end(home: Path) -> None:
    (home / "graft.log").write_bytes(b"x" * 1_000_001)
    told(ValueError("new"))
    assert 500_000 < (home / "graft.log").stat().st_size < 510_000


def test_log_is_elsewhere_where_the_home_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_home() -> Path:
        raise PermissionError(13, "Permission denied", "/home/of/nobody")

    monkeypatch.setattr(settings, "home", no_home)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (problem,) = told(ValueError("x"))
    assert "Traceback" not in str(problem)
    assert "ValueError" in Path(str(problem.values["log"])).read_text(encoding="utf-8")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert [one.code for one in told(ValueError("x"))] == ["unforeseen.nowhere"]
    assert _status(settings.home) == 1, "what the system refuses needs no traceback"
    assert "You have no rights to /home/of/nobody" in capsys.readouterr().err


def test_end_by_hand_and_known_errors_have_their_status(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    def refused() -> None:
        raise InputError("predict.nothing")

    assert (_status(interrupted), _status(refused), _status(lambda: None), _status(lambda: 3)) == (130, 2, None, 3)
    said = capsys.readouterr().err
    assert "Interrupted." in said
    assert "Traceback" not in said
    assert not (home / "graft.log").exists()


def test_reader_who_had_enough_is_nothing_wrong(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert _status(lambda: print("much" * 100_000)) == 0
        assert _status(lambda: print("little")) is None, "told when the rest is sent"
    assert not (home / "graft.log").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_full_disk_behind_stdout_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert _status(lambda: print("something")) == 1
    assert "The disk is full" in capsys.readouterr().err


def test_letters_that_a_terminal_does_not_have_are_spelled(monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    with io.TextIOWrapper(content, encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert _status(lambda: print("很好 \udcff")) is None
        print_document({"text": "很好 🌱 \udcff"})
        stream.flush()
        first, rest = content.getvalue().decode("ascii").split("\n", 1)
    assert first == r"\u5f88\u597d \udcff"
    assert json.loads(rest) == {"text": "很好 🌱 \udcff"}


def test_disk_that_fails_is_told_as_one_whoever_met_it(home: Path) -> None:
    error = RuntimeError("the reader failed")
    error.__cause__ = OSError(5, "Input/output error")
    assert [problem.code for problem in told(error)] == ["run.disk_broken"]
    known = InputError("predict.nothing")
    known.__cause__ = error.__cause__
    assert [problem.code for problem in told(known)] == ["predict.nothing"]
    assert not (home / "graft.log").exists()


# -- the doors ---------------------------------------------------------------------------------------------


def _core(monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    monkeypatch.setattr(sys, "argv", ["core", *words])
    with pytest.raises(SystemExit) as ended:
        cli_app.main()
    return ended.value.code


def test_command_line_tells_it_in_its_document_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("core.runs.queue.pump", _fail)
    assert _core(monkeypatch, "runs", "--json") == 1
    said = capsys.readouterr()
    assert [one["code"] for one in json.loads(said.out)["error"]] == ["unforeseen.logged"]
    assert "Traceback" not in said.err + said.out


def test_command_whose_reader_had_enough_has_done_its_work(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for words in (["models"], ["models", "--json"], ["models", "--limit", "1"]):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            assert not _core(monkeypatch, *words)
    assert not (home / "graft.log").exists()


@pytest.mark.parametrize(
    "words",
    [["nothing"], ["models", "--nothing"], ["model"], ["predict", "--top", "x"], ["run", "a", "b"], ["--nothing"]],
)
def test_what_was_mistyped_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert _core(monkeypatch, *words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert "--help` tells" in said.err
    assert _core(monkeypatch, *words, "--json") == 2
    assert [one["code"] for one in json.loads(capsys.readouterr().out)["error"]] == ["cli.usage"]


def test_no_words_and_help_are_answered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--help"], ["data", "--help"]):
        assert not _core(monkeypatch, *words)
        assert "Usage" in capsys.readouterr().out


def test_verbs_that_end_with_a_status_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(*_: object, **__: object) -> None:
        raise typer.Exit(2)

    monkeypatch.setattr("core.runs.queue.pump", ends)
    assert _core(monkeypatch, "runs") == 2


def test_worker_that_fails_outside_of_its_work_leaves_a_true_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store()
    store.create_run("im-1", kind="import", name="", spec={})
    store.update_run("im-1", status="running")
    monkeypatch.setattr("faulthandler.enable", lambda: None)  # wants a file for stderr
    monkeypatch.setattr(worker, "work", _fail)
    monkeypatch.setattr(worker.queue, "pump", _fail)
    monkeypatch.setattr(sys, "argv", ["worker", "im-1"])
    assert worker.main() == 1
    run = store.get_run("im-1")
    assert run.status == "failed"
    assert run.error is not None
    assert [problem["code"] for problem in run.error] == ["run.unknown_error"]
    assert "Traceback" in capsys.readouterr().err, "a worker's stderr is its log"


def test_log_of_a_worker_holds_tracebacks_of_the_unknown_alone(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        try:
            _fail()
        except ValueError as error:
            raise InputError("predict.nothing") from error
    except InputError as error:
        log_error(error)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "Nothing to ask about" in said
    assert "from ValueError (test_unforeseen.py, line " in said


@pytest.fixture
def streamlit(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Streamlit as it was, whatever a start does to it."""
    monkeypatch.setattr(bootstrap, "run", bootstrap.run)
    monkeypatch.setattr(net_util, "get_external_ip", net_util.get_external_ip)
    monkeypatch.setattr(PagesManager, "uses_pages_directory", PagesManager.uses_pages_directory)
    yield
    config.get_config_options(force_reparse=True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--nothing"], "No such option"),
        (["--server.port", "x"], "valid integer"),
    ],
)
def test_server_that_cannot_start_says_so(
    words: list[str], told: str, streamlit: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        server.serve(str(settings.PROJECT / "app.py"), ["--server.headless", "true", *words])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said


def _predict_py(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = tmp_path / "predict.py"
    program.write_text(script("text-classification", FORMATS["onnx"]), encoding="utf-8")
    asked = [sys.executable, *words[:-1], str(program), words[-1]]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    return done


def test_bundle_without_its_packages_says_what_to_install(tmp_path: Path) -> None:
    assert "pip install -r requirements.txt" in _predict_py(tmp_path, "-S", "x").stderr


def test_bundle_that_is_not_whole_says_where_it_is_written_how_that_came_about(tmp_path: Path) -> None:
    said = _predict_py(tmp_path, "sample").stderr  # nothing lies beside the program
    assert str(tmp_path / "predict-error.log") in said
    assert "Traceback" in (tmp_path / "predict-error.log").read_text(encoding="utf-8")
