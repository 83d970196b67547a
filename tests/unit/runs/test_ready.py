"""A worker that is a copy of a loaded process does what one does that was started from nothing, and lives as long."""

from __future__ import annotations

import inspect
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from core import ready, settings
from core.data.spec import ImportSpec
from core.runs import fork_server, queue, submit
from core.runs.kinds import KINDS, Kind
from core.spec import DataRef
from core.store import Run, open_store
from tests.fixtures.processes import ROOT, wait_until
from tests.fixtures.ready import lend_ready_process


@pytest.fixture
def light(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A ready process of this home, as on Linux."""
    yield from _begin(home, monkeypatch)


@pytest.fixture
def alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """One that becomes the worker, as where nothing may be forked."""
    yield from _begin(home, monkeypatch, "alone")


def _begin(home: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    monkeypatch.setenv("GRAFT_WARM", "1")
    command = [sys.executable, "-m", "tests.fixtures.light_ready", *words]
    with (home / "ready.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=ready.environment(), stdout=log, stderr=log)
    wait_until(lambda: (home / "ready.json").exists() or process.poll() is not None)
    assert process.poll() is None, (home / "ready.log").read_text()
    yield process
    process.kill()
    process.wait()
    for run in open_store().list_runs(statuses=["running"]):
        queue.kill_run(run.id)


def _submit() -> Run:
    return submit.submit(ImportSpec(data=DataRef(id="builtin/digits")))


def _ended(run: Run) -> Run:
    wait_until(lambda: not open_store().get_run(run.id).is_active)
    return open_store().get_run(run.id)


def _ask(run_id: str) -> int | None:
    return ready.begin(ready.Asked(run_id, ready.environment()))


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.id)
def test_what_the_work_imports_is_loaded_beforehand(kind: Kind) -> None:
    imported = re.findall(r"from (core\.\S+) import", inspect.getsource(kind.handler))
    assert imported
    assert set(imported) <= set(kind.libraries)
    for name in kind.libraries:
        assert (ROOT / (name.replace(".", "/") + ".py")).is_file()


def test_worker_is_a_copy_with_a_log_an_environment_and_a_name_of_its_own(light: subprocess.Popen[bytes]) -> None:
    run = _submit()
    assert run.pid is not None
    assert psutil.Process(run.pid).ppid() == light.pid
    ended = _ended(run)
    assert (ended.status, ended.pid) == ("done", run.pid)
    assert f"{run.id} import attempt 1" in (run.folder / "worker.log").read_text()
    assert (run.folder / "worker.log").stat().st_mode & 0o077 == 0
    assert light.poll() is None
    wait_until(lambda: not psutil.pid_exists(ended.pid or 0))  # not a zombie either
    assert _ended(_submit()).status == "done"  # the next one too


def test_whoever_looks_knows_the_worker_though_the_clock_was_set(home: Path) -> None:
    run = submit.new_run(ImportSpec(data=DataRef(id="builtin/digits")))
    asked = ready.Asked(run.id, ready.environment())
    script = f"""
import time
from core.ready import Asked
from core.runs import fork_server
fork_server._dress({asked!r})
print("dressed", flush=True)
time.sleep(600)
"""
    worker = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    try:
        wait_until(
            lambda: (run.folder / "worker.log").exists() and "dressed" in (run.folder / "worker.log").read_text()
        )
        open_store().update_run(run.id, pid=worker.pid, pid_started=1.0)
        assert queue.find_process(open_store().get_run(run.id)) is not None
    finally:
        worker.kill()
        worker.wait()


def test_worker_outlives_who_it_was_copied_from(light: subprocess.Popen[bytes]) -> None:
    run = _submit()
    light.kill()
    light.wait()
    assert _ended(run).status == "done"
    assert _ask("ft-1") is None  # its record and its socket still lie there
    assert _ended(_submit()).status == "done"  # from nothing


def test_where_nothing_forks_it_becomes_the_worker(alone: subprocess.Popen[bytes], home: Path) -> None:
    run = _submit()
    assert run.pid == alone.pid
    assert _ended(run).status == "done"
    assert alone.wait() == 0
    assert not (home / "ready.json").exists()
    assert not (home / "ready.sock").exists()


def test_who_gives_up_before_the_word_has_no_worker(light: subprocess.Popen[bytes], home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(home / "ready.sock"))
        with client.makefile("rwb") as stream:
            stream.write(json.dumps({"run": "im-1", "environment": ready.environment(), "umask": -1}).encode() + b"\n")
            stream.flush()
            pid = int(stream.readline())
    wait_until(lambda: not psutil.pid_exists(pid))
    assert not (home / "runs" / "im-1").exists()
    for rubbish in (b"", b"\n", b"[]\n", b'{"run": "im-1"}\n', b"\xff\n"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(home / "ready.sock"))
            client.sendall(rubbish)
    assert _ended(_submit()).status == "done"
    wait_until(lambda: not psutil.Process(light.pid).children())


@pytest.mark.parametrize(
    "name", ["CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "HF_ENDPOINT", "GRAFT_OFFLINE", "https_proxy"]
)
def test_under_other_settings_it_is_not_asked(
    light: subprocess.Popen[bytes], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "7")
    assert _ask("im-1") is None


def test_what_is_read_at_work_may_differ(light: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_CACHE_GB", "7")
    monkeypatch.setenv("COLUMNS", "77")
    assert _ask("im-1") is not None


def test_older_code_is_not_asked(
    light: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "new.py").touch()
    monkeypatch.setattr(settings, "PROJECT", tmp_path)
    assert _ask("im-1") is None


def test_switched_off_it_is_neither_begun_nor_asked(
    light: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAFT_WARM", "0")
    monkeypatch.setattr(ready, "_start", lambda: pytest.fail("begun"))
    monkeypatch.setattr(ready, "_looked_at", -1e9)
    ready.keep()
    assert _ask("im-1") is None


def test_one_that_hangs_is_not_waited_for(light: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "PATIENCE_S", 0.2)
    psutil.Process(light.pid).suspend()
    try:
        run = _submit()
        assert run.pid is not None
        assert psutil.Process(run.pid).ppid() == os.getpid()
    finally:
        psutil.Process(light.pid).resume()
    assert _ended(run).status == "done"
    wait_until(lambda: not psutil.Process(light.pid).children())  # who was asked in vain has ended


class _Begun:
    def __init__(self, code: int | None) -> None:
        self.returncode = code

    def poll(self) -> int | None:
        return self.returncode


def test_a_home_has_one_and_a_dead_one_is_replaced(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRAFT_WARM", "1")
    begun: list[_Begun] = []
    clock = [1000.0]

    def start() -> _Begun:
        begun.append(_Begun(None))
        return begun[-1]

    def look() -> int:
        clock[0] += 20
        ready.keep()
        return len(begun)

    monkeypatch.setattr(ready, "_kept", None)
    monkeypatch.setattr(ready, "_looked_at", -1e9)
    monkeypatch.setattr(ready, "_begun_at", -1e9)
    monkeypatch.setattr(ready, "_not_before", 0.0)
    monkeypatch.setattr(ready, "_start", start)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    assert look() == 1
    assert look() == 1  # it still loads
    me = psutil.Process()
    record = {"pid": me.pid, "born": me.create_time(), "host": ready.this_host()}
    record["under"] = ready.state_of(ready.environment())
    (home / "ready.json").write_text(json.dumps(record))
    os.utime(home / "ready.json", (1, 1))
    assert look() == 1
    assert (home / "ready.json").stat().st_mtime > 1  # somebody was here
    (home / "ready.json").write_text(json.dumps({**record, "born": 1.0}))
    begun[-1].returncode = 0
    assert look() == 2  # that one is gone
    begun[-1].returncode = -11
    assert look() == 2  # it crashed: not at once again, and said once
    assert look() == 2
    assert capsys.readouterr().err == f"the process kept ready ended with -11: {home / 'ready.log'}\n"
    clock[0] += 1000
    assert look() == 3
    begun[-1].returncode = 0
    monkeypatch.setattr(ready, "LEAST_FREE", 1e15)
    assert look() == 3  # no memory for it


@pytest.mark.parametrize(
    ("system", "device", "may"), [("linux", "cpu", True), ("linux", "cuda", False), ("darwin", "cpu", False)]
)
def test_nothing_is_copied_where_that_is_unsafe(
    system: str, device: str, may: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(fork_server, "best_device", lambda: device)
    assert fork_server.forks() is may


def test_it_ends_when_it_is_no_longer_needed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = ready.Ready(1, 1.0, "here", "so")
    (home / "ready.json").write_text(json.dumps(asdict(record)))
    assert fork_server._is_needed(record, time.time())
    assert not fork_server._is_needed(ready.Ready(2, 1.0, "here", "so"), time.time())  # another took its place
    os.utime(home / "ready.json", (1, 1))
    assert fork_server._is_needed(record, time.time())
    assert not fork_server._is_needed(record, time.time() - fork_server.IDLE_S - 1)
    monkeypatch.setattr(ready, "LEAST_FREE", 1e15)
    assert not fork_server._is_needed(record, time.time())


def test_it_ends_with_its_server_and_its_workers_do_not(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_WARM", "1")
    script = (
        "import sys, time\nfrom core import lifeline\n"
        "process = lifeline.start('tests.fixtures.light_ready', env=dict(__import__('os').environ))\n"
        "print(process.pid, flush=True)\ntime.sleep(600)"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, env=ready.environment(), stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    pid = int(server.stdout.readline())
    wait_until(lambda: (home / "ready.json").exists())
    run = _submit()
    assert psutil.Process(run.pid or 0).ppid() == pid
    server.kill()
    server.communicate()
    wait_until(lambda: not psutil.pid_exists(pid))
    assert _ended(run).status == "done"


def test_libraries_are_there_when_the_run_begins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lend_ready_process(monkeypatch)
    run = _submit()
    regions = psutil.Process(run.pid or 0).memory_maps()
    assert any("libtorch" in region.path for region in regions)
    assert _ended(run).status == "done"
