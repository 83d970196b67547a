"""The teacher of a distillation: any model, or the original, asked once for all rows that are learned from."""

from __future__ import annotations

import shutil

import numpy as np
import torch
from torch import Tensor

from core.data.images import ImageData
from core.data.texts import TextData
from core.errors import InputError
from core.finetune.autotune import default_engine
from core.finetune.learner import ImageLearner, Learner, TextLearner
from core.finetune.reading import predict_rows
from core.finetune.run import Finetuning
from core.finetune.spec import FinetuneSpec
from core.models.card import ModelCard
from core.models.catalog import get_model
from core.networks.exportable import Network
from core.networks.image import build_classifier
from core.networks.text import TextClassifier, build_text_classifier
from core.networks.tokens import Tokens
from core.networks.transforms import Batcher
from core.optimize.passes.base import PassContext
from core.optimize.retrain import BATCH_SIZE
from core.optimize.trained_model import Ints, TrainedModel
from core.problems import Problem
from core.progress import PhaseClock
from core.spec import ModelRef

_CPU = torch.device("cpu")


def check_task(card: ModelCard, trained: TrainedModel, field: str) -> None:
    """Refuse a teacher or student that reads something else than the original does. Raises `InputError`."""
    if card.is_text != trained.card.is_text:
        code = "model.not_for_pictures" if card.is_text else "model.not_for_texts"
        raise InputError([Problem(code, field=field, values={"id": card.id})])


def ask_teacher(context: PassContext, name: str | None) -> Tensor:
    """Logits [rows of the data, C] of a model id, None for the original, for training and validation rows; else 0.

    A teacher that answers with other classes gets a new head first, trained on the same rows. Raises `NotFoundError`
    and `WeightsError` for one that is not here, `InputError` for one of another task, `StoppedError` on request.
    """
    trained, spec = context.trained, context.spec
    train = trained.data.train if spec.train_size is None else trained.data.train[: spec.train_size]
    rows = np.unique(np.concatenate([train, trained.data.validation]))
    context.clock.phase("teacher")
    if name is None:
        of_rows = torch.from_numpy(trained.logits(trained.model, rows))
    else:
        card = get_model(name)
        check_task(card, trained, "teacher")
        of_rows = _answers_of(context, card, rows)
    logits = torch.zeros(len(trained.data.targets), len(trained.labels))
    logits[torch.from_numpy(rows)] = of_rows
    return logits


def _answers_of(context: PassContext, card: ModelCard, rows: Ints) -> Tensor:
    trained = context.trained
    network = _as_published(card)
    if network is None or set(network.labels) != set(trained.labels):
        learner, labels = _with_new_head(context, card)
    else:
        learner, labels = _learner_of(context, network, card), network.labels
    engine = default_engine("auto", learner.device, is_text=card.is_text)
    logits = predict_rows(learner, rows, context.clock, BATCH_SIZE, engine)
    return logits[:, [labels.index(label) for label in trained.labels]]


def _as_published(card: ModelCard) -> Network | None:
    """The teacher with its own head, if it has one."""
    if not card.num_classes:
        return None
    build = build_text_classifier if card.is_text else build_classifier
    return build(ModelRef(id=card.id), None, seed=0)


def _learner_of(context: PassContext, network: Network, card: ModelCard) -> Learner:
    """The teacher sees what it was trained to see: pictures in its own size and colours, texts in its own tokens."""
    data = context.trained.data
    if isinstance(network, TextClassifier):
        rows = np.unique(np.concatenate([data.train, data.validation]))
        length = min(context.trained.size, network.max_length)
        assert isinstance(data, TextData)
        tokens = Tokens(data.texts, rows, network.tokenizer, length, context.clock)
        return TextLearner(network, 0, tokens, data, None, _CPU)
    assert isinstance(data, ImageData)
    network.to(memory_format=torch.channels_last)
    return ImageLearner(network, 0, Batcher(card.vision, card.vision.image_size, _CPU), data, None)


class _Aside(PhaseClock):
    """Work beside the one that is counted: its share of itself and its curves would be taken for those of the whole."""

    def progress(self, done: float, total: float) -> None: ...

    def metrics(self, step: int, epoch: float, **values: float) -> None: ...


def _with_new_head(context: PassContext, card: ModelCard) -> tuple[Learner, list[str]]:
    """The teacher with a new head for these classes, trained on its frozen features."""
    spec, trained = context.spec, context.trained
    split = trained.split()
    size = {} if card.is_text else {"image_size": trained.size}
    if card.is_text:
        size = {"max_length": min(trained.size, card.reading.max_length)}
    values = {"model": {"id": card.id}, "data": spec.data, "method": "head", **size, **split}
    context.clock.log(f"{card.id} answers with other classes: a new head is trained for it")
    folder = context.folder / "teacher"
    training = Finetuning(
        FinetuneSpec.model_validate(values), folder, _Aside(context.clock), resume=False, resumable=False
    )
    try:
        training.learn()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return training.learner, list(training.data.labels)
