"""What a comparison will cost: time, memory, and how many trainings run side by side."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from core.compare.grid import Cell, cell_spec, grid
from core.compare.spec import CompareSpec
from core.finetune.estimate import (
    EstimateReport,
    assumed_rows,
    estimate_finetune,
    known_rows,
    range_of,
    shown_at_most,
    trainable,
)
from core.finetune.memory import memory_of_mb
from core.finetune.pace import pace_of, past_runs, start_s
from core.finetune.passes import Passes, count_passes, gmacs_of
from core.finetune.spec import FinetuneSpec
from core.hardware import best_device, describe_machine, this_host, usable_threads
from core.registry.methods import METHODS
from core.store import Store, open_store

if TYPE_CHECKING:
    from core.models.card import ModelCard


_CELL_S = 1.5  # of a comparison's cell: its process, data that is already cached, the network
_SHARE_OF_MEMORY = 0.6  # of the machine's, for all cells at work


# -- comparisons -----------------------------------------------------------------------------------------


def cell_work(spec: FinetuneSpec, card: ModelCard) -> float:
    """Billions of multiply-adds of one training of a comparison, test included; never zero."""
    return _cell_passes(spec, card).total + 1e-6


def _cell_passes(spec: FinetuneSpec, card: ModelCard) -> Passes:
    size = 0 if card.is_text else spec.image_size or card.vision.image_size
    return count_passes(spec, card, gmacs_of(card, size, None), assumed_rows(spec))


def lanes_for(spec: CompareSpec, device: str) -> tuple[int, int]:
    """How many cells run side by side here, and with how many threads each.

    As many as there are processors, cells of the largest size, and memory for; the same for every start of the
    same comparison on a machine, so that a resumed one computes alike. A GPU computes one cell at a time.
    """
    from core.models import catalog

    threads = usable_threads()
    if device != "cpu":
        return 1, threads
    card = catalog.get_model(spec.model.id)
    cells = [cell for cell in grid(spec) if cell.size == max(spec.sizes)]
    dear = sum(not METHODS[cell.method].only_head for cell in cells) or len(cells)
    need = max(_cell_memory_mb(spec, cell, card) for cell in cells)
    room = max(1, int(_SHARE_OF_MEMORY * describe_machine().memory_mb / need))
    lanes = max(1, min(threads, dear, room))
    return lanes, max(1, threads // lanes)


def _cell_memory_mb(spec: CompareSpec, cell: Cell, card: ModelCard) -> float:
    one = cell_spec(spec, cell)
    return memory_of_mb(one, card, shown_at_most(one, card), cell.size, None)


def most_examples(spec: CompareSpec, store: Store | None = None) -> int | None:
    """How many examples of the data can be trained on beside those that validate; None while nobody has read it."""
    values = {"model": spec.model, "data": spec.data, "test_size": spec.test_size}
    known = known_rows(FinetuneSpec.model_validate(values), store or open_store())
    return known[0] if known else None


def estimate_compare(spec: CompareSpec, store: Store | None = None) -> EstimateReport:
    """What this comparison will take on this machine. Never raises for a model or data it cannot know."""
    store, card = store or open_store(), trainable(spec.model.id)
    cells = grid(spec)
    if card is None or not cells:
        return EstimateReport(time_s=None, reason="estimate.unknown", memory_mb=0, disk_mb=0, download_mb=0)
    lanes, _threads = lanes_for(spec, best_device() if spec.device == "auto" else spec.device)
    time_s, from_run = _grid_time(spec, cells, card, lanes, store)
    estimates = [
        estimate_finetune(cell_spec(spec, cell), store, timed=False) for cell in cells if cell.size == max(spec.sizes)
    ]
    return EstimateReport(
        time_s=time_s,
        reason=None if time_s else "estimate.unknown",
        memory_mb=lanes * max(estimate.memory_mb for estimate in estimates),
        disk_mb=max(estimate.disk_mb for estimate in estimates) * spec.seeds,
        download_mb=estimates[0].download_mb,
        from_run=from_run,
        rows=most_examples(spec, store),
    )


def _grid_time(
    spec: CompareSpec, cells: list[Cell], card: ModelCard, lanes: int, store: Store
) -> tuple[tuple[float, float] | None, str | None]:
    """Seconds from the speed of an earlier comparison of this model, else from single runs, else the calibration."""
    work: dict[str, float] = {}
    for cell in cells:
        work[cell.family] = work.get(cell.family, 0.0) + cell_work(cell_spec(spec, cell), card)
    for run in store.list_runs(statuses=["done"], kind="compare", limit=50):
        rates, model = run.summary.get("rates") or {}, (run.spec.get("model") or {}).get("id")
        if run.host == this_host() and model == spec.model.id and work.keys() <= rates.keys():
            computing = sum(amount / rates[family] for family, amount in work.items()) / lanes
            return range_of(start_s(past_runs(store)), computing), run.id
    past, computing, from_run = past_runs(store), _CELL_S * len(cells) / lanes, None
    for family in work:
        specs = [cell_spec(spec, cell) for cell in cells if cell.family == family]
        needed = reduce(add, (_cell_passes(one, card) for one in specs))
        pace = pace_of(specs[-1], card, shown_at_most(specs[-1], card), needed, past)
        if pace is None:
            return None, None
        computing, from_run = computing + pace.seconds(needed), pace.from_run or from_run
    return range_of(start_s(past), computing), from_run
