"""What a process started ends with it, also when it was killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from multiprocessing import forkserver
from pathlib import Path

import psutil
import pytest

from core import lifeline
from core.compare import cell_server
from core.data import reading
from tests.fixtures.processes import ROOT, wait_until

# Serve until ended: a module of Python's own that needs nothing.
_LONG = '"http.server", "0", "--bind", "127.0.0.1"'
_STARTED = f"""
import subprocess, time
from core import lifeline
print(lifeline.start({_LONG}, stderr=subprocess.DEVNULL).pid, flush=True)
time.sleep(600)
"""
_WATCHED = """
import os, subprocess, sys, time
code = ("import os, time; from core import lifeline; lifeline._ask_kernel = lambda: False; "
        "lifeline.LOOK_EVERY_S = 0.05; lifeline.end_with(os.getppid()); print('tied', flush=True); time.sleep(600)")
child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(600)
"""
_FORKING = """
import multiprocessing, time
from multiprocessing import forkserver
from core import settings
settings.mark_children()
multiprocessing.get_context("forkserver").set_forkserver_preload(["core.compare.forked", "slow_to_load"])
forkserver.ensure_running()
print(forkserver._forkserver._forkserver_pid, flush=True)
time.sleep(600)
"""


def _is_gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)  # nobody may be there to take its status
    except psutil.NoSuchProcess:
        return True


def _child_of_killed(code: str, wait_for: Path | None = None, **environment: str) -> int:
    """The pid that a script prints, once the script was killed with SIGKILL."""
    import os

    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    if wait_for is not None:
        wait_until(wait_for.exists)
    assert not _is_gone(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    return pid


@pytest.mark.parametrize("code", [_STARTED, _WATCHED], ids=["started", "where there is only a watch"])
def test_child_ends_with_its_killed_parent(code: str) -> None:
    pid = _child_of_killed(code)
    wait_until(lambda: _is_gone(pid))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no server to fork from")
def test_server_that_trainings_are_forked_from_ends_with_the_comparison_while_it_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = "import pathlib, time\npathlib.Path(__file__).with_name('loading').touch()\ntime.sleep(600)\n"
    (tmp_path / "slow_to_load.py").write_text(loading, encoding="utf-8")
    pid = _child_of_killed(_FORKING, tmp_path / "loading", PYTHONPATH=str(tmp_path))
    wait_until(lambda: _is_gone(pid))
    monkeypatch.setattr(forkserver, "ensure_running", lambda: None)
    cell_server.context()
    assert forkserver._forkserver._preload_modules[0] == "core.compare.forked"  # type: ignore[attr-defined]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the watch sees it")
def test_child_ends_at_once_when_its_parent_was_gone_before_it_could_be_tied() -> None:
    command = [sys.executable, "-m", "core.lifeline", "1", "http.server", "0"]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode == 1


def test_child_outlives_the_thread_that_started_it() -> None:
    """A page's script is a thread that ends; the server and its reading process stay."""
    started: list[subprocess.Popen[bytes]] = []
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    thread = threading.Thread(target=lambda: started.append(lifeline.start("core.data.reading", **pipes)))
    thread.start()
    thread.join()
    with started[0] as child:
        reading._send(child.stdin, ("core.files:size_of", "a", (Path(__file__),)))
        assert reading._receive(child.stdout) == ([], Path(__file__).stat().st_size)
        child.kill()
