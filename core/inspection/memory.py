"""How much memory a network needs to answer and to learn, told before it does either, from its shapes alone.

The real operations run on fake tensors (shapes and a device, no values): everything they make is counted while it
lives, so that what autograd keeps for the backward pass, and what stands beside it for a moment, is what a real pass
keeps. One pass tells all batch sizes: the batch is a large prime, and a tensor whose bytes are a multiple of it grows
with the batch. To that come the weights, AdamW's two moments of each weight that learns (Loshchilov & Hutter 2019),
and the process itself with its libraries loaded, which is read off a real one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from core.inspection.blueprint import Blueprint, as_if_here
from core.inspection.memory_trace import PROBE, Ledger, Trace
from core.inspection.records import Baseline, Memory, Shown
from core.networks.folding import norms_within
from core.networks.image import ImageClassifier
from core.networks.meta import fake_tensors
from core.networks.tuning import Tunable, count_put_in, set_trainable
from core.registry.methods import METHODS, Method, MethodSettings

BATCHES = (1, 8, 32, 128)
PRECISIONS = ("fp32", "bf16")
SETTINGS = MethodSettings()  # of the ways of tuning in the table
# Measured (`python -m bench memory`): by how much a heap that is never given back is larger than the one played through
# below (the small sums beside adapted layers tear many more holes), and what compiled kernels and threads hold.
_HOLES, _HOLES_OF_ADAPTERS, _KERNELS_MB = 1.2, 2.0, 30.0
# More alike blocks in a row than this are told from two and from one of them: each more costs the same.
_ALIKE = 6


# -- passes ----------------------------------------------------------------------------------------------


@dataclass
class _Passes:
    """The passes of one network, as Graft tunes it, in one precision."""

    model: Any
    shown: Shown
    precision: str
    between: Tensor | None = None  # what the blocks below the last ones gave the last time, without values

    def answer(self) -> Trace:
        """One batch answered."""
        model = self.model.eval()
        with Ledger(model) as ledger, torch.no_grad(), self._autocast():
            if isinstance(model, ImageClassifier):
                below = max(0, len(model.stages) - SETTINGS.last_blocks)
                self.between = model.run(self._batch(), 0, below)
                model.head(model.run(self.between, below))
                self.between = torch.empty_like(self.between, device="meta")
            else:
                model(self._batch())
        trace: Trace = ledger.trace()
        return trace

    def learn(self) -> Trace:
        """One training step of the whole network; the optimizer's own memory left out."""
        self.model.train()
        with self._as_it_learns(), Ledger(self.model) as ledger:
            self._step(ledger, lambda: self.model(self._batch()))
        return self._clean(ledger)

    def learn_last(self, cut: int) -> Trace:
        """One training step of the blocks from `cut` on, from what those below give."""
        self.model.train()
        between = self.between
        with self._as_it_learns(), Ledger(self.model) as ledger:
            if between is not None:
                h = torch.empty_strided(between.shape, between.stride(), dtype=between.dtype)
                self._step(ledger, lambda: self.model.head(self.model.run(h, cut)))
            else:
                batch, width = self._batch(), self.model.config.hidden_size
                hidden = torch.empty(PROBE, self.shown["tokens"], width)
                self._step(ledger, lambda: self.model.head(self.model.run(batch.with_hidden(hidden), cut)))
        return self._clean(ledger)

    def _step(self, ledger: Ledger, forward: Callable[[], Tensor]) -> None:
        y = torch.zeros(PROBE, dtype=torch.int64)
        with self._autocast():
            logits = forward()
        ledger.turn = len(ledger.events)
        F.cross_entropy(logits.float(), y).backward()  # type: ignore[no-untyped-call]

    def _as_it_learns(self) -> AbstractContextManager[None]:
        return norms_within(self.model) if isinstance(self.model, ImageClassifier) else nullcontext()

    def _clean(self, ledger: Ledger) -> Trace:
        trace = ledger.trace()
        self.model.zero_grad(set_to_none=True)
        return trace

    def _batch(self) -> Any:
        if isinstance(self.model, ImageClassifier):
            size = self.shown["size"]
            return torch.empty(PROBE, 3, size, size, memory_format=torch.channels_last)
        from core.networks.text import TokenBatch

        ids = torch.zeros(PROBE, self.shown["tokens"], dtype=torch.int64)
        return TokenBatch(ids, torch.ones_like(ids))

    def _autocast(self) -> torch.autocast:
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.precision == "bf16")


class _Need:
    """Bytes that a kind of pass takes by batch size, told from the whole network or from a few of its alike blocks."""

    def __init__(self, model: Any, make: Callable[[], Trace]) -> None:
        start, count = _alike(model)
        self._told: dict[int, float] = {}
        self._more, self._less = 0, None
        if count <= _ALIKE:
            self._trace = make()
            return
        stages, self._more = model.stages, count - 2
        try:  # the last of them stay, as the last blocks are told from
            model.stages = stages[:start] + stages[start + count - 1 :]
            self._less = make()
            model.stages = stages[:start] + stages[start + count - 2 :]
            self._trace = make()
        finally:
            model.stages = stages

    def alone(self, batch: int) -> float:
        """Bytes for a batch where nothing is learnt."""
        if batch not in self._told:
            self._told[batch] = self.of(batch)
        return self._told[batch]

    def of(self, batch: int, moments: Sequence[int] = (), *, learns_weights: bool = True) -> float:
        """Bytes for a batch, with what the optimizer keeps of each weight in the heap too."""
        trace, less = self._trace, self._less
        if not learns_weights:
            trace, less = trace.without_gradients(), less and less.without_gradients()
        need = float(trace.heap_bytes(batch, moments))
        if less is not None:
            need += self._more * max(0, trace.live_bytes(batch) - less.live_bytes(batch))
        return need


