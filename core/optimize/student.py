"""The student of a distillation: a model that is named, or the original with every second layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.errors import InputError
from core.models.card import ModelCard, Preprocessing
from core.models.catalog import check_image_size, get_model
from core.models.weight_files import is_local
from core.networks.exportable import Network
from core.networks.image import ImageClassifier, build_classifier
from core.networks.stages import Stage
from core.networks.text import TextClassifier, build_text_classifier
from core.optimize.passes.base import PassContext
from core.optimize.retrain import copy_of
from core.optimize.rows import PassFacts
from core.optimize.teacher import check_task
from core.problems import Problem
from core.spec import ModelRef


def build_student(context: PassContext) -> tuple[Network, PassFacts]:
    """The student before it has learned, and what it is.

    Raises `InputError` where none is named and none can be made, for one of another task, and for one that splits
    texts into other tokens.
    """
    if context.spec.student is None:
        return _halved(context)
    trained = context.trained
    card = get_model(context.spec.student)
    check_task(card, trained, "student")
    is_known = is_local(card)
    if not is_known:
        context.clock.log(f"The weights of {card.id} are not on this machine: the student begins with random ones")
    ref = ModelRef(id=card.id, weights="pretrained" if is_known else "random")
    network = _text_student(context, card, ref) if card.is_text else _image_student(context, card, ref)
    return network.eval(), {"student": card.id, "student_weights": ref.weights}


def _halved(context: PassContext) -> tuple[Network, PassFacts]:
    """Layers 0, 2, 4 of 6: half of them at most."""
    network = copy_of(context.network)
    if not isinstance(network, TextClassifier) or len(network.layers) < 2:
        values = {"model": context.trained.card.name}
        raise InputError([Problem("optimize.no_student", field="student", values=values)])
    every = list(network.layers)
    kept = list(range(0, len(every), 2))[: len(every) // 2]
    parent, _, name = network.layers_name.rpartition(".")
    setattr(network.net.get_submodule(parent), name, nn.ModuleList(every[place] for place in kept))
    network.config.num_hidden_layers = len(kept)
    kinds = getattr(network.config, "layer_types", None)
    if kinds:  # of networks that tell their layers apart
        network.config.layer_types = [kinds[place] for place in kept]
    return network, {"student": "", "layers": len(kept), "layers_before": len(every), "layers_kept": kept}


def _text_student(context: PassContext, card: ModelCard, ref: ModelRef) -> Network:
    trained = context.trained
    network = build_text_classifier(ref, trained.labels, seed=context.spec.seed)
    assert isinstance(trained.model, TextClassifier)
    if network.tokenizer.get_vocab() != trained.model.tokenizer.get_vocab():
        values = {"student": card.name, "model": trained.card.name}
        raise InputError([Problem("optimize.other_tokens", field="student", values=values)])
    if network.max_length < trained.size:
        lengths = {"model": card.name, "longest": network.max_length, "length": trained.size}
        raise InputError([Problem("model.length_too_large", field="student", values=lengths)])
    network.tokenizer = trained.model.tokenizer
    return network


def _image_student(context: PassContext, card: ModelCard, ref: ModelRef) -> Network:
    trained = context.trained
    problems = check_image_size(card, trained.size)
    if problems:
        raise InputError([Problem(problem.code, field="student", values=problem.values) for problem in problems])
    network = build_classifier(ref, trained.labels, seed=context.spec.seed, image_size=trained.size)
    assert isinstance(trained.model, ImageClassifier)
    shown, own = trained.model.preprocessing, network.preprocessing
    if (shown.mean, shown.std) != (own.mean, own.std):
        first = _Recoloured(shown, own)
        network.net.add_module("recoloured", first)
        network.stages.insert(0, Stage("recoloured", (first,)))
    network.preprocessing = shown
    return network


class _Recoloured(nn.Module):
    """Pictures normalised for one network, as another was trained to see them: files keep the original's input."""

    scale: Tensor
    shift: Tensor

    def __init__(self, shown: Preprocessing, own: Preprocessing) -> None:
        super().__init__()
        shown_mean, shown_std, own_mean, own_std = (
            torch.tensor(values).view(1, 3, 1, 1) for values in (shown.mean, shown.std, own.mean, own.std)
        )
        self.register_buffer("scale", shown_std / own_std)
        self.register_buffer("shift", (shown_mean - own_mean) / own_std)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift
