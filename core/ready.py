"""A process that has the libraries loaded (`core.runs.fork_server`): kept ready, and asked to be a run's worker.

The server keeps one for its home (`keep`). Whoever starts a worker asks it first (`begin`); where there is none, or it
was started under other settings or with older code, or does not answer, the worker is started from nothing.
`GRAFT_WARM=0` switches it off. Windows has no such sockets: there all is started from nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from core import lifeline, settings
from core.hardware import this_host
from core.sharing import spin_less

_PROGRAM = "core.runs.fork_server"
LEAST_FREE = 1.5e9  # bytes: what it leaves to others, about as much as a training takes
LOOK_EVERY_S = 15.0
PATIENCE_S = 3.0
_AFTER_CRASH_S = 300.0
is_copy = False  # whether this process is a worker that had its libraries before its run began
# What libraries read when they are loaded, and not again.
_READ_EARLY = re.compile(
    r"(ACCELERATE|ATEN|CUDA|DNNL|GOMP|HF|HUGGING|KMP|LC|LD|MALLOC|MKL|NVIDIA|OMP|ONEDNN|OPENBLAS|ORT|PYTHON|PYTORCH"
    r"|TIMM|TORCH|TRANSFORMERS|XDG)_.*|PYTHON[A-Z0-9]*|GRAFT_(OFFLINE|TORCH_MIRROR)|GLIBC_TUNABLES|.*_PROXY|HOME|LANG|TZ",
    re.IGNORECASE,
)
_SET_BY_WORKERS = frozenset({"HF_HUB_DISABLE_TELEMETRY"})  # all alike


@dataclass(frozen=True)
class Ready:
    """What lies in the home while one is ready."""

    pid: int
    born: float
    host: str
    under: str  # the settings and the code that it was started with


@dataclass(frozen=True)
class Asked:
    """The worker of which run, with what environment and umask (-1: as the ready process has it)."""

    run: str
    environment: dict[str, str]
    umask: int = -1


# -- for whoever starts a worker ---------------------------------------------------------------------------


def environment() -> dict[str, str]:
    """What a worker is started with, whichever run it is for."""
    return {
        **spin_less(os.environ),
        "GRAFT_HOME": str(settings.home().resolve()),  # the worker's folder of work is another one
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",  # a crash in native code leaves its stack in the log
        "PYTHONUTF8": "1",
    }


def begin(asked: Asked) -> int | None:
    """Let the ready process of this home make the worker of a claimed run; returns its pid, None where it cannot."""
    if _usable(asked.environment) is None:
        return None
    with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE_S)
        with address_of(socket_path()) as address:
            client.connect(address)
        with client.makefile("rwb") as stream:
            stream.write(json.dumps(asdict(asked)).encode() + b"\n")
            stream.flush()
            pid = int(stream.readline())
            stream.write(b"go\n")  # who gave up before this has no second worker
        return pid
    return None


# -- for the server ----------------------------------------------------------------------------------------

_lock = threading.Lock()
_kept: subprocess.Popen[Any] | None = None
_looked_at = _begun_at = -_AFTER_CRASH_S
_not_before = 0.0  # by the clock of time.monotonic


def keep() -> None:
    """See to it that one is ready for this home, or soon will be. Cheap: for every page that is drawn."""
    global _kept, _looked_at, _begun_at, _not_before
    if not _is_wanted() or not _lock.acquire(blocking=False):
        return
    try:
        now = time.monotonic()
        if now - _looked_at < LOOK_EVERY_S:
            return
        _looked_at = now
        if is_there():
            with suppress(OSError):
                os.utime(record_path())
            return
        if _kept is not None and _kept.poll() is None and now - _begun_at < _AFTER_CRASH_S:
            return  # still loading
        if _kept is not None and _kept.returncode:
            print(f"the process kept ready ended with {_kept.returncode}: {_log_path()}", file=sys.stderr)
            _kept, _not_before = None, now + _AFTER_CRASH_S
        if now >= _not_before and psutil.virtual_memory().available > 2 * LEAST_FREE:
            _begun_at, _kept = now, _start()
    except OSError as error:  # a full disk, no more processes: runs start from nothing
        print(f"no process is kept ready: {error}", file=sys.stderr)
    finally:
        _lock.release()


def _start() -> subprocess.Popen[Any]:
    _log_path().touch(mode=0o600)
    with _log_path().open("wb") as out:
        options = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": subprocess.STDOUT, "start_new_session": True}
        return lifeline.start(_PROGRAM, env=environment(), **options)


def _is_wanted() -> bool:
    return settings.get("GRAFT_WARM") != "0" and hasattr(socket, "AF_UNIX")


def _log_path() -> Path:
    return settings.home() / "ready.log"


def record_path() -> Path:
    return settings.home() / "ready.json"


def socket_path() -> Path:
    return settings.home() / "ready.sock"


def read_record() -> Ready | None:
    try:
        return Ready(**json.loads(record_path().read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def is_there() -> bool:
    """Whether a run that is started now has its libraries at once."""
    record = _usable(environment())
    try:
        return record is not None and abs(psutil.Process(record.pid).create_time() - record.born) < 2
    except psutil.Error:
        return False


def _usable(environment: Mapping[str, str]) -> Ready | None:
    """What the home says of one that may make a worker with this environment, whether or not it still lives."""
    record = read_record()
    if record is None or not _is_wanted() or record.host != this_host() or record.under != state_of(environment):
        return None
    return record


@contextmanager
def address_of(path: Path) -> Iterator[str]:
    """A socket's address: only 100 letters of it are read, which a home's path may have already."""
    if not sys.platform.startswith("linux"):
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def state_of(environment: Mapping[str, str]) -> str:
    """What a worker started from nothing would find: settings that are read once, Python, packages and code."""
    early = sorted(
        (name, value)
        for name, value in environment.items()
        if _READ_EARLY.fullmatch(name) and name not in _SET_BY_WORKERS
    )
    code = sorted((str(path), path.stat().st_mtime_ns) for path in (settings.PROJECT / "core").rglob("*.py"))
    packages = Path(sysconfig.get_path("platlib")).stat().st_mtime_ns
    return hashlib.sha256(repr((sys.executable, sys.version, packages, code, early)).encode()).hexdigest()
