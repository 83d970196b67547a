"""What speaks against a comparison: its sizes, seeds and steps."""

from __future__ import annotations

import dataclasses

from core.compare.grid import FAIR_STEPS, cell_spec, grid
from core.compare.spec import CompareSpec
from core.finetune.checks import check_data, check_model, check_precision
from core.problems import Problem


def check_compare(spec: CompareSpec) -> list[Problem]:
    return check_data(spec.data) + _check_grid(spec)


def _check_grid(spec: CompareSpec) -> list[Problem]:
    """What speaks against a comparison: against its families, each told once, and against the grid itself."""
    problems: list[Problem] = []
    if not spec.methods:
        problems.append(Problem("form.no_method", field="methods"))
    if not spec.sizes:
        problems.append(Problem("compare.no_sizes", field="sizes"))
    if spec.model.weights == "random":
        problems.append(Problem("compare.needs_pretrained", field="model", values={"id": spec.model.id}))
    if problems:
        return problems
    trained = [cell_spec(spec, cell) for cell in grid(spec)]
    largest = {(one.model.weights, one.method): one for one in trained}.values()
    of_cells = [problem for one in largest for problem in check_model(one)] + check_precision(trained[0])
    renamed = {"method": "methods"}
    as_asked = [
        dataclasses.replace(problem, field=renamed.get(str(problem.field), problem.field)) for problem in of_cells
    ]
    problems += {repr(problem): problem for problem in as_asked}.values()
    if spec.scratch and spec.steps < FAIR_STEPS:
        problems.append(Problem("compare.few_steps", "warning", "steps", {"steps": spec.steps, "fair": FAIR_STEPS}))
    if spec.seeds == 1:
        problems.append(Problem("compare.one_seed", "warning", "seeds"))
    return problems
