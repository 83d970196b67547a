"""`python -m core.runs.worker RUN`: does one run that was claimed for this process, and starts the next.

This is the only place beside the command line where the spine and the heavy rooms meet. What the run
measures goes to the store while it happens; what it makes goes to its folder. Whatever happens, the row
ends in a state that is true, with a sentence.
"""

from __future__ import annotations

import faulthandler
import mimetypes
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from core import ready, settings
from core.errors import GraftError, StoppedError, StoreError, log_error, problems_of
from core.files import forget_unfinished, is_unfinished, sha256
from core.hardware import this_host
from core.problems import Problem
from core.runs import export, kinds, queue
from core.runs.kinds import Summary
from core.runs.reporter import StoreReporter
from core.schema import Phase, RunColumns
from core.sharing import watch
from core.spec import Spec, parse_spec
from core.store import Artifact, Run, Status, Store, open_store

_EXIT: dict[Status, int] = {"done": 0, "stopped": 130}
_FINISH_PATIENCE_S = 60.0


def work(run_id: str, store: Store | None = None) -> int:
    """Do a claimed run to its end. Returns the exit status: 0 done, 1 failed, 130 stopped."""
    store = store or open_store()
    run = _take(run_id, store)
    if run is None:
        print(f"{run_id} is not waiting for this process; nothing to do.", file=sys.stderr)
        return 1
    reporter = StoreReporter(store, run)
    _listen_to_signals(reporter)
    reporter.start()
    status, problems, summary = _do(run, reporter)
    _ignore_signals()  # the end is being written: it must not be cut off
    try:
        _register_artifacts(run, store)
    except (OSError, StoreError) as error:
        print(f"artifacts not recorded: {error}", file=sys.stderr)
        if status == "done":
            status, problems = "failed", problems_of(error)
    status = reporter.finish(status, problems, summary, patience_s=_FINISH_PATIENCE_S)
    try:
        export.keep_facts(run.id, store)
    except (OSError, GraftError) as error:
        print(f"the record was not kept in the run's folder: {error}", file=sys.stderr)
    print(f"{time.strftime('%H:%M:%S')} {run.id} {status}", flush=True)
    return _EXIT.get(status, 1)


def _take(run_id: str, store: Store) -> Run | None:
    """Make the claimed run this process's own; None when it is not there to be taken."""
    run = store.get_run(run_id)
    me = psutil.Process()
    if run.pid not in (None, me.pid) and queue.find_process(run) is not None:
        return None
    now = time.time()
    mine: RunColumns = {"pid": me.pid, "pid_started": me.create_time(), "host": this_host()}
    phase: Phase = {"code": "starting", "values": {}}
    mine |= {"heartbeat_at": now, "started_at": now, "phase": phase}
    taken = store.update_run(run_id, only_if=["running"], **mine)
    return store.get_run(run_id) if taken else None


def _do(run: Run, reporter: StoreReporter) -> tuple[Status, list[Problem], Summary]:
    """The work itself, with every way it can end as a status and its problems."""
    resume = run.attempt > 0
    print(f"{time.strftime('%F %H:%M:%S')} {run.id} {run.kind} attempt {run.attempt + 1}", flush=True)
    try:
        (run.folder / "artifacts").mkdir(parents=True, exist_ok=True)
        _forget_unfinished(run.folder)
        reporter.reserve_disk()
        spec: Spec = parse_spec(kinds.KINDS[run.kind].spec, run.spec)
        return "done", [], kinds.KINDS[run.kind].handler(spec, run.folder, reporter, resume)
    except StoppedError as stop:
        return "stopped", list(stop.problems), {}
    except Exception as error:
        log_error(error)
        reporter.free_reserve()
        return "failed", problems_of(error), {}


def _forget_unfinished(folder: Path) -> None:
    """Remove what killed processes left: all in this run's own folder, the old in those that runs share."""
    for inner in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        forget_unfinished(inner, older_than_s=0.0)
    for shared in (settings.home(), settings.folder("exports")):
        forget_unfinished(shared)


def _register_artifacts(run: Run, store: Store) -> None:
    """Record every file under artifacts/ with its size and sha256."""
    folder = run.folder / "artifacts"
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or is_unfinished(path):
            continue
        facts = {"kind": _kind_of(path), "path": path.relative_to(run.folder).as_posix()}
        digest, size = sha256(path), path.stat().st_size
        name = path.relative_to(folder).as_posix()
        store.write_artifact(
            Artifact(run=run.id, name=name, bytes=size, sha256=digest, created_at=time.time(), **facts)
        )


def _kind_of(path: Path) -> str:
    if (
        path.suffix in {".safetensors", ".onnx", ".tflite", ".pt", ".pt2", ".pte", ".bin"}
        or path.parent.name == "model"
    ):
        return "model"
    if path.suffix in {".parquet", ".csv"}:
        return "table"
    return "picture" if (mimetypes.guess_type(path.name)[0] or "").startswith("image/") else "report"


def _listen_to_signals(reporter: StoreReporter) -> None:
    """The first signal asks to stop as the page's button does; the next one interrupts whatever is being done."""

    def on_signal(number: int, _frame: object) -> None:
        if reporter.should_stop():
            raise StoppedError
        os.write(2, f"signal {number}: stopping\n".encode())  # not print: it may be inside one
        reporter.request_stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python -m core.runs.worker RUN", file=sys.stderr)
        return 2
    faulthandler.enable()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    settings.pass_to_libraries()
    try:
        if ready.is_copy:
            _begin(sys.argv[1])
        watch()
        code = work(sys.argv[1])
    except Exception as error:
        log_error(error)
        _give_up(sys.argv[1], error)
        code = 1
    try:
        queue.pump()
    except Exception as error:
        print("the next run was not started:", file=sys.stderr)
        log_error(error)
    return code


def _begin(run_id: str) -> None:
    """What a kind of run has to fork before there are threads; where that fails it is started from nothing later."""
    begin = kinds.KINDS[open_store().get_run(run_id).kind].begin
    try:
        if begin is not None:
            begin()
    except OSError as error:
        print(f"nothing was forked: {error}", file=sys.stderr)


def _give_up(run_id: str, error: Exception) -> None:
    """Let the row tell what kept its worker from even ending it, as far as the store can be written."""
    rows = [problem.as_dict() for problem in problems_of(error)]
    with suppress(GraftError, OSError):
        ended: RunColumns = {"status": "failed", "error": rows, "ended_at": time.time(), "eta_s": None}
        open_store().update_run(run_id, only_if=["running"], **ended)


if __name__ == "__main__":
    sys.exit(main())
