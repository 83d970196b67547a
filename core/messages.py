"""The sentence of every code: what is wrong, what was received, what to do.

Each room speaks in codes; this table is the only place that turns them into words. English is the source
text, `core/locales` holds the others. A test proves that every code used in the code stands here.
"""

from __future__ import annotations

from core.errors import Problem
from core.i18n import N_, Translator, translator

SENTENCES: dict[str, str] = {
    # -- specs -------------------------------------------------------------------------------------
    "spec.invalid_value": N_("{field}: {received} is not allowed. {rule}"),
    "spec.unknown_field": N_("{field} is not a setting of this job. Known: {known}."),
    # -- runs --------------------------------------------------------------------------------------
    "run.stopped": N_("Stopped on request. What was done so far is kept."),
    "run.unknown_error": N_("The run failed for a reason Graft does not know: {detail}. The log has the details."),
}

PHASES: dict[str, str] = {
    "starting": N_("Starting the worker"),
    "libraries": N_("Loading the libraries"),
    "data": N_("Reading the data"),
    "model": N_("Loading the model"),
    "autotune": N_("Timing this machine's options"),
    "compile": N_("Preparing the fast path for the frozen part"),
    "features": N_("Computing features of the frozen part"),
    "train": N_("Training, epoch {epoch} of {epochs}"),
    "validate": N_("Checking on the validation pictures"),
    "test": N_("Measuring on the test pictures"),
    "save": N_("Saving"),
}


def explain(problem: Problem, translate: Translator | None = None) -> str:
    """The sentence of a problem, in the translator's language (English without one).

    A code that has no sentence is shown with its values rather than hidden.
    """
    translate = translate or translator("en")
    template = SENTENCES.get(problem.code)
    if template is None:
        details = ", ".join(f"{name}={value}" for name, value in problem.values.items())
        return f"{problem.code} ({details})" if details else problem.code
    return translate(template, **problem.values)


def explain_phase(code: str, values: dict[str, object], translate: Translator | None = None) -> str:
    """What a run is doing now, in words."""
    translate = translate or translator("en")
    template = PHASES.get(code)
    return translate(template, **values) if template else code
