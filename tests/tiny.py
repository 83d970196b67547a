"""Networks of a few numbers, made by hand: what they answer can be told by looking at them."""

from __future__ import annotations

import torch
from torch import nn

from core.catalog import Preprocessing, get_model
from core.models import ImageClassifier
from core.predict import Predictor
from core.stages import Stage, Stages

SIZE = 32
_SEES = Preprocessing(image_size=SIZE, resize_size=SIZE, interpolation="bilinear", mean=(0, 0, 0), std=(1, 1, 1))


def colour_classifier() -> ImageClassifier:
    """Tells red from green by how much of each there is: maps of 8 × 8 places, averaged."""
    conv = nn.Conv2d(3, 2, 4, stride=4, bias=False)
    head = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[0, 0] = conv.weight[1, 1] = 1 / 16
        head.weight.copy_(torch.tensor([[9.0, 0.0], [0.0, 9.0]]))
    net = nn.Sequential(conv, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    stages = [Stage("maps", (net[0], net[1])), Stage("pool", (net[2], net[3]))]
    parts = Stages(net, stages, head, 2)
    return ImageClassifier(parts, head, ["red", "green"], _SEES, "tiny/colours", freeze_batchnorm=True)


def token_classifier() -> ImageClassifier:
    """A vision transformer of two layers on 4 × 4 patches, with values as they fall; its class token answers."""
    from torchvision.models import VisionTransformer

    from core.stages import _vit

    torch.manual_seed(0)
    net = VisionTransformer(
        image_size=SIZE, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=2
    )
    nn.init.normal_(net.heads.head.weight)
    plan = _vit(net, get_model("torchvision/vit_b_16"))
    head = net.heads.head
    net.heads.head = nn.Identity()
    last = plan.stages[-1]
    plan.stages[-1] = Stage(last.name, (*last.steps, *plan.tail), last.own)
    parts = Stages(net, plan.stages, head, 16)
    return ImageClassifier(parts, head, ["one", "other"], _SEES, "tiny/tokens", freeze_batchnorm=True)


def predictor_of(model: ImageClassifier) -> Predictor:
    """Ready to answer pictures of 32 px."""
    return Predictor(model, SIZE)
