"""What a comparison says without the test examples that stand among the training examples too."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from core.compare.findings import find
from core.compare.pairs import Result
from core.compare.records import WithoutLeaks
from core.data.images import ImageData
from core.data.texts import TextData
from core.problems import Problem, ProblemRow


def without_leaks(
    data: ImageData | TextData, results: Sequence[Result], families: Sequence[str], planned: int
) -> WithoutLeaks | None:
    """The findings on the test examples that no training could have seen; None where that are all, or none."""
    clean = ~data.copied
    if clean.all() or not clean.any():
        return None
    rest = [dataclasses.replace(result, right=result.right[clean]) for result in results]
    found = find(rest, families, planned=planned)
    return {"n": int(clean.sum()), "families": found["families"], "conclusions": found["conclusions"]}


def problems_of(data: ImageData | TextData, clean: WithoutLeaks | None) -> list[ProblemRow]:
    """Everything odd about the data, and each curve's largest size without what may have been trained on."""
    problems = list(data.problems)
    if data.copied.all():
        problems.append(Problem("data.nothing_new_tested", "warning", "data", {"n": len(data.copied)}))
    for family in clean["families"] if clean else []:
        row = family["sizes"][-1]
        values = {"family": family["family"], "size": row["size"], "n": clean["n"] if clean else 0}
        values |= {name: row[name] for name in ("accuracy", "low", "high")}
        problems.append(Problem("compare.without_leaks", "warning", "data", values))
    return [problem.as_dict() for problem in problems]
