"""`python -m core predict`: one text or picture at once, a file or folder as a run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli.document import show
from core.cli.meant import checked_output, meant_model
from core.cli.options import DetachOption, JsonOption, TextColumn
from core.cli.progress import end_with, follow, wait
from core.errors import PARTLY, InputError
from core.files import replacing
from core.paths import lies_there, meant_path
from core.predict.answer_tables import answers_csv
from core.predict.spec import SENTIMENT, PredictSpec
from core.registry.formats import asked_suffixes
from core.runs import submit
from core.spec import parse_spec
from core.store import open_store
from core.unforeseen import say

_SEES = "bundled/efficientnet_lite0"
_WHO_ANSWERS = f"run/RUN-ID, or a published model. Default: {_SEES} for pictures, {SENTIMENT} for texts."


def predict(
    pictures: Annotated[list[Path] | None, typer.Argument(help="The same as --image.")] = None,
    model_id: Annotated[str, typer.Option("--model", help=_WHO_ANSWERS, show_default=False)] = "",
    image: Annotated[list[Path] | None, typer.Option(help="A picture, or a folder or zip; may be given often.")] = None,
    text: Annotated[list[str] | None, typer.Option(help="A text; may be given several times.")] = None,
    file: Annotated[Path | None, typer.Option(help="A table of texts, or a folder or zip of pictures.")] = None,
    out: Annotated[Path | None, typer.Option(help="The csv to write: what was asked, with its answers.")] = None,
    text_column: TextColumn = None,
    variant: Annotated[
        str | None,
        typer.Option(help="OPTIMIZE-RUN/VARIANT, which answers a file or folder instead of the model."),
    ] = None,
    top: Annotated[int, typer.Option(help="How many answers for each picture or text.", min=1)] = 5,
    json_: JsonOption = False,
    detach: DetachOption = False,
) -> None:
    """Ask a model what is in pictures, or what class texts belong to; `sentiment` is the model that comes along."""
    paths = [meant_path(path) for path in [*(pictures or []), *(image or [])]]
    file = None if file is None else meant_path(file)
    if file is None and not paths and not text:
        raise InputError("predict.nothing")
    model_id = meant_model(model_id or _made_of(variant) or (_SEES if paths else SENTIMENT))
    many = [path for path in paths if _holds_many(path)]
    if many and (len(paths) > 1 or file is not None):
        raise InputError("predict.one_folder", path=str(many[0]))
    out = None if out is None else checked_output(out, reads=file or (paths[0] if len(paths) == 1 else None))
    if many or file is not None:
        asked = {"model": model_id, "file": str(file or many[0]), "text_column": text_column, "variant": variant}
        _answer_file(asked, out, json_, detach)
        return
    if variant is not None:
        raise InputError("predict.variant_of_file")
    if paths and text:
        raise InputError("predict.both")
    from core.predict.at_once import ask_pictures, ask_texts

    predictions = ask_pictures(model_id, paths, top) if paths else ask_texts(model_id, text or [], top)
    if out is not None:
        with replacing(out) as unfinished:
            unfinished.write_bytes(answers_csv(predictions.rows))
    show(predictions.values, json_, "\n".join(predictions.lines))
    say(predictions.problems)
    if any(problem.severity == "error" for problem in predictions.problems):
        raise typer.Exit(PARTLY)


def _made_of(variant: str | None) -> str:
    """The model that a variant was made of; empty where none is named. Raises `NotFoundError` for an unknown run."""
    if variant is None:
        return ""
    run = open_store().get_run(variant.partition("/")[0])
    return str(run.spec["model"]["id"]) if run.kind == "optimize" else ""


def _holds_many(path: Path) -> bool:
    return lies_there(path) and (path.is_dir() or path.suffix.lower() in asked_suffixes("pictures"))


def _answer_file(values: dict[str, Any], out: Path | None, json_: bool, detach: bool) -> None:
    if out is None and not detach:
        raise InputError("predict.out_missing")
    if out is not None and detach:
        raise InputError("predict.out_detached")
    run = submit.submit(parse_spec(PredictSpec, values))
    if detach:
        follow(run, json_, detach)
        return
    ended = wait(run, quiet=False)
    if ended.status == "done" and out is not None:
        with replacing(out) as unfinished:
            shutil.copyfile(ended.folder / "artifacts" / "answers.csv", unfinished)
    end_with(ended, json_)
