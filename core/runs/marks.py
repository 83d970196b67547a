"""What marks the accuracy of a run wherever it is told: what is to be known beside it, in words."""

from __future__ import annotations

from collections.abc import Sequence

from core.i18n import Translator
from core.messages import explain
from core.problems import Problem, ProblemRow
from core.store import Run

MARK = "⚠"
_FIRST = ("data.nothing_new_tested", "data.without_leaks", "compare.without_leaks", "optimize.leaks_stay")


def accuracy_of(run: Run) -> float | None:
    """The accuracy that tables of runs tell: of the test, of an optimization that of the recommended variant."""
    accuracy: float | None = (run.summary.get("test") or run.summary.get("best") or {}).get("accuracy")
    return accuracy


def marks_of(run: Run) -> list[Problem]:
    """What a run keeps beside its numbers: first what they are without the test rows that are trained on too."""
    return _in_order(run.summary.get("problems") or [])


def mark_words(run: Run, _: Translator) -> str:
    """All of it behind the mark, in one line; empty where nothing is to be known."""
    return words_of(run.summary.get("problems") or [], _)


def words_of(problems: Sequence[ProblemRow], _: Translator) -> str:
    """The same of problems as runs and reports keep them."""
    told = " ".join(_short(problem, _) for problem in _in_order(problems))
    return f"{MARK} {told}" if told else ""


def _short(problem: Problem, _: Translator) -> str:
    """A problem in a cell, of which the beginning is seen: the number first."""
    if problem.code != "data.without_leaks":
        return explain(problem, _)
    values = {name: _.percent(problem.values[name]) for name in ("accuracy", "low", "high")}
    return _("{accuracy} on {n} new examples (95%: {low} to {high}).", n=_.number(problem.values["n"]), **values)


def _in_order(problems: Sequence[ProblemRow]) -> list[Problem]:
    return sorted(map(Problem.from_dict, problems), key=lambda problem: problem.code not in _FIRST)
