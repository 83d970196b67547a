"""What speaks against doing something here: all problems of a spec at once, by its kind; nothing here raises.

It looks at the ids, the disk and this machine, not into the data: that is the import's work.
"""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path
from typing import Any

from core import catalog, settings
from core.errors import GraftError, Problem
from core.grid import FAIR_STEPS, cell_spec, grid
from core.hardware import best_device, describe_machine
from core.hubs import check_download as check_address
from core.model_specs import DownloadSpec
from core.optimize.checks import check_pass
from core.optimize_spec import OptimizeSpec
from core.registry.methods import METHODS
from core.specs import SENTIMENT, CompareSpec, DataRef, FinetuneSpec, ImportSpec, MeasureSpec, PredictSpec


def check_finetune(spec: FinetuneSpec) -> list[Problem]:
    return _check_data(spec.data) + _check_model(spec) + _check_precision(spec) + _check_sizes(spec)


def check_compare(spec: CompareSpec) -> list[Problem]:
    return _check_data(spec.data) + _check_grid(spec)


def check_import(spec: ImportSpec) -> list[Problem]:
    return _check_data(spec.data)


def check_download(spec: DownloadSpec) -> list[Problem]:
    return check_address(spec.model)


def check_optimize(spec: OptimizeSpec) -> list[Problem]:
    return _check_data(spec.data) + _check_optimize(spec)


def check_measure(spec: MeasureSpec) -> list[Problem]:
    try:
        card = catalog.get_model(spec.model.id)
    except GraftError as error:
        return [dataclasses.replace(problem, field="model") for problem in error.problems]
    if not card.is_trainable:  # nothing else is built here
        return [Problem("measure.not_measurable", field="model", values={"id": card.name})]
    needs_weights = spec.model.weights == "pretrained"
    return [catalog.not_local(card)] if needs_weights and not catalog.is_local(card) else []


def _check_optimize(spec: OptimizeSpec) -> list[Problem]:
    """What speaks against an optimization. A way that is refused is told, and blocks only where no other is left."""
    if not spec.passes:
        return [Problem("optimize.no_passes", field="passes")]
    if spec.model.weights == "random":
        return [Problem("optimize.random_weights", field="model", values={"id": spec.model.id})]
    try:
        card = catalog.get_model(spec.model.id)
    except GraftError as error:
        return [dataclasses.replace(problem, field="model") for problem in error.problems]
    if not card.is_trainable:
        return [Problem("model.not_trainable", field="model", values={"id": card.name})]
    if not card.num_classes:
        return [Problem("optimize.needs_classifier", field="model", values={"id": card.name})]
    problems = [] if catalog.is_local(card) else [catalog.not_local(card)]
    if spec.data.source == "builtin" and card.is_text != spec.data.name.startswith("reviews"):
        code = "model.not_for_pictures" if card.is_text else "model.not_for_texts"
        problems.append(Problem(code, field="model", values={"id": card.name}))
    if "distill" in spec.passes and not card.is_text and not spec.student:
        problems.append(Problem("optimize.no_student", field="student", values={"model": card.name}))
    against = {name: check_pass(name, card, spec.device) for name in spec.passes}
    is_left = any(all(problem.severity != "error" for problem in found) for found in against.values())
    for problem in (problem for found in against.values() for problem in found):
        problems.append(dataclasses.replace(problem, severity="warning") if is_left else problem)
    return problems


