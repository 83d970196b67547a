"""`python -m core doctor`: what this machine has, and how fast it is."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from core.cli.document import show
from core.cli.options import JsonOption


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
    show(report, json_, "\n".join(lines))
