"""What is done to one variant, step by step: each step is given the variant's row and returns it with what it found."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.evaluate import right, wilson
from core.files import replacing, sha256, size_of
from core.measurement.timing import Stopwatch, race, speed_of
from core.networks.exportable import Network
from core.networks.heads import count_parameters
from core.optimize.export import export_onnx
from core.optimize.int8_search import answers
from core.optimize.original import Logits, Original, score_of, size_on_disk
from core.optimize.passes.base import FileResult, NetworkResult, PassContext
from core.optimize.rows import Loss, PassFacts, Ratios, VariantRow
from core.optimize.trained_model import Ints, TrainedModel
from core.optimize.variants import Variant
from core.optimize.verdicts import judge, measure_loss, no_loss
from core.optimize.verify import check_file
from core.problems import Problem
from core.progress import PhaseClock
from core.registry.model_formats import BUNDLED
from core.registry.passes import PASSES


@dataclass(frozen=True)
class Bench:
    """What every step works with: the model, the folders of the run, and the networks that passes have learned."""

    trained: TrainedModel
    artifacts: Path
    scratch: Path
    clock: PhaseClock
    threads: int
    networks: dict[str, NetworkResult] = field(default_factory=dict)  # by the chains of passes that made them

    def folder(self, name: str) -> Path:
        """Where the files of a variant go."""
        return self.artifacts / "variants" / name

    def context(self, start: str, network: Network, folder: Path, name: str) -> PassContext:
        """For a pass that starts from the network of the chain `start`, empty for the original.

        Its curves go by `name`.
        """
        path = self.scratch / f"{start or 'original'}.onnx"

        def onnx() -> Path:
            if not path.exists():
                with replacing(path) as unfinished:
                    export_onnx(self.trained, network, unfinished)
            return path

        clock = _NamedClock(self.clock, name)
        return PassContext(self.trained.spec, self.trained, network, folder, clock, onnx)

    def context_of(self, variant: Variant) -> PassContext:
        """For the pass that writes a variant's file, once what it starts from has learned."""
        start = "+".join(variant.learned)
        network = self.networks[start].network if start else self.trained.model
        return self.context(start, network, self.folder(variant.name), variant.name)

    def watch(self, format: str, source: str, scratch: Path) -> Stopwatch:
        """A process that times a file, or with `eager` a model id."""
        inputs = self.scratch / "inputs.npz"
        names, device = self.trained.input_names, self.trained.spec.device
        return Stopwatch(source, format, names, inputs, scratch, threads=self.threads, device=device)


@dataclass(frozen=True)
class MadeFile:
    """The file of a variant, with the network that it was made from."""

    path: Path
    format: str
    is_exact: bool  # it claims to answer exactly as the network does
    is_same: bool  # and that network is the original
    context: PassContext


class _NamedClock(PhaseClock):
    """A variant's own clock: its curves go by its name."""

    def __init__(self, clock: PhaseClock, name: str) -> None:
        super().__init__(clock)
        self._name = name

    def progress(self, done: float, total: float) -> None:
        """The bar counts variants, not the steps of one."""

    def begin_at(self, **pictures: int) -> None: ...

    def work(self, kind: str, pictures: int) -> None: ...

    def metrics(self, step: int, epoch: float, **values: float) -> None:
        super().metrics(step, epoch, **{f"{self._name}__{name}": value for name, value in values.items()})


def run_pass(name: str, context: PassContext) -> Any:
    """What the module of a pass makes: a `NetworkResult` where its row says that it learns, else a `FileResult`."""
    return importlib.import_module(f"core.optimize.passes.{name}").run(context)


def learn(bench: Bench, variant: Variant, row: VariantRow) -> VariantRow:
    """Have the passes of the chain learn that have not yet, each from the network of the one before."""
    network, start = bench.trained.model, ""
    for chain in variant.chains:
        if chain not in bench.networks:
            folder = bench.scratch / chain
            folder.mkdir(parents=True, exist_ok=True)
            result: NetworkResult = run_pass(chain.rpartition("+")[2], bench.context(start, network, folder, chain))
            bench.networks[chain] = result
        network, start = bench.networks[chain].network, chain
        row = replace(row, facts={**(row.facts or {}), **bench.networks[chain].facts})
    return row


