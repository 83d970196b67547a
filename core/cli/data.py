"""`python -m core data`: what is in a data set."""

from __future__ import annotations

from typing import Annotated

import typer

from core import store
from core.cli import results as cli_results
from core.cli.document import show
from core.cli.meant import meant_data
from core.cli.options import JsonOption, LabelColumn, TextColumn
from core.cli.progress import end_with, wait
from core.data.spec import ImportSpec
from core.runs import submit
from core.spec import parse_spec


def data(
    data_id: Annotated[str, typer.Argument(metavar="ID")],
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    json_: JsonOption = False,
) -> None:
    """Read a data set and say what is in it: classes, splits, problems."""
    ref = {"id": meant_data(data_id), "text_column": text_column, "label_column": label_column}
    spec = parse_spec(ImportSpec, {"data": ref})
    run = submit.submit(spec)
    ended = wait(run, quiet=json_)
    report = store.read_report(ended.id) or {}
    if ended.status != "done":
        end_with(ended, json_)
    problems = [{**problem, "sentence": cli_results.sentence(problem)} for problem in report.get("problems", [])]
    lines = [f"{report.get('name', data_id)}: {report.get('num_images', 0)} examples, {len(report['labels'])} classes"]
    lines += cli_results.data_lines(report)
    lines += [f"  {problem['sentence']}" for problem in problems]
    show({**report, "problems": problems, "run": ended.id, "status": ended.status}, json_, "\n".join(lines))
