"""What an inspection is asked."""

from __future__ import annotations

from core.i18n import N_
from core.spec import ModelRef, Spec, knob


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
