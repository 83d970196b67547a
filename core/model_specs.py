"""What can be asked about a published model: its insides, its speed here, its weights."""

from __future__ import annotations

from pydantic import Field

from core.fields import ModelRef, Spec, knob
from core.i18n import N_


class InspectSpec(Spec):
    """Take a network apart without its weights: layers, shapes, parameters, multiply-adds, memory, ways of tuning."""

    model: ModelRef
    image_size: int | None = knob(
        None,
        label=N_("Picture size"),
        help=N_("The edge of the square picture the network is shown. Empty: the model's own."),
        unit="px",
        ge=32,
        le=1024,
        task="image-classification",
    )


class MeasureSpec(Spec):
    """Time a network on this machine: one at a time and in batches, block by block, with its memory."""

    model: ModelRef
    batch_size: int = knob(
        32,
        label=N_("Batch size"),
        help=N_("How many examples are answered at once, beside one at a time."),
        ge=2,
        le=1024,
        level="expert",
    )


class DownloadSpec(Spec):
    """Fetch a model's published weights to this machine, or go on with what an earlier attempt fetched."""

    model: str = Field(min_length=3, max_length=300, pattern=r"^[a-z]+/\S.*$")
