"""The verbs of the command line for models: list, inspect, measure, fetch, keep and bring; and runs in archives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import typer

from core.cli import results as cli_results
from core.cli.document import show
from core.cli.meant import meant_model
from core.cli.options import DetachOption, JsonOption
from core.cli.progress import end_with, follow, wait
from core.errors import InputError
from core.files import to_json
from core.inspection.records import InspectionReport
from core.inspection.spec import InspectSpec
from core.measurement.spec import MeasureSpec
from core.messages import explain
from core.models import catalog, weight_files
from core.models.card import ModelCard
from core.models.search import find_local, line_of, search_models
from core.models.spec import DownloadSpec
from core.predict.spec import SENTIMENT
from core.runs import manage, submit
from core.spec import Weights, parse_spec
from core.store import read_report


def models(
    query: Annotated[str, typer.Argument(help="Words of id, name, family, task, language.")] = "",
    task: Annotated[str, typer.Option(help="Only models for this task, as fill-mask.")] = "",
    group: Annotated[Literal["", "vision", "nlp", "multimodal"], typer.Option(help="Only this group.")] = "",
    family: Annotated[list[str] | None, typer.Option(help="Only this family; may be given often.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="bundled, torchvision, timm, hub or run.")] = None,
    commercial: Annotated[bool, typer.Option("--commercial", help="Only where the licence allows it.")] = False,
    max_parameters_m: Annotated[float | None, typer.Option(help="Parameters at most, in millions.")] = None,
    min_accuracy: Annotated[float | None, typer.Option(help="Accuracy on ImageNet at least, in %.")] = None,
    local: Annotated[bool, typer.Option("--local", help="Only those whose weights are here.")] = False,
    limit: Annotated[int | None, typer.Option(help="At most so many.", min=1)] = None,
    json_: JsonOption = False,
) -> None:
    """List the models: id, parameters, multiply-adds, published accuracy, size."""
    cards = [*catalog.list_run_models(), *catalog.list_models()]
    here = find_local(cards)
    asked: dict[str, Any] = {"task": task, "group": group, "families": family or (), "sources": source or ()}
    asked |= {"max_parameters_m": max_parameters_m, "min_accuracy": min_accuracy}
    matches = search_models(cards, here, text=query, commercial=commercial, only_local=local, **asked)[:limit]
    rows = [{**card.model_dump(mode="json"), "local": card.id in here} for card in matches]
    show(rows, json_, "\n".join(line_of(card, card.id in here) for card in matches))


def model(
    model_id: Annotated[str, typer.Argument(metavar="ID")],
    image_size: Annotated[int | None, typer.Option(help="The edge of the picture it is shown, in px.")] = None,
    json_: JsonOption = False,
) -> None:
    """Show one model's card and what it is made of; `sentiment` is the one that comes along."""
    model_id = meant_model(model_id)
    if model_id == SENTIMENT:
        from core.predict.sentiment.model import read_card

        show(read_card(), json_, to_json(read_card()))
        return
    card = catalog.get_model(model_id)
    values = {**card.model_dump(mode="json"), "local": weight_files.is_local(card)}
    report = _inspected(parse_spec(InspectSpec, {"model": {"id": model_id}, "image_size": image_size}), card, json_)
    lines = [f"{name:14} {value}" for name, value in values.items() if value not in ("", {}, [], None)]
    show({**values, **report}, json_, "\n".join([*lines, "", *cli_results.inspection_lines(report)]))


def _inspected(spec: InspectSpec, card: ModelCard, quiet: bool) -> InspectionReport:
    """What an inspection found, as the model's page shows it: of the run that is there, else of a new one."""
    problems = catalog.check_image_size(card, spec.image_size) if spec.image_size and card.preprocessing else []
    if problems:
        raise InputError(problems)
    run = manage.latest_inspection(spec)
    if run is None or not (run.is_active or run.status == "done"):
        run = submit.submit(spec)
    run = wait(run, quiet=quiet)
    report = read_report(run.id, InspectionReport) if run.status == "done" else None
    if report is None:
        end_with(run, quiet)
    return report


def measure(
    model_id: Annotated[str, typer.Argument(metavar="ID")],
    weights: Annotated[Weights, typer.Option(help="Published weights, or random ones: as fast.")] = "pretrained",
    batch_size: Annotated[int, typer.Option(help="How many are answered at once, beside one.", min=2)] = 32,
    json_: JsonOption = False,
    detach: DetachOption = False,
) -> None:
    """Time a model on this machine: one at a time and in batches, block by block, and its memory."""
    spec = parse_spec(
        MeasureSpec, {"model": {"id": meant_model(model_id), "weights": weights}, "batch_size": batch_size}
    )
    follow(submit.submit(spec), json_, detach)


def download(
    model_id: Annotated[str, typer.Argument(metavar="ID", help="Model id; `models` lists them.")],
    json_: JsonOption = False,
    detach: DetachOption = False,
) -> None:
    """Fetch a model's published weights, or go on where an earlier attempt ended."""
    follow(submit.submit(parse_spec(DownloadSpec, {"model": meant_model(model_id)})), json_, detach)


def weights(
    delete: Annotated[str, typer.Option("--delete", metavar="ID", help="Delete this model's weights.")] = "",
    import_: Annotated[Path | None, typer.Option("--import", help="Bring a file or a hub's folder.")] = None,
    model: Annotated[str, typer.Option(help="The model that --import brings.")] = "",
    json_: JsonOption = False,
) -> None:
    """List the weights in this machine's caches, delete some, or bring some from a file or folder."""
    if import_ is not None:
        _bring(meant_model(model) if model else "", import_, json_)
    elif delete:
        _delete(meant_model(delete), json_)
    else:
        _list(json_)


def run_import(
    file: Annotated[Path, typer.Argument(help="The zip that `run ID export` wrote.")], json_: JsonOption = False
) -> None:
    """Take in a run that was exported elsewhere, after a look through everything in it."""
    from core.runs.archive import import_run

    run, problems = import_run(file)
    notes = [{**problem.as_dict(), "sentence": explain(problem)} for problem in problems]
    text = "\n".join([f"{run.id} {run.status}  {run.name}", *(f"  {note['sentence']}" for note in notes)])
    show({"run": run.id, "name": run.name, "status": run.status, "notes": notes}, json_, text)


class _WeightsRow(TypedDict):
    """A model's weights in the list."""

    model: str
    bytes: int
    whole: bool
    folder: str


def _list(as_json: bool) -> None:
    from core.models.weight_cache import list_weights

    rows: list[_WeightsRow] = [
        {"model": one.model, "bytes": one.bytes, "whole": one.is_whole, "folder": str(one.folder)}
        for one in list_weights()
    ]
    lines = [
        f"{row['bytes'] / 1e6:9.1f} MB  {row['model']:46} {'' if row['whole'] else 'unfinished  '}{row['folder']}"
        for row in rows
    ]
    show(rows, as_json, "\n".join(lines) or "no weights in the caches of this machine")


def _delete(model_id: str, as_json: bool) -> None:
    from core.models.weight_cache import remove_weights

    freed = remove_weights(model_id)
    show({"model": model_id, "deleted": True, "bytes": freed}, as_json, f"{model_id} deleted, {freed / 1e6:.1f} MB")


def _bring(model_id: str, path: Path, as_json: bool) -> None:
    from core.models.weight_cache import import_weights

    if not model_id:
        raise InputError("weights.import_what")
    size = import_weights(model_id, path)
    show({"model": model_id, "imported": True, "bytes": size}, as_json, f"{model_id} is here, {size / 1e6:.1f} MB")
