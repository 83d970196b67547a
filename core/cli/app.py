"""`python -m core …`: everything the pages do, by the same specs.

With `--json` one JSON document goes to stdout and nothing else; progress goes to stderr. Long verbs wait and show
their progress unless `--detach`. Exit status:

    0    all that was asked for is done
    1    a run failed, or was interrupted
    2    bad input: nothing was begun
    3    done, but for some of it: pictures or rows that cannot be read, trainings or ways of optimizing that failed
    130  stopped
"""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from core import store
from core.cli import ask
from core.cli import models as cli_models
from core.cli import results as cli_results
from core.cli.jobs import compare, finetune, optimize
from core.cli.meant import meant_data
from core.cli.options import JsonOption, LabelColumn, TextColumn
from core.cli.predict import predict
from core.cli.progress import end_with, follow, wait
from core.cli.results import print_json
from core.cli.runs import list_runs, one_run
from core.data.spec import ImportSpec
from core.errors import InputError
from core.models import hubs
from core.paths import shown
from core.runs import submit
from core.sharing import spin_less
from core.spec import parse_spec
from core.unforeseen import door, say, say_as_json

EXIT_STATUS = (
    "Exit status: 0 done, 1 a run failed, 2 bad input and nothing begun, 3 done but for some of it (pictures or "
    "rows that cannot be read, trainings or ways that failed), 130 stopped."
)
app = typer.Typer(
    name="core",
    help="Graft: adapt pretrained models to your own data, and know what it brought.",
    epilog=EXIT_STATUS,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; whatever goes wrong is told in a sentence."""
    door(_run, say_as_json if "--json" in sys.argv else say)


def _run() -> int | None:
    os.environ.update(spin_less(os.environ))
    hubs.pass_to_libraries()
    out = sys.stdout
    try:
        status: int | None = app(sys.argv[1:] or ["--help"], prog_name="python -m core", standalone_mode=False)
        return status
    except SystemExit:
        if sys.stdout is out:
            raise
        sys.stdout = out  # typer put another there: who read the output had enough
        return 0
    except TyperException as error:  # of what was typed
        context = getattr(error, "ctx", None)
        asked = context.command_path if context else "python -m core"
        detail = shown(error.format_message().strip().rstrip("."))
        raise InputError("cli.usage", detail=detail, help=f"{asked} --help") from None


@app.command()
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
    print_json({**report, "problems": problems, "run": ended.id, "status": ended.status}, json_, "\n".join(lines))


def doctor(
    calibrate: Annotated[bool, typer.Option(help="Time this machine, about half a minute, for estimates.")] = True,
    json_: JsonOption = False,
) -> None:
    """Say what this machine has, what is reachable, and how fast it is."""
    from core.measurement.doctor import examine

    report = examine(calibrate=calibrate, tell=lambda text: print(text, file=sys.stderr))
    lines = [
        f"{name:22} {value if not isinstance(value, dict | list) else json.dumps(value)}"
        for name, value in report.items()
    ]
    print_json(report, json_, "\n".join(lines))


app.command(name="runs")(list_runs)
app.command(name="run")(one_run)
app.command(name="finetune", help="Adapt a pretrained classifier to your own data.")(finetune)
app.command(
    name="compare",
    help="Measure what pretraining buys: from scratch against pretrained, over data-set sizes and seeds.",
)(compare)
app.command(
    name="optimize",
    help="Make a trained model smaller and faster, and measure on your own data what each way costs.",
)(optimize)
app.command()(predict)
app.command()(doctor)
ask.add_commands(app, print_json)
cli_models.add_commands(app, follow, print_json)
