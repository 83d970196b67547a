"""The processes of `python -m bench kills`: the server that is killed, whatever else is at work, and the hub."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from bench import kill_server
from bench.kill_kinds import HUB_MODEL, Kind
from core import settings
from tests.fixtures.fake_hub import Fault, serve_hub

ROOT = Path(__file__).resolve().parents[1]
_MINE = " ".join(psutil.Process().cmdline())  # a forked process has the same


class Server:
    """The process that stands for the web server; `is_warm`: forked, with its libraries loaded."""

    def __init__(self, folder: Path, order: dict[str, Any], *, is_warm: bool) -> None:
        log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        if is_warm:
            self.pid, reading = kill_server.fork(order, log)
        else:
            path = folder / "order.json"
            path.write_text(json.dumps(order), encoding="utf-8")
            reading, writing = os.pipe()
            command = [sys.executable, "-m", "bench.kill_server", str(path)]
            with log.open("ab") as file:
                self._process = subprocess.Popen(command, cwd=ROOT, stdout=writing, stderr=file)
            os.close(writing)
            self.pid = self._process.pid
        self._words = os.fdopen(reading, encoding="utf-8")
        self._is_alive = True

    def read_line(self) -> str:
        """What it says next."""
        line = self._words.readline().strip()
        if not line:
            raise RuntimeError("the server said nothing; see its log")
        return line

    def read_id(self, kind: Kind) -> str:
        """The id of the run."""
        line = self.read_line()
        return line if kind.in_worker or line != "begun" else self.read_line().split()[0]

    def kill(self) -> None:
        """SIGKILL, once."""
        if self._is_alive:
            self._is_alive = False
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            if self._process is not None:
                self._process.returncode = -signal.SIGKILL

    def rest(self) -> str:
        """What it had said before it was killed."""
        return self._words.read()


def workers(run_id: str) -> list[int]:
    """The processes that are the run's worker: the record may not know them yet."""
    found = []
    for pid, command in processes().items():
        is_started = "core.runs.worker" in command and run_id in command
        if is_started or (command == _MINE and psutil.Process(pid).ppid() != os.getpid()):
            found.append(pid)
    return found


def end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def processes() -> dict[int, str]:
    """Live processes whose home is this campaign's: its servers, workers, and whatever these started."""
    home, mine = str(settings.home().resolve()), os.getpid()
    runs = [path.name for path in settings.folder("runs").iterdir()]
    found = {}
    for process in psutil.process_iter():
        try:
            if process.pid == mine or process.status() == psutil.STATUS_ZOMBIE:
                continue
            command = " ".join(process.cmdline())
            # What was forked and took a name of its own tells its environment no more.
            is_of_run = "multiprocessing.forkserver" in command and any(run in command for run in runs)
            if command == _MINE or is_of_run or str(Path(process.environ().get("GRAFT_HOME", "/")).resolve()) == home:
                found[process.pid] = command
        except (psutil.Error, OSError):
            continue
    return found


def _tensors(size: int) -> bytes:
    """A safetensors file with one tensor of so many bytes, the same every time."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return len(header).to_bytes(8, "little") + header + random.Random(0).randbytes(size)


@contextmanager
def serve_one_model() -> Iterator[str]:
    """The hub on loopback, with one small model that comes slowly; its address."""
    with serve_hub() as hub:
        hub.repositories[HUB_MODEL] = {
            "config.json": b'{"model_type": "bert", "num_hidden_layers": 1, "hidden_size": 4, "vocab_size": 9}',
            "vocab.txt": b"[PAD]\n[UNK]\n",
            "model.safetensors": _tensors(4_000_000),
        }
        hub.faults["storage"] = Fault(bytes_per_s=1_000_000)
        yield hub.address
