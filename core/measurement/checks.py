"""What speaks against measuring a model here."""

from __future__ import annotations

import dataclasses

from core.errors import GraftError
from core.measurement.spec import MeasureSpec
from core.models import catalog, weight_files
from core.problems import Problem


def check_measure(spec: MeasureSpec) -> list[Problem]:
    try:
        card = catalog.get_model(spec.model.id)
    except GraftError as error:
        return [dataclasses.replace(problem, field="model") for problem in error.problems]
    if not card.is_trainable:  # nothing else is built here
        return [Problem("measure.not_measurable", field="model", values={"id": card.name})]
    needs_weights = spec.model.weights == "pretrained"
    return [weight_files.not_local(card)] if needs_weights and not weight_files.is_local(card) else []
