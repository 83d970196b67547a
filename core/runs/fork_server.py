"""`python -m core.runs.fork_server`: load what runs need, be there, and be the worker of the run that is asked for.

It computes nothing itself, so that it has no threads that a copy would lack. It ends with the server that keeps it,
after an hour without visitors and runs, where memory is short, or when another takes its place (`core.ready`).
Where forking is unsafe (macOS, a GPU) it becomes the worker itself, and the server begins another.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import asdict

import psutil
from setproctitle import setproctitle

from core import lifeline, ready, settings
from core.files import to_json, write_atomically
from core.hardware import best_device, this_host, unmap_file_pages
from core.ready import Asked, Ready, address_of, read_record, record_path, socket_path, state_of

IDLE_S = 3600.0


def main() -> int:
    """Returns the exit status: 0 once loaded, also where the run that it worked on failed, which its record tells."""
    state = state_of(os.environ)
    settings.pass_to_libraries()
    from core.runs import worker
    from core.runs.kinds import KINDS

    for module in dict.fromkeys(name for kind in KINDS.values() for name in kind.libraries):
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # no collection walks it, in none of its copies: its memory stays shared
    unmap_file_pages()
    client = _wait_for_work(state)
    if client is None:
        return 0
    asked = _hand_over(client)
    if asked is None:
        return 0
    _dress(asked)
    ready.is_copy = True
    worker.main()
    return 0


def forks() -> bool:
    """Whether copies are safe: not on macOS, and not where a library may have spoken to a GPU's driver already."""
    return sys.platform == "linux" and best_device() == "cpu"


def _wait_for_work(state: str) -> socket.socket | None:
    """In who becomes a worker: the connection of who asked for one. None at the end."""
    me = psutil.Process()
    record = Ready(me.pid, me.create_time(), this_host(), state)
    place, path = record_path(), socket_path()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for workers
    with socket.socket(socket.AF_UNIX) as listener:
        path.unlink(missing_ok=True)  # of one that was killed, or that this one is to replace
        with address_of(path) as address:
            listener.bind(address)
        path.chmod(0o600)
        listener.listen(16)
        write_atomically(place, to_json(asdict(record)) + "\n")
        used_at = time.time()
        while _is_needed(record, used_at):
            if not select.select([listener], [], [], ready.LOOK_EVERY_S)[0]:
                continue
            client, _ = listener.accept()
            used_at = time.time()
            if not forks():
                _forget(record)
                lifeline.outlive()
                return client
            with warnings.catch_warnings():
                # Python 3.12 warns of threads: the linear algebra of numpy and scipy has some, and sees to them itself.
                warnings.simplefilter("ignore", DeprecationWarning)
                is_copy = os.fork() == 0
            if is_copy:
                return client
            client.close()
    _forget(record)
    return None


def _is_needed(record: Ready, used_at: float) -> bool:
    """Whether it is still the one of its home, somebody comes now and then, and there is memory for it."""
    try:
        visited_at = record_path().stat().st_mtime
    except OSError:
        return False
    is_short = psutil.virtual_memory().available < ready.LEAST_FREE
    return read_record() == record and time.time() - max(used_at, visited_at) < IDLE_S and not is_short


def _forget(record: Ready) -> None:
    if read_record() == record:
        with suppress(OSError):
            record_path().unlink()
            socket_path().unlink()


def _hand_over(client: socket.socket) -> Asked | None:
    """What is to be done, once who asked for it knows who does it; None where they gave up."""
    client.settimeout(ready.PATIENCE_S)
    with suppress(OSError, ValueError, TypeError), client, client.makefile("rwb") as stream:
        asked = Asked(**json.loads(stream.readline()))
        stream.write(b"%d\n" % os.getpid())
        stream.flush()
        if stream.readline() == b"go\n":
            return asked
    return None


def _dress(asked: Asked) -> None:
    """Be what a worker is that was started from nothing: a session, a log, an environment and a name of its own."""
    # First: it writes over the old command line, which it finds by the environment.
    setproctitle(f"{sys.executable} -m core.runs.worker {asked.run}")
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if os.getsid(0) != os.getpid():
        os.setsid()
    if asked.umask >= 0:
        os.umask(asked.umask)
    os.environ.clear()
    os.environ.update(asked.environment)
    log = settings.folder("runs") / asked.run / "worker.log"
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(out)
    sys.argv = ["core.runs.worker", asked.run]


if __name__ == "__main__":
    sys.exit(main())
