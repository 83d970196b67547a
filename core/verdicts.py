"""What is to be said of an optimized model and of all of them, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import Problem
from core.i18n import Translator, translator
from core.messages import explain

_SENTENCES = {
    "take": "{name} answers {times} times faster here and loses {points} points (at most {high}; limit {limit}): "
    "take it.",
    "too_much": "{name} loses {points} points ({low} to {high}), more than the limit of {limit}: leave it.",
    "not_shown": "Not shown on {n} examples: {points} points lost, at most {high}; about {needed} would tell.",
    "original_best": "Nothing is recommended: no variant is shown to lose at most {limit} points.",
}


def explain_verdict(verdict: Mapping[str, Any], translate: Translator | None = None) -> str:
    """The sentence of a verdict or of a conclusion, in the translator's language (English without one)."""
    translate, values = translate or translator("en"), verdict.get("values") or {}
    template = _SENTENCES.get(verdict["code"].partition(".")[2])
    if template is None:
        return explain(Problem(verdict["code"], values=values), translate)
    numbers = {name: translate.number(value, 3) for name, value in values.items() if isinstance(value, int | float)}
    return template.format(**{**values, **numbers})
