"""`python -m core runs`: what ran."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from core import recovery
from core.cli.document import show
from core.cli.options import JsonOption
from core.errors import InputError
from core.messages import explain
from core.paths import shown
from core.runs import queue
from core.runs.export import run_facts
from core.runs.marks import MARK, accuracy_of, marks_of
from core.store import Run, open_store


def list_runs(
    kind: Annotated[str, typer.Option(help="Only this kind: finetune, import.")] = "",
    limit: Annotated[int, typer.Option(help="At most this many, the newest first.", min=1)] = 50,
    json_: JsonOption = False,
) -> None:
    """List the runs, the newest first."""
    if kind:
        _check_kind(kind)
    queue.pump()
    for problem in recovery.told(open_store().path):
        print(f"warning: {explain(problem)}", file=sys.stderr)
    runs = open_store().list_runs(kind=kind or None, limit=limit)
    rows = [{**run_facts(run), "beside": [explain(problem) for problem in marks_of(run)]} for run in runs]
    show(rows, json_, "\n".join(line for run in runs for line in _lines(run)))


def _check_kind(kind: str) -> None:
    from core.runs.kinds import KINDS  # all that the jobs ask of a spec

    if kind not in KINDS:
        raise InputError("run.unknown_kind", kind=shown(kind), known=", ".join(KINDS))


def _lines(run: Run) -> list[str]:
    """A run in one line; below it what marks its accuracy."""
    accuracy, marks = accuracy_of(run), marks_of(run)
    told = "" if accuracy is None else f"{accuracy:.1%}" + (MARK if marks else "")
    below = [] if accuracy is None else [f"  {MARK} {explain(problem)}" for problem in marks]
    return [f"{run.id}  {run.status:11}  {told:>7}  {run.name}", *below]
