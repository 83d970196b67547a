"""`python -m core run`: what can be done with one run."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from core.cli import results as cli_results
from core.cli.document import show
from core.cli.options import DetachOption, JsonOption
from core.cli.progress import follow
from core.files import to_json
from core.paths import plain
from core.runs import export as runs_export
from core.runs import kinds, manage, queue
from core.runs.export import metric_rows, run_facts
from core.store import Run, open_store


def one_run(
    run_id: Annotated[str, typer.Argument(metavar="ID")],
    verb: Annotated[
        Literal["show", "log", "stop", "kill", "resume", "repeat", "export", "delete"],
        typer.Argument(help="What to do with it."),
    ] = "show",
    json_: JsonOption = False,
    detach: DetachOption = False,
) -> None:
    """Show, stop, resume, repeat, export or delete a run."""
    run_id = plain(run_id).removeprefix("run/")
    queue.pump()
    run = open_store().get_run(run_id)
    if verb == "show":
        _show(run, json_)
    elif verb == "log":
        show({"run": run.id, "log": manage.read_log(run.id)}, json_, manage.read_log(run.id))
    elif verb in ("stop", "kill"):
        run = queue.stop_run(run_id) if verb == "stop" else queue.kill_run(run_id)
        show({"run": run.id, "status": run.status}, json_, f"{run.id} {run.status}, asked to {verb}")
    elif verb in ("resume", "repeat"):
        again = manage.resume_run(run_id) if verb == "resume" else manage.repeat_run(run_id)
        follow(again, json_, detach)
    elif verb == "export":
        path = runs_export.export_run(run_id)
        show({"run": run_id, "path": str(path), "bytes": path.stat().st_size}, json_, str(path))
    else:
        size = manage.run_size(run_id)
        manage.delete_run(run_id)
        show({"run": run_id, "deleted": True, "bytes": size}, json_, f"{run_id} deleted, {size / 1e6:.1f} MB")


def _show(run: Run, as_json: bool) -> None:
    store = open_store()
    artifacts = [
        {"name": a.name, "kind": a.kind, "bytes": a.bytes, "sha256": a.sha256, "path": str(run.folder / a.path)}
        for a in store.list_artifacts(run.id)
    ]
    facts = {**run_facts(run), "run": run.id, **cli_results.results(run)}
    if as_json:
        print(to_json({**facts, "metrics": metric_rows(run.id, store), "artifacts": artifacts}))
        return
    print(f"{run.id}  {run.status}  {run.name}")
    for problem in run.error or []:
        print(f"  {cli_results.sentence(problem)}")
    for finding in facts.get("conclusions", []):
        print(f"  {finding['sentence']}")
    print("".join(f"  {line}\n" for line in cli_results.lines(facts)), end="")
    print(f"  {kinds.command_line(manage.spec_of(run))}")
    for artifact in artifacts:
        print(f"  {artifact['bytes']:>12,}  {artifact['name']}")