def check_predict(spec: PredictSpec) -> list[Problem]:
    path = Path(spec.file).expanduser().absolute()
    problems = [] if path.is_relative_to(settings.folder("asked")) else _check_path(path, "file")
    try:
        card = None if spec.model == SENTIMENT else catalog.get_model(spec.model)
    except GraftError as error:
        return problems + [dataclasses.replace(problem, field="model") for problem in error.problems]
    if path.is_dir() and (card is None or card.is_text):
        problems.append(Problem("predict.folder", field="file", values={"path": str(path)}))
    if card is None:
        return problems
    if path.is_file() and not card.is_text and not zipfile.is_zipfile(path):
        values = {"path": path.name, "model": card.name}
        problems.append(Problem("predict.no_folder", field="file", values=values))
    if not card.is_trainable:
        problems.append(Problem("model.other_task", field="model", values={"id": card.name, "task": card.task}))
    elif not card.num_classes:
        problems.append(Problem("model.no_classifier", field="model", values={"id": card.name}))
    elif not catalog.is_local(card):
        problems.append(catalog.not_local(card))
    return problems


def _check_data(data: DataRef) -> list[Problem]:
    known = ("builtin", "torchvision", "hub", "upload", "path")
    if data.source not in known:
        values = {"id": data.id, "known": ", ".join(known)}
        return [Problem("data.unknown_source", field="data", values=values)]
    return _check_path(Path(data.name).expanduser().absolute(), "data") if data.source == "path" else []


def _check_path(path: Path, field: str) -> list[Problem]:
    roots = settings.data_roots()
    if roots and not any(path.resolve().is_relative_to(root) for root in roots):
        values = {"path": str(path), "roots": ", ".join(map(str, roots))}
        return [Problem("data.path_not_allowed", field=field, values=values)]
    return [] if path.exists() else [Problem("data.path_missing", field=field, values={"path": str(path)})]


def _check_model(spec: FinetuneSpec) -> list[Problem]:
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
    if spec.model.weights == "pretrained" and not catalog.is_local(card):
        problems.append(catalog.not_local(card))
    if spec.model.weights == "random" and not METHODS[spec.method].trains_all:
        problems.append(Problem("spec.random_frozen", "warning", "method"))
    if card.is_text:
        longest = card.reading.max_length
        if spec.max_length is not None and spec.max_length > longest:
            told: dict[str, Any] = {"model": card.name, "longest": longest, "length": spec.max_length}
            problems.append(Problem("model.length_too_large", field="max_length", values=told))
        return problems
    if METHODS[spec.method].needs_attention and not card.has_attention:
        problems.append(Problem("model.no_attention", field="method", values={"id": card.name}))
    size = spec.image_size or card.vision.image_size
    problems += [dataclasses.replace(p, field="image_size") for p in catalog.check_image_size(card, size)]
    return problems


def _check_grid(spec: CompareSpec) -> list[Problem]:
    """What speaks against a comparison: against its families, each told once, and against the grid itself."""
    problems: list[Problem] = []
    if not spec.methods:
        problems.append(Problem("form.no_method", field="methods"))
    if not spec.sizes:
        problems.append(Problem("compare.no_sizes", field="sizes"))
    if spec.model.weights == "random":
        problems.append(Problem("compare.needs_pretrained", field="model", values={"id": spec.model.id}))
    if problems:
        return problems
    trained = [cell_spec(spec, cell) for cell in grid(spec)]
    largest = {(one.model.weights, one.method): one for one in trained}.values()
    found = [problem for one in largest for problem in _check_model(one)] + _check_precision(trained[0])
    renamed = {"method": "methods"}
    told = [dataclasses.replace(problem, field=renamed.get(str(problem.field), problem.field)) for problem in found]
    problems += {repr(problem): problem for problem in told}.values()
    if spec.scratch and spec.steps < FAIR_STEPS:
        problems.append(Problem("compare.few_steps", "warning", "steps", {"steps": spec.steps, "fair": FAIR_STEPS}))
    if spec.seeds == 1:
        problems.append(Problem("compare.one_seed", "warning", "seeds"))
    return problems


def _check_precision(spec: FinetuneSpec) -> list[Problem]:
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
    if spec.patience is not None and spec.patience >= spec.epochs:
        values = {"patience": spec.patience, "epochs": spec.epochs}
        problems.append(Problem("spec.patience_never", "warning", "patience", values))
    return problems
