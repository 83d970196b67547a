"""The sentence of every code: what is wrong, what was received, what to do.

Each room speaks in codes; this table is the only place that turns them into words. English is the source
text, `core/locales` holds the others. A test proves that every code used in the code stands here.

Where the row of a sentence names the kinds of its values, each value says itself; elsewhere they are shown as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.i18n import N_, Translator, translator
from core.messages.compare import COMPARE_SENTENCES
from core.messages.data import DATA_FINDINGS, DATA_SENTENCES
from core.messages.models import MODELS_SENTENCES
from core.messages.optimize import OPTIMIZE_SENTENCES, PassName
from core.messages.paths import PATHS_SENTENCES
from core.messages.predict import PREDICT_SENTENCES
from core.messages.runs import PHASES, RUNS_SENTENCES, SPEC_FINDINGS
from core.problems import Problem
from core.registry.formats import listed_words
from core.values import Finding, Sentence

WITH_KINDS: dict[str, Sentence] = {
    "estimate.unknown": Sentence(
        N_("Nothing was measured on this machine yet. The first run, or `python -m core doctor`, will tell.")
    ),
    **DATA_FINDINGS,
    "estimate.no_texts_yet": Sentence(
        N_("No model for texts was trained in this way on this machine yet: the first run will tell.")
    ),
    **SPEC_FINDINGS,
    **COMPARE_SENTENCES,
    **OPTIMIZE_SENTENCES,
}
SENTENCES: dict[str, str] = {
    **DATA_SENTENCES,
    **MODELS_SENTENCES,
    **PATHS_SENTENCES,
    **PREDICT_SENTENCES,
    **RUNS_SENTENCES,
    **{code: row.text for code, row in WITH_KINDS.items()},
}

_PHASES_OF_A_VARIANT = ("make", "gate", "variant_test", "time")
# What sentences say of Graft itself: filled here, not by whoever finds a problem.
STANDING: dict[str, Callable[[Translator], str]] = {"formats": lambda translate: translate.either(listed_words())}


def explain(problem: Problem, translate: Translator | None = None) -> str:
    """The sentence of a problem, in the translator's language (English without one).

    A code that has no sentence is shown with its values rather than hidden.
    """
    translate = translate or translator("en")
    row, template = WITH_KINDS.get(problem.code), SENTENCES.get(problem.code)
    if row is not None:
        return row.fill(problem.values, translate)
    if template is not None:
        standing = {name: words(translate) for name, words in STANDING.items() if f"{{{name}}}" in template}
        return translate(template, **{**standing, **problem.values, **_detail(problem, translate)})
    details = ", ".join(f"{name}={value}" for name, value in problem.values.items())
    return translate.fill("{told}", {"told": f"{problem.code} ({details})" if details else problem.code})


def _detail(problem: Problem, translate: Translator) -> dict[str, str]:
    """What a reader met, in the translator's language where it is said in words of Graft; libraries speak English."""
    detail = problem.values.get("detail")
    return {"detail": translate.catalog.gettext(detail)} if detail and isinstance(detail, str) else {}


def explain_finding(finding: Finding, translate: Translator | None = None) -> str:
    """The sentence of what a report found: its first letter is large, whatever stands first."""
    words = explain(Problem(finding["code"], values=finding["values"]), translate)
    return type(words)(words[:1].upper() + words[1:])  # Markdown stays Markdown


def explain_phase(code: str, values: Mapping[str, Any], translate: Translator | None = None) -> str:
    """What a run is doing now, in words."""
    translate = translate or translator("en")
    template = PHASES.get(code)
    if template is None:
        return translate.fill("{code}", {"code": code})
    if code in _PHASES_OF_A_VARIANT:
        values = {**values, "name": PassName(str(values["name"])).said(translate)}
    return translate(template, **values)
