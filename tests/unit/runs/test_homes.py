"""Homes that are odd or broken: a true state and a sentence each."""

from __future__ import annotations

import errno
import os
import pwd
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import settings
from core.compare import cell_server
from core.data.open import open_collection
from core.errors import RunError, StoreError
from core.hardware import this_host
from core.runs import export, manage, queue, submit
from core.spec import DataRef
from core.store import open_store, read_report
from tests.fixtures.processes import IdleExecutor, TinyExecutor, tiny, wait_until

ODD = "a b? 中文 🌱 #1 %20 & 'q' %"


def test_run_is_done_in_a_home_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_HOME", str(tmp_path / ODD))
    monkeypatch.setattr(queue, "LocalExecutor", TinyExecutor)
    run = submit.submit(tiny("done"))
    wait_until(lambda: not open_store().get_run(run.id).is_active)
    assert open_store().get_run(run.id).status == "done", manage.read_log(run.id)
    assert read_report(run.id) == {"n": 3}
    assert export.export_run(run.id).parent == tmp_path / ODD / "exports"
    assert (tmp_path / ODD / "graft.sqlite").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [ODD]


# -- no home, or one that cannot be written ------------------------------------------------------------------


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody can write, root neither."""
    folder = tmp_path / "home"
    folder.mkdir()
    if os.geteuid():
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)
        return
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "graft-test", str(folder)], check=False).returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("name", ["", "graft"])
def test_home_that_cannot_be_written_is_told(read_only: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_HOME", str(read_only / name))
    with pytest.raises(StoreError) as told:
        open_store()
    assert told.value.code == "store.cannot_open"
    assert str(read_only) in str(told.value)


def test_home_is_found_when_HOME_is_not_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GRAFT_HOME", "HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    user = pwd.struct_passwd(("u", "", os.getuid(), 0, "", str(tmp_path), ""))
    monkeypatch.setattr(pwd, "getpwuid", lambda _uid: user)
    assert settings.home() == tmp_path / ".local" / "share" / "graft"


def test_user_without_a_home_is_asked_for_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unknown(_uid: int) -> pwd.struct_passwd:
        raise KeyError("uid not found")

    for name in ("GRAFT_HOME", "HOME", "XDG_DATA_HOME", "HF_HOME", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="Set GRAFT_HOME") as told:
        open_store()
    assert told.value.code == "store.no_home"
    assert settings.hub_folder(), "where the libraries keep their files is theirs to say"
    assert settings.torch_folder()
    assert not list(tmp_path.iterdir()), "no folder of the name ~"


# -- the system's temporary folder ---------------------------------------------------------------------------


@pytest.fixture
def without_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/to/write")


@pytest.mark.usefixtures("without_temporary_folder")
def test_zip_with_a_table_is_read_without_the_temporary_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for number in range(4):
            Image.fromarray(np.full((8, 8, 3), 60 * number, dtype=np.uint8)).save(tmp_path / "one.png")
            archive.write(tmp_path / "one.png", f"{number}.png")
        archive.writestr("labels.csv", "file,label\n0.png,a\n1.png,b\n2.png,a\n3.png,b\n")
    assert open_collection(DataRef(id=f"path:{tmp_path / 'pets.zip'}")).labels == ["a", "b"]


def test_comparison_does_without_a_server_to_fork_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(forkserver, "ensure_running", refuse)
    assert cell_server.context().get_start_method() == "spawn"
    assert "imports its libraries anew" in capsys.readouterr().err


# -- the clock -----------------------------------------------------------------------------------------------


def test_claim_of_a_dead_claimer_is_found_when_the_clock_was_set_back() -> None:
    run = submit.new_run(tiny("done"))
    later = time.time() + 86_400
    open_store().update_run(run.id, status="running", host=this_host(), heartbeat_at=later, started_at=later)
    assert queue.reconcile() == [run.id]
    found = open_store().get_run(run.id)
    assert [problem["code"] for problem in found.error or []] == ["run.never_started"]
    assert found.ended_at == later, "nothing ends before it began"


def test_queue_goes_on_when_the_clock_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "LocalExecutor", IdleExecutor)
    waiting = submit.new_run(tiny("done"))
    open_store().update_run(waiting.id, created_at=time.time() + 86_400)
    assert queue.pump() == [waiting.id]


# -- damaged files of a run ----------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b'{"n": 3', b'{"n": 4}', b"\xff\xfe", b"", b"[1]"])
def test_damaged_report_is_told_and_never_shown(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "LocalExecutor", TinyExecutor)
    run = submit.submit(tiny("done"))
    wait_until(lambda: not open_store().get_run(run.id).is_active)
    (run.folder / "artifacts" / "report.json").write_bytes(content)
    with pytest.raises(RunError, match="is damaged") as told:
        read_report(run.id)
    assert told.value.code == "run.report_damaged"
