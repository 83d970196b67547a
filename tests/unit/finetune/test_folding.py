"""Norms within convolutions: the same features and the same gradients, or none of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.finetune.learner import ImageLearner
from core.networks.folding import fold, learning_quickly
from core.networks.fused import FusedConv2d
from core.networks.image import ImageClassifier, build_classifier
from core.spec import ModelRef

CPU = torch.device("cpu")


def _network(name: str) -> ImageClassifier:
    """With norms as training leaves them: not of mean 0 and variance 1."""
    weights = "pretrained" if name.startswith("bundled/") else "random"
    model = build_classifier(ModelRef(id=name, weights=weights), ["a", "b"], seed=0).eval()
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and weights == "random":
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model


def _norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize(
    "name",
    [
        "bundled/efficientnet_lite0",  # the norm brings its activation
        "torchvision/resnet18",  # the first norm is a step of its own
        "torchvision/squeezenet1_1",  # no norm
        "torchvision/mnasnet0_5",
        "torchvision/vit_b_16",
    ],
)
def test_features_are_as_close_to_fp32_as_autocasts(name: str) -> None:
    model = _network(name)
    cut, before = model.num_blocks, {key: tensor.clone() for key, tensor in model.state_dict().items()}
    folded = fold(model, cut, "bf16", CPU)
    assert (folded is not None) == (_norms(model) > 0)
    exact = fold(model, cut, "fp32", CPU)
    assert (exact is None) == (folded is None)
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[key]), "the network itself stays as it is"
    if folded is None or exact is None:
        return
    x = torch.randn(3, 3, 96, 96)
    with torch.inference_mode():
        wanted = model.run(x, 0, cut)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            usual = model.run(x, 0, cut)
        got = folded(x)
        assert (exact(x) - wanted).abs().max() < 1e-4 * wanted.abs().max()
    assert got.dtype == torch.float32
    assert (got - wanted).abs().mean() < 1.5 * (usual.float() - wanted).abs().mean()


def _crossed(monkeypatch: pytest.MonkeyPatch) -> ImageClassifier:
    """A network whose norms stand in another order than they are run in."""
    model = _network("torchvision/resnet18")
    block = model.net.get_submodule("layer2.0")
    swapped = {"bn1": block.bn2, "bn2": block.bn1}
    forward = type(block).forward

    def run(self: Any, x: Tensor) -> Tensor:
        if self is not block and not hasattr(self, "swapped"):
            return forward(self, x)
        self.bn1, self.bn2 = self.bn2, self.bn1
        y = forward(self, x)
        self.bn1, self.bn2 = self.bn2, self.bn1
        return y

    block.swapped = True
    block.bn1, block.bn2 = swapped["bn1"], swapped["bn2"]
    monkeypatch.setattr(type(block), "forward", run)
    return model


def test_a_norm_that_belongs_elsewhere_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _crossed(monkeypatch)
    assert fold(model, model.num_blocks, "bf16", CPU) is None


def test_large_networks_are_not_copied_and_other_devices_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _network("torchvision/resnet18")
    assert fold(model, model.num_blocks, "bf16", torch.device("meta")) is None
    assert fold(model, model.num_blocks, "fp16", CPU) is None
    monkeypatch.setattr("core.networks.folding._MOST_BYTES", 1e6)
    assert fold(model, model.num_blocks, "bf16", CPU) is None


def test_features_are_computed_so(home: Any) -> None:
    from core.data.images import load_images
    from core.finetune.autotune import ComputeChoice
    from core.finetune.image_features import FrozenPrefix
    from core.models.catalog import get_model
    from core.networks.transforms import Batcher
    from core.progress import PhaseClock, SilentReporter
    from core.spec import DataRef

    model = _network("bundled/efficientnet_lite0")
    card = get_model("bundled/efficientnet_lite0")
    data = load_images(
        DataRef(id="builtin/digits"), card.vision, train_size=20, test_size=10, seed=0, reporter=SilentReporter()
    )
    batcher = Batcher(card.vision, 32, torch.device("cpu"), channels_last=True)
    kept = {}
    for precision in ("bf16", "fp32"):
        engine = ComputeChoice(prefix="eager", prefix_precision=precision)
        prefix = FrozenPrefix(model, model.num_blocks, batcher, data.pixels, engine, "n", PhaseClock(SilentReporter()))
        kept[precision] = prefix.read(data.train)
        assert prefix._folded is not None
    likeness = torch.nn.functional.cosine_similarity(kept["bf16"], kept["fp32"])
    assert likeness.min() > 0.99


# -- while it learns ---------------------------------------------------------------------------------------


def _gradients(model: ImageClassifier, x: Tensor) -> dict[str, Tensor]:
    torch.manual_seed(0)
    model.train()
    model(x).log_softmax(1)[:, 0].mean().backward()
    found = {name: tensor.grad.clone() for name, tensor in model.named_parameters() if tensor.grad is not None}
    model.zero_grad()
    return found


def _frozen_norms(name: str) -> ImageClassifier:
    model = _network(name)
    model.freeze_batchnorm = True
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    return model.double()  # in fp32 some gradients are little but noise


@pytest.mark.parametrize(
    ("name", "are_joined"),
    [
        ("bundled/efficientnet_lite0", True),
        ("torchvision/resnet18", True),
        ("torchvision/mnasnet0_5", True),
        ("torchvision/densenet121", True),  # most of its norms stand before their convolutions
        ("torchvision/squeezenet1_1", False),
    ],
)
def test_gradients_are_the_same_where_norms_are_within(name: str, are_joined: bool) -> None:
    model = _frozen_norms(name)
    names, kinds = list(model.state_dict()), [type(module) for module in model.modules()]
    x = torch.randn(4, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    wanted = _gradients(model, x)
    with _in_double(), learning_quickly(model):
        assert ([type(module) for module in model.modules()] != kinds) == are_joined
        assert list(model.state_dict()) == names
        got = _gradients(model, x)
    assert [type(module) for module in model.modules()] == kinds
    assert wanted.keys() == got.keys()
    largest = max(float(gradient.abs().max()) for gradient in wanted.values())
    for key, gradient in wanted.items():
        assert (got[key] - gradient).abs().max() <= 1e-9 * largest, key


@contextmanager
def _in_double() -> Iterator[None]:
    """Noise of the network's own type."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(("recipe", "are_joined"), [(2, False), (3, False), (4, True)])
