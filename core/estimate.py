"""What a fine-tuning will cost here, before it starts: time, memory, disk.

Time is only told from something measured on this machine: an earlier run, else the calibration that
`python -m core doctor` makes. Work is counted in multiply-adds of one picture's forward pass; a step that
learns costs about three forward passes through the part that learns.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from core import settings
from core.errors import GraftError
from core.grid import Cell, cell_spec, grid
from core.hardware import best_device, describe_machine, this_host, usable_threads
from core.optimize.variants import variants_of
from core.registry.methods import METHODS
from core.registry.passes import KINDS
from core.specs import CompareSpec, FinetuneSpec, OptimizeSpec, parse_spec
from core.store import Run, Store, open_store

if TYPE_CHECKING:
    from core.catalog import ModelCard

LOW, HIGH = 0.7, 1.5  # the true time lies in this range of the estimate in most cases
_START_S = 6.0  # libraries, model, data that is already cached
_BYTES_PER_MAC = 0.045  # activations kept for the backward pass of a convolutional net, by its multiply-adds
_LIBRARIES_MB = 600.0
_DEFAULT_ROWS = 2000  # stands for the size of a data set nobody has read yet
_USUAL_TOKENS = 64  # of a text, where nothing is known of its length
_CELL_S = 1.5  # of a comparison's cell: its process, data that is already cached, the network
_SHARE_OF_MEMORY = 0.6  # of the machine's, for all cells at work
_VARIANT_S = 25.0  # to make, check and time one variant, its test left out
_TEST_S = 60.0  # of the original, where no number of test rows is asked for
_SEARCH_S = 60.0  # to look for the layers that int8 does not suit, where it loses too much


class EstimateReport(BaseModel):
    """A range of seconds, or the reason why none can be told; memory and disk in MB."""

    model_config = ConfigDict(frozen=True)

    time_s: tuple[float, float] | None
    reason: str | None = None  # code of core.messages, when time_s is None
    memory_mb: float
    disk_mb: float
    download_mb: float
    from_run: str | None = None  # the run whose speed this is based on; None with a time: the calibration
    rows: int | None = None  # training pictures counted with; None: assumed, the data was never read


@dataclass(frozen=True)
class _Work:
    """One job in billions of multiply-adds."""

    forward: float
    learning: float  # of the forward passes through what learns: a third of a learning step's cost

    @property
    def total(self) -> float:
        return self.forward + 3 * self.learning


def _trainable(model_id: str) -> ModelCard | None:
    """The card of a model that can be trained here; None for one that cannot, or that nobody knows."""
    from core import catalog

    try:
        card = catalog.get_model(model_id)
    except GraftError:
        return None
    return card if card.is_trainable else None


def estimate_finetune(spec: FinetuneSpec, store: Store | None = None) -> EstimateReport:
    """What this fine-tuning will take on this machine. Never raises for a model or data it cannot know."""
    from core import catalog

    store, card = store or open_store(), _trainable(spec.model.id)
    if card is None:
        return EstimateReport(time_s=None, reason="estimate.unknown", memory_mb=0, disk_mb=0, download_mb=0)
    size = 0 if card.is_text else spec.image_size or card.vision.image_size
    gmacs = _gmacs(card, size, spec.max_length)
    known = _known_rows(spec, store)
    train, validation, test = known or _assumed_rows(spec)
    time_s, from_run = _time(spec, gmacs, train, validation, test, store)
    pictures = train + validation + test
    disk_mb = pictures * size * size * 3 / 1e6 + _feature_mb(spec, card, pictures, size) + 3 * _learned_mb(spec, card)
    needs_download = spec.model.weights == "pretrained" and not catalog.is_local(card)
    return EstimateReport(
        time_s=time_s,
        reason=None if time_s else "estimate.unknown",
        memory_mb=round(_memory_mb(spec, card, gmacs), -1),
        disk_mb=round(disk_mb + card.size_mb, 1),
        download_mb=card.size_mb if needs_download else 0.0,
        from_run=from_run,
        rows=train if known else None,
    )


# -- comparisons -----------------------------------------------------------------------------------------


def cell_work(spec: FinetuneSpec, card: ModelCard) -> float:
    """Billions of multiply-adds of one training of a comparison, test included; never zero."""
    size = 0 if card.is_text else spec.image_size or card.vision.image_size
    return _work(spec, _gmacs(card, size, spec.max_length), *_assumed_rows(spec)).total + 1e-6


def lanes_for(spec: CompareSpec, device: str) -> tuple[int, int]:
    """How many cells run side by side here, and with how many threads each.

    As many as there are processors, cells of the largest size, and memory for; the same for every start of the
    same comparison on a machine, so that a resumed one computes alike. A GPU computes one cell at a time.
    """
    from core import catalog

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
    size = 0 if card.is_text else one.image_size or card.vision.image_size
    return _memory_mb(one, card, _gmacs(card, size, one.max_length))


def most_examples(spec: CompareSpec, store: Store | None = None) -> int | None:
    """How many examples of the data can be trained on beside those that validate; None while nobody has read it."""
    values = {"model": spec.model, "data": spec.data, "test_size": spec.test_size}
    known = _known_rows(FinetuneSpec.model_validate(values), store or open_store())
    return known[0] if known else None


def estimate_compare(spec: CompareSpec, store: Store | None = None) -> EstimateReport:
    """What this comparison will take on this machine. Never raises for a model or data it cannot know."""
    store, card = store or open_store(), _trainable(spec.model.id)
    cells = grid(spec)
    if card is None or not cells:
        return EstimateReport(time_s=None, reason="estimate.unknown", memory_mb=0, disk_mb=0, download_mb=0)
    lanes, _threads = lanes_for(spec, best_device() if spec.device == "auto" else spec.device)
    time_s, from_run = _grid_time(spec, cells, card, lanes, store)
    estimates = [estimate_finetune(cell_spec(spec, cell), store) for cell in cells if cell.size == max(spec.sizes)]
    return EstimateReport(
        time_s=time_s,
        reason=None if time_s else "estimate.unknown",
        memory_mb=lanes * max(found.memory_mb for found in estimates),
        disk_mb=max(found.disk_mb for found in estimates) * spec.seeds,
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
            seconds = _START_S + sum(amount / rates[family] for family, amount in work.items()) / lanes
            return (LOW * seconds, HIGH * seconds), run.id
    total, from_run = _START_S, None
    for family in work:
        one = max((cell for cell in cells if cell.family == family), key=lambda cell: cell.size)
        found, calibration = _nearest_run(cell_spec(spec, one), store), read_calibration()
        if found is not None:
            from_run, rate = found[0].id, found[1]
        elif calibration is not None:
            rate = calibration["forward_gmacs_per_s" if METHODS[one.method].only_head else "learning_gmacs_per_s"]
        else:
            return None, None
        total += work[family] / rate
    total += _CELL_S * len(cells) / lanes
    return (LOW * total, HIGH * total), from_run


# -- optimizations ---------------------------------------------------------------------------------------


def estimate_optimize(spec: OptimizeSpec, store: Store | None = None) -> EstimateReport:
    """What this optimization will take on this machine. Never raises for a model or data it cannot know.

    Every variant is made, checked, tested and timed; passes that learn train as a fine-tuning of all layers does.
    """
    from core import catalog

    store, card = store or open_store(), _trainable(spec.model.id)
    if card is None:
        return EstimateReport(time_s=None, reason="estimate.unknown", memory_mb=0, disk_mb=0, download_mb=0)
    variants = variants_of(spec.passes, combine=spec.combine)
    values = {"model": spec.model, "data": spec.data, "train_size": spec.train_size, "test_size": spec.test_size}
    training = FinetuneSpec.model_validate({**values, "method": "full", "epochs": spec.epochs, "image_size": None})
    gmacs, known = card.gmacs * (0.5 if card.is_text else 1), _known_rows(training, store)
    train, _validation, test = known or _assumed_rows(training)
    time_s, from_run = _variants_time(spec, gmacs, train, test, store)
    learns = any(variant.learned for variant in variants)
    return EstimateReport(
        time_s=time_s,
        reason=None if time_s else "estimate.unknown",
        memory_mb=round(_memory_mb(training, card, gmacs) if learns else _LIBRARIES_MB + 5 * card.size_mb, -1),
        disk_mb=round(sum(card.size_mb * KINDS[variant.kind].size_share for variant in variants), 1),
        download_mb=0.0 if catalog.is_local(card) else card.size_mb,
        from_run=from_run,
        rows=train if known else None,
    )


def _variants_time(
    spec: OptimizeSpec, gmacs: float, train: int, test: int, store: Store
) -> tuple[tuple[float, float] | None, str | None]:
    """Seconds from the speed of an earlier optimization of this model, else from the calibration."""
    variants, calibration = variants_of(spec.passes, combine=spec.combine), read_calibration()
    learned = {variant.learned for variant in variants if variant.learned}
    rate, from_run = _answer_rate(spec, gmacs, store)
    if rate is None:
        return None, None
    steps = 3 * spec.epochs * train * gmacs * len(learned)
    learning_rate = calibration["learning_gmacs_per_s"] if calibration else rate
    # Without a number, as many rows are tested as the original answers in a minute.
    tested = test * gmacs / rate if spec.test_size else min(test * gmacs / rate, _TEST_S)
    seconds = _START_S + tested + len(variants) * (_VARIANT_S + tested) + steps / learning_rate
    searched = sum(variant.kind == "int8" for variant in variants) * _SEARCH_S if spec.search else 0.0
    return (LOW * seconds, HIGH * (seconds + searched)), from_run


def _answer_rate(spec: OptimizeSpec, gmacs: float, store: Store) -> tuple[float | None, str | None]:
    """Billions of multiply-adds a second while answering, and the run that measured it."""
    for run in store.list_runs(statuses=["done"], kind="optimize", limit=50):
        rate = (run.summary.get("original") or {}).get("throughput")
        if run.host == this_host() and rate and (run.spec.get("model") or {}).get("id") == spec.model.id:
            return rate * gmacs, run.id
    calibration = read_calibration()
    return (calibration["forward_gmacs_per_s"] if calibration else None), None


def _gmacs(card: ModelCard, size: int, max_length: int | None) -> float:
    """Billions of multiply-adds for one picture of this edge, or for a text of usual length."""
    if card.is_text:
        return card.gmacs * min(max_length or _USUAL_TOKENS, _USUAL_TOKENS) / 128
    return card.gmacs * (size / card.vision.image_size) ** 2


# -- time ----------------------------------------------------------------------------------------------


def _time(
    spec: FinetuneSpec, gmacs: float, train: int, validation: int, test: int, store: Store
) -> tuple[tuple[float, float] | None, str | None]:
    work = _work(spec, gmacs, train, validation, test)
    found = _nearest_run(spec, store)
    if found is not None:
        run, rate = found
        seconds = _START_S + work.total / rate
        return (LOW * seconds, HIGH * seconds), run.id
    calibration = read_calibration()
    if calibration is None:
        return None, None
    seconds = _START_S + work.forward / calibration["forward_gmacs_per_s"]
    seconds += 3 * work.learning / calibration["learning_gmacs_per_s"]
    return (LOW * seconds, HIGH * seconds), None


def _work(spec: FinetuneSpec, gmacs: float, train: int, validation: int, test: int) -> _Work:
    """All passes of a run: what is frozen and not augmented runs once, everything else in each epoch."""
    method = METHODS[spec.method]
    share = method.costs.work.at(spec.last_blocks)
    is_cached = method.kept is not None and spec.augment == "none"
    frozen = (1 - share) * gmacs
    looked = validation * -(-spec.epochs // spec.validate_every)
    prefix_rows = train + validation + test if is_cached else spec.epochs * train + looked + test
    forward = prefix_rows * frozen + (looked + test) * share * gmacs
    return _Work(forward=forward, learning=spec.epochs * train * share * gmacs)


def _nearest_run(spec: FinetuneSpec, store: Store) -> tuple[Run, float] | None:
    """The most alike finished run of this machine, and its speed in billions of multiply-adds a second."""
    best: tuple[tuple[int, ...], Run, float] | None = None
    for run in store.list_runs(statuses=["done"], kind="finetune", limit=200):
        rate = _rate_of(run)
        if rate is None:
            continue
        other = run.spec
        model = (other.get("model") or {}).get("id") == spec.model.id
        likeness = (
            int(model),
            int(other.get("method") == spec.method),
            int(other.get("image_size") == spec.image_size),
            int(other.get("batch_size") == spec.batch_size),
        )
        if not model and other.get("method") != spec.method:
            continue  # another net in another way tells nothing
        if best is None or likeness > best[0]:
            best = (likeness, run, rate)
    return None if best is None else (best[1], best[2])


def _rate_of(run: Run) -> float | None:
    from core import catalog

    summary = run.summary
    data, phases = summary.get("data") or {}, summary.get("phases") or {}
    if run.host != this_host() or run.attempt or not data or not phases:
        return None
    engine = summary.get("engine") or {}
    if engine.get("cached_rows"):  # it read features that an earlier run had computed: faster than a fresh one
        return None
    try:
        spec = parse_spec(FinetuneSpec, run.spec)
        card = catalog.get_model(spec.model.id)
    except GraftError:
        return None
    spec = spec.model_copy(update={"epochs": summary.get("epochs_done") or spec.epochs})
    size = 0 if card.is_text else summary.get("image_size") or card.vision.image_size
    gmacs = _gmacs(card, size, summary.get("max_length"))
    work = _work(spec, gmacs, data.get("train", 0), data.get("validation", 0), data.get("test", 0))
    computing = ("autotune", "compile", "train", "validate", "test")
    seconds = sum(float(phases.get(name, 0.0)) for name in computing)
    return work.total / seconds if seconds > 0 and work.total > 0 else None


def read_calibration() -> dict[str, float] | None:
    """What `doctor` measured on this machine; None before that or when the file says something else."""
    try:
        values = json.loads((settings.home() / "calibration.json").read_text(encoding="utf-8"))
        if values["host"] != this_host():
            return None
        rates = {name: float(values[name]) for name in ("forward_gmacs_per_s", "learning_gmacs_per_s")}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return rates if all(rate > 0 for rate in rates.values()) else None


# -- rows ----------------------------------------------------------------------------------------------


def _known_rows(spec: FinetuneSpec, store: Store) -> tuple[int, int, int] | None:
    """Training, validation and test rows as the split will draw them; None for data nobody has read."""
    counts = _counts(spec, store)
    if counts is None:
        return None
    pool, own_validation, all_test = counts
    test = min(spec.test_size or all_test, all_test)
    train = min(spec.train_size or pool, pool)
    aim = min(1000, max(50, train // 5))
    if own_validation:
        return train, min(aim, own_validation), test
    if train < pool:
        return train, min(aim, pool - train), test
    validation = min(aim, pool // 2)
    return max(1, train - validation), max(1, validation), test


def _counts(spec: FinetuneSpec, store: Store) -> tuple[int, int, int] | None:
    """Rows to train on, of a validation split of their own, and to test on: from a report or an earlier run."""
    for run in store.list_runs(statuses=["done"], limit=200):
        if (run.spec.get("data") or {}).get("id") != spec.data.id:
            continue
        if run.kind == "import":
            from core.runs import read_report

            counts = (read_report(run.id) or {}).get("counts")
            if isinstance(counts, dict) and counts.get("train"):
                return _splits({name: sum(values) for name, values in counts.items()})
        data = run.summary.get("data") or {}
        if run.kind == "finetune" and not run.spec.get("train_size") and not run.spec.get("test_size") and data:
            return int(data["train"]) + int(data["validation"]), 0, int(data["test"])
    if spec.data.id == "builtin/digits":
        return 1437, 0, 360
    return None


def _splits(totals: dict[str, int]) -> tuple[int, int, int]:
    """As `core.data.splits` does: the validation split stands in for a test, else a fifth is held out."""
    pool, validation, test = (totals.get(name, 0) for name in ("train", "validation", "test"))
    if test:
        return pool, validation, test
    if validation:
        return pool, 0, validation
    held_out = max(1, round(0.2 * pool))
    return max(1, pool - held_out), 0, held_out


def _assumed_rows(spec: FinetuneSpec) -> tuple[int, int, int]:
    train = spec.train_size or _DEFAULT_ROWS
    return train, max(50, min(1000, train // 5)), spec.test_size or _DEFAULT_ROWS


# -- memory and disk -----------------------------------------------------------------------------------


def _learned_share(spec: FinetuneSpec) -> float:
    return METHODS[spec.method].costs.learned.at(spec.last_blocks)


def _learned_mb(spec: FinetuneSpec, card: ModelCard) -> float:
    """The tensors that learn with their two Adam moments, as a checkpoint holds them."""
    return 3 * 4 * card.parameters * _learned_share(spec) / 1e6


def _memory_mb(spec: FinetuneSpec, card: ModelCard, gmacs: float) -> float:
    """Libraries, weights, gradients and moments of what learns, and the activations of a batch."""
    weights = 4 * card.parameters / 1e6
    learned = 3 * weights * _learned_share(spec)
    kept = METHODS[spec.method].costs.activations
    activations = spec.batch_size * gmacs * 1e9 * _BYTES_PER_MAC * kept / 1e6
    return _LIBRARIES_MB + weights + learned + activations


def _feature_mb(spec: FinetuneSpec, card: ModelCard, pictures: int, size: int) -> float:
    """Kept outputs of the frozen part, two bytes a number."""
    kept = METHODS[spec.method].kept
    if kept is None or spec.augment != "none":
        return 0.0
    if card.is_text:
        states = _USUAL_TOKENS if kept.states is None else kept.states
        return pictures * card.reading.hidden * states * 2 / 1e6
    return pictures * kept.of_picture(size) * 2 / 1e6
