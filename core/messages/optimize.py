"""The sentences of optimizing: why a pass is refused, what its measurements say, what went wrong.

Each sentence stands in one row with the kinds of the values that it tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.i18n import N_, Translator
from core.messages.speed import AS_FAST, BUSY, FASTER
from core.registry.passes import name_of
from core.values import Count, Each, Joint, Plain, Points, Sentence, Share, Text, Times, Value


@dataclass(frozen=True)
class PassName(Value):
    """A variant's or a pass's name in words: Magnitude pruning + Static int8."""

    name: str

    def said(self, _: Translator) -> str:
        return name_of(self.name, _)


@dataclass(frozen=True)
class Loss(Value):
    """What a variant loses against its limit, in words that suit what is known of it.

    In points of accuracy, or in answers that change where that is all one knows.
    """

    points: float
    low: float
    high: float
    limit: float
    of: Literal["accuracy", "agreement"]
    exact: bool = False

    def said(self, _: Translator) -> str:
        if self.exact:
            return _(_PROVEN)
        is_gain = self.points <= -0.05 and self.high <= self.limit and self.of == "accuracy"
        values: dict[str, Value] = {
            "points": Points(-self.points if is_gain else self.points),
            "spread": Points((self.high - self.low) / 2),
            "low": Points(self.low),
            "high": Points(self.high),
            "limit": Count(self.limit),
        }
        return _(_GAINED if is_gain else self._template(), **{name: value.said(_) for name, value in values.items()})

    def _template(self) -> str:
        about, at_least, at_most = _LOSSES[self.of]
        if self.low > self.limit:
            return at_least
        return about if self.high > self.limit else at_most


class _Lost(Joint):
    def read(self, name: str, plain: Plain) -> Value:
        parts = {part: plain[part] for part in ("points", "low", "high", "limit", "of")}
        return Loss(**parts, exact=bool(plain.get("exact")))


_LOST = _Lost()
_PROVEN = N_("nothing lost: it rounds nothing, and every answer is the original's")
_GAINED = N_("{points} points gained (at most {high} lost; limit {limit})")
# About so much, at least, at most.
_LOSSES = {
    "accuracy": (
        N_("{points} ± {spread} points lost (limit {limit})"),
        N_("{points} points lost (at least {low}; limit {limit})"),
        N_("{points} points lost (at most {high}; limit {limit})"),
    ),
    "agreement": (
        N_("{points} ± {spread}% of the answers changed (limit {limit})"),
        N_("{points}% of the answers changed (at least {low}; limit {limit})"),
        N_("{points}% of the answers changed (at most {high}; limit {limit})"),
    ),
}

OPTIMIZE_SENTENCES: dict[str, Sentence] = {
    # -- before ------------------------------------------------------------------------------------
    "optimize.no_passes": Sentence(N_("No way is chosen: choose at least one to try.")),
    "optimize.needs_classifier": Sentence(
        N_("{id} has no classifier of its own: fine-tune it on your data first, then make that smaller."), {"id": Text}
    ),
    "optimize.random_weights": Sentence(
        N_("{id} with random weights knows nothing that could be kept. Take trained weights."), {"id": Text}
    ),
    "optimize.no_split": Sentence(
        N_("How {id} split its data is not on record, so that no untouched test examples are known. Train it anew."),
        {"id": Text},
    ),
    "optimize.data_changed": Sentence(
        N_(
            "{id} is not what {model} was trained on any more: its test examples cannot be told. Train the model "
            "anew, or give the data it had."
        ),
        {"id": Text, "model": Text},
    ),
    "optimize.split_changed": Sentence(
        N_(
            "{model} was trained by a Graft that divided {id} otherwise: part of what it learned from would be tested "
            "on. Train it anew."
        ),
        {"id": Text, "model": Text},
    ),
    "optimize.leaks_left_out": Sentence(
        N_("The {leaked} test examples that are trained on too are left out here: the {n} others are tested on."),
        {"leaked": Count, "n": Count},
    ),
    "optimize.leaks_stay": Sentence(
        N_(
            "Only {n} test examples are not trained on too, fewer than the {least} that it takes to judge: all are "
            "tested on, and what is told as lost may be too little."
        ),
        {"n": Count, "least": Count},
    ),
    "optimize.too_few_rows": Sentence(
        N_("{n} test examples are too few to measure a loss. At least {least} are needed."),
        {"n": Count, "least": Count},
    ),
    "optimize.labels_differ": Sentence(
        N_(
            "The classes of this data are not those of {model}: its accuracy cannot be measured. What is measured is "
            "how many of its answers a variant changes."
        ),
        {"model": Text},
    ),
    # -- while at work -----------------------------------------------------------------------------
    "optimize.cannot_export": Sentence(
        N_("The network could not be written as {format}: {detail}."), {"format": Text, "detail": Text}
    ),
    "optimize.trace_is_fixed": Sentence(
        N_(
            "The TorchScript trace holds for the shapes it was made with alone: with {n} examples it answers "
            "otherwise, the greatest difference is {difference}. Take torch.export or ONNX."
        ),
        {"n": Count, "difference": Text},
    ),
    "optimize.cannot_open": Sentence(N_("The file could not be opened and timed: {detail}."), {"detail": Text}),
    "optimize.machine_busy": Sentence(
        N_(
            "Other work kept {processors} processors busy while this was timed: the ratios may not hold. Repeat the "
            "run when the machine is idle."
        ),
        {"processors": Text},
    ),
    "optimize.all_failed": Sentence(
        N_("None of the {n} ways worked; why the first one did not follows."), {"n": Count}
    ),
    "optimize.gate_differs": Sentence(
        N_(
            "Opened again, the file answers otherwise than the network: {equal} of {n} answers are the same, and the "
            "greatest difference is {difference} where {tolerance} is allowed. It is kept to be looked at, not "
            "offered."
        ),
        {"equal": Count, "n": Count, "difference": Text, "tolerance": Text},
    ),
    "optimize.gate_preprocessing": Sentence(
        N_(
            "Read by its own preparation, the examples are answered otherwise: the greatest difference is "
            "{difference} where {tolerance} is allowed. The file is kept to be looked at, not offered."
        ),
        {"difference": Text, "tolerance": Text},
    ),
    "optimize.gate_not_finite": Sentence(N_("Opened again, the file gives no finite numbers. It is not offered.")),
    # -- verdicts ----------------------------------------------------------------------------------
    "optimize.take": Sentence(
        N_("{name} answers {latency}, {lost}: take it.{busy}"),
        {"name": PassName, "latency": FASTER, "lost": _LOST, "busy": BUSY},
    ),
    "optimize.take_batches": Sentence(
        N_("{name} answers batches {throughput}, single examples no faster; {lost}: take it.{busy}"),
        {"name": PassName, "throughput": FASTER, "lost": _LOST, "busy": BUSY},
    ),
    "optimize.take_smaller": Sentence(
        N_("{name} is {size} times smaller and no slower here, {lost}: take it.{busy}"),
        {"name": PassName, "size": Times, "lost": _LOST, "busy": BUSY},
    ),
    "optimize.smaller_but_slower": Sentence(
        N_(
            "{name} is {size} times smaller, but slower here: {latency} times the speed for one example, {throughput} "
            "in batches; {lost}: take it only where size counts.{busy}"
        ),
        {"name": PassName, "size": Times, "latency": AS_FAST, "throughput": AS_FAST, "lost": _LOST, "busy": BUSY},
    ),
    "optimize.slower": Sentence(
        N_(
            "{name} is slower here: {latency} times the speed for one example, {throughput} in batches; {lost}: "
            "leave it.{busy}"
        ),
        {"name": PassName, "latency": AS_FAST, "throughput": AS_FAST, "lost": _LOST, "busy": BUSY},
    ),
    "optimize.no_gain": Sentence(
        N_("{name} is neither faster nor smaller here, {lost}: leave it.{busy}"),
        {"name": PassName, "lost": _LOST, "busy": BUSY},
    ),
    "optimize.not_confirmed": Sentence(
        N_("{name} did best on the validation examples, but the test examples do not confirm that it keeps the limit."),
        {"name": PassName},
    ),
    "optimize.loses_too_much": Sentence(
        N_("{name} loses too much, {lost}: leave it."), {"name": PassName, "lost": _LOST}
    ),
    "optimize.not_shown": Sentence(
        N_("Not shown on {n} examples that {name} keeps the limit: {lost}; about {needed} would tell."),
        {"n": Count, "name": PassName, "lost": _LOST, "needed": Count},
    ),
    "optimize.not_shown_at_limit": Sentence(
        N_("Not shown on {n} examples that {name} keeps the limit: {lost}; it lies too near to it to tell."),
        {"n": Count, "name": PassName, "lost": _LOST},
    ),
    "optimize.none_to_take": Sentence(
        N_("None of {n} variants is shown to be better and to keep the limit of {limit} points."),
        {"n": Count, "limit": Count},
    ),
    "optimize.search_within_limit": Sentence(
        N_(
            "{name}: {in_float} of {nodes} heavy layers stay in float. On the validation examples that loses "
            "{kept_points} points instead of {full_points}, and agrees on {kept_agreement} instead of "
            "{full_agreement}."
        ),
        {
            "name": PassName,
            "in_float": Count,
            "nodes": Count,
            "kept_points": Points,
            "full_points": Points,
            "kept_agreement": Share,
            "full_agreement": Share,
        },
    ),
    "optimize.search_best_found": Sentence(
        N_(
            "{name}: the search found nothing that keeps the limit on the validation examples for sure. With "
            "{in_float} of {nodes} heavy layers in float it loses {kept_points} points there instead of "
            "{full_points}, and agrees on {kept_agreement} instead of {full_agreement}."
        ),
        {
            "name": PassName,
            "in_float": Count,
            "nodes": Count,
            "kept_points": Points,
            "full_points": Points,
            "kept_agreement": Share,
            "full_agreement": Share,
        },
    ),
    "optimize.some_broken": Sentence(
        N_("Not offered, as their files answer otherwise when opened again: {names}."), {"names": Each(PassName)}
    ),
    # -- bundles -----------------------------------------------------------------------------------
    "optimize.no_variant": Sentence(
        N_("There is no variant {name} in this run. It has: {known}."), {"name": PassName, "known": Text}
    ),
    "optimize.not_offered": Sentence(
        N_(
            "{name} is not offered: only a variant that was measured, and whose file answers as it should, is "
            "carried away."
        ),
        {"name": PassName},
    ),
    "optimize.no_bundle": Sentence(
        N_(
            "{name} is a file of the format {format}, and no script is shown to open that: take the file from the "
            "run's folder. Bundles are made of: {known}."
        ),
        {"name": PassName, "format": Text, "known": Text},
    ),
    "optimize.outside_program": Sentence(
        N_(
            "{name} came with an imported run as a program ({format}), which could run code when it is opened. The "
            "file is kept and not opened here: repeat the run to make your own."
        ),
        {"name": PassName, "format": Text},
    ),
    "optimize.outside_content": Sentence(
        N_(
            "{name} came with an imported run, and its file is not plain {format}: {detail}. It is kept and not "
            "opened here: repeat the run to make your own."
        ),
        {"name": PassName, "format": Text, "detail": Text},
    ),
    # -- optimizing --------------------------------------------------------------------------------
    "optimize.not_installed": Sentence(
        N_("{name} needs {packages}, which is not installed here: run `{install}`."),
        {"name": PassName, "packages": Text, "install": Text},
    ),
    "optimize.dynamic_on_convolutions": Sentence(
        N_(
            "Dynamic int8 is not made of {model}: on convolutions it is known to collapse, and to be slower. Take "
            "static int8."
        ),
        {"model": Text},
    ),
    "optimize.static_on_transformers": Sentence(
        N_(
            "{name} often costs {model} accuracy: attention layers have activations that 8 bits hold badly. Dynamic "
            "int8 suits it better."
        ),
        {"name": PassName, "model": Text},
    ),
    "optimize.no_bf16": Sentence(
        N_("{processor} does not compute in bf16: 16 bits would only be emulated, and slower. Take int8 or ONNX."),
        {"processor": Text},
    ),
    "optimize.no_fast_int8": Sentence(
        N_("{processor} has no instructions for int8: the file gets smaller, and may get slower. Watch its latency."),
        {"processor": Text},
    ),
    "optimize.no_nvidia": Sentence(
        N_("TensorRT needs an NVIDIA GPU; {processor} is used here. Run this on a machine that has one."),
        {"processor": Text},
    ),
    "optimize.torchscript_deprecated": Sentence(
        N_("torch calls TorchScript deprecated: take it only for a program that loads it.")
    ),
    "optimize.dense_stays": Sentence(
        N_(
            "Zeros are stored and computed like other numbers: only a compressed file gets smaller, nothing gets "
            "faster. Structured pruning does both."
        )
    ),
    "optimize.nothing_recommended": Sentence(
        N_(
            "No variant of {id} is recommended, so no bundle was written: `python -m core run {id} show` tells why "
            "of each."
        ),
        {"id": Text},
    ),
    "optimize.bundle_detached": Sentence(
        N_("A bundle is written when the run has ended: leave --detach out, or --bundle.")
    ),
    "optimize.other_labels": Sentence(
        N_(
            "{id} has other classes than {model} answers with: nothing can be learned from it. Take the data that "
            "the model was trained on, or passes that do not learn."
        ),
        {"id": Text, "model": Text},
    ),
    "optimize.no_student": Sentence(
        N_(
            "{model} has no layers of which every second one could make a student. Name a smaller model as the student."
        ),
        {"model": Text},
    ),
    "optimize.other_tokens": Sentence(
        N_(
            "{student} splits texts into other tokens than {model} does. Take a student of the same family, or none: "
            "then every second layer of the original is taken."
        ),
        {"student": Text, "model": Text},
    ),
    "optimize.cannot_prune_channels": Sentence(
        N_("The channels of {model} cannot be taken out: {detail}. Take magnitude pruning, or another network."),
        {"model": Text, "detail": Text},
    ),
}
