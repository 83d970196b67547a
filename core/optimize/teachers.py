"""The teacher of a distillation: any model, or the original, asked once for all rows that are learned from."""

from __future__ import annotations

import shutil

import numpy as np
import torch
from torch import Tensor

from core.batches import Batcher
from core.catalog import ModelCard, get_model
from core.clock import PhaseClock
from core.data.images import ImageData
from core.data.texts import TextData
from core.encoders import TextClassifier, build_text_classifier
from core.engine import default_engine
from core.errors import InputError, Problem
from core.learner import ImageLearner, Learner, TextLearner
from core.loop import predict_rows
from core.models import build_classifier
from core.optimize.retrain import BATCH_SIZE
from core.optimize.subject import Ints, Network, Subject
from core.optimize.work import Work
from core.specs import FinetuneSpec, ModelRef
from core.tokenized import Tokens
from core.train import Finetuning

_CPU = torch.device("cpu")


def check_task(card: ModelCard, subject: Subject, field: str) -> None:
    """Refuse a teacher or student that reads something else than the original does. Raises `InputError`."""
    if card.is_text != subject.card.is_text:
        code = "model.not_for_pictures" if card.is_text else "model.not_for_texts"
        raise InputError([Problem(code, field=field, values={"id": card.id})])


def ask_teacher(work: Work, name: str | None) -> Tensor:
    """Logits [rows of the data, C] of a model id, None for the original, for training and validation rows; else 0.

    A teacher that answers with other classes gets a new head first, trained on the same rows. Raises `NotFoundError`
    and `WeightsError` for one that is not here, `InputError` for one of another task, `StoppedError` on request.
    """
    subject, spec = work.subject, work.spec
    train = subject.data.train if spec.train_size is None else subject.data.train[: spec.train_size]
    rows = np.unique(np.concatenate([train, subject.data.validation]))
    work.clock.phase("teacher")
    if name is None:
        found = torch.from_numpy(subject.logits(subject.model, rows))
    else:
        card = get_model(name)
        check_task(card, subject, "teacher")
        found = _answers_of(work, card, rows)
    logits = torch.zeros(len(subject.data.targets), len(subject.labels))
    logits[torch.from_numpy(rows)] = found
    return logits


def _answers_of(work: Work, card: ModelCard, rows: Ints) -> Tensor:
    subject = work.subject
    network = _as_published(card)
    if network is None or set(network.labels) != set(subject.labels):
        learner, labels = _with_new_head(work, card)
    else:
        learner, labels = _learner_of(work, network, card), network.labels
    engine = default_engine("auto", learner.device, is_text=card.is_text)
    found = predict_rows(learner, rows, work.clock, BATCH_SIZE, engine)
    return found[:, [labels.index(label) for label in subject.labels]]


def _as_published(card: ModelCard) -> Network | None:
    """The teacher with its own head, if it has one."""
    if not card.num_classes:
        return None
    build = build_text_classifier if card.is_text else build_classifier
    return build(ModelRef(id=card.id), None, seed=0)


def _learner_of(work: Work, network: Network, card: ModelCard) -> Learner:
    """The teacher sees what it was trained to see: pictures in its own size and colours, texts in its own tokens."""
    data = work.subject.data
    if isinstance(network, TextClassifier):
        rows = np.unique(np.concatenate([data.train, data.validation]))
        length = min(work.subject.size, network.max_length)
        assert isinstance(data, TextData)
        tokens = Tokens(data.texts, rows, network.tokenizer, length, work.clock)
        return TextLearner(network, 0, tokens, data, None, _CPU)
    assert isinstance(data, ImageData)
    network.to(memory_format=torch.channels_last)
    return ImageLearner(network, 0, Batcher(card.vision, card.vision.image_size, _CPU), data, None)


class _Aside(PhaseClock):
    """Work beside the one that is counted: its share of itself and its curves would be taken for those of the whole."""

    def progress(self, done: float, total: float) -> None: ...

    def metrics(self, step: int, epoch: float, **values: float) -> None: ...


def _with_new_head(work: Work, card: ModelCard) -> tuple[Learner, list[str]]:
    """The teacher with a new head for these classes, trained on its frozen features."""
    spec, subject = work.spec, work.subject
    split = subject.split()
    size = {} if card.is_text else {"image_size": subject.size}
    if card.is_text:
        size = {"max_length": min(subject.size, card.reading.max_length)}
    values = {"model": {"id": card.id}, "data": spec.data, "method": "head", **size, **split}
    work.clock.log(f"{card.id} answers with other classes: a new head is trained for it")
    folder = work.folder / "teacher"
    training = Finetuning(
        FinetuneSpec.model_validate(values), folder, _Aside(work.clock), resume=False, resumable=False
    )
    try:
        training.learn()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return training.learner, list(training.data.labels)
