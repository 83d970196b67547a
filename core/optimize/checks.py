"""What speaks against a pass, or against an optimization, on this machine."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from functools import lru_cache

from core.errors import GraftError, NotFoundError
from core.finetune.checks import check_data
from core.hardware import describe_machine
from core.models import catalog, weight_files
from core.models.card import ModelCard
from core.optimize.rows import OptimizeReport, VariantRow
from core.optimize.spec import OptimizeSpec
from core.problems import Problem
from core.registry.passes import PASSES
from core.store import Run, open_store


@lru_cache(maxsize=32)
def missing_packages(name: str) -> tuple[str, ...]:
    """The packages that a pass needs and that are not installed."""
    return tuple(package for package in PASSES[name].packages if importlib.util.find_spec(package) is None)


def check_pass(name: str, card: ModelCard, device: str = "cpu") -> list[Problem]:
    """What speaks against a pass for this network here: errors refuse it, warnings are told. Never raises."""
    row, machine, has_attention = PASSES[name], describe_machine(), is_transformer(card)
    values, here = {"name": name, "model": card.name}, {"processor": machine.processor}
    problems = []
    missing = missing_packages(name)
    if missing:
        wanted = {"name": name, "packages": ", ".join(missing), "install": row.install}
        problems.append(Problem("optimize.not_installed", field="passes", values=wanted))
    if row.on_convolutions and not has_attention:
        problems.append(Problem(row.on_convolutions, field="passes", values=values))
    if row.on_transformers and has_attention:
        problems.append(Problem(row.on_transformers, "warning", "passes", values))
    if device in row.bf16_on and not machine.is_native("bf16"):
        problems.append(Problem("optimize.no_bf16", field="passes", values=here))
    is_refused = any(problem.severity == "error" for problem in problems)
    if row.quantizes and not machine.is_native("int8") and not is_refused:
        problems.append(Problem("optimize.no_fast_int8", "warning", "passes", here))
    if row.needs_nvidia and "cuda" not in machine.devices:
        problems.append(Problem("optimize.no_nvidia", field="passes", values=here))
    return problems + [Problem(code, "warning", "passes") for code in row.remarks]


def is_transformer(card: ModelCard) -> bool:
    """Whether the network is built of attention layers, with layer norms and GELU."""
    return card.is_text or card.has_attention


def check_optimize(spec: OptimizeSpec) -> list[Problem]:
    return check_data(spec.data) + _check_variants(spec)


def _check_variants(spec: OptimizeSpec) -> list[Problem]:
    """What speaks against an optimization. A way that is refused is told, and blocks only where no other is left."""
    if not spec.passes:
        return [Problem("optimize.no_passes", field="passes")]
    if spec.model.weights == "random":
        return [Problem("optimize.random_weights", field="model", values={"id": spec.model.id})]
    try:
        card = catalog.get_model(spec.model.id)
    except GraftError as error:
        return [dataclasses.replace(problem, field="model") for problem in error.problems]
    if not card.is_trainable:
        return [Problem("model.not_trainable", field="model", values={"id": card.name})]
    if not card.num_classes:
        return [Problem("optimize.needs_classifier", field="model", values={"id": card.name})]
    problems = [] if weight_files.is_local(card) else [weight_files.not_local(card)]
    if spec.data.source == "builtin" and card.is_text != spec.data.name.startswith("reviews"):
        code = "model.not_for_pictures" if card.is_text else "model.not_for_texts"
        problems.append(Problem(code, field="model", values={"id": card.name}))
    if "distill" in spec.passes and not card.is_text and not spec.student:
        problems.append(Problem("optimize.no_student", field="student", values={"model": card.name}))
    against = {name: check_pass(name, card, spec.device) for name in spec.passes}
    is_left = any(
        all(problem.severity != "error" for problem in problems_of_one) for problems_of_one in against.values()
    )
    for problem in (problem for problems_of_one in against.values() for problem in problems_of_one):
        problems.append(dataclasses.replace(problem, severity="warning") if is_left else problem)
    return problems


def find_offered(run_id: str, name: str) -> tuple[Run, OptimizeReport, VariantRow]:
    """A variant that an optimization offers, with its run. Raises `NotFoundError` with the names of those that are."""
    run = open_store().get_run(run_id)
    try:
        kept = json.loads((run.folder / "artifacts" / "report.json").read_text(encoding="utf-8"))
        report = OptimizeReport.from_dict(kept) if run.kind == "optimize" else OptimizeReport()
    except OSError:  # nothing was measured yet
        report = OptimizeReport()
    row = report.row(name)
    if row is None or not row.offered or row.file is None or row.format is None:
        known = ", ".join(one.name for one in report.variants if one.offered)
        raise NotFoundError("optimize.no_variant", name=name, known=known or "–")
    return run, report, row


def check_chosen(model_id: str, variant: str) -> list[Problem]:
    """What speaks against letting a variant (RUN/NAME) answer for a model. Never raises."""
    run_id, _, name = variant.partition("/")
    try:
        run, _report, _row = find_offered(run_id, name)
    except GraftError as error:
        return [dataclasses.replace(problem, field="variant") for problem in error.problems]
    made_of = str(run.spec["model"]["id"])
    if made_of == model_id:
        return []
    return [Problem("predict.other_variant", field="variant", values={"variant": variant, "own": made_of})]
