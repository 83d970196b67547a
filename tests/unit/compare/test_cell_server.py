"""The server that trainings are forked from, as a copy of a process that has everything loaded."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.fixtures.processes import ROOT, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ready processes are copied on Linux alone")

_WORKER = """
import os, sys, time
from core.compare import cell_server

def cell():
    print("cell", os.getpid(), os.getppid(), loaded, flush=True)
    time.sleep(600)

loaded = "not of a copy"
if __name__ == "__main__":
    import cells
    sys.argv = ["core.runs.worker", "cp-1"]
    cell_server.PRELOADED = ()
    cells.loaded = "as the worker"
    cell_server.begin_as_copy()
    cells.loaded = "changed since"
    for _ in sys.stdin:
        with cell_server.without_main():
            cell_server.context().Process(target=cells.cell).start()
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that begins a cell for each line."""
    for name in ("cells.py", "worker.py"):
        (tmp_path / name).write_text(_WORKER, encoding="utf-8")
    path = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; "
    run = f"import runpy; runpy.run_path({str(tmp_path / 'worker.py')!r}, run_name='__main__')"
    command = [sys.executable, "-c", path + run]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def _cell(worker: subprocess.Popen[str]) -> tuple[int, int, str]:
    """The pid of a cell, that of the server, and what it found loaded."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write("\n")
    worker.stdin.flush()
    _, pid, server, loaded = worker.stdout.readline().rstrip().split(" ", 3)
    return int(pid), int(server), loaded


def test_cells_are_forked_from_a_copy_of_the_worker_and_end_with_it(worker: subprocess.Popen[str]) -> None:
    first, second = _cell(worker), _cell(worker)
    assert first[1] == second[1]
    assert first[2] == second[2] == "as the worker"
    server = psutil.Process(first[1])
    assert (server.ppid(), server.num_threads()) == (worker.pid, 1)
    assert "multiprocessing.forkserver" in " ".join(server.cmdline())
    assert "cp-1" in " ".join(server.cmdline())
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    wait_until(lambda: not psutil.pid_exists(server.pid), 10)


def test_where_the_copy_is_gone_a_server_is_started_as_a_program(worker: subprocess.Popen[str]) -> None:
    _, copied, _ = _cell(worker)
    psutil.Process(copied).kill()
    wait_until(lambda: psutil.Process(copied).status() == psutil.STATUS_ZOMBIE, 10)
    _, server, loaded = _cell(worker)
    assert server != copied
    assert loaded == "not of a copy"
