"""Distillation (Hinton et al. 2015): a smaller network, the student, learns to answer as a larger one does.

The teacher is asked once for every training row. Where no student is named, a transformer for texts is taken with
every second layer, which knows more in the beginning than any other small network (Sanh et al. 2019).
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.models import count_parameters
from core.optimize.retrain import check_labels, retrain
from core.optimize.students import build_student
from core.optimize.teachers import ask_teacher
from core.optimize.work import Made, Work

LR, TEXT_LR = 5e-4, 1e-4


def run(work: Work) -> Made:
    """The student, trained. Raises `InputError` for a teacher or student that does not fit, and for other labels."""
    check_labels(work)
    spec, subject = work.spec, work.subject
    network, student = build_student(work)
    logits = ask_teacher(work, spec.teacher)
    learned = retrain(
        work,
        network,
        lr=TEXT_LR if subject.card.is_text else LR,
        teacher=logits,
        weight=spec.teacher_weight,
        heat=spec.temperature,
    )
    facts = {
        "teacher": spec.teacher or subject.card.id,
        "teacher_validation": _accuracy(work, logits),
        **student,
        "parameters_before": count_parameters(work.network)[0],
        "parameters": count_parameters(network)[0],
        "temperature": spec.temperature,
        "teacher_weight": spec.teacher_weight,
    }
    return Made(network=network, facts={**facts, **learned})


def _accuracy(work: Work, logits: Tensor) -> float:
    """The teacher's accuracy on the validation rows: what it can teach at most."""
    data = work.subject.data
    found = logits[torch.from_numpy(data.validation)].argmax(1).numpy()
    return float((found == data.targets[data.validation]).mean())
