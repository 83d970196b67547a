"""A spec as command-line options: one option per field, named after it, and the line that repeats a run."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from typing import Any

from core.specs import (
    DataRef,
    ImportSpec,
    InspectSpec,
    MeasureSpec,
    ModelRef,
    PredictSpec,
    Spec,
)

# Options that stand for a part of a field: the model's id and weights are two options of one record.
_PARTS = {"model": "--model", "data": "--data"}


def option_name(field: str) -> str:
    """The option of a spec's field: batch_size → --batch-size."""
    return "--" + field.replace("_", "-")


def command(words: Sequence[str]) -> str:
    """`python -m core …`, quoted for this system's shell."""
    return _join(["python", "-m", "core", *words])


def words_of_import(spec: ImportSpec) -> list[str]:
    return ["data", spec.data.id, *_columns(spec.data)]


def words_of_predict(spec: PredictSpec) -> list[str]:
    column = ["--text-column", spec.text_column] if spec.text_column else []
    return ["predict", "--model", spec.model, "--file", spec.file, *column, "--out", "answers.csv"]


def words_of_inspect(spec: InspectSpec) -> list[str]:
    return ["model", spec.model.id, *(["--image-size", str(spec.image_size)] if spec.image_size else [])]


def words_of_measure(spec: MeasureSpec) -> list[str]:
    random = ["--weights", "random"] if spec.model.weights == "random" else []
    batch = ["--batch-size", str(spec.batch_size)] if spec.batch_size != 32 else []
    return ["measure", spec.model.id, *random, *batch]


def spec_options(spec: Spec) -> list[str]:
    """The options of a spec, in the order of its fields."""
    words: list[str] = []
    for name, field in type(spec).model_fields.items():
        value = getattr(spec, name)
        if isinstance(value, ModelRef):
            words += [_PARTS[name], value.id]
            if value.weights != "pretrained":
                words += ["--weights", value.weights]
        elif isinstance(value, DataRef):
            words += [_PARTS[name], value.id, *_columns(value)]
        elif isinstance(value, bool):
            words += [] if value == field.default else [option_name(name) if value else f"--no-{name}"]
        # The method says what the run does: it is spelled out even where it is the default.
        elif name in ("method", "methods", "sizes", "passes") or (value != field.default and _matters(spec, name)):
            words += [option_name(name), _spell(value)]
    return words


def _columns(data: DataRef) -> list[str]:
    chosen = (("--text-column", data.text_column), ("--label-column", data.label_column))
    return [word for option, column in chosen if column is not None for word in (option, column)]


def _matters(spec: Spec, name: str) -> bool:
    extra = type(spec).model_fields[name].json_schema_extra
    condition = extra.get("shown_when") if isinstance(extra, dict) else None
    if not isinstance(condition, list):
        return True
    other, wanted = condition
    value = getattr(spec, str(other))
    return isinstance(wanted, list) and any(part in wanted for part in (value if isinstance(value, tuple) else [value]))


def _spell(value: Any) -> str:
    if value is None:  # a field whose default is a number may be emptied
        return "none"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _join(words: Sequence[str]) -> str:
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
