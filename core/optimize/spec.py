"""What can be asked of an optimization: which model, on which data, by which passes, at what price."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator

from core.i18n import N_
from core.registry.passes import PASSES, USUAL, passes_with
from core.spec import DataRef, ModelRef, Spec, knob, seed_knob


def _of_passes_with(option: str) -> tuple[str, tuple[str, ...]]:
    """A setting is shown where a pass that takes it is chosen."""
    return "passes", passes_with(option)


class OptimizeSpec(Spec):
    """Make a trained model smaller and faster, and measure on one's own data what each way costs."""

    model: ModelRef
    data: DataRef
    passes: tuple[str, ...] = knob(
        USUAL,
        label=N_("Ways to try"),
        help=N_("Each gives a file of its own, measured beside the original."),
        choices={row.id: row.label for row in PASSES.values()},
    )
    max_drop: float = knob(
        1.0,
        label=N_("Accuracy that may be lost"),
        help=N_("A variant is recommended only when it is shown to lose no more than this."),
        unit=N_("points"),
        ge=0,
        le=100,
    )
    combine: bool = knob(
        False,
        label=N_("Chain them too"),
        help=N_("Quantize what was pruned or distilled, and prune what was distilled."),
        shown_when=_of_passes_with("combine"),
    )
    test_size: int | None = knob(
        None,
        label=N_("Test examples"),
        help=N_(
            "How many held-back examples measure each variant. Empty: as many as the original answers in a minute. "
            "More tell smaller differences."
        ),
        ge=20,
        le=10_000_000,
    )
    search: bool = knob(
        True,
        label=N_("Look for layers to leave in float"),
        help=N_("Where int8 loses too much on the validation examples, leave the layers that cost most in float."),
        shown_when=_of_passes_with("search"),
        level="expert",
    )
    calibration: Literal["minmax", "entropy", "percentile"] = knob(
        "minmax",
        label=N_("Calibration"),
        help=N_("How the ranges of int8 are drawn from the activations of training examples."),
        choices={
            "minmax": N_("Smallest and largest value"),
            "entropy": N_("Least information lost (entropy)"),
            "percentile": N_("All but the outermost values (percentile)"),
        },
        shown_when=_of_passes_with("calibration"),
        level="expert",
    )
    calibration_rows: int = knob(
        200,
        label=N_("Calibration examples"),
        help=N_("How many training examples the ranges of int8 are measured on."),
        ge=8,
        le=10_000,
        shown_when=_of_passes_with("calibration_rows"),
        level="expert",
    )
    sparsity: float = knob(
        0.5,
        label=N_("Weights set to zero"),
        help=N_("The share of the weights that magnitude pruning takes out."),
        ge=0.05,
        le=0.95,
        shown_when=_of_passes_with("sparsity"),
        level="expert",
    )
    channel_ratio: float = knob(
        0.3,
        label=N_("Channels taken out"),
        help=N_("The share of the channels that structured pruning takes out of each layer."),
        ge=0.05,
        le=0.9,
        shown_when=_of_passes_with("channel_ratio"),
        level="expert",
    )
    epochs: int = knob(
        2,
        label=N_("Epochs of training"),
        help=N_("How often distillation, pruning and quantization-aware training see every training example."),
        ge=1,
        le=1000,
        shown_when=_of_passes_with("epochs"),
    )
    train_size: int | None = knob(
        None,
        label=N_("Training examples"),
        help=N_("How many examples those trainings use. Empty: all that the model was trained on."),
        ge=2,
        le=10_000_000,
        shown_when=_of_passes_with("train_size"),
        level="expert",
    )
    lr: float | None = knob(
        None,
        label=N_("Learning rate"),
        help=N_("How far each step moves the weights. Empty: what suits the pass and the kind of network."),
        gt=0,
        le=10,
        shown_when=_of_passes_with("lr"),
        level="expert",
    )
    teacher: str | None = knob(
        None,
        label=N_("Teacher"),
        help=N_("The model that distillation learns from, by its id. Empty: the original itself."),
        shown_when=_of_passes_with("teacher"),
        level="expert",
    )
    student: str | None = knob(
        None,
        label=N_("Student"),
        help=N_("The smaller network, by its model id. Empty: every second layer of the original (transformers)."),
        shown_when=_of_passes_with("student"),
    )
    temperature: float = knob(
        2.0,
        label=N_("Temperature"),
        help=N_("How much the teacher's second thoughts count: higher spreads its answers."),
        ge=1,
        le=20,
        shown_when=_of_passes_with("temperature"),
        level="expert",
    )
    teacher_weight: float = knob(
        0.7,
        label=N_("Weight of the teacher"),
        help=N_("1 learns from the teacher's answers alone, 0 from the labels alone."),
        ge=0,
        le=1,
        shown_when=_of_passes_with("teacher_weight"),
        level="expert",
    )
    threads: int = knob(
        0,
        label=N_("Threads"),
        help=N_("How many threads answer while the variants are timed. 0: all processors."),
        ge=0,
        le=256,
        level="expert",
    )
    device: Literal["cpu", "cuda"] = knob(
        "cpu",
        label=N_("Device"),
        help=N_("Where the files are to be used, and so where they are timed."),
        choices={"cpu": "CPU", "cuda": N_("NVIDIA GPU")},
        level="expert",
    )
    seed: int = seed_knob()

    @field_validator("passes")
    @classmethod
    def _known(cls, names: tuple[Any, ...]) -> tuple[Any, ...]:
        """Each once, in the order of a chain."""
        unknown = [name for name in names if name not in PASSES]
        if unknown:
            raise ValueError(f"choice {', '.join(PASSES)}")
        return tuple(name for name in PASSES if name in names)
