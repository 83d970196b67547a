"""The kinds of run, one row each: what is asked, what it is called, what speaks against it, and who does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from core import ready
from core import spec as core_spec
from core.compare import checks as compare_checks
from core.compare.estimate import estimate_compare
from core.compare.spec import CompareSpec
from core.data.spec import ImportSpec
from core.files import to_json, write_atomically
from core.finetune import checks as finetune_checks
from core.finetune.estimate import EstimateReport, estimate_finetune
from core.finetune.spec import FinetuneSpec
from core.hardware import best_device, keep_freed_memory
from core.i18n import N_
from core.inspection.spec import InspectSpec
from core.measurement import checks as measurement_checks
from core.measurement.spec import MeasureSpec
from core.models import hubs
from core.models.spec import DownloadSpec
from core.optimize import checks as optimize_checks
from core.optimize.estimate import estimate_optimize
from core.optimize.spec import OptimizeSpec
from core.predict import checks as predict_checks
from core.predict.spec import PredictSpec
from core.problems import Problem
from core.progress import PhaseClock, Reporter
from core.registry.table import build_table
from core.runs import command_line as runs_command_line
from core.runs import names as runs_names
from core.spec import Spec
from core.store import Store

Summary = Mapping[str, object]  # what a run found, as its row keeps it: each kind has its own record
# What does the work: (spec, the run's folder, reporter, whether to go on from a checkpoint) -> summary.
Handler = Callable[[Any, Path, Reporter, bool], Summary]


@dataclass(frozen=True)
class Kind:
    """One kind of run."""

    id: str
    spec: type[Spec]
    prefix: str  # of the ids of its runs
    word: str  # in lists
    view: str  # the page that shows it
    checks: Callable[[Any], list[Problem]]  # everything that speaks against it here; never raises
    name: Callable[[Any], str]
    device: Callable[[Any], str]  # whose slots it takes; what computes nothing never waits behind a training
    words: Callable[[Any], Sequence[str]]  # of the command that does the same, without `python -m core`
    handler: Handler
    libraries: tuple[str, ...]  # modules that bring what the handler loads; a process that is kept ready has them
    estimate: Callable[[Any, Store], EstimateReport] | None = None  # what it will cost; None: nobody asks
    begin: Callable[[], None] | None = None  # before all else, in a copy of the ready process: it has no threads yet
    is_training: bool = False  # takes long: the side bar, the tab and Home tell of it


def kind_of(spec: Spec) -> Kind:
    """The kind that a spec asks for. Raises `TypeError` for a record that asks for nothing."""
    row = next((kind for kind in KINDS.values() if kind.spec is type(spec)), None)
    if row is None:
        raise TypeError(f"no kind of run for {type(spec).__name__}")
    return row


def check_spec(spec: Spec) -> list[Problem]:
    """Everything that speaks against doing this here: errors block, warnings ask. Never raises."""
    return kind_of(spec).checks(spec)


def name_for(spec: Spec) -> str:
    """A readable name: "EfficientNet-Lite0 · digits · head"."""
    return kind_of(spec).name(spec)


def command_line(spec: Spec) -> str:
    """The command that does the same: only what differs from the defaults, quoted for this system's shell."""
    return core_spec.command(kind_of(spec).words(spec))


# -- who does it -----------------------------------------------------------------------------------------


def _finetune(spec: FinetuneSpec, folder: Path, reporter: Reporter, resume: bool) -> Summary:
    keep_freed_memory()
    clock = PhaseClock(reporter)
    clock.phase("libraries")
    from core.finetune.run import finetune

    summary = finetune(spec, folder, clock, resume=resume)
    clock.end()
    return {**summary, "alone": clock.alone, "was_ready": ready.is_copy}


def _compare(spec: CompareSpec, folder: Path, reporter: Reporter, resume: bool) -> Summary:
    reporter.phase("libraries")
    from core.compare.run import compare

    return compare(spec, folder, reporter, resume=resume)


def _begin_compare() -> None:
    from core.compare.cell_server import begin_as_copy

    begin_as_copy()


def _import(spec: ImportSpec, folder: Path, reporter: Reporter, resume: bool) -> Summary:
    reporter.phase("data")
    from core.data.report import describe_data

    report = describe_data(spec.data, reporter=reporter).model_dump(mode="json")
    path = folder / "artifacts" / "report.json"
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, to_json(report))
    return {name: report[name] for name in ("id", "fingerprint", "num_images") if name in report}


def _predict(spec: PredictSpec, folder: Path, reporter: Reporter, resume: bool) -> Summary:
    keep_freed_memory()
    reporter.phase("libraries")
    from core.predict.run import answer_file

    return answer_file(spec, folder, reporter, resume, partial(_open_variant, spec.variant) if spec.variant else None)


def _open_variant(variant: str) -> object:
    from core.optimize.try_variant import load_variant

    run_id, _, name = variant.partition("/")
    return load_variant(run_id, name)