def make(bench: Bench, variant: Variant, row: VariantRow) -> tuple[VariantRow, MadeFile]:
    """Write the file, with what it needs to read pictures or texts beside it."""
    context, last = bench.context_of(variant), PASSES[variant.passes[-1]]
    result: FileResult = run_pass(last.id, context)
    facts: PassFacts = {"parameters": count_parameters(context.network)[0], **(row.facts or {}), **result.facts}
    bench.trained.write_preprocessing(context.folder)
    made = replace(
        row,
        facts=facts,
        search=result.search,
        sensitivity=result.sensitivity,
        format=last.format,
        file=result.path.relative_to(bench.artifacts).as_posix(),
        sha256=sha256(result.path) if result.path.is_file() else "",
        **size_on_disk(result.path),
    )
    is_exact = not last.rounds
    return made, MadeFile(result.path, last.format, is_exact, is_exact and not variant.learned, context)


def verify(original: Original, made: MadeFile, row: VariantRow) -> VariantRow:
    """Open the file again and ask it about the samples; one that answers otherwise is broken."""
    gate, problems = check_file(made.context, made.path, made.format, original.samples, is_exact=made.is_exact)
    status = "broken" if problems else row.status
    return replace(row, gate=gate, problems=(*row.problems, *problems), status=status)


def test(original: Original, made: MadeFile, row: VariantRow) -> VariantRow:
    """Ask the file about the validation and the test rows: what it loses beside the original, on the same rows."""
    trained = made.context.trained
    logits = answers(made.context, made.path, made.format, original.test)
    same = np.asarray(logits.argmax(1) == original.logits.argmax(1))
    if _is_proven(made, row, logits, original.logits):
        loss = validation_loss = no_loss(len(same))
        loss["of"] = "accuracy" if trained.is_labelled else "agreement"
    else:
        loss = _loss(made, original.test, logits, original.logits)
        chosen_on = answers(made.context, made.path, made.format, original.validation)
        validation_loss = _loss(made, original.validation, chosen_on, original.validation_logits)
    return replace(
        row,
        **score_of(trained, logits, trained.data.targets[original.test]),
        agreement=float(same.mean()),
        interval_agreement=list(wilson(int(same.sum()), len(same))),
        n=len(original.test),
        loss=loss,
        validation_loss=validation_loss,
    )


def _is_proven(made: MadeFile, row: VariantRow, logits: Logits, of_original: Logits) -> bool:
    """Whether the file is the original by what it computes: nothing rounded, every label equal, logits in the gate."""
    if not made.is_same or row.gate is None:
        return False
    is_near = float(np.abs(logits - of_original).max(initial=0.0)) <= row.gate["tolerance"]
    return is_near and bool((logits.argmax(1) == of_original.argmax(1)).all())


def _loss(made: MadeFile, rows: Ints, logits: Logits, of_original: Logits) -> Loss:
    """Accuracy lost; where the data has other labels, answers that changed."""
    trained, limit = made.context.trained, made.context.spec.max_drop
    if trained.is_labelled:
        targets = trained.data.targets[rows]
        return {**measure_loss(right(of_original, targets), right(logits, targets), limit), "of": "accuracy"}
    same = np.asarray(logits.argmax(1) == of_original.argmax(1))
    return {**measure_loss(np.ones(len(same), dtype=bool), same, limit), "of": "agreement"}


def time(bench: Bench, original: Original, watch: Stopwatch, made: MadeFile, row: VariantRow) -> VariantRow:
    """Race the file against the original, which `watch` holds open."""
    scratch = bench.scratch / row.name
    scratch.mkdir(parents=True, exist_ok=True)
    with bench.watch(made.format, str(made.path), scratch) as own:
        raced = race(watch, own, bench.clock)
    problems, size = row.problems, original.size_mb / (size_of(made.path) / 1e6)
    times: Ratios = {"latency": raced.latency.span, "throughput": raced.throughput.span, "size": size}
    if raced.busy is not None:
        times["busy"] = raced.busy
        busy = Problem("optimize.machine_busy", "warning", values={"processors": f"{raced.busy:.1f}"})
        problems = (*problems, busy)
    return replace(row, **speed_of(own), memory_mb=own.peak_mb, problems=problems, ratios=times)


def conclude(variant: Variant, row: VariantRow, limit: float) -> VariantRow:
    """Judge what was measured, and offer what can be carried away."""
    last = PASSES[variant.passes[-1]]
    row = replace(row, verdict=judge(row, limit), status="done", offered=last.format in BUNDLED)
    if row.offered:
        return row
    values = {"name": last.id, "format": last.format, "known": ", ".join(BUNDLED)}
    kept = Problem("optimize.no_bundle", "warning", values=values)
    return replace(row, problems=(*row.problems, kept))
