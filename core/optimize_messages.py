"""The sentences of optimizing: why a pass is refused, what its measurements say, what went wrong."""

from __future__ import annotations

from core.i18n import N_

OPTIMIZE_SENTENCES: dict[str, str] = {
    # -- before ------------------------------------------------------------------------------------
    "optimize.no_passes": N_("No way is chosen: choose at least one to try."),
    "optimize.needs_classifier": N_(
        "{id} has no classifier of its own: fine-tune it on your data first, then make that smaller."
    ),
    "optimize.random_weights": N_("{id} with random weights knows nothing that could be kept. Take trained weights."),
    "optimize.no_split": N_(
        "How {id} split its data is not on record, so that no untouched test examples are known. Train it anew."
    ),
    "optimize.data_changed": N_(
        "{id} is not what {model} was trained on any more: its test examples cannot be told. Train the model anew, or "
        "give the data it had."
    ),
    "optimize.too_few_rows": N_("{n} test examples are too few to measure a loss. At least {least} are needed."),
    "optimize.labels_differ": N_(
        "The classes of this data are not those of {model}: its accuracy cannot be measured. What is measured is how "
        "many of its answers a variant changes."
    ),
    # -- while at work -----------------------------------------------------------------------------
    "optimize.cannot_export": N_("The network could not be written as {format}: {detail}."),
    "optimize.trace_is_fixed": N_(
        "The TorchScript trace holds for the shapes it was made with alone: with {n} examples it answers otherwise, "
        "the greatest difference is {difference}. Take torch.export or ONNX."
    ),
    "optimize.cannot_open": N_("The file could not be opened and timed: {detail}."),
    "optimize.machine_busy": N_(
        "Other work kept {processors} processors busy while this was timed: the ratios may not hold. Repeat the run "
        "when the machine is idle."
    ),
    "optimize.all_failed": N_("None of the {n} ways worked; why the first one did not follows."),
    "optimize.gate_differs": N_(
        "Opened again, the file answers otherwise than the network: {equal} of {n} answers are the same, and the "
        "greatest difference is {difference} where {tolerance} is allowed. It is kept to be looked at, not offered."
    ),
    "optimize.gate_preprocessing": N_(
        "Read by its own preparation, the examples are answered otherwise: the greatest difference is {difference} "
        "where {tolerance} is allowed. The file is kept to be looked at, not offered."
    ),
    "optimize.gate_not_finite": N_("Opened again, the file gives no finite numbers. It is not offered."),
    # -- verdicts ----------------------------------------------------------------------------------
    "optimize.take": N_("{name} answers {latency} times faster here, {lost}: take it."),
    "optimize.take_batches": N_(
        "{name} answers batches {throughput} times faster here, single examples no faster; {lost}: take it."
    ),
    "optimize.take_smaller": N_("{name} is {size} times smaller and no slower here, {lost}: take it."),
    "optimize.smaller_but_slower": N_(
        "{name} is {size} times smaller, but slower here ({latency} times the speed for one example, {throughput} in "
        "batches), {lost}: take it only where size counts."
    ),
    "optimize.slower": N_(
        "{name} is slower here ({latency} times the speed for one example, {throughput} in batches), {lost}: leave it."
    ),
    "optimize.no_gain": N_("{name} is neither faster nor smaller here, {lost}: leave it."),
    "optimize.loses_too_much": N_("{name} loses too much, {lost}: leave it."),
    "optimize.not_shown": N_(
        "Not shown on {n} examples that {name} keeps the limit: {lost}; about {needed} would tell."
    ),
    "optimize.not_shown_at_limit": N_(
        "Not shown on {n} examples that {name} keeps the limit: {lost}; it lies too near to it to tell."
    ),
    "optimize.none_to_take": N_("None of {n} variants is shown to be better and to keep the limit of {limit} points."),
    "optimize.search_within_limit": N_(
        "{name}: {in_float} of {nodes} heavy layers stay in float. On the validation examples that loses {kept_points} "
        "points instead of {full_points}, and agrees on {kept_agreement} instead of {full_agreement}."
    ),
    "optimize.search_best_found": N_(
        "{name}: the search found nothing that keeps the limit on the validation examples for sure. With {in_float} of "
        "{nodes} heavy layers in float it loses {kept_points} points there instead of {full_points}, and agrees on "
        "{kept_agreement} instead of {full_agreement}."
    ),
    "optimize.some_broken": N_("Not offered, as their files answer otherwise when opened again: {names}."),
    # -- bundles -----------------------------------------------------------------------------------
    "optimize.no_variant": N_("There is no variant {name} in this run. It has: {known}."),
    "optimize.not_offered": N_(
        "{name} is not offered: only a variant that was measured, and whose file answers as it should, is carried away."
    ),
    "optimize.no_bundle": N_(
        "{name} is a file of the format {format}, and no script is shown to open that: take the file from the run's "
        "folder. Bundles are made of: {known}."
    ),
    # -- optimizing --------------------------------------------------------------------------------
    "optimize.not_installed": N_("{name} needs {packages}, which is not installed here: run `{install}`."),
    "optimize.dynamic_on_convolutions": N_(
        "Dynamic int8 is not made of {model}: on convolutions it is known to collapse, and to be "
        "slower. Take static int8."
    ),
    "optimize.static_on_transformers": N_(
        "{name} often costs {model} accuracy: attention layers have activations that 8 bits hold badly. Dynamic int8 "
        "suits it better."
    ),
    "optimize.no_bf16": N_(
        "{processor} does not compute in bf16: 16 bits would only be emulated, and slower. Take int8 or ONNX."
    ),
    "optimize.no_fast_int8": N_(
        "{processor} has no instructions for int8: the file gets smaller, and may get slower. Watch its latency."
    ),
    "optimize.no_nvidia": N_(
        "TensorRT needs an NVIDIA GPU; {processor} is used here. Run this on a machine that has one."
    ),
    "optimize.torchscript_deprecated": N_(
        "torch calls TorchScript deprecated: take it only for a program that loads it."
    ),
    "optimize.dense_stays": N_(
        "Zeros are stored and computed like other numbers: only a compressed file gets smaller, nothing gets faster. "
        "Structured pruning does both."
    ),
    "optimize.nothing_recommended": N_(
        "No variant of {id} is recommended, so no bundle was written: `python -m core run {id} show` tells why of each."
    ),
    "optimize.bundle_detached": N_("A bundle is written when the run has ended: leave --detach out, or --bundle."),
    "optimize.other_labels": N_(
        "{id} has other classes than {model} answers with: nothing can be learned from it. Take the data that the "
        "model was trained on, or passes that do not learn."
    ),
    "optimize.no_student": N_(
        "{model} has no layers of which every second one could make a student. Name a smaller model as the student."
    ),
    "optimize.other_tokens": N_(
        "{student} splits texts into other tokens than {model} does. Take a student of the same family, or none: "
        "then every second layer of the original is taken."
    ),
    "optimize.cannot_prune_channels": N_(
        "The channels of {model} cannot be taken out: {detail}. Take magnitude pruning, or another network."
    ),
}
