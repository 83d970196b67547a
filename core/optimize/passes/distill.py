"""Distillation (Hinton et al. 2015): a smaller network, the student, learns to answer as a larger one does.

The teacher is asked once for every training row. Where no student is named, a transformer for texts is taken with
every second layer, which knows more in the beginning than any other small network (Sanh et al. 2019).
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.networks.heads import count_parameters
from core.optimize.passes.base import NetworkResult, PassContext
from core.optimize.retrain import check_labels, retrain
from core.optimize.rows import PassFacts
from core.optimize.student import build_student
from core.optimize.teacher import ask_teacher

LR, TEXT_LR = 5e-4, 1e-4


def run(context: PassContext) -> NetworkResult:
    """The student, trained. Raises `InputError` for a teacher or student that does not fit, and for other labels."""
    check_labels(context)
    spec, trained = context.spec, context.trained
    network, student = build_student(context)
    logits = ask_teacher(context, spec.teacher)
    learned = retrain(
        context,
        network,
        lr=TEXT_LR if trained.card.is_text else LR,
        teacher=logits,
        weight=spec.teacher_weight,
        heat=spec.temperature,
    )
    facts: PassFacts = {
        "teacher": spec.teacher or trained.card.id,
        "teacher_validation": _accuracy(context, logits),
        **student,
        "parameters_before": count_parameters(context.network)[0],
        "parameters": count_parameters(network)[0],
        "temperature": spec.temperature,
        "teacher_weight": spec.teacher_weight,
    }
    return NetworkResult(network=network, facts={**facts, **learned})


def _accuracy(context: PassContext, logits: Tensor) -> float:
    """The teacher's accuracy on the validation rows: what it can teach at most."""
    data = context.trained.data
    answers = logits[torch.from_numpy(data.validation)].argmax(1).numpy()
    return float((answers == data.targets[data.validation]).mean())
