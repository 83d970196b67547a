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

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from core import settings
from core.errors import InputError
from core.paths import shown
from core.registry.formats import load
from core.sharing import spin_less
from core.unforeseen import door, say, say_as_json

EXIT_STATUS = (
    "Exit status: 0 done, 1 a run failed, 2 bad input and nothing begun, 3 done but for some of it (pictures or "
    "rows that cannot be read, trainings or ways that failed), 130 stopped."
)


@dataclass(frozen=True)
class Verb:
    """One verb: how its help begins, and the function that does it, as `module:function`."""

    help: str
    does: str


# A verb is imported when it is asked for: most need libraries that the others do not.
VERBS: dict[str, Verb] = {
    "data": Verb("Read a data set and say what is in it: classes, splits, problems.", "core.cli.data:data"),
    "runs": Verb("List the runs, the newest first.", "core.cli.runs:list_runs"),
    "run": Verb("Show, stop, resume, repeat, export or delete a run.", "core.cli.one_run:one_run"),
    "finetune": Verb("Adapt a pretrained classifier to your own data.", "core.cli.jobs:finetune"),
    "compare": Verb(
        "Measure what pretraining buys: from scratch against pretrained, over data-set sizes and seeds.",
        "core.cli.jobs:compare",
    ),
    "optimize": Verb(
        "Make a trained model smaller and faster, and measure on your own data what each way costs.",
        "core.cli.jobs:optimize",
    ),
    "predict": Verb(
        "Ask a model what is in pictures, or what class texts belong to; `sentiment` is the model that comes along.",
        "core.cli.predict:predict",
    ),
    "doctor": Verb("Say what this machine has, what is reachable, and how fast it is.", "core.cli.doctor:doctor"),
    "ask": Verb(
        "Ask a model of the hub what it was made for: own labels, gaps, questions, translations, pictures, speech.",
        "core.cli.ask:ask",
    ),
    "models": Verb(
        "List the models: id, parameters, multiply-adds, published accuracy, size.", "core.cli.models:models"
    ),
    "model": Verb(
        "Show one model's card and what it is made of; `sentiment` is the one that comes along.",
        "core.cli.models:model",
    ),
    "measure": Verb(
        "Time a model on this machine: one at a time and in batches, block by block, and its memory.",
        "core.cli.models:measure",
    ),
    "download": Verb(
        "Fetch a model's published weights, or go on where an earlier attempt ended.", "core.cli.models:download"
    ),
    "weights": Verb(
        "List the weights in this machine's caches, delete some, or bring some from a file or folder.",
        "core.cli.models:weights",
    ),
    "run-import": Verb(
        "Take in a run that was exported elsewhere, after a look through everything in it.",
        "core.cli.models:run_import",
    ),
}


class _Verbs(TyperGroup):
    """Lists the verbs by their rows, and imports the one that is asked for."""

    def __init__(self, **attributes: Any) -> None:
        listed = {name: TyperCommand(name, help=verb.help) for name, verb in VERBS.items()}
        super().__init__(**{**attributes, "commands": listed})

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed and command_of(VERBS[str(name)], str(name)), rest


def command_of(verb: Verb, name: str) -> Any:
    """The command that typer makes of a verb's function."""
    does: Callable[..., Any] = load(verb.does)
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command(name, help=verb.help)(does)
    return typer.main.get_command(alone)


app = typer.Typer(
    name="core",
    cls=_Verbs,
    help="Graft: adapt pretrained models to your own data, and know what it brought.",
    epilog=EXIT_STATUS,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _group() -> None:
    """What makes it a group of verbs; it has no options of its own."""


def main() -> None:
    """Run the command line; whatever goes wrong is told in a sentence."""
    door(_run, say_as_json if "--json" in sys.argv else say)


def _run() -> int | None:
    os.environ.update(spin_less(os.environ))
    settings.pass_to_libraries()
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
