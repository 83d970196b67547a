"""Options that several verbs have."""

from __future__ import annotations

from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
TextColumn = Annotated[str | None, typer.Option(help="The column of the texts, where it is not the one found.")]
LabelColumn = Annotated[str | None, typer.Option(help="The column of the labels, where it is not the one found.")]
DetachOption = Annotated[bool, typer.Option("--detach", help="Start and return at once.")]
