"""The order of work of an optimization, from the spec to the recommended file; the report grows with every variant."""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.data.record import keep_record
from core.errors import GraftError, StoppedError, first_line, log_error, problems_of
from core.hardware import usable_threads
from core.measurement.timing import Stopwatch, speed_of
from core.optimize import steps
from core.optimize.checks import check_pass
from core.optimize.original import Original, beside, kept_test, measure_original
from core.optimize.report import ReportWriter, raise_if_nothing_worked, read_done, summary_of
from core.optimize.rows import OptimizeSummary, Step, VariantRow
from core.optimize.spec import OptimizeSpec
from core.optimize.steps import Bench
from core.optimize.trained_model import TrainedModel, load_trained_model
from core.optimize.variants import Variant, variants_of
from core.progress import PhaseClock, Reporter
from core.values import Finding

# What a variant counts for the bar, as the original does: a training takes longer than writing a file. And how much
# of it is done when a step of it begins.
_WORK = {"file": 1.0, "learn": 4.0}
_BEGUN: dict[Step | None, float] = {None: 0.0, "make": 0.0, "gate": 0.3, "test": 0.35, "time": 0.6}


def optimize(spec: OptimizeSpec, folder: Path, reporter: Reporter, *, resume: bool) -> OptimizeSummary:
    """Make, check, test and time every variant into `folder`; returns the summary of the run.

    With `resume`, variants that are done are kept as they are. Raises `StoppedError` when the reporter asks to stop
    (what is done is kept), `DataError` when the test rows cannot be told or are too few, `WeightsError`, and
    `RunError` when no variant worked.
    """
    plan, clock = variants_of(spec.passes, combine=spec.combine), PhaseClock(reporter)
    artifacts, scratch = folder / "artifacts", folder / "checkpoint"
    done = _prepare(artifacts, scratch, plan, resume=resume)
    trained = load_trained_model(spec, clock)
    keep_record(trained.data, artifacts, clock, resume=resume)
    rows = [done.get(variant.name) or _planned(variant, trained) for variant in plan]
    report = ReportWriter(artifacts / "report.json", rows, spec.max_drop)
    bench = Bench(trained, artifacts, scratch, clock, spec.threads or usable_threads())
    original = measure_original(trained, artifacts, scratch, bench.threads)
    report.begin(original.conditions, _always(trained), beside(trained, original.test, original.logits))
    report.put_original(original.row)
    with bench.watch("eager", spec.model.id, scratch) as watch:
        for kind in ("one", "many"):  # a first look, so that the page has something to show; the races bring more
            watch.time(kind, 0.5, 5)
        _note_speed(report, original, watch)
        for number, variant in enumerate(plan):
            if report.row(variant.name).status == "waiting":
                _try(bench, report, original, watch, variant)
                _forget(bench, plan[number + 1 :])
    report.note_memory(watch.peak_mb)
    raise_if_nothing_worked(report.rows)
    shutil.rmtree(scratch, ignore_errors=True)
    return summary_of(report.report, clock.seconds)


def _prepare(artifacts: Path, scratch: Path, plan: Sequence[Variant], *, resume: bool) -> dict[str, VariantRow]:
    """The folders of the run; returns what an earlier attempt finished, as long as its test rows are known."""
    done = read_done(artifacts / "report.json", plan) if resume and kept_test(scratch).exists() else {}
    if not resume:
        for kept in (artifacts / "variants", artifacts / "samples", scratch):
            shutil.rmtree(kept, ignore_errors=True)
    for folder in (artifacts / "variants", scratch):
        folder.mkdir(parents=True, exist_ok=True)
    return done


def _planned(variant: Variant, trained: TrainedModel) -> VariantRow:
    """A row with what speaks against the variant before any work: errors refuse it, warnings stay with it."""
    card, device = trained.card, trained.spec.device
    problems = tuple(problem for name in variant.passes for problem in check_pass(name, card, device))
    is_refused = any(problem.severity == "error" for problem in problems)
    row = VariantRow.planned(variant)
    return replace(row, problems=problems, status="refused" if is_refused else "waiting")


def _always(trained: TrainedModel) -> list[Finding]:
    if trained.is_labelled:
        return []
    return [{"code": "optimize.labels_differ", "values": {"model": trained.card.name}}]


def _note_speed(report: ReportWriter, original: Original, watch: Stopwatch) -> None:
    report.put_original(replace(original.row, **speed_of(watch), status="done"))


def _forget(bench: Bench, coming: Sequence[Variant]) -> None:
    """Let go of the networks that no later variant starts from."""
    needed = {chain for variant in coming for chain in variant.chains}
    for chain in set(bench.networks) - needed:
        del bench.networks[chain]
    gc.collect()


def _try(bench: Bench, report: ReportWriter, original: Original, watch: Stopwatch, variant: Variant) -> None:
    """Make, check, test and time one variant; what goes wrong stays with it."""
    report.put(replace(report.row(variant.name), status="running"))
    began = time.perf_counter()
    try:
        _follow(bench, report, original, watch, variant)
    except StoppedError:
        report.put(replace(report.row(variant.name), status="waiting", doing=None))
        raise
    except Exception as error:
        log_error(error)
        if not isinstance(error, GraftError):
            bench.clock.log(f"{variant.name}: {type(error).__name__}: {first_line(error)}")
        row = report.row(variant.name)
        report.put(replace(row, status="failed", problems=(*row.problems, *problems_of(error))))
    report.put(replace(report.row(variant.name), doing=None, seconds=time.perf_counter() - began))


def _follow(bench: Bench, report: ReportWriter, original: Original, watch: Stopwatch, variant: Variant) -> None:
    """One variant from its plan to its verdict."""
    folder = bench.folder(variant.name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    clock, name = bench.clock, variant.name
    clock.phase("make", **_begin(bench, report, name, "make"))
    row = report.put(steps.learn(bench, variant, report.row(name)))
    row, made = steps.make(bench, variant, row)
    report.put(row)
    clock.phase("gate", **_begin(bench, report, name, "gate"))
    row = report.put(steps.verify(original, made, report.row(name)))
    if row.status == "broken":
        return
    clock.phase("variant_test", **_begin(bench, report, name, "test"))
    report.put(steps.test(original, made, report.row(name)))
    clock.phase("time", **_begin(bench, report, name, "time"))
    row = report.put(steps.time(bench, original, watch, made, report.row(name)))
    _note_speed(report, original, watch)
    report.put(steps.conclude(variant, row, bench.trained.spec.max_drop))


def _begin(bench: Bench, report: ReportWriter, name: str, step: Step) -> dict[str, str | int]:
    """Note what is done with a variant now; returns the values of the phase. Raises `StoppedError` on request."""
    bench.clock.raise_if_stopped()
    report.put(replace(report.row(name), doing=step))
    bench.clock.progress(*_progress(report.rows))
    done = sum(other.is_over for other in report.rows)
    return {"name": name, "done": done, "total": len(report.rows)}


def _progress(rows: Sequence[VariantRow]) -> tuple[float, float]:
    """(done, total) of the whole, the original counted as a variant that is done."""
    done, total = _WORK["file"], _WORK["file"]
    for row in rows:
        share = _WORK["learn" if Variant(row.passes).learned else "file"]
        total += share
        done += share * (1.0 if row.is_over else _BEGUN[row.doing])
    return done, total