def _check_predict(spec: PredictSpec) -> list[Problem]:
    chosen = optimize_checks.check_chosen(spec.model, spec.variant) if spec.variant else []
    return predict_checks.check_predict(spec) + chosen


def _optimize(spec: OptimizeSpec, folder: Path, reporter: Reporter, resume: bool) -> Summary:
    keep_freed_memory()
    reporter.phase("libraries")
    from core.optimize.run import optimize

    return optimize(spec, folder, reporter, resume=resume)


def _inspect(spec: InspectSpec, folder: Path, reporter: Reporter, resume: bool) -> Summary:
    reporter.phase("libraries")
    from core.inspection.run import inspect

    return inspect(spec, folder, reporter)


def _measure(spec: MeasureSpec, folder: Path, reporter: Reporter, resume: bool) -> Summary:
    keep_freed_memory()
    reporter.phase("libraries")
    from core.measurement.run import measure

    return measure(spec, folder, reporter)


def _download(spec: DownloadSpec, folder: Path, reporter: Reporter, resume: bool) -> Summary:
    from core.models.download import download

    return download(spec, folder, reporter)


# -- the table -------------------------------------------------------------------------------------------


def _asked_device(spec: FinetuneSpec | CompareSpec) -> str:
    return best_device() if spec.device == "auto" else spec.device


KINDS = build_table(
    [
        Kind(
            id="finetune",
            spec=FinetuneSpec,
            prefix="ft",
            word=N_("Fine-tune"),
            view="finetune",
            checks=finetune_checks.check_finetune,
            name=runs_names.name_finetune,
            device=_asked_device,
            words=lambda spec: ["finetune", *core_spec.spec_options(spec)],
            handler=_finetune,
            libraries=("core.finetune.run", "core.finetune.loop", "core.networks.from_timm"),
            estimate=estimate_finetune,
            is_training=True,
        ),
        Kind(
            id="compare",
            spec=CompareSpec,
            prefix="cp",
            word=N_("Compare"),
            view="compare",
            checks=compare_checks.check_compare,
            name=runs_names.name_compare,
            device=_asked_device,
            words=lambda spec: ["compare", *core_spec.spec_options(spec)],
            handler=_compare,
            libraries=("core.compare.run", "core.compare.cell"),
            begin=_begin_compare,
            estimate=estimate_compare,
            is_training=True,
        ),
        Kind(
            id="optimize",
            spec=OptimizeSpec,
            prefix="op",
            word=N_("Optimize"),
            view="optimize",
            checks=optimize_checks.check_optimize,
            name=runs_names.name_optimize,
            device=lambda spec: spec.device,
            words=lambda spec: ["optimize", *core_spec.spec_options(spec)],
            handler=_optimize,
            libraries=("core.optimize.run",),
            estimate=estimate_optimize,
            is_training=True,
        ),
        Kind(
            id="import",
            spec=ImportSpec,
            prefix="im",
            word=N_("Data check"),
            view="data",
            checks=finetune_checks.check_import,
            name=runs_names.name_import,
            device=lambda _spec: "disk",
            words=runs_command_line.words_of_import,
            handler=_import,
            libraries=("core.data.report",),
        ),
        Kind(
            id="predict",
            spec=PredictSpec,
            prefix="pr",
            word=N_("Prediction"),
            view="predict",
            checks=_check_predict,
            name=runs_names.name_predict,
            device=lambda _spec: "cpu",
            words=runs_command_line.words_of_predict,
            handler=_predict,
            libraries=("core.predict.run", "core.predict.load"),
        ),
        Kind(
            id="inspect",
            spec=InspectSpec,
            prefix="in",
            word=N_("Inspection"),
            view="models",
            checks=lambda _spec: [],
            name=runs_names.name_model,
            device=lambda _spec: "disk",
            words=runs_command_line.words_of_inspect,
            handler=_inspect,
            libraries=("core.inspection.run",),
        ),
        Kind(
            id="measure",
            spec=MeasureSpec,
            prefix="me",
            word=N_("Measurement"),
            view="models",
            checks=measurement_checks.check_measure,
            name=runs_names.name_model,
            device=lambda _spec: "cpu",
            words=runs_command_line.words_of_measure,
            handler=_measure,
            libraries=("core.measurement.run",),
        ),
        Kind(
            id="download",
            spec=DownloadSpec,
            prefix="dl",
            word=N_("Download"),
            view="models",
            checks=lambda spec: hubs.check_download(spec.model),
            name=runs_names.name_download,
            device=lambda _spec: "network",
            words=lambda spec: ["download", spec.model],
            handler=_download,
            libraries=("core.models.download",),
        ),
    ],
    unique=("spec", "prefix", "word"),
)
TRAININGS = tuple(kind.id for kind in KINDS.values() if kind.is_training)
