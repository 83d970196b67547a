"""What a measurement is asked."""

from __future__ import annotations

from core.i18n import N_
from core.spec import ModelRef, Spec, knob


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
