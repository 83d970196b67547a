"""Waiting for a run on the command line, with a bar on stderr, and leaving with its exit status."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn

from core.cli import results as cli_results
from core.cli.document import show
from core.data.record import read_record
from core.errors import PARTLY
from core.messages import explain_phase
from core.problems import Problem
from core.runs import queue
from core.store import Run, open_store, read_report

_POLL_S = 0.25
_LOST = {"data.ragged_rows", "data.bad_lines"}  # rows of a table that are not read and have no answer
_COUNTED = 10  # classes whose number of answers is told


def wait(run: Run, *, quiet: bool) -> Run:
    """Wait for a run's end, with its progress on stderr. Ctrl-C asks it to stop; twice leaves it alone."""
    store = open_store()
    show, warn = _Progress(quiet), _Warnings()
    try:
        while run.is_active:
            queue.pump(store)
            run = store.get_run(run.id)
            show(run)
            warn(run)
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        queue.stop_run(run.id, store)
        print(f"\nstopping {run.id}; what was done so far is kept", file=sys.stderr)
        while (run := store.get_run(run.id)).is_active:
            queue.pump(store)
            time.sleep(_POLL_S)
    show.close()
    warn(run)
    return run


class _Warnings:
    """What is odd about the data of a run and its numbers, on stderr as soon as it is known, each once."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def __call__(self, run: Run) -> None:
        path = run.folder / "artifacts" / "data.json"
        if run.is_active and (self._told or not path.exists()):
            return
        record = read_record(path.parent)
        for problem in [*(record["problems"] if record else []), *(run.summary.get("problems") or [])]:
            sentence = cli_results.sentence(problem)
            if sentence not in self._told:
                self._told.add(sentence)
                print(f"warning: {sentence}", file=sys.stderr)


class _Progress:
    """One line on a terminal that is written over; a line for each phase elsewhere."""

    def __init__(self, quiet: bool) -> None:
        self._quiet, self._last, self._on_terminal = quiet, "", sys.stderr.isatty()

    def __call__(self, run: Run) -> None:
        phase = run.phase or {"code": run.status, "values": {}}
        words = explain_phase(phase["code"], phase["values"]) if run.status == "running" else run.status
        if self._on_terminal:
            words += "" if run.progress is None else f"  {run.progress:4.0%}"
            words += "" if run.eta_s is None else f"  {run.eta_s:.0f} s left"
        if self._quiet or words == self._last:
            return
        self._last = words
        end = "" if self._on_terminal else "\n"
        start = "\r\x1b[2K" if self._on_terminal else ""
        print(f"{start}{run.id}  {words}", end=end, file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._on_terminal and self._last:
            print(file=sys.stderr)


def follow(run: Run, as_json: bool, detach: bool) -> None:
    if detach:
        show({"run": run.id, "status": run.status}, as_json, run.id)
        return
    end_with(wait(run, quiet=False), as_json)


def end_with(run: Run, as_json: bool, failed: Sequence[Problem] = (), **more: Any) -> NoReturn:
    """Say how a run ended and leave with its exit status; `failed` is what went wrong after it."""
    values: dict[str, Any] = {"run": run.id, "status": run.status, **cli_results.results(run), **more}
    errors = [*(run.error or []), *(problem.as_dict() for problem in failed)]
    if errors:
        values["error"] = [{**problem, "sentence": cli_results.sentence(problem)} for problem in errors]
        for problem in values["error"]:
            print(problem["sentence"], file=sys.stderr)
    test = run.summary.get("test")
    text = f"{run.id} {run.status}{cli_results.download_words(run)}"
    if test:
        low, high = test["interval"]
        text += f": {test['accuracy']:.1%} of {test['n']} test examples (95%: {low:.1%} to {high:.1%})"
    if run.kind == "predict" and run.status == "done":
        counted = ", ".join(f"{label or 'empty'} {n}" for label, n in list(run.summary["counts"].items())[:_COUNTED])
        text += f": {run.summary['rows']} {run.summary['kind']}: {counted}"
    text += "".join(f"\n  {finding['sentence']}" for finding in values.get("conclusions", []))
    text += "".join(f"\n{line}" for line in cli_results.lines(values))
    show(values, as_json, text)
    raise SystemExit(1 if failed else exit_status(run))


def exit_status(run: Run) -> int:
    """0 done, 1 failed or interrupted, 3 done but for some of what was asked, 130 stopped."""
    if run.status != "done":
        return 130 if run.status == "stopped" else 1
    return PARTLY if _lacks_some(run) else 0


def _lacks_some(run: Run) -> bool:
    """Whether a picture or row cannot be read, a training of a comparison failed, or a way of optimizing did."""
    summary = run.summary
    if run.kind == "predict":
        codes = {problem["code"] for problem in summary["problems"]}
        return bool(codes & _LOST) or (summary.get("kind") == "pictures" and "" in summary["counts"])
    if run.kind == "compare":
        return bool(summary["cells_done"] < summary["cells"])
    report = (read_report(run.id) or {}) if run.kind == "optimize" else {}
    return any(row["status"] == "failed" for row in report.get("variants") or [])
