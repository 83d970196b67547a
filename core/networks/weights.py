"""From a card to tensors: the file is found, its checksum compared, and only tensors are read from it."""

from __future__ import annotations

from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from core.errors import WeightsError, first_line
from core.files import sha256
from core.i18n import N_
from core.models.card import ModelCard
from core.models.weight_files import find_weights, not_local

SAVED = "model.safetensors"


def load_weights(card: ModelCard) -> dict[str, Tensor]:
    """The tensors of a model's weights, by the names in their file.

    Raises `WeightsError` when the file is not on this machine, is not the published one, or holds anything
    but tensors (`weights_only=True`: nothing in the file is ever run).
    """
    path = find_weights(card)
    if path is None:
        problem = not_local(card)
        raise WeightsError(problem.code, **problem.values)
    check_sum(path, card)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, safetensors.SafetensorError) as error:
        raise WeightsError("weights.other_model", id=card.id, file=str(path), detail=first_line(error)) from error
    except Exception as error:  # the unpickler's refusals have no common base
        raise WeightsError("weights.other_model", id=card.id, file=str(path), detail=first_line(error)) from error
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise WeightsError("weights.other_model", id=card.id, file=str(path), detail=N_("it holds more than tensors"))
    return tensors


def load_saved(folder: Path, total: str | None) -> dict[str, Tensor]:
    """The tensors of a model that Graft saved. Raises `ValueError` where their file is not the one that was saved.

    `total` is its sum, as it stands in model.json; earlier versions wrote none.
    """
    path = folder / SAVED
    if total is not None and total != sha256(path):
        raise ValueError("it is damaged, its sum is another than when it was saved")
    return load_file(path)


def check_sum(path: Path, card: ModelCard) -> None:
    """Compare a file with its card: torchvision's names carry the beginning of their sha256, bundled sums are pinned.

    Raises `WeightsError` when they differ.
    """
    if not card.sha256:
        return
    digest = sha256(path)
    if not digest.startswith(card.sha256):
        raise WeightsError("weights.damaged", file=str(path), found=digest[:8], wanted=card.sha256[:8])


FORMAT = 1
