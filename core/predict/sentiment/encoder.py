"""English sentiment: the bundled encoder with low-rank changes to its layers and a head of its own.

The changes (LoRA, Hu et al. 2021) are added to the encoder's weights when it is loaded: it runs as fast as the
encoder alone.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.networks.text import TextClassifier, build_text_classifier, load_text_classifier
from core.predict.texts import TextPredictor
from core.spec import ModelRef

BASE = "bundled/minilm-l6"
# Tokens of a text that are read: a review of usual length.
MAX_LENGTH = 256


def load_encoder(path: Path, labels: list[str]) -> TextPredictor:
    """The bundled encoder with the changes in `path`. Raises `NotFoundError` when its package is not here."""
    model = build_text_classifier(ModelRef(id=BASE), labels, seed=0)
    tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
    parameters: dict[str, Tensor] = dict(model.named_parameters())
    with torch.no_grad():
        for name in {name.rpartition("#")[0] for name in tensors if "#" in name}:
            parameters[name].add_(tensors[f"{name}#up"] @ tensors[f"{name}#down"])
    head = {name.removeprefix("head."): tensor for name, tensor in tensors.items() if name.startswith("head.")}
    head["norm.num_batches_tracked"] = torch.tensor(0)
    model.head.load_state_dict(head)
    return TextPredictor(model, MAX_LENGTH, "sentiment/en")


def save_changes(folder: Path, path: Path, rank: int) -> float:
    """Write what a run trained with adapters changed, as factors of this rank; returns the largest error left.

    `folder`: the run's model. The adapters were merged into it, so their factors are found again from the
    difference to the encoder; of rank `rank` nothing is lost but the digits of half precision.
    """
    trained = load_text_classifier(folder)
    base: TextClassifier = build_text_classifier(ModelRef(id=BASE), trained.labels, seed=0)
    before = dict(base.net.named_parameters())
    tensors: dict[str, Tensor] = {}
    error = 0.0
    for name, after in trained.net.named_parameters():
        change = (after - before[name]).detach().double()
        if change.abs().max() < 1e-6:
            continue
        left, sizes, right = torch.linalg.svd(change, full_matrices=False)
        root = sizes[:rank].sqrt()
        up, down = (left[:, :rank] * root).half(), (root[:, None] * right[:rank]).half()
        error = max(error, float((change - up.double() @ down.double()).abs().max()))
        tensors |= {f"net.{name}#up": up.contiguous(), f"net.{name}#down": down.contiguous()}
    for name, tensor in trained.head.state_dict().items():
        if tensor.is_floating_point():
            tensors[f"head.{name}"] = tensor.float().contiguous()
    save_file(tensors, path)
    return error
