"""A model id becomes something that answers: texts, pictures, or sentiment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from core.data.token_lengths import MOST_READ
from core.errors import InputError
from core.models.catalog import get_model
from core.models.weight_files import model_folder
from core.networks.image import build_classifier, load_classifier
from core.predict.pictures import Predictor
from core.predict.sentiment.model import Sentiment
from core.spec import ModelRef

if TYPE_CHECKING:
    from core.predict.texts import TextPredictor


def load_predictor(model_id: str) -> Predictor | TextPredictor | Sentiment:
    """The predictor of a model id: `sentiment`, published weights with their own labels, or what a run made.

    Raises `NotFoundError` for an unknown id and `WeightsError` when its weights are not here.
    """
    if model_id == Sentiment.id:
        return Sentiment()
    card = get_model(model_id)
    if not card.is_trainable:  # what a pipeline of its own answers
        raise InputError("model.other_task", id=card.name, task=card.task)
    if card.is_text:
        # Only here: transformers take some 0.8 s, which answers about pictures need not wait for.
        from core.networks.text import build_text_classifier, load_text_classifier
        from core.predict.texts import TextPredictor

        if card.source == "run":
            facts = json.loads((model_folder(card) / "model.json").read_text(encoding="utf-8"))
            return TextPredictor(load_text_classifier(model_folder(card)), int(facts["max_length"]), model_id)
        whole = build_text_classifier(ModelRef(id=model_id), None, seed=0)
        return TextPredictor(whole, min(MOST_READ, card.reading.max_length), model_id)
    if card.source == "run":
        model = load_classifier(model_folder(card))
    else:
        model = build_classifier(ModelRef(id=model_id), None, seed=0)
    return Predictor(model, card.vision.image_size)
