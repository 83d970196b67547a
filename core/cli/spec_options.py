"""Options of the verbs that begin a job, drawn from the fields of the specs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from core.cli.meant import meant_ids
from core.cli.options import DetachOption, JsonOption
from core.compare.spec import CompareSpec
from core.finetune.spec import FinetuneSpec
from core.optimize.spec import OptimizeSpec
from core.spec import DataRef, ModelRef, metadata, option_name, parse_spec

Asked = FinetuneSpec | CompareSpec | OptimizeSpec
A = TypeVar("A", FinetuneSpec, CompareSpec, OptimizeSpec)
_BESIDE: dict[type[Asked], tuple[str, ...]] = {OptimizeSpec: ("bundle",)}  # options that are no field of the spec


def command(kind: type[A], start: Callable[..., None]) -> Callable[..., None]:
    """A verb whose options are the fields of a spec: `start` gets the spec, `json`, `detach`, and what comes beside it.

    typer reads a function's signature; this one's is told by the spec, so that a new field is an option at once.
    """

    def verb(json: bool, detach: bool, **options: Any) -> None:
        beside = {name: options.pop(name) for name in _BESIDE.get(kind, ()) if name in options}
        start(_spec_of(kind, options), json, detach, **beside)

    typed: Any = verb
    typed.__signature__ = _signature(kind)
    return verb


def _spec_of(kind: type[A], options: dict[str, Any]) -> A:
    """The spec that options ask for. Raises `InputError` with every option that is wrong."""
    given = {name: value for name, value in options.items() if value is not None}
    model, data = meant_ids(given["model"], given["data"])
    columns = {name: given.pop(name) for name in ("text_column", "label_column") if name in given}
    weights = {"weights": given.pop("weights")} if "weights" in given else {}
    values = {
        **{name: _value_of(kind.model_fields[name], value) for name, value in given.items()},
        "model": {"id": model, **weights},
        "data": {"id": data, **columns},
    }
    return parse_spec(kind, values)


def _value_of(field: FieldInfo, value: Any) -> Any:
    """An option as the spec wants it: a list is written with commas, and "none" empties what has a default."""
    if isinstance(field.default, tuple):
        return [part.strip() for part in str(value).split(",") if part.strip()]
    may_be_empty = field.default is not None and type(None) in get_args(field.annotation)
    return None if may_be_empty and value == "none" else value


def _signature(kind: type[Asked]) -> inspect.Signature:
    """The options of a spec: one for each field, with the field's help, range and default."""
    parameters = [_option("model", str, ..., "Model id; `models` lists them.")]
    if kind is FinetuneSpec:
        weights = Literal["pretrained", "random"]
        parameters.append(_option("weights", weights, "pretrained", "Published weights, or random ones."))
    parameters += [
        _option("data", str, ..., "Data set id: builtin/digits, upload/NAME, hub/ORG/NAME, path:/folder-or-file."),
        _option("text_column", str | None, None, "The column of the texts, where it is not the one found."),
        _option("label_column", str | None, None, "The column of the labels, where it is not the one found."),
    ]
    for name, field in kind.model_fields.items():
        if field.annotation in (ModelRef, DataRef):
            continue
        unit = metadata(field).get("unit")
        text = (field.description or "") + (f" In {unit}." if unit else "")
        default, annotation = field.default, field.annotation
        if isinstance(default, tuple):
            known = f" of {', '.join(choices)}" if (choices := metadata(field).get("choices")) else ""
            default, annotation, text = ",".join(map(str, default)), str, f"{text} Separated by commas{known}."
        elif default is not None and type(None) in get_args(annotation):  # a number that may be "none"
            default, annotation = str(default), str
        parameters.append(_option(name, annotation, default, text))
    if kind is OptimizeSpec:
        text = "Write the recommended variant there as a zip that needs no Graft."
        parameters.append(_option("bundle", Path | None, None, text))
    parameters += [
        inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=JsonOption),
        inspect.Parameter("detach", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=DetachOption),
    ]
    return inspect.Signature(parameters)


def _option(name: str, kind: Any, default: Any, text: str) -> inspect.Parameter:
    option = typer.Option(_flag(name, kind), help=text, show_default=default is not None)
    if get_origin(kind) is not Literal and type(None) in get_args(kind):
        kind = next(part for part in get_args(kind) if part is not type(None)) | None
    value = inspect.Parameter.empty if default is ... else default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value, annotation=Annotated[kind, option])


def _flag(name: str, kind: Any) -> str:
    option = option_name(name)
    return f"{option}/--no-{option[2:]}" if kind is bool else option
