"""What a configuration of transformers means: which class builds its network, how wide it is, how much it reads."""

from __future__ import annotations

from typing import Any

import transformers

from core.registry.tasks import HUB_TASKS
from core.registry.text_architectures import text_architecture


def network_class(task: str, config: Any) -> Any | None:
    """The auto class that builds the network of a task; None where none of the task's knows the configuration."""
    row = HUB_TASKS[task]
    if row.library != transformers.__name__:
        return None
    autos = (getattr(transformers, name) for name in row.classes)
    return next((auto for auto in autos if type(config) in auto._model_mapping), None)


def encoder_class(config: Any) -> Any:
    """The auto class that builds the encoder alone, where an architecture has more than one half."""
    is_pair = text_architecture(config.model_type).is_pair
    return transformers.AutoModelForTextEncoding if is_pair else transformers.AutoModel


def feature_width(config: Any) -> int:
    """Values of a token between the layers."""
    return int(getattr(config, "hidden_size", 0) or config.d_model)


def tokens_at_once(config: Any) -> int | None:
    """Tokens that its table of positions has places for; None where it has no such table."""
    places = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    return int(places) - text_architecture(config.model_type).positions_before if places else None
