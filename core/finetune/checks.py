"""What speaks against a training on this machine: model, data, sizes, precision."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

from core import settings
from core.data.collection import is_allowed
from core.data.spec import ImportSpec
from core.errors import GraftError
from core.finetune.disk import check_disk
from core.finetune.early_stopping import check_patience
from core.finetune.estimate import known_rows, trainable
from core.finetune.spec import FinetuneSpec
from core.hardware import best_device, describe_machine
from core.models import catalog, weight_files
from core.paths import check_readable, meant_path, shown
from core.problems import Problem
from core.registry.methods import METHODS
from core.spec import DataRef
from core.store import open_store

# With fewer a network has hardly moved (docs/decisions/0009-what-a-test-measures.md).
FEW_STEPS = 30


def check_finetune(spec: FinetuneSpec) -> list[Problem]:
    return check_data(spec.data) + check_model(spec) + check_precision(spec) + _check_sizes(spec) + _check_room(spec)


def check_import(spec: ImportSpec) -> list[Problem]:
    return check_data(spec.data)


def check_data(data: DataRef) -> list[Problem]:
    known = ("builtin", "torchvision", "hub", "upload", "path")
    if data.source not in known:
        values = {"id": data.id, "known": ", ".join(known)}
        return [Problem("data.unknown_source", field="data", values=values)]
    return check_path(meant_path(data.name).absolute(), "data") if data.source == "path" else []


def check_path(path: Path, field: str) -> list[Problem]:
    if not is_allowed(path):
        values = {"path": shown(path), "roots": ", ".join(map(str, settings.data_roots()))}
        return [Problem("data.path_not_allowed", field=field, values=values)]
    return check_readable(path, field)


def check_model(spec: FinetuneSpec) -> list[Problem]:
    try:
        card = catalog.get_model(spec.model.id)
    except GraftError as error:
        return [dataclasses.replace(problem, field="model") for problem in error.problems]
    if not card.is_trainable:
        return [Problem("model.not_trainable", field="model", values={"id": card.name})]
    problems = []
    if spec.data.source == "builtin" and card.is_text != spec.data.name.startswith("reviews"):
        code = "model.not_for_pictures" if card.is_text else "model.not_for_texts"
        problems.append(Problem(code, field="model", values={"id": card.name}))
    if spec.model.weights == "pretrained" and not weight_files.is_local(card):
        problems.append(weight_files.not_local(card))
    if spec.model.weights == "random" and not METHODS[spec.method].trains_all:
        problems.append(Problem("spec.random_frozen", "warning", "method"))
    if card.is_text:
        longest = card.reading.max_length
        if spec.max_length is not None and spec.max_length > longest:
            values = {"model": card.name, "longest": longest, "length": spec.max_length}
            problems.append(Problem("model.length_too_large", field="max_length", values=values))
        return problems
    if METHODS[spec.method].needs_attention and not card.has_attention:
        problems.append(Problem("model.no_attention", field="method", values={"id": card.name}))
    size = spec.image_size or card.vision.image_size
    problems += [dataclasses.replace(p, field="image_size") for p in catalog.check_image_size(card, size)]
    return problems


def check_precision(spec: FinetuneSpec) -> list[Problem]:
    machine = describe_machine()
    device = best_device() if spec.device == "auto" else spec.device
    problems = []
    if device != "cpu" and device not in machine.devices:
        values = {"device": device, "known": ", ".join(machine.devices)}
        problems.append(Problem("spec.no_such_device", field="device", values=values))
    if device == "cpu" and spec.precision == "fp16":
        problems.append(Problem("spec.fp16_on_cpu", field="precision"))
    if device == "cpu" and spec.precision == "bf16" and not machine.is_native("bf16", "cpu"):
        values = {"processor": machine.processor}
        problems.append(Problem("spec.bf16_emulated", "warning", "precision", values))
    return problems


def _check_sizes(spec: FinetuneSpec) -> list[Problem]:
    problems = []
    if spec.train_size is not None and spec.batch_size > spec.train_size:
        values = {"batch_size": spec.batch_size, "train_size": spec.train_size}
        problems.append(Problem("spec.batch_larger_than_data", "warning", "batch_size", values))
    return problems + _check_steps(spec) + check_patience(spec) + check_fitted(spec)


def _check_steps(spec: FinetuneSpec) -> list[Problem]:
    """A warning where a batch leaves a network hardly a step to learn in: longer steps cannot stand in for them."""
    known = None if METHODS[spec.method].only_head else known_rows(spec, open_store())
    if known is None:
        return []
    steps = math.ceil(known[0] / spec.batch_size) * spec.epochs
    if steps >= FEW_STEPS:
        return []
    values = {"steps": steps, "batch_size": spec.batch_size, "rows": known[0]}
    return [Problem("spec.few_steps", "warning", "batch_size", values)]


def _check_room(spec: FinetuneSpec) -> list[Problem]:
    """A warning where data that was looked into may be too much for the disk."""
    card, rows = trainable(spec.model.id), known_rows(spec, open_store())
    return check_disk(spec, card, rows) if card is not None and rows is not None else []


# What tells how to learn in steps.
_OF_STEPS = (
    "epochs", "lr", "patience", "min_epochs", "validate_every", "weight_decay", "max_grad_norm", "schedule",
)  # fmt: skip


def check_fitted(spec: FinetuneSpec) -> list[Problem]:
    """A warning where something is asked that a fitted head does not know."""
    if not METHODS[spec.method].only_head or spec.augment != "none":
        return []
    fields = FinetuneSpec.model_fields
    asked = [name for name in _OF_STEPS if getattr(spec, name) != fields[name].default]
    return [Problem("spec.fitted_head", "warning", asked[0])] if asked else []
