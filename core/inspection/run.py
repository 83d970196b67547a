"""What a network is made of, told without its weights: layers, shapes, parameters, multiply-adds, memory, ways to tune.

Multiply-adds are those of convolutions, matrix products and attention, one for each product that is summed, as
torchvision documents its "GFLOPS".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from core.errors import InputError
from core.files import to_json, write_atomically
from core.hardware import resident_mb
from core.inspection.blueprint import build_tunable, draw
from core.inspection.layers import list_blocks, list_layers
from core.inspection.records import InspectionReport, InspectionSummary
from core.inspection.spec import InspectSpec
from core.inspection.tuning import count_tuning
from core.models.card import ModelCard
from core.models.catalog import check_image_size, get_model
from core.progress import Reporter, SilentReporter

_STRUCTURE_CHARS = 60_000


def inspect(spec: InspectSpec, folder: Path, reporter: Reporter) -> InspectionSummary:
    """Take the network apart and write `artifacts/report.json`; returns the run's summary.

    Raises `NotFoundError` for an unknown model, `InputError` for a picture size or architecture it cannot have.
    """
    from core.inspection.memory_baseline import measure_baseline

    measure_baseline()
    report = take_apart(spec, reporter)
    path = folder / "artifacts" / "report.json"
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, to_json(report))
    return {
        "id": report["id"],
        "parameters": report["parameters"],
        "gmacs": report["gmacs"],
        "versions": report["versions"],
    }


def take_apart(spec: InspectSpec, reporter: Reporter | None = None, *, with_memory: bool = True) -> InspectionReport:
    """The report: what the network is, layer by layer, what memory it needs and what each way of tuning trains."""
    reporter = reporter or SilentReporter()
    card = get_model(spec.model.id)
    if spec.image_size is not None and card.preprocessing is not None:
        problems = check_image_size(card, spec.image_size)
        if problems:
            raise InputError(problems)
    reporter.phase("model")
    blueprint = draw(card, spec.image_size)
    held_mb = resident_mb()  # before anything is computed: the libraries alone
    reporter.phase("inspect")
    layers = list_layers(blueprint)
    blocks, structure = list_blocks(blueprint, layers), str(blueprint.net)[:_STRUCTURE_CHARS]
    reporter.phase("tuning")
    tunable = _tunable(card, spec.image_size)
    report: InspectionReport = {
        "id": card.id,
        "name": card.name,
        "input": blueprint.input,
        "parameters": layers[0]["parameters"],
        "gmacs": round(layers[0]["macs"] / 1e9, 4),
        "published": {"parameters": card.parameters, "gmacs": card.gmacs, "metrics": card.metrics},
        "versions": {"torch": torch.__version__},
        "layers": layers,
        "blocks": blocks,
        "structure": structure,
        "tuning": {} if tunable is None else count_tuning(tunable).as_dict(),
    }
    if not with_memory:
        return report
    reporter.phase("memory")
    from core.inspection.memory import estimate_memory
    from core.inspection.memory_baseline import read_baseline

    report["memory"] = estimate_memory(blueprint, tunable, read_baseline(held_mb))
    return report


def _tunable(card: ModelCard, image_size: int | None) -> Any:
    base = get_model(card.base) if card.source == "run" else card
    if not base.is_trainable:
        return None
    return build_tunable(card, image_size)
