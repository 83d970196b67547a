"""A spec's field and what hangs on it: range, choices, unit, level, and the records of a model and a data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from core.i18n import N_

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


def metadata(field: FieldInfo) -> dict[str, Any]:
    """The unit, level, choices and `shown_when` of a spec's field."""
    extra = field.json_schema_extra
    return dict(extra) if isinstance(extra, dict) else {}


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

    id: str = Field(min_length=3, max_length=4096, pattern=r"^([a-z]+/|path:)\S.*$")
    text_column: str | None = Field(default=None, min_length=1, max_length=200)
    label_column: str | None = Field(default=None, min_length=1, max_length=200)

    @property
    def source(self) -> str:
        return "path" if self.id.startswith("path:") else self.id.partition("/")[0]

    @property
    def name(self) -> str:
        """The id without its source."""
        return self.id[5:] if self.source == "path" else self.id.partition("/")[2]
