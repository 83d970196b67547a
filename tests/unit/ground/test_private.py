"""What is its owner's alone: the home's files, and every token and password that Graft is given."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core import settings
from core.cli.app import app
from core.data.uploads import store_upload
from core.errors import GraftError, first_line, print_traceback, problems_of
from core.files import to_json
from core.finetune.spec import FinetuneSpec
from core.models.download import download
from core.models.hub_search import search_hub
from core.models.spec import DownloadSpec
from core.predict.text_files import store_questions
from core.progress import SilentReporter
from core.runs import submit
from core.runs.archive import import_run
from core.runs.export import export_run
from core.store import Run, _open, open_store
from tests.fixtures.fake_hub import BERT, FakeHub, forge, stand_in

TOKEN, PASSWORD = "hf_plantedTokenOfNobody", "plantedPassword"


def _open_to_others(folder: Path) -> list[str]:
    return [str(path) for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o077]


@pytest.mark.skipif(os.name != "posix", reason="rights are those of POSIX")
def test_home_is_readable_by_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    for folder in (home, home / "uploads", home / "runs"):  # as an earlier version made it
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
    (home / "graft.sqlite").touch(mode=0o644)
    monkeypatch.setenv("GRAFT_HOME", str(home))
    _open.cache_clear()
    spec = {"model": {"id": "bundled/minilm-l6"}, "data": {"id": store_upload(io.BytesIO(_table()), "a.csv")}}
    run = submit.new_run(FinetuneSpec.model_validate(spec))
    store_questions(io.BytesIO(_table()), "asked.csv", "1")
    assert _open_to_others(home / "uploads") == []
    assert _open_to_others(home / "asked") == []
    for path in (home, home / "runs", home / "graft.sqlite", run.folder, import_run(_packed(run))[0].folder):
        assert not path.stat().st_mode & 0o077, path


def _packed(run: Run) -> Path:
    open_store().update_run(run.id, status="stopped", started_at=1.0, ended_at=2.0)
    return export_run(run.id)


def _table() -> bytes:
    return ("text,label\n" + "".join(f"some words {n},{'ab'[n % 2]}\n" for n in range(40))).encode()


def test_texts_of_libraries_are_told_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", f"https://ann:{PASSWORD}%40@mirror.example")
    monkeypatch.setenv("GRAFT_ACCESS_KEY", "correct horse battery")
    told = f"401 for https://ann:{PASSWORD}%40@mirror.example/x?token={TOKEN}: {PASSWORD}@, correct horse battery"
    error = ValueError(told)
    print_traceback_of(error)
    said = [first_line(error), str(problems_of(error)), capsys.readouterr().err, settings.shown("HF_ENDPOINT")]
    for text in said:
        assert "mirror.example" in text
        assert TOKEN not in text
        assert PASSWORD not in text
        assert "horse" not in text
    assert settings.shown("GRAFT_ACCESS_KEY") == "••••••"


def print_traceback_of(error: Exception) -> None:
    try:
        raise error
    except ValueError:
        print_traceback()


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """A mirror with a login in its address, and a token."""
    with stand_in(monkeypatch) as hub:
        forge(monkeypatch, hub, os.urandom(100_000))
        address = hub.address.replace("http://", f"http://ann:{PASSWORD}@")
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setenv("GRAFT_TORCH_MIRROR", address)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield hub


def test_no_secret_stands_in_what_a_run_leaves(planted: FakeHub, home: Path, tmp_path: Path) -> None:
    store, said = open_store(), []
    for model in (BERT, "torchvision/resnet18.imagenet1k_v1", "hub/someone/nothing"):
        run = submit.new_run(DownloadSpec(model=model))
        (run.folder / "artifacts").mkdir(exist_ok=True)
        try:
            summary = download(DownloadSpec(model=model), run.folder, SilentReporter())
            store.update_run(run.id, status="done", summary=summary, started_at=1.0, ended_at=2.0)
        except GraftError as error:
            problems = [problem.as_dict() for problem in problems_of(error)]
            store.update_run(run.id, status="failed", error=problems, started_at=1.0, ended_at=2.0)
            said.append(to_json(problems))
        export_run(run.id)
        said.append(CliRunner().invoke(app, ["run", run.id, "show", "--json"]).output)
    with pytest.raises(GraftError) as unreachable:
        search_hub("anything")
    said += [str(unreachable.value), json.dumps(submit_facts())]
    for text in said:
        assert TOKEN not in text
        assert PASSWORD not in text
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert TOKEN.encode() not in content, path
            assert PASSWORD.encode() not in content, path


def submit_facts() -> dict[str, str]:
    return {name: settings.shown(name) for name in settings.SETTINGS}