def _alike(model: Any) -> tuple[int, int]:
    """(first, number) of the longest row of stages that are built alike; none for a network of texts."""
    if not isinstance(model, ImageClassifier):
        return 0, 0
    built = [
        [(type(step).__name__, [tuple(p.shape) for m in stage.modules for p in m.parameters()]) for step in stage.steps]
        for stage in model.stages
    ]
    best = (0, 0)
    start = 0
    for place in range(1, len(built) + 1):
        if place == len(built) or built[place] != built[start]:
            best = max(best, (start, place - start), key=lambda row: row[1])
            start = place
    return best


# -- totals ----------------------------------------------------------------------------------------------


def estimate_memory(blueprint: Blueprint, tunable: Any, baseline: Baseline) -> Memory:
    """Megabytes of a whole process by batch size and precision: answering, and learning in each way of tuning.

    `tunable` is the network as Graft tunes it (None: not tuned here), `baseline` what `read_baseline` told.
    """
    memory: Memory = {"baseline": baseline, "batches": list(BATCHES), "inference": {}, "training": {}}
    weights = _bytes(blueprint.net)
    with fake_tensors():
        if tunable is None:
            net = as_if_here(blueprint.net)
            for precision in PRECISIONS:
                trace = _answer_alone(net, blueprint, precision)
                memory["inference"][precision] = _table(trace.heap_bytes, weights, baseline["inference_mb"])
            return memory
        model = as_if_here(tunable)
        for precision in PRECISIONS:
            answer, ways = _needs(model, _Passes(model, blueprint.input, precision))
            kept = weights + _laid_anew(model)
            memory["inference"][precision] = _table(answer, kept, baseline["inference_mb"])
            for method, (need, more) in ways.items():
                kept = _bytes(model) + _laid_anew(model) + more
                holes = _HOLES_OF_ADAPTERS if METHODS[method].adds_layers else _HOLES
                table = _table(need, kept, baseline["training_mb"], holes)
                memory["training"].setdefault(method, {})[precision] = table
    return memory


Told = Callable[[int], float]


def _needs(model: Tunable, passes: _Passes) -> tuple[Told, dict[str, tuple[Told, int]]]:
    """What answering takes beside the weights, and each way of tuning, with what comes to it whatever the batch."""
    answer = _Need(model, passes.answer)

    @functools.cache
    def whole() -> _Need:
        set_trainable(model, "full")
        return _Need(model, passes.learn)

    needs = {}
    for row in METHODS.values():
        need = _need_of_added(row, model, whole) if row.adds_layers else _need_of(row, model, passes, answer, whole)
        if need is not None:
            needs[row.id] = need
    set_trainable(model, "full")
    return answer.alone, needs


def _need_of(
    row: Method, model: Tunable, passes: _Passes, answer: _Need, whole: Callable[[], _Need]
) -> tuple[Told, int] | None:
    """A way that trains what is there; None where it would train everything, as another way does."""
    set_trainable(model, row.id, SETTINGS)
    moments, cut = _moments(model), model.num_frozen
    if cut == model.num_blocks:  # the frozen network answers, and the head learns from that
        return answer.alone, sum(moments)
    if cut and getattr(model, "can_be_cut", True):
        above = passes.learn_last(cut)
        return lambda batch: max(answer.alone(batch), above.heap_bytes(batch, moments)), 0
    if row.kept and not cut:
        return None
    learn = whole() if row.trains_all else _Need(model, passes.learn)
    return lambda batch: learn.of(batch, moments), 0


def _need_of_added(row: Method, model: Tunable, whole: Callable[[], _Need]) -> tuple[Told, int] | None:
    """A way that puts layers in: to go back it keeps what the whole network keeps, and hardly a weight learns."""
    added = count_put_in(model, row.id, SETTINGS)
    if added is None:
        return None
    few, learn = [*_moments(model.head), 8 * added], whole()
    return lambda batch: learn.of(batch, few, learns_weights=False), sum(few)


def _moments(module: nn.Module) -> list[int]:
    """Bytes of what AdamW keeps of each weight that learns."""
    return [2 * p.numel() * p.element_size() for p in module.parameters() if p.requires_grad]


def _answer_alone(net: nn.Module, blueprint: Blueprint, precision: str) -> Trace:
    """One batch answered by a network that Graft does not tune."""
    shown = blueprint.show(PROBE)  # on the meta device: no memory
    with Ledger(net) as ledger, torch.no_grad():
        called = tree_map_only(Tensor, lambda t: torch.zeros(t.shape, dtype=t.dtype), shown)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            net(*called.get("args", ()), **called.get("kwargs", {}))
        del called
    trace: Trace = ledger.trace()
    return trace


def _table(need: Told, kept: int, baseline_mb: float, holes: float = _HOLES) -> dict[str, float]:
    """MB by batch size: worked out for the least and a usual batch, on the line through both for the others."""
    low, usual = BATCHES[0], BATCHES[2]
    first, second = need(low), need(usual)
    slope = (second - first) / (usual - low)
    base = baseline_mb + _KERNELS_MB + kept / 1e6
    return {str(batch): round(base + holes * (first + slope * (batch - low)) / 1e6, 1) for batch in BATCHES}


def _bytes(net: nn.Module) -> int:
    """Bytes of all parameters and buffers, each once."""
    tensors = {id(t): t for t in (*net.parameters(), *net.buffers())}
    return sum(t.numel() * t.element_size() for t in tensors.values())


def _laid_anew(net: nn.Module) -> int:
    """Bytes of the weights that `channels_last` lays in another order: where they lay before is a hole for long."""
    return sum(p.numel() * p.element_size() for p in net.parameters() if p.ndim == 4 and max(p.shape[2:]) > 1)
