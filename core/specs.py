"""What can be asked for: small frozen records that cross every border.

A field carries its range, choices, unit, default, level and when it is shown, once, as metadata
(`knob`); the form, the command line and the docs are drawn from it. `core.spec_checks` says what speaks
against a spec on this machine.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from core.errors import InputError, Problem
from core.fields import DataRef, ModelRef, Spec, knob, metadata, seed_knob
from core.i18n import N_
from core.model_specs import DownloadSpec, InspectSpec, MeasureSpec
from core.optimize_spec import OptimizeSpec
from core.registry.methods import METHODS, MethodId, MethodSettings, methods_with

# What hangs on every spec lives in `core.fields`; who knows the specs finds it here.
__all__ = [
    "CompareSpec", "DataRef", "DownloadSpec", "FinetuneSpec", "ImportSpec", "InspectSpec", "MeasureSpec", "ModelRef",
    "OptimizeSpec", "PredictSpec", "Spec", "metadata", "parse_spec", "with_absolute_paths",
]  # fmt: skip

# The id of the sentiment model that comes with Graft: it answers, and is not trained further.
SENTIMENT = "sentiment"


class FinetuneSpec(Spec):
    """Adapt a pretrained classifier to one's own data."""

    model: ModelRef
    data: DataRef
    method: MethodId = knob(
        "head",
        label=N_("Method"),
        help=N_(
            "How much learns: only the new last layer, the last blocks too, small adapters beside them, or everything."
        ),
        choices={row.id: row.choice for row in METHODS.values()},
    )
    last_blocks: int = knob(
        MethodSettings.last_blocks,
        label=N_("Blocks that learn"),
        help=N_("How many blocks below the head learn with it, counted from the output."),
        ge=1,
        le=200,
        shown_when=("method", methods_with("last_blocks")),
    )
    lora_rank: int = knob(
        MethodSettings.lora_rank,
        label=N_("Rank of the adapters"),
        help=N_("How many directions each adapter can change. More learns more and takes more memory."),
        ge=1,
        le=256,
        shown_when=("method", methods_with("lora_rank")),
        level="expert",
    )
    lora_alpha: int = knob(
        MethodSettings.lora_alpha,
        label=N_("Weight of the adapters (alpha)"),
        help=N_("The adapters' change is multiplied by alpha divided by the rank."),
        ge=1,
        le=1024,
        shown_when=("method", methods_with("lora_alpha")),
        level="expert",
    )
    epochs: int = knob(
        5,
        label=N_("Epochs"),
        help=N_("How often the training sees every example. More takes longer and may learn by heart."),
        ge=1,
        le=1000,
    )
    train_size: int | None = knob(
        None,
        label=N_("Training examples"),
        help=N_("How many examples to train on, drawn evenly from the classes. Empty: all."),
        ge=2,
        le=10_000_000,
    )
    image_size: int | None = knob(
        None,
        label=N_("Picture size"),
        help=N_("Pictures are scaled to this edge. Smaller is faster, larger sees more. Empty: the model's own."),
        unit="px",
        ge=32,
        le=1024,
        task="image-classification",
    )
    max_length: int | None = knob(
        None,
        label=N_("Length that is read"),
        help=N_("Of each text the first tokens (word pieces) are read, the rest is cut. Empty: 128."),
        unit=N_("tokens"),
        ge=8,
        le=4096,
        task="text-classification",
    )
    lr: float | None = knob(
        None,
        label=N_("Learning rate"),
        help=N_("How far each step moves the weights. Empty: what suits the method and the kind of network."),
        gt=0,
        le=10,
        level="expert",
    )
    batch_size: int = knob(
        32,
        label=N_("Batch size"),
        help=N_("How many examples make one step. Larger needs more memory."),
        ge=2,
        le=4096,
        level="expert",
    )
    augment: Literal["none", "light", "strong"] = knob(
        "none",
        label=N_("Vary the pictures"),
        help=N_("Shift, mirror and crop the pictures anew in each epoch. Helps when there are few; no cache then."),
        choices={
            "none": N_("Not at all"),
            "light": N_("Lightly (shift, zoom)"),
            "strong": N_("Strongly (crop, mirror)"),
        },
        level="expert",
        task="image-classification",
    )
    class_weights: bool = knob(
        False,
        label=N_("Weigh classes equally"),
        help=N_("Rare classes count as much in training as frequent ones. Helps where one class has few examples."),
        level="expert",
    )
    patience: int | None = knob(
        None,
        label=N_("Stop early after"),
        help=N_("Stop when validation accuracy has not risen for this many epochs. Empty: never."),
        unit=N_("epochs"),
        ge=1,
        le=1000,
        level="expert",
    )
    min_epochs: int = knob(
        1,
        label=N_("Epochs at least"),
        help=N_("Stopping early waits until so many epochs are done."),
        ge=1,
        le=1000,
        level="expert",
    )
    validate_every: int = knob(
        1,
        label=N_("Validate every"),
        help=N_("How many epochs lie between two looks at the validation examples. More saves time on few examples."),
        unit=N_("epochs"),
        ge=1,
        le=1000,
        level="expert",
    )
    weight_decay: float = knob(
        1e-4,
        label=N_("Weight decay"),
        help=N_("Pulls the weights gently towards zero, against learning by heart."),
        ge=0,
        le=1,
        level="expert",
    )
    schedule: Literal["cosine", "constant"] = knob(
        "cosine",
        label=N_("Learning rate over time"),
        help=N_("Warm up for a tenth of the steps and fall to zero along a cosine, or stay constant."),
        choices={"cosine": N_("Warm up, then fall (cosine)"), "constant": N_("Constant")},
        level="expert",
    )
    test_size: int | None = knob(
        None,
        label=N_("Test examples"),
        help=N_("How many held-back examples measure the result, once, at the end. Empty: all there are."),
        ge=2,
        le=10_000_000,
        level="expert",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = knob(
        "auto",
        label=N_("Number format"),
        help=N_("How numbers are held while computing. Auto times what this machine offers and takes the fastest."),
        choices={"auto": N_("Timed on this machine"), "fp32": "fp32", "bf16": "bf16", "fp16": "fp16"},
        level="expert",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = knob(
        "auto",
        label=N_("Device"),
        help=N_("Where to compute. Auto takes a GPU when there is one."),
        choices={"auto": N_("The best there is"), "cpu": "CPU", "cuda": N_("NVIDIA GPU"), "mps": N_("Apple GPU")},
        level="expert",
    )
    seed: int = seed_knob()


def _same(name: str) -> Any:
    """A field of `FinetuneSpec`, for a spec of several methods that means the same by it."""
    field = copy.copy(FinetuneSpec.model_fields[name])
    facts = metadata(field)
    if facts["shown_when"] and facts["shown_when"][0] == "method":
        facts["shown_when"] = ["methods", facts["shown_when"][1]]
    field.json_schema_extra = facts
    return field


class CompareSpec(Spec):
    """Train one model from scratch and from its pretrained weights on growing parts of a data set."""

    model: ModelRef
    data: DataRef
    methods: tuple[MethodId, ...] = knob(
        ("head",),
        label=N_("Methods"),
        help=N_("How the pretrained network is adapted. Each method is a curve of its own."),
        choices=metadata(FinetuneSpec.model_fields["method"])["choices"],
    )
    scratch: bool = knob(
        True,
        label=N_("From scratch beside"),
        help=N_("Train the same network from random weights too: what pretraining is worth is the gap between them."),
    )
    sizes: tuple[int, ...] = knob(
        (100, 500, 1000, 5000, 10_000),
        label=N_("Training examples"),
        help=N_("How many labelled examples each point is trained on. A smaller part lies within every larger one."),
    )
    seeds: int = knob(
        3,
        label=N_("Repeats"),
        help=N_("How often each point is trained, with other examples drawn and another start: it shows the chance."),
        ge=1,
        le=20,
    )
    last_blocks: int = _same("last_blocks")
    lora_rank: int = _same("lora_rank")
    lora_alpha: int = _same("lora_alpha")
    image_size: int | None = _same("image_size")
    max_length: int | None = _same("max_length")
    steps: int = knob(
        300,
        label=N_("Steps at least"),
        help=N_(
            "Every point trains for so many steps however few its examples are: with equal epochs, training "
            "from scratch on few examples would be a straw man."
        ),
        unit=N_("steps"),
        ge=1,
        le=1_000_000,
        level="expert",
    )
    epochs: int = knob(
        5,
        label=N_("Epochs at least"),
        help=N_("Every point sees each of its examples so often, or more often where the steps ask for it."),
        ge=1,
        le=1000,
        level="expert",
    )
    patience: int | None = knob(
        5,
        label=N_("Stop early after"),
        help=N_(
            "Beyond the least number of steps, a training stops when so many of its twenty looks at the "
            "validation examples brought nothing. Empty: never."
        ),
        unit=N_("looks"),
        ge=1,
        le=1000,
        level="expert",
    )
    batch_size: int = knob(
        16,
        label=N_("Batch size"),
        help=N_("How many examples make one step. Larger needs more memory."),
        ge=2,
        le=4096,
        level="expert",
    )
    test_size: int | None = _same("test_size")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = _same("precision")
    device: Literal["auto", "cpu", "cuda", "mps"] = _same("device")
    seed: int = _same("seed")

    @field_validator("methods", "sizes")
    @classmethod
    def _ordered(cls, values: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
        """Each once, in the order of the charts: methods by how much learns, sizes by number."""
        if info.field_name == "sizes":
            if any(size < 2 for size in values):
                raise ValueError("a training needs at least 2 examples")
            return tuple(sorted(set(values)))
        return tuple(method for method in METHODS if method in values)


class ImportSpec(Spec):
    """Read a data set, check it and describe it (preview, classes, problems) without training."""

    data: DataRef


class PredictSpec(Spec):
    """Answer every text of a table, or every picture of a folder or zip: what comes out is a table with labels."""

    model: str = Field(default="sentiment", min_length=3, max_length=300, pattern=r"^(sentiment|[a-z]+/\S.*)$")
    file: str = knob(
        ...,
        label=N_("File"),
        help=N_("On this machine: a table of texts, or for a model that sees pictures a folder or zip of them."),
    )
    text_column: str | None = knob(
        None,
        label=N_("Column with the texts"),
        help=N_("The column of the texts, where it is not the one found."),
    )


S = TypeVar("S", bound=Spec)


def parse_spec(kind: type[S], values: Mapping[str, Any]) -> S:
    """Build a spec from plain values. Raises `InputError` with every field that is wrong."""
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
                values_ = {"field": name, "received": received, "rule": item["msg"]}
                problems.append(Problem("spec.invalid_value", field=name, values=values_))
        raise InputError(problems) from None


def with_absolute_paths(spec: S) -> S:
    """The spec with paths spelled from the root: a worker has another current folder."""
    if isinstance(spec, PredictSpec):
        return spec.model_copy(update={"file": os.path.normpath(Path(spec.file).expanduser().absolute())})
    data = getattr(spec, "data", None)
    if not isinstance(data, DataRef) or data.source != "path":
        return spec
    path = Path(data.name).expanduser().absolute()
    return spec.model_copy(update={"data": data.model_copy(update={"id": f"path:{os.path.normpath(path)}"})})