def test_run_that_began_with_norms_of_their_own_goes_on_so(recipe: int, are_joined: bool) -> None:
    model = _frozen_norms("torchvision/resnet18").float()
    kinds = [type(module) for module in model.modules()]
    learner: Any = SimpleNamespace(model=model)
    with ImageLearner.learning(learner, recipe):
        assert ([type(module) for module in model.modules()] != kinds) == are_joined


def test_norms_that_learn_their_statistics_stay() -> None:
    model = _network("torchvision/resnet18")
    kinds = [type(module) for module in model.modules()]
    assert not model.freeze_batchnorm
    with learning_quickly(model):
        assert [type(module) for module in model.modules()] == kinds


def test_norm_behind_another_convolution_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _crossed(monkeypatch)
    model.freeze_batchnorm = True
    kinds = [type(module) for module in model.modules()]
    with learning_quickly(model):
        assert [type(module) for module in model.modules()] == kinds


def test_features_are_as_anywhere_while_norms_are_within() -> None:
    model = _network("bundled/efficientnet_lite0")
    x = torch.randn(2, 3, 64, 64)
    before = fold(model, model.num_blocks, "fp32", CPU)
    with learning_quickly(model):
        within = fold(model, model.num_blocks, "fp32", CPU)
        classes = {type(module).__name__ for module in model.modules()}
    assert any(name.endswith("WithNorm") for name in classes)
    assert before is not None
    assert within is not None
    with torch.inference_mode():
        assert torch.equal(before(x), within(x))


@pytest.mark.parametrize("size", [64, 65, 71])
@pytest.mark.parametrize(
    "name",
    [
        "bundled/efficientnet_lite0",  # pads as TensorFlow does; activations within the norms
        "torchvision/mobilenet_v2",  # activations behind the norms
        "timm/efficientnet_b0",  # swish
        "torchvision/mobilenet_v3_small",  # hard swish
    ],
)
def test_convolutions_do_what_follows_them(name: str, size: int) -> None:
    """Whether or not the padding is one longer on one side, as it is for even sizes."""
    model = _network(name)
    folded = fold(model, model.num_blocks, "fp32", CPU)
    assert isinstance(folded, partial)
    parts = [part for stage in folded.args[0] for module in stage.modules for part in module.modules()]
    fused = [part for part in parts if isinstance(part, FusedConv2d)]
    assert {part.following[0] for part in fused} > {"none"}, "some do nothing more, others an activation"
    x = torch.randn(3, 3, size, size + 6)
    with torch.inference_mode():
        wanted = model.run(x, 0)
        assert (folded(x) - wanted).abs().max() < 1e-4 * wanted.abs().max()


def test_where_torch_lacks_the_operation_norms_are_folded_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _network("bundled/efficientnet_lite0")
    monkeypatch.setattr("core.networks.folding.can_fuse", lambda: False)
    folded = fold(model, model.num_blocks, "fp32", CPU)
    assert isinstance(folded, partial)
    parts = [part for stage in folded.args[0] for module in stage.modules for part in module.modules()]
    assert not any(isinstance(part, FusedConv2d) for part in parts)


def test_an_activation_that_is_not_what_it_seems_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs is not taken: then the norms alone are folded."""
    model = _network("bundled/efficientnet_lite0")
    monkeypatch.setattr("core.networks.folding.then", lambda _activation: ("hardtanh", [0.0, 0.5]))
    folded = fold(model, model.num_blocks, "fp32", CPU)
    assert isinstance(folded, partial)
    parts = [part for stage in folded.args[0] for module in stage.modules for part in module.modules()]
    assert not any(isinstance(part, FusedConv2d) for part in parts)
