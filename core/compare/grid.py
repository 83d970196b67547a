"""The grid of a comparison: which trainings it consists of, in which order, and how long each may learn.

A cell is a start (random or pretrained weights with a method), a size and a seed. Every cell is a fine-tuning
like any other: `cell_spec` is what `python -m core finetune` would be asked for. All cells of a size that learn in
steps get the same number of them, whatever they start from; what is pretrained begins from a fitted head, and a head
alone is fitted, on the same examples.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from core.compare.spec import CompareSpec
from core.finetune.spec import FinetuneSpec
from core.registry.methods import METHODS, MethodSettings
from core.spec import ModelRef, parse_spec

# With fewer steps, training from scratch on few examples has hardly begun.
FAIR_STEPS = 300
# How often a training looks at the validation examples.
LOOKS = 20
SCRATCH = "scratch"

Start = Literal["scratch", "pretrained"]


@dataclass(frozen=True)
class Cell:
    """One training of the grid."""

    start: Start
    method: str
    size: int
    seed: int

    @property
    def family(self) -> str:
        """The curve it belongs to: `scratch`, or the method."""
        return SCRATCH if self.start == "scratch" else self.method

    @property
    def id(self) -> str:
        """Its name among the cells: head-100-0."""
        return f"{self.family}-{self.size}-{self.seed}"


def families(spec: CompareSpec) -> list[str]:
    """The curves, from scratch first."""
    return [SCRATCH, *spec.methods] if spec.scratch else list(spec.methods)


def grid(spec: CompareSpec) -> list[Cell]:
    """All cells, the cheapest first: by size, then by how much learns."""
    order = [*METHODS, SCRATCH]
    cells = [
        family_cell(family, size, seed)
        for family in families(spec)
        for size in spec.sizes
        for seed in range(spec.seed, spec.seed + spec.seeds)
    ]
    # What trains only a head comes first of all: it takes moments, and shows a curve while the others begin.
    return sorted(
        cells,
        key=lambda cell: (not METHODS[cell.method].only_head, cell.size, order.index(cell.family), cell.seed),
    )


def family_cell(family: str, size: int, seed: int) -> Cell:
    """The cell of a curve. From random weights everything has to learn."""
    if family != SCRATCH:
        return Cell("pretrained", family, size, seed)
    return Cell("scratch", next(row.id for row in METHODS.values() if row.trains_all), size, seed)


def steps_for(spec: CompareSpec, size: int) -> int:
    """The optimizer steps that every cell of this size may take."""
    return max(spec.steps, math.ceil(spec.epochs * size / spec.batch_size))


def cell_spec(spec: CompareSpec, cell: Cell) -> FinetuneSpec:
    """The fine-tuning that a cell is."""
    steps_per_epoch = max(1, math.ceil(cell.size / spec.batch_size))
    epochs = math.ceil(steps_for(spec, cell.size) / steps_per_epoch)
    validate_every = max(1, round(epochs / LOOKS))
    shared = {name: getattr(spec, name) for name in _SHARED}
    patience = None if spec.patience is None else spec.patience * validate_every
    return parse_spec(
        FinetuneSpec,
        {
            **shared,
            "model": ModelRef(id=spec.model.id, weights="random" if cell.start == "scratch" else "pretrained"),
            "method": cell.method,
            "train_size": cell.size,
            "seed": cell.seed,
            "epochs": epochs,
            "validate_every": validate_every,
            "patience": None if patience is None or patience >= epochs else patience,
            "min_epochs": min(epochs, math.ceil(spec.steps / steps_per_epoch)),
        },
    )


_SHARED = (
    "data",
    *(field.name for field in fields(MethodSettings) if field.name != "seed"),
    *("image_size", "max_length", "batch_size", "test_size", "precision", "device"),
)


@dataclasses.dataclass(frozen=True)
class CellJob:
    """What a cell's process needs to know."""

    spec: dict[str, object]
    cell: Cell
    folder: str  # the run's
    home: str  # the server it is forked from may have been started for another one
    threads: int
    parent: tuple[int, float]  # pid and start time of who waits for it
    began_in_0_1: bool = False  # the comparison: its other cells were trained as version 0.1 did


def artifact(folder: Path, cell: Cell, suffix: str) -> Path:
    """Where a cell's result (.json) and its predictions (.parquet) are kept."""
    return folder / "artifacts" / "cells" / f"{cell.id}{suffix}"
