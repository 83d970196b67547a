"""What is to be said of an optimized model and of all of them, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import Problem
from core.i18n import Translator
from core.messages import explain


def explain_verdict(verdict: Mapping[str, Any], translate: Translator | None = None) -> str:
    """The sentence of a verdict or of a conclusion, in the translator's language (English without one)."""
    return explain(Problem(verdict["code"], values=verdict.get("values") or {}), translate)
