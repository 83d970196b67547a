"""How fast a network is on this machine, measured alone: one at a time, in batches, block by block, and its memory.

It is opened in a process of its own (`python -m core.measurement.run REQUEST.json`, a `core.measurement.stopwatch` that
can also time the blocks), so that memory and time are its own. What it is shown is drawn at random: a network takes as
long for noise as for a picture, and for any tokens as for a text of that length.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import psutil
import torch
from torch import Tensor, nn

from core.errors import RunError
from core.files import to_json, write_atomically
from core.hardware import describe_machine, this_host, usable_threads
from core.inspection.blueprint import configuration
from core.measurement import stopwatch
from core.measurement.records import BlockTime, BlockTimes, MeasurementReport, MeasurementSummary
from core.measurement.rounds import BUSY
from core.measurement.runtimes import OPENERS, InputArrays, TorchSession
from core.measurement.spec import MeasureSpec
from core.measurement.timing import Stopwatch, save_inputs, speed_of, time_alone
from core.models.card import ModelCard
from core.models.catalog import get_model
from core.networks.exportable import Network, exportable
from core.networks.heads import new_head
from core.networks.image import ImageClassifier, build_classifier
from core.networks.text import TextClassifier, TokenBatch, build_backbone, build_text_classifier
from core.problems import Problem
from core.progress import PhaseClock, Reporter
from core.spec import ModelRef

BUDGET_S = 20.0
TOKENS, SHORT_TOKENS = 128, 20
_TURNS = 4  # different single inputs
_WARM_S = 2.0
_LONGEST_CALL_S = 8.0  # a batch that takes longer is cut: three of them, and one to warm up, must end
_PROFILE_S = 3.0
_LEAST_PROFILES = 3
_FORMAT = "measured"
# What the bar counts for loading and for the blocks, in seconds.
_LOAD_S = 6.0


class _Watch(Stopwatch):
    program = "core.measurement.run"
    warm_s = _WARM_S
    died = "measure.died"


def measure(spec: MeasureSpec, folder: Path, reporter: Reporter) -> MeasurementSummary:
    """Time a network and write `artifacts/report.json`; returns the numbers that tables show.

    Raises `NotFoundError`, `WeightsError` and `InputError` for what cannot be built, `RunError` when its process ends
    before it has answered, as it does when memory does not suffice.
    """
    clock = PhaseClock(reporter)
    card = get_model(spec.model.id)
    total = _LOAD_S + BUDGET_S + _PROFILE_S
    problems: list[Problem] = []
    clock.phase("measure_load")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        work = Path(scratch)
        singles = {"one": [_inputs(card, 1, TOKENS, turn) for turn in range(_TURNS)]}
        if card.is_text:
            singles["short"] = [_inputs(card, 1, SHORT_TOKENS, turn) for turn in range(_TURNS)]
        save_inputs(work / "singles.npz", singles)
        names = list(singles["one"][0])
        source = to_json(spec.model.model_dump(mode="json"))
        with _Watch(
            source, _FORMAT, names, work / "singles.npz", work, threads=usable_threads(), device="cpu"
        ) as watch:
            clock.progress(_LOAD_S, total)
            clock.phase("measure_time")
            batch = _take_batch(watch, card, spec.batch_size, work, problems)
            kinds = [*singles, *(["many"] if batch > 1 else [])]
            times = time_alone(
                watch, kinds, clock, BUDGET_S, lambda spent: clock.progress(_LOAD_S + min(spent, BUDGET_S), total)
            )
            clock.phase("measure_blocks")
            clock.raise_if_stopped()
            inner = cast(BlockTimes, watch.ask({"do": "blocks", "seconds": _PROFILE_S}))
    others = max(one.others for one in times.values())
    if others > BUSY:
        problems.append(Problem("measure.machine_busy", "warning", values={"processors": f"{others:.1f}"}))
    summary = _summary(spec, card, watch, batch, inner["libraries_mb"], others)
    report: MeasurementReport = {
        **summary,
        "intervals": {kind: one.span for kind, one in times.items()},
        "blocks": inner["blocks"],
        "problems": [problem.as_dict() for problem in problems],
    }
    (folder / "artifacts").mkdir(exist_ok=True)
    write_atomically(folder / "artifacts" / "report.json", to_json(report))
    return summary


def _take_batch(watch: Stopwatch, card: ModelCard, wanted: int, work: Path, problems: list[Problem]) -> int:
    """Give the process a batch of the size that is timed: the wanted one, or less where a call would take too long.

    1 where even two would: then single ones tell the throughput.
    """
    one_s = watch.time("one", 0.5, 1) / 1000
    batch = wanted
    while batch > 1 and batch * one_s > _LONGEST_CALL_S:
        batch //= 2
    if batch < wanted:
        values = {"batch_size": wanted, "seconds": f"{wanted * one_s:.0f}", "n": batch}
        problems.append(Problem("measure.batch_cut", "warning", values=values))
    if batch > 1:
        save_inputs(work / "batch.npz", {"many": [_inputs(card, batch, TOKENS, 0)]})
        watch.ask({"do": "take", "inputs": str(work / "batch.npz")})
        try:
            watch.ask({"do": "warm", "seconds": _WARM_S, "kinds": ["many"]})
        except RunError as error:
            raise RunError("measure.batch_died", batch_size=batch, detail=error.problems[0].values["detail"]) from error
    return batch


def _inputs(card: ModelCard, batch: int, tokens: int, seed: int) -> InputArrays:
    """What a network is shown: pixels of noise, or tokens from the middle of its vocabulary (no special ones)."""
    rng = np.random.default_rng(seed)
    if card.is_text:
        how = card.reading
        shape = (batch, min(tokens, how.max_length))
        ids = rng.integers(how.vocabulary // 4, 3 * how.vocabulary // 4, shape, dtype=np.int64)
        return {"input_ids": ids, "attention_mask": np.ones(shape, dtype=np.int64)}
    edge = card.vision.image_size
    return {"pixels": rng.standard_normal((batch, 3, edge, edge), dtype=np.float32)}


def _summary(
    spec: MeasureSpec, card: ModelCard, watch: Stopwatch, batch: int, libraries_mb: float, others: float
) -> MeasurementSummary:
    if batch == 1:
        watch.times["many"] = watch.times["one"]
    speed = speed_of(watch, batch)
    machine = describe_machine()
    summary: MeasurementSummary = {
        "model": spec.model.id,
        "is_random": spec.model.weights == "random",
        "latency_p50_ms": speed["latency_p50_ms"],
        "latency_p95_ms": speed["latency_p95_ms"],
        "batch_size": batch,
        "throughput": speed["throughput"],
        "memory_mb": watch.peak_mb,
        "libraries_mb": libraries_mb,
        "load_s": watch.load_ms / 1000,
        "calls": len(watch.times["one"]),
        "runtime": watch.runtime,
        "threads": usable_threads(),
        "precision": "fp32",
        "device": "cpu",
        "keeps_memory": False,  # freed memory goes back to the system after each layer, as PyTorch comes
        "processor": machine.processor,
        "cores": machine.cores,
        "host": this_host(),
        "processors_of_others": others,
    }
    if card.is_text:
        summary["tokens"] = min(TOKENS, card.reading.max_length)
        summary |= {"short_p50_ms": float(np.median(watch.times["short"])), "short_tokens": SHORT_TOKENS}
    else:
        summary["image_size"] = card.vision.image_size
    return summary


# -- in the process that is timed --------------------------------------------------------------------------


def build_measured(ref: ModelRef) -> Network:
    """The network of a model id as it answers, fp32; what has no classes of its own gives its features.

    Random weights need none on this machine, and answer as fast. Raises as `build_classifier` does.
    """
    card = get_model(ref.id)
    has_classes = bool((get_model(card.base) if card.source == "run" and ref.weights == "random" else card).num_classes)
    labels = None if has_classes else ["0", "1"]
    network: Network
    if card.source == "hub" and card.is_text and ref.weights == "random":  # its card tells enough to build it
        net, names = build_backbone(configuration(card, card)), labels or list(card.labels)
        network = TextClassifier(net, new_head(card.reading.hidden, len(names)), names, None, card.id)
    else:
        network = (build_text_classifier if card.is_text else build_classifier)(ref, labels, seed=0)
    if not has_classes:
        network.head = nn.Identity()
    return network.eval()


class _Session(TorchSession):
    """A network that also tells where its time goes."""

    def __init__(self, source: str, threads: int, device: str) -> None:
        self.libraries_mb = psutil.Process().memory_info().rss / 1e6
        self.network = build_measured(ModelRef.model_validate_json(source))
        super().__init__(exportable(self.network).eval(), threads, device)


def _time_blocks(session: _Session, work: Mapping[str, stopwatch.Sets], order: Mapping[str, Any]) -> BlockTimes:
    """Milliseconds of each block for one example: the median over repeats, and its share of the whole."""
    tensors = [torch.from_numpy(value) for value in work["one"][0].values()]
    network = session.network
    rounds: list[list[tuple[str, float]]] = []
    end = time.perf_counter() + order["seconds"]
    with torch.inference_mode():
        while len(rounds) < _LEAST_PROFILES or time.perf_counter() < end:
            if isinstance(network, TextClassifier):
                rounds.append(_text_blocks(network, TokenBatch(*tensors)))
            else:
                rounds.append(_image_blocks(network, tensors[0]))
    medians = np.median([[ms for _, ms in found] for found in rounds], axis=0)
    names = [name for name, _ in rounds[0]]
    whole = float(medians.sum())
    blocks: list[BlockTime] = [
        {"name": name, "ms": ms, "share": ms / whole} for name, ms in zip(names, medians.tolist(), strict=True)
    ]
    return {"blocks": blocks, "libraries_mb": session.libraries_mb}


def _image_blocks(network: ImageClassifier, x: Tensor) -> list[tuple[str, float]]:
    blocks = []
    steps: list[tuple[str, Callable[[Tensor], Tensor]]] = [(stage.name, stage.run) for stage in network.stages]
    steps.append(("head", network.head))
    for name, run in steps:
        began = time.perf_counter()
        x = run(x)
        blocks.append((name, (time.perf_counter() - began) * 1000))
    return blocks


def _text_blocks(network: TextClassifier, batch: TokenBatch) -> list[tuple[str, float]]:
    """What stands before the layers, each call of a layer (some families call one layer again and again), the rest."""
    marks: list[float] = []

    def mark(*_: Any) -> None:
        marks.append(time.perf_counter())

    handles = []
    for layer in network.layers:
        handles += [layer.register_forward_pre_hook(mark), layer.register_forward_hook(mark)]
    try:
        mark()
        network(batch)
        mark()
    finally:
        for handle in handles:
            handle.remove()
    begun, ended = marks[1:-1:2], marks[2:-1:2]
    layers = [(f"layer {place + 1}", 1000 * (b - a)) for place, (a, b) in enumerate(zip(begun, ended, strict=True))]
    before = ("embeddings", 1000 * (begun[0] - marks[0]))
    return [before, *layers, ("head", 1000 * (marks[-1] - ended[-1]))]


def main() -> None:
    """Be the process that is timed."""
    OPENERS[_FORMAT] = _Session
    stopwatch.main({"blocks": _time_blocks})


if __name__ == "__main__":
    main()
