"""How much memory a training will take: from like trainings that were measured, or from what the memory model tells.

The memory model (`core.inspection.memory`) plays a network through on fake tensors and needs torch; what it told is
read here: of this model, where it was taken apart on this machine, else of the bundled models as counted once. Every
other network stands on its multiply-adds, which tell little of what a step keeps: of the same work some keep ten times
as much.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core import ready, settings
from core.data.token_lengths import ENOUGH_TOKENS
from core.errors import GraftError
from core.finetune.passes import LEAST_AT_ONCE, MAX_FEATURES, MAX_START_ROWS, is_fitted
from core.finetune.spec import FinetuneSpec
from core.hardware import best_device, describe_machine, this_host
from core.registry.methods import METHODS
from core.spec import parse_spec
from core.store import Run, Store, find_report

if TYPE_CHECKING:
    from core.models.card import ModelCard

# Measured where nothing of this machine is known: a process that has loaded what a training loads; what fits a head.
_LIBRARIES_MB, _WITHOUT_TRAINER_MB = 790.0, 640.0
# What a whole run takes beside the steps that the memory model plays through: data, the Trainer, a checkpoint while it
# is written, the test (measured, `python -m bench estimates`).
_AROUND_MB = 240.0
# Texts learn in bf16 where the processor has instructions for it: what grows with the batch is so much of fp32's
# (counted, MiniLM-L6).
_IN_BF16 = 0.76
_ADAPTERS_IN_BF16 = 0.5  # measured, MiniLM-L6 with LoRA: 2,713 MB of a batch of 32 texts of 128 tokens
# What a copy of a process that was kept ready shares with it and never touches (measured on digits, EfficientNet-Lite0
# at 64 px: head 800 MB instead of 1,060 to 1,090, all layers 1,010 instead of 1,340).
_SHARED_MB = 300.0
# What grows with the rows (measured, `python -m bench large`): of a fitted head each number of its features beyond
# those that are counted above, with the copies of a fit; of a text its words and tokens; of a text that the simple
# rival learns, at most so many, its counted words; of a picture what is known of it.
_FIT_BYTES, _FEW_NUMBERS = 18, 2_000_000
_TEXT_BYTES, _RIVAL_BYTES, _RIVAL_ROWS = 900, 2_000, 50_000
_PICTURE_BYTES = 300
_WIDTH_OF_PICTURES = 1280  # features of EfficientNet-Lite0 and MobileNetV2
_RUNS = 5  # as many like runs are looked at; the middle one counts


@dataclass(frozen=True)
class Need:
    """MB beside the libraries: whatever the batch, and for each example of it."""

    fixed: float
    each: float

    def of(self, batch: int) -> float:
        """MB for a batch."""
        return self.fixed + batch * self.each


@dataclass(frozen=True)
class _Counted:
    """What the memory model told of a network in fp32, shown px or tokens (`python -m core model ID --json`)."""

    shown: int
    ways: dict[str, Need]


_COUNTED = {
    "bundled/efficientnet_lite0": _Counted(
        224, {"head": Need(45, 19.4), "last": Need(92, 18.3), "full": Need(106, 64.2)}
    ),
    "bundled/minilm-l6": _Counted(
        128, {"head": Need(149, 4.0), "last": Need(170, 18.4), "lora": Need(174, 90.8), "full": Need(474, 51.0)}
    ),
}
# MB that a step of the whole network keeps of an example for each billion of multiply-adds: counted, ResNet-18 and
# MiniLM-L6; EfficientNet-Lite0 and its like keep 165.
_EACH_OF_PICTURES, _EACH_OF_TEXTS = 10.5, 36.0
# Norms that learn their statistics, from random weights on, are no part of the convolutions before them: so much more
# is kept of a picture (counted, ResNet-18 and EfficientNet-Lite0).
_WITH_OWN_NORMS = 1.45


def memory_of_mb(spec: FinetuneSpec, card: ModelCard, shown: int, rows: int, store: Store | None) -> float:
    """MB of the process of a training. `shown`: the edge of its pictures, or the tokens of its longest texts.

    Without `store` it is told from constants alone, the same whenever it is asked.
    """
    need, batch, of_rows = (
        need_of(spec, card, shown, store),
        _at_once(spec, card, shown, rows),
        rows_mb(spec, card, rows),
    )
    like = []
    for run in _like_runs(spec, store) if store else []:
        other = parse_spec(FinetuneSpec, run.spec)
        facts = run.summary
        seen = facts.get("max_length") if card.is_text else facts.get("image_size")
        of_it = need_of(other, card, int(seen or shown), store)
        its_rows = int((facts.get("data") or {}).get("train") or rows)
        its_batch = _at_once(other, card, int(seen or shown), its_rows)
        peak = float(facts["peak_memory_mb"]) + (_SHARED_MB if facts.get("was_ready") else 0)
        like.append(peak + need.of(batch) - of_it.of(its_batch) + of_rows - rows_mb(other, card, its_rows))
    shared = _SHARED_MB if store and ready.is_there() else 0.0
    if like:
        return max(statistics.median(like), libraries_mb(fits=is_fitted(spec))) - shared
    usual = _WITHOUT_TRAINER_MB if is_fitted(spec) else _LIBRARIES_MB
    return (libraries_mb(fits=is_fitted(spec)) if store else usual) + _AROUND_MB + need.of(batch) + of_rows - shared


def rows_mb(spec: FinetuneSpec, card: ModelCard, rows: int) -> float:
    """MB of so many training rows, beside what is kept on the disk."""
    of_text = rows * _TEXT_BYTES + min(rows, _RIVAL_ROWS) * _RIVAL_BYTES
    held = of_text if card.is_text else rows * _PICTURE_BYTES
    width = card.reading.hidden if card.is_text else _WIDTH_OF_PICTURES
    numbers = width * (rows if is_fitted(spec) else min(rows, MAX_START_ROWS))
    if numbers > MAX_FEATURES:  # learned in steps, from a head that fits some
        numbers = width * MAX_START_ROWS
    return (held + _FIT_BYTES * max(0, numbers - _FEW_NUMBERS)) / 1e6


def _at_once(spec: FinetuneSpec, card: ModelCard, shown: int, rows: int) -> int:
    """Examples of the largest batch: of a step, or where only a head is fitted of those that are answered."""
    only_head = METHODS[spec.method].only_head
    if only_head and not card.is_text:
        return max(LEAST_AT_ONCE, min(spec.batch_size, rows))
    is_answering = only_head and best_device() == "cpu"
    return max(1, min(ENOUGH_TOKENS // shown if is_answering else spec.batch_size, rows))


def need_of(spec: FinetuneSpec, card: ModelCard, shown: int, store: Store | None) -> Need:
    """What the memory model told of this network and way of tuning, else what its work lets one guess."""
    told = _told_here(spec, card, shown, store) if store else None
    if told is not None:
        return told
    counted = _COUNTED.get(card.base or card.id)
    if counted is not None and spec.method in counted.ways:
        way = counted.ways[spec.method]
        return Need(way.fixed, way.each * _share(spec, card, shown, counted.shown))
    costs, weights = METHODS[spec.method].costs, 4 * card.parameters / 1e6
    learned = 3 * weights * costs.learned.at(spec.last_blocks)
    usual = 128 if card.is_text else card.vision.image_size
    whole = card.gmacs * (_EACH_OF_TEXTS if card.is_text else _EACH_OF_PICTURES)
    return Need(30 + 2 * weights + learned, whole * costs.activations * _share(spec, card, shown, usual))


def _share(spec: FinetuneSpec, card: ModelCard, shown: int, counted: int) -> float:
    """What grows with the size of what is shown: pixels, or tokens; less where numbers are half as long.

    Beside a head only answers are computed, those of the test in fp32: of long texts each layer's attention takes the
    most, which grows with the square of their length.
    """
    if not card.is_text:
        learns_statistics = spec.model.weights == "random" and not card.has_attention
        return (shown / counted) ** 2 * (_WITH_OWN_NORMS if learns_statistics else 1.0)
    ratio = shown / counted
    if METHODS[spec.method].only_head:
        return 0.9 * ratio + 0.1 * ratio**2  # measured, MiniLM-L6: 1,255 MB at 64 tokens, 1,928 at 512
    is_short = spec.precision == "bf16" or (spec.precision == "auto" and describe_machine().is_native("bf16"))
    return ratio * ((_ADAPTERS_IN_BF16 if METHODS[spec.method].adds_layers else _IN_BF16) if is_short else 1.0)


def _told_here(spec: FinetuneSpec, card: ModelCard, shown: int, store: Store) -> Need | None:
    """From the newest inspection of this model on this machine."""
    for run in store.list_runs(statuses=["done"], kind="inspect", limit=50):
        if run.host != this_host() or (run.spec.get("model") or {}).get("id") != card.id:
            continue
        report = find_report(run.id) or {}  # core.inspection.records.InspectionReport, of a room above this one
        memory, counted = report.get("memory"), (report.get("input") or {}).get("tokens" if card.is_text else "size")
        table = ((memory or {}).get("training", {}).get(spec.method) or {}).get("fp32")
        if not memory or not table or not counted:
            continue
        each = (table["128"] - table["8"]) / 120
        fixed = table["8"] - 8 * each - memory["baseline"]["training_mb"]
        return Need(fixed, each * _share(spec, card, shown, counted))
    return None


def _like_runs(spec: FinetuneSpec, store: Store) -> list[Run]:
    """The newest trainings of this model in this way on this machine whose peak was measured."""
    found = []
    for run in store.list_runs(statuses=["done"], kind="finetune", limit=200):
        other = run.spec
        same = (other.get("model") or {}).get("id") == spec.model.id and other.get("method") == spec.method
        if METHODS[spec.method].costs.learned.each_block and other.get("last_blocks") != spec.last_blocks:
            same = False
        if same and run.host == this_host() and run.summary.get("peak_memory_mb") and _is_readable(run):
            found.append(run)
        if len(found) == _RUNS:
            break
    return found


def _is_readable(run: Run) -> bool:
    try:
        parse_spec(FinetuneSpec, run.spec)
    except GraftError:
        return False
    return True


def at_rest_mb() -> float:
    """MB of a run whatever its network."""
    return libraries_mb() + _AROUND_MB


def libraries_mb(*, fits: bool = False) -> float:
    """MB of a process that has loaded what a training loads: as measured on this machine once, else as usual.

    `fits`: one that only fits a head, without the Trainer.
    """
    try:
        kept = json.loads((settings.home() / "baselines.json").read_text(encoding="utf-8"))
        if kept["host"] == this_host():
            return float(kept["fitting_mb" if fits else "training_mb"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return _WITHOUT_TRAINER_MB if fits else _LIBRARIES_MB
