"""What a training writes to the disk: decoded pictures, features that are kept, checkpoints, points of its curves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from core import settings
from core.finetune.passes import USUAL_TOKENS, Rows
from core.finetune.spec import FinetuneSpec
from core.hardware import free_disk_mb
from core.i18n import translator
from core.problems import Problem
from core.registry.methods import METHODS

if TYPE_CHECKING:
    from core.models.card import ModelCard

# What the frozen part gives may take this much when it is kept; above it, it is computed anew in each epoch.
MOST_KEPT_BYTES = 6_000_000_000
# Of every row that is kept: its sum and its mark; of a picture also what a look at it told.
_BESIDE_BYTES, _FACTS_BYTES = 9, 49
# Of a step: four points of curves in the store, with their index.
_STEP_BYTES = 4 * 100


def disk_of_mb(spec: FinetuneSpec, card: ModelCard, rows: Rows) -> float:
    """MB of a training whose data nobody has decoded and whose features nobody has kept yet."""
    pictures = 0.0 if card.is_text else sum(rows) * _picture_bytes(spec, card)
    steps = 0 if METHODS[spec.method].only_head else spec.epochs * math.ceil(rows[0] / spec.batch_size)
    return (pictures + _kept_bytes(spec, card, sum(rows)) + steps * _STEP_BYTES) / 1e6 + 3 * _learned_mb(spec, card)


def check_disk(spec: FinetuneSpec, card: ModelCard, rows: Rows) -> list[Problem]:
    """A warning where a training may not fit on the disk: what earlier ones have kept is not written again."""
    need, free = disk_of_mb(spec, card, rows), free_disk_mb(settings.home())
    if need <= free:
        return []
    size = translator("en").size
    values = {"need": size(need * 1e6), "free": size(free * 1e6), "folder": str(settings.home())}
    return [Problem("spec.disk_short", "warning", "data", values)]


def _picture_bytes(spec: FinetuneSpec, card: ModelCard) -> float:
    """Of a decoded picture; small ones that are all of one size keep theirs, and take less."""
    return (spec.image_size or card.vision.image_size) ** 2 * 3 + _BESIDE_BYTES + _FACTS_BYTES


def _kept_bytes(spec: FinetuneSpec, card: ModelCard, rows: int) -> float:
    """Outputs of the frozen part, two bytes a number, where they are kept."""
    kept = METHODS[spec.method].kept
    if kept is None or spec.augment != "none":
        return 0.0
    if card.is_text:
        states = USUAL_TOKENS if kept.states is None else kept.states
        each = states * (2.0 * card.reading.hidden + (_BESIDE_BYTES if kept.states is None else 0))
    else:
        each = 2.0 * kept.of_picture(spec.image_size or card.vision.image_size)
    total = rows * (each + _BESIDE_BYTES)
    return total if total <= MOST_KEPT_BYTES else 0.0


def _learned_mb(spec: FinetuneSpec, card: ModelCard) -> float:
    """The tensors that learn with their two Adam moments, as a checkpoint holds them."""
    return 3 * 4 * card.parameters * METHODS[spec.method].costs.learned.at(spec.last_blocks) / 1e6
