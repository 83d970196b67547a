"""What stands for the web server in `python -m bench kills`: takes one order, then polls as an open page does.

`python -m bench.kill_server ORDER.json` prints the run's id as soon as there is one. `fork` begins the same from a
process that has its libraries loaded, and so do the workers that it starts: many more kills in the same time.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import psutil

from core import ready, settings
from core.errors import GraftError
from core.runs import archive, kinds, manage, queue, strays, submit, worker
from core.spec import parse_spec
from core.store import Run

POLL_S = 1.0
LIBRARIES = ("core.finetune.run", "core.compare.run", "core.optimize.run", "core.predict.run")


def serve(order: dict[str, Any]) -> None:
    """Do as told, and poll until killed."""
    settings.pass_to_libraries()
    if order["do"] == "submit":
        print(submit.submit(parse_spec(kinds.KINDS[order["kind"]].spec, order["spec"])).id, flush=True)
    elif order["do"] == "resume":
        print(manage.resume_run(order["run"]).id, flush=True)
    elif order["do"] == "archive":
        print("begun", flush=True)
        run, problems = archive.import_run(Path(order["path"]))
        print(run.id, *(problem.code for problem in problems), flush=True)
    else:
        print(order.get("run", "polling"), flush=True)
    while True:
        try:
            queue.pump()
        except GraftError as error:
            print(error, file=sys.stderr, flush=True)
        time.sleep(POLL_S)


# -- forked ------------------------------------------------------------------------------------------------


def load_libraries() -> None:
    """What workers need, before anything is forked."""
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()


def fork(order: dict[str, Any], log: Path) -> tuple[int, int]:
    """Begin a server; returns its pid and what to read its words from."""
    reading, writing = os.pipe()
    if pid := os.fork():
        os.close(writing)
        return pid, reading
    try:
        _redirect(writing, os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        queue.LocalExecutor = _ForkingExecutor  # type: ignore[misc]
        serve(order)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


class _ForkingExecutor(queue.LocalExecutor):
    """Starts workers as forks of the server, in a session of their own."""

    def start(self, run: Run) -> tuple[int, float]:
        run.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if pid := os.fork():
            threading.Thread(target=os.waitpid, args=(pid, 0), daemon=True).start()
            return pid, psutil.Process(pid).create_time()
        code = 1
        try:
            os.setsid()
            log = os.open(run.folder / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            _redirect(log, log)
            os.environ |= {"GRAFT_HOME": str(settings.home().resolve()), strays.MARK: run.id}
            sys.argv[1:] = [run.id]
            ready.is_copy = True
            code = worker.main()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)


def _redirect(out: int, errors: int) -> None:
    for place, opened in ((0, os.open(os.devnull, os.O_RDONLY)), (1, out), (2, errors)):
        os.dup2(opened, place)
    for opened in {out, errors} - {1, 2}:
        os.close(opened)


if __name__ == "__main__":
    serve(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
