"""What speaks against answering a file."""

from __future__ import annotations

import dataclasses
import zipfile

from core import settings
from core.errors import GraftError
from core.finetune.checks import check_path
from core.models import catalog, weight_files
from core.paths import meant_path
from core.predict.spec import SENTIMENT, PredictSpec
from core.problems import Problem


def check_predict(spec: PredictSpec) -> list[Problem]:
    path = meant_path(spec.file).absolute()
    problems = [] if path.is_relative_to(settings.folder("asked")) else check_path(path, "file")
    try:
        card = None if spec.model == SENTIMENT else catalog.get_model(spec.model)
    except GraftError as error:
        return problems + [dataclasses.replace(problem, field="model") for problem in error.problems]
    if path.is_dir() and (card is None or card.is_text):
        problems.append(Problem("predict.folder", field="file", values={"path": str(path)}))
    if card is None:
        return problems
    if path.is_file() and not card.is_text and not zipfile.is_zipfile(path):
        values = {"path": path.name, "model": card.name}
        problems.append(Problem("predict.no_folder", field="file", values=values))
    if not card.is_trainable:
        problems.append(Problem("model.other_task", field="model", values={"id": card.name, "task": card.task}))
    elif not card.num_classes:
        problems.append(Problem("model.no_classifier", field="model", values={"id": card.name}))
    elif not weight_files.is_local(card):
        problems.append(weight_files.not_local(card))
    return problems
