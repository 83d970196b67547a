"""Whatever two processes can reach is sound when several reach it at the same moment, on a fresh home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from core import settings
from core.data.upload_files import upload_path
from core.files import is_unfinished
from core.finetune.spec import FinetuneSpec
from core.runs import manage
from core.runs.export import export_run
from core.store import open_store
from tests.fixtures.fake_hub import stand_in, tensors

ROOT = Path(__file__).resolve().parents[3]
MEMBERS = 6
Together = Callable[[str], list[Any]]


@pytest.fixture(scope="module")
def crew() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.fixtures.together"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == "ready"
        yield process
        process.kill()


@pytest.fixture
def together(home: Path, crew: subprocess.Popen[str]) -> Together:
    """Does a work of `tests.fixtures.together` in several processes at once; returns what each found."""

    def do(work: str) -> list[Any]:
        assert crew.stdin is not None
        assert crew.stdout is not None
        print(json.dumps({"work": work, "environment": dict(os.environ)}), file=crew.stdin, flush=True)
        found: list[Any] = json.loads(crew.stdout.readline())
        wrong = [one["error"] for one in found if isinstance(one, dict)]
        assert not wrong, wrong[0]
        assert len(found) == MEMBERS
        left = [path for path in home.rglob("*") if is_unfinished(path) and "tmp" in path.suffixes]
        assert left == []
        return found

    return do


def test_store_is_made_once(together: Together) -> None:
    names = together("new_store")
    assert sorted(run.id for run in open_store().list_runs()) == sorted(names)


def test_runs_of_the_same_second_have_folders_of_their_own(together: Together) -> None:
    names = together("new_run")
    assert len(set(names)) == MEMBERS
    for name in names:
        assert json.loads((open_store().get_run(name).folder / "spec.json").read_text())["kind"] == "import"


@pytest.mark.parametrize("work", ["rows", "lock", "clear"])
def test_caches_are_whole(together: Together, work: str) -> None:
    assert together(work) == [True] * MEMBERS


def test_no_choice_of_autotune_is_lost(together: Together, home: Path) -> None:
    assert together("autotune") == [True] * MEMBERS
    kept = json.loads((home / "autotune.json").read_text())
    assert sorted(kept) == [f"key {number}" for number in range(MEMBERS)]


def test_pictures_are_the_same_for_all(together: Together) -> None:
    (found,) = set(together("pixels"))
    assert found > 0


def test_reader_of_a_json_file_finds_one_writing_whole(together: Together) -> None:
    assert together("json") == list(range(MEMBERS))


def test_uploads_of_one_name_are_all_kept(together: Together) -> None:
    found = together("upload")
    assert len(set(found)) == MEMBERS
    beginnings = {upload_path(one.removeprefix("upload/")).read_text().split("\n")[1] for one in found}
    assert beginnings == {f"text {number} of 0,0" for number in range(MEMBERS)}


def test_same_upload_to_ask_is_kept_once(together: Together) -> None:
    first, *others = together("asked")
    assert others == [first] * (MEMBERS - 1)
    for path in map(Path, first):
        assert len(path.read_text().split("\n")) == 2001
        assert list(path.parent.iterdir()) == [path]


@pytest.fixture
def done() -> str:
    """A finished run; returns its id."""
    spec = FinetuneSpec.model_validate({"model": {"id": "bundled/minilm-l6"}, "data": {"id": "builtin/reviews-en"}})
    open_store().create_run("im-done", kind="finetune", name="mine", spec=spec.model_dump(mode="json"))
    run = open_store().get_run("im-done")
    (run.folder / "artifacts").mkdir(parents=True)
    (run.folder / "artifacts" / "report.json").write_text("{}")
    (run.folder / "artifacts" / "weights.safetensors").write_bytes(os.urandom(500_000))
    open_store().update_run(run.id, status="done", started_at=1.0, ended_at=2.0)
    return run.id


def test_exports_of_one_run_are_one_whole_archive(together: Together, done: str) -> None:
    (path,) = set(together("export"))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert "artifacts/weights.safetensors" in archive.namelist()


def test_run_taken_in_twice_at_once_becomes_two_runs(together: Together, done: str, home: Path) -> None:
    weights = (settings.folder("runs") / done / "artifacts" / "weights.safetensors").read_bytes()
    export_run(done).rename(home / "archive.zip")
    manage.delete_run(done)
    found = together("import_run")
    assert len(set(found)) == MEMBERS
    for name in found:
        folder = open_store().get_run(name).folder
        assert (folder / "artifacts" / "weights.safetensors").read_bytes() == weights


def test_weights_brought_twice_at_once_are_whole(together: Together, home: Path) -> None:
    (home / "bert").mkdir()
    content = {"config.json": b'{"model_type": "bert"}', "vocab.txt": b"[PAD]", "model.safetensors": tensors(300_000)}
    for name, part in content.items():
        (home / "bert" / name).write_bytes(part)
    assert together("import_weights") == [sum(map(len, content.values()))] * MEMBERS
    (snapshot,) = (home / "huggingface" / "hub" / "models--someone--tiny-bert" / "snapshots").iterdir()
    assert {path.name: path.read_bytes() for path in snapshot.iterdir()} == content


def test_of_downloads_of_one_model_one_fetches(together: Together, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with stand_in(monkeypatch) as hub:
        wanted = hub.repositories["someone/tiny-bert"]["model.safetensors"]
        found = together("download")
        assert len([one for one in hub.sent("storage/someone/tiny-bert/model.safetensors") if one]) == 1, found
    assert set(found) - {"download.at_work"} == {max(found, key=str.isdecimal)}
    blob = home / "huggingface" / "hub" / "models--someone--tiny-bert" / "blobs" / sha256(wanted).hexdigest()
    assert blob.read_bytes() == wanted


def test_first_visitors_are_given_one_whole_plotly(together: Together, home: Path) -> None:
    script = (resources.files("plotly") / "package_data" / "plotly.min.js").read_bytes()
    for digests in together("plotly"):
        assert set(digests) == {sha256(script).hexdigest()}
    for folder in home.glob("static-*"):
        assert len(list(folder.iterdir())) == 1
