"""A spec's field and what hangs on it: range, choices, unit, level, and the records of a model and a data set."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from core.errors import InputError
from core.i18n import N_
from core.paths import shown
from core.problems import Problem

LONGEST_ID = 4096  # letters of a data id, which may be a path
LONGEST_COLUMN = 2000  # letters of a column's name: in surveys it is the whole question
Weights = Literal["pretrained", "random"]
Level = Literal["basic", "expert"]


def knob(
    default: Any,
    *,
    label: str,
    help: str,
    unit: str = "",
    level: Level = "basic",
    choices: Mapping[Any, str] | None = None,
    shown_when: tuple[str, tuple[Any, ...]] | None = None,
    ge: float | None = None,
    le: float | None = None,
    gt: float | None = None,
    task: str | None = None,
) -> Any:
    """A spec field with everything that a form, a command line and a manual need to know of it.

    `choices` maps each allowed value to its label; `shown_when` names another field and the values of it
    for which this one matters, `task` the only task it is for. Labels and helps are English source texts,
    translated where shown.
    """
    return Field(
        default,
        title=label,
        description=help,
        ge=ge,
        le=le,
        gt=gt,
        json_schema_extra={
            "unit": unit,
            "level": level,
            "task": task,
            "choices": dict(choices) if choices else None,
            "shown_when": [shown_when[0], list(shown_when[1])] if shown_when else None,
        },
    )


class Metadata(TypedDict, total=False):
    """What `knob` keeps of a field."""

    unit: str
    level: Level
    task: str | None
    choices: dict[Any, str] | None
    shown_when: list[Any] | None  # the field's name and its values


def metadata(field: FieldInfo) -> Metadata:
    """The unit, level, choices and `shown_when` of a spec's field."""
    extra = field.json_schema_extra
    return cast(Metadata, dict(extra)) if isinstance(extra, dict) else {}


def seed_knob() -> Any:
    """The seed, which means the same in every spec."""
    return knob(
        0,
        label=N_("Seed"),
        help=N_("The same seed draws the same examples in the same order: the run can be repeated exactly."),
        ge=0,
        le=2**31 - 1,
        level="expert",
    )


class Spec(BaseModel):
    """A frozen record; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelRef(Spec):
    """A model by its id, with the published weights or random ones.

    Ids: `bundled/efficientnet_lite0`, `torchvision/resnet18.imagenet1k_v1`, `run/RUN-ID`.
    """

    id: str = Field(min_length=3, max_length=300, pattern=r"^[a-z]+/\S.*$")
    weights: Weights = "pretrained"

    @property
    def source(self) -> str:
        return self.id.partition("/")[0]


class DataRef(Spec):
    """A data set by its id.

    Ids: `builtin/digits`, `torchvision/cifar10`, `hub/ORG/NAME[:config]`, `upload/NAME`,
    `path:/any/folder-or-file`. The columns of a table are found by their names unless they are given.
    """

    id: str = Field(min_length=3, max_length=LONGEST_ID, pattern=r"(?s)^([a-z]+/|path:)\S.*$")
    text_column: str | None = Field(default=None, min_length=1, max_length=LONGEST_COLUMN)
    label_column: str | None = Field(default=None, min_length=1, max_length=LONGEST_COLUMN)

    @property
    def source(self) -> str:
        return "path" if self.id.startswith("path:") else self.id.partition("/")[0]

    @property
    def name(self) -> str:
        """The id without its source."""
        return self.id[5:] if self.source == "path" else self.id.partition("/")[2]


# Options that stand for a part of a field: the model's id and weights are two options of one record.
_PARTS = {"model": "--model", "data": "--data"}


def option_name(field: str) -> str:
    """The option of a spec's field: batch_size → --batch-size."""
    return "--" + field.replace("_", "-")


def command(words: Sequence[str]) -> str:
    """`python -m core …`, quoted for this system's shell."""
    return _join(["python", "-m", "core", *words])


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
            words += [_PARTS[name], value.id, *columns(value)]
        elif isinstance(value, bool):
            words += [] if value == field.default else [option_name(name) if value else f"--no-{name}"]
        # The method says what the run does: it is spelled out even where it is the default.
        elif name in ("method", "methods", "sizes", "passes") or (value != field.default and _matters(spec, name)):
            words += [option_name(name), _spell(value)]
    return words


def columns(data: DataRef) -> list[str]:
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


_RULES = {
    "greater_than_equal": ("at_least", "ge"),
    "less_than_equal": ("at_most", "le"),
    "greater_than": ("more_than", "gt"),
    "less_than": ("less_than", "lt"),
    "string_too_long": ("longest", "max_length"),
    "string_too_short": ("shortest", "min_length"),
    "literal_error": ("choice", "expected"),
    "int_parsing": ("whole", ""),
    "int_parsing_size": ("whole", ""),
    "int_type": ("whole", ""),
    "int_from_float": ("whole", ""),
    "float_parsing": ("number", ""),
    "float_type": ("number", ""),
    "finite_number": ("number", ""),
    "bool_parsing": ("truth", ""),
    "bool_type": ("truth", ""),
    "string_unicode": ("utf8", ""),
    "string_pattern_mismatch": ("spelling", ""),
    "missing": ("missing", ""),
}


def rule_of(item: Mapping[str, Any]) -> str:
    """What may be given, of an error of pydantic's, as sentences know it: at_least 2."""
    name, value = _RULES.get(item["type"], ("", ""))
    if not name:
        own = item.get("ctx", {}).get("error")  # what a check of Graft's own says, as a rule
        return str(own or item["msg"])
    limit = str(item.get("ctx", {}).get(value, ""))
    if name == "choice":
        limit = ", ".join(re.findall(r"'([^']*)'", limit)) or limit
    return f"{name} {limit}".strip()


S = TypeVar("S", bound=Spec)


def _is_utf8(value: object) -> bool:
    """Whether a spec with this value can be kept: names of files of other systems may hold half letters."""
    if isinstance(value, Mapping):
        return all(map(_is_utf8, value.values()))
    return not isinstance(value, str) or value.encode("utf-8", "replace").decode() == value


def parse_spec(kind: type[S], values: Mapping[str, Any]) -> S:
    """Build a spec from plain values. Raises `InputError` with every field that is wrong."""
    broken = [name for name, value in values.items() if not _is_utf8(value)]
    if broken:
        told = [{"field": name, "received": shown(repr(values[name])), "rule": "utf8"} for name in broken]
        raise InputError([Problem("spec.invalid_value", field=row["field"], values=row) for row in told])
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        problems = []
        for item in error.errors(include_url=False):
            name = str(item["loc"][0]) if item["loc"] else ""
            if item["type"] == "extra_forbidden":
                known = ", ".join(kind.model_fields)
                problems.append(Problem("spec.unknown_field", field=name, values={"field": name, "known": known}))
            else:
                received = repr(item.get("input"))[:80]
                values_ = {"field": name, "received": received, "rule": rule_of(item)}
                problems.append(Problem("spec.invalid_value", field=name, values=values_))
        raise InputError(problems) from None
