"""What a comparison is asked."""

from __future__ import annotations

import copy
from typing import Any, Literal, cast

from pydantic import ValidationInfo, field_validator
from pydantic.config import JsonDict

from core.finetune.spec import FinetuneSpec
from core.i18n import N_
from core.registry.methods import METHODS, MethodId
from core.spec import DataRef, ModelRef, Spec, knob, metadata


def _same(name: str) -> Any:
    """A field of `FinetuneSpec`, for a spec of several methods that means the same by it."""
    field = copy.copy(FinetuneSpec.model_fields[name])
    facts = metadata(field)
    if facts["shown_when"] and facts["shown_when"][0] == "method":
        facts["shown_when"] = ["methods", facts["shown_when"][1]]
    field.json_schema_extra = cast(JsonDict, facts)
    return field


MOST_EXAMPLES = 10_000_000  # that can be asked for


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
            "Every point that learns in steps takes so many however few its examples are: with equal epochs, training "
            "from scratch on few examples would be a straw man. A head alone is fitted instead, and other pretrained "
            "starts begin from a fitted head."
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
                raise ValueError("at_least 2")
            if any(size > MOST_EXAMPLES for size in values):
                raise ValueError(f"at_most {MOST_EXAMPLES}")
            return tuple(sorted(set(values)))
        return tuple(method for method in METHODS if method in values)
