"""`python -m core ask`: the tasks beside classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypedDict

import typer

from core.cli.document import show
from core.cli.meant import checked_output, meant_model
from core.cli.options import JsonOption
from core.errors import InputError
from core.files import replacing
from core.messages import explain
from core.predict.tasks.checks import check_inputs, default_model, is_here, split_labels
from core.predict.tasks.records import AnswerReport
from core.predict.tasks.table import get_task
from core.registry.task_rows import Task
from core.registry.tasks import TASKS


def ask(
    task: Annotated[str, typer.Option(help="What to ask; without it, all tasks are listed.")] = "",
    model: Annotated[str, typer.Option(help="hub/ORG/NAME, or path:/folder. Default: what is here.")] = "",
    text: Annotated[str | None, typer.Option(help="A text; of a question, the text with the answer.")] = None,
    question: Annotated[str | None, typer.Option(help="A question.")] = None,
    labels: Annotated[str | None, typer.Option(help="Labels or texts of your own, separated by commas.")] = None,
    image: Annotated[Path | None, typer.Option(help="A picture file.")] = None,
    sound: Annotated[Path | None, typer.Option(help="A wav recording.")] = None,
    option: Annotated[list[str] | None, typer.Option("--set", help="An option, as name=value.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the drawn picture there, as png.")] = None,
    json_: JsonOption = False,
) -> None:
    """Ask a model of the hub what it was made for: own labels, gaps, questions, translations, pictures, speech."""
    if not task:
        rows = [_row(card) for card in TASKS.values()]
        show(rows, json_, "\n".join(_line(row) for row in rows))
        return
    row = get_task(task)
    out = None if out is None else checked_output(out, reads=image)
    given: dict[str, object] = {"--text": text, "--question": question, "--image": image, "--sound": sound}
    given["--labels"] = None if labels is None else split_labels(labels)
    model = meant_model(model, takes_folders=True) if model else default_model(row)
    values, lines = _ask(row, model, given, option or [], out)
    show(values, json_, "\n".join(lines))


class _ModelRow(TypedDict):
    id: str
    size_mb: float
    local: bool


class _TaskRow(TypedDict):
    """A task in the list."""

    task: str
    does: str
    inputs: list[str]
    output: str
    models: list[_ModelRow]


def _row(task: Task) -> _TaskRow:
    models = [_ModelRow(id=row.id, size_mb=row.size_mb, local=is_here(row.id)) for row in task.models]
    names = [entry.name for entry in task.inputs]
    return {"task": task.id, "does": task.does, "inputs": names, "output": task.output, "models": models}


def _line(row: _TaskRow) -> str:
    models = ", ".join(
        f"{m['id']} ({'local' if m['local'] else format(m['size_mb'], '.0f') + ' MB'})" for m in row["models"]
    )
    return f"{row['task']:31} {row['does']}\n{'':31} {models}"


def _ask(
    task: Task, model: str, given: Mapping[str, object], options: list[str], out: Path | None
) -> tuple[dict[str, object], list[str]]:
    """The answer as a document and in lines. `given`: what each option of the command line holds, None for nothing."""
    from core.predict.tasks.load import load_task

    inputs = _inputs(task, given)
    options_ = _options(task, options)
    problems = check_inputs(task, {**inputs, **options_})
    if problems:  # told before the model is loaded
        raise InputError(problems)
    report = load_task(task.id, model).answer(**inputs, **options_)
    values = report.as_dict()
    values["notes"] = [{**note.as_dict(), "sentence": explain(note)} for note in report.notes]
    drawn = _draw(report, inputs) if out is not None else None
    if out is not None and drawn is not None:
        with replacing(out) as unfinished:
            drawn.save(unfinished, "PNG")
        values["out"] = str(out)
    return values, [*_lines(report), *(f"note: {explain(note)}" for note in report.notes)]


def _inputs(task: Task, given: Mapping[str, object]) -> dict[str, Any]:
    """The task's inputs by their names, files read. Raises `InputError` for what it does not take."""
    from core.predict.tasks.load import read_file

    known = [entry.option for entry in task.inputs]
    unused = [name for name, value in given.items() if value is not None and name not in known]
    if unused:
        raise InputError("ask.unknown_input", name=unused[-1], task=task.id, known=", ".join(known))
    inputs: dict[str, Any] = {}
    for entry in task.inputs:
        value = given.get(entry.option)
        if value is not None:
            inputs[entry.name] = read_file(entry.kind, value) if isinstance(value, Path) else value
    return inputs


def _options(task: Task, given: list[str]) -> dict[str, float | bool | str]:
    values: dict[str, float | bool | str] = {}
    switches = {option.name for option in task.options if isinstance(option.default, bool)}
    for pair in given:
        name, _, value = pair.partition("=")
        if name in switches:
            values[name] = value.lower() in ("true", "yes", "1")
            continue
        try:
            values[name] = float(value)
        except ValueError:  # told with the range it may have
            values[name] = value
    return values


def _draw(report: AnswerReport, inputs: dict[str, Any]) -> Any:
    from core.predict.drawing import draw_boxes, paint_parts

    if report.output == "boxes":
        return draw_boxes(inputs["picture"], report.boxes)
    if report.output == "masks" and report.mask is not None:
        return paint_parts(inputs["picture"], report.mask, report.segments)
    return report.picture


def _lines(report: AnswerReport) -> list[str]:
    lines = [report.text] if report.output == "text" else []
    lines += [f"{row.score:7.3f}  {row.label}" for row in report.labels]
    lines += [f"{span.score:7.3f}  {span.text}" for span in report.spans]
    lines += [f"{box.score:7.3f}  {box.label}  {', '.join(f'{edge:.0f}' for edge in box.box)}" for box in report.boxes]
    lines += [f"{part.share:7.1%}  {part.label}" for part in report.segments]
    return [*lines, f"answered in {report.latency_ms:.0f} ms by {report.model}"]
