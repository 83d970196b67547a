"""What a fine-tuning is asked: one frozen record whose fields draw the form, the options and the docs."""

from __future__ import annotations

from typing import Literal

from core.i18n import N_
from core.registry.methods import METHODS, MethodId, MethodSettings, methods_with
from core.spec import DataRef, ModelRef, Spec, knob, seed_knob


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
        help=N_(
            "How often the training sees every example. More takes longer and may learn by heart. "
            "A head alone is fitted until nothing more is gained: this does not matter for it."
        ),
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
        help=N_(
            "Of each text the first tokens (word pieces) are read, the rest is cut. "
            "Empty: what covers 95% of the texts, at most 512."
        ),
        unit=N_("tokens"),
        ge=8,
        le=4096,
        task="text-classification",
    )
    lr: float | None = knob(
        None,
        label=N_("Learning rate"),
        help=N_(
            "How far each step moves the weights. Empty: what suits the method, the kind of network and how many "
            "examples there are."
        ),
        gt=0,
        le=10,
        level="expert",
    )
    batch_size: int = knob(
        32,
        label=N_("Batch size"),
        help=N_("How many examples make one step. Larger needs more memory and makes fewer steps in an epoch."),
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
        0.01,
        label=N_("Weight decay"),
        help=N_(
            "Each step shrinks the weights by this times the learning rate (AdamW), against learning by heart. "
            "0.01 to 0.05 are usual: a thousand steps at a rate of 0.001 shrink them by 1 to 5%."
        ),
        ge=0,
        le=1,
        level="expert",
    )
    max_grad_norm: float = knob(
        1.0,
        label=N_("Gradient limit"),
        help=N_("A step whose gradient is longer than this is shortened to it, against leaps (clipping). 0: never."),
        ge=0,
        le=1000,
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
