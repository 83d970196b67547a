"""Every classifier of the catalogue: takes a new head, freezes, counts, and computes what it did before."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
import torch
from accelerate import init_empty_weights
from torch import nn
from torchvision import models as zoo

from core.errors import NotFoundError, WeightsError
from core.models import catalog, weight_files
from core.models.card import ModelCard
from core.networks import build
from core.networks import weights as networks_weights
from core.networks.build import build_stages
from core.networks.heads import count_parameters, new_head
from core.networks.image import ImageClassifier, build_classifier, load_classifier, save_classifier
from core.networks.tuning import set_trainable
from core.registry.methods import MethodSettings
from core.spec import ModelRef
from tests.fixtures.walks import walk

CARDS = {
    card.architecture: card
    for card in catalog.list_models()
    if card.is_default and not card.is_text and card.source in ("bundled", "torchvision")
}


def _smallest_of_each_family() -> list[ModelCard]:
    best: dict[str, ModelCard] = {}
    for card in CARDS.values():
        if card.family not in best or card.parameters < best[card.family].parameters:
            best[card.family] = card
    return list(best.values())


FAMILIES = _smallest_of_each_family()
LIGHT = [card for card in FAMILIES if card.parameters < 30e6]


def _smallest_size(card: ModelCard) -> int:
    size = max(64, card.min_size)
    return -(-size // card.size_multiple) * card.size_multiple


def _plain_network(card: ModelCard, size: int) -> nn.Module:
    """The network as its package builds it, with random values."""
    torch.manual_seed(0)
    return build._create(card, size, is_whole=False).eval()


@pytest.mark.parametrize("architecture", walk(sorted(CARDS), by_day=[card.architecture for card in FAMILIES]))
def test_every_classifier_takes_a_new_head_freezes_and_counts(architecture: str) -> None:
    card = CARDS[architecture]
    with init_empty_weights():
        size = card.vision.image_size
        parts = build_stages(card, size, None)
        head = new_head(parts.num_features, 7, is_map=parts.is_map)
    model = ImageClassifier(parts, head, list("abcdefg"), card.vision, card.id, freeze_batchnorm=True)
    backbone = {id(p) for p in parts.net.parameters()}
    staged = {id(p) for stage in model.stages for p in stage.parameters()}
    assert backbone == staged, "a parameter belongs to no stage, or a stage to no network"
    total = count_parameters(model)[0]
    assert total == sum(p.numel() for p in parts.net.parameters()) + 7 * parts.num_features + 7
    learning = []
    for method, last in (("head", 1), ("last", 1), ("last", 2), ("full", 1)):
        set_trainable(model, method, MethodSettings(last_blocks=last))
        learning.append(count_parameters(model)[1])
        model.train()
        frozen = [m for stage in model.stages[: model.num_frozen] for part in stage.modules for m in part.modules()]
        assert not any(m.training for m in frozen)
    assert learning[0] == 7 * parts.num_features + 7
    assert learning == sorted(learning)
    assert learning[0] < learning[1] < learning[2] < learning[3] == total


@pytest.mark.parametrize("card", walk(FAMILIES, by_day=LIGHT), ids=lambda card: card.architecture)
def test_stages_and_head_compute_what_the_network_does(card: ModelCard) -> None:
    size = _smallest_size(card)
    net = _plain_network(card, size)
    x = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        wanted = net(x)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    plan_head = build._plan(card, _plain_network(card, size), size).head
    parts = build_stages(card, size, None)
    names = set(parts.net.state_dict())
    build._load(parts.net, {name: value for name, value in state.items() if name in names})
    own = {name: value for name, value in state.items() if name not in names}
    head_state = dict(zip(parts.head.state_dict(), own.values(), strict=True))
    parts.head.load_state_dict(head_state)
    model = ImageClassifier(parts, parts.head, ["a"], card.vision, card.id, freeze_batchnorm=True).eval()
    with torch.inference_mode():
        torch.testing.assert_close(model(x), wanted, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(model.head(model.run(model.run(x, 0, 2), 2)), wanted, rtol=1e-5, atol=1e-6)
    assert plan_head


@pytest.mark.parametrize("card", walk(FAMILIES, by_day=LIGHT), ids=lambda card: card.architecture)
def test_smallest_of_each_family_learns_saves_and_loads_to_the_same_logits(card: ModelCard, tmp_path) -> None:
    size = _smallest_size(card)
    ref = ModelRef(id=card.id, weights="random")
    model = build_classifier(ref, ["a", "b", "c"], seed=0, image_size=size)
    set_trainable(model, "last", MethodSettings(last_blocks=1))
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x, y = torch.randn(4, 3, size, size), torch.tensor([0, 1, 2, 0])
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    loss = torch.nn.functional.cross_entropy(model(x), y)
    assert torch.isfinite(loss)
    loss.backward()
    optimizer.step()
    frozen = {id(p) for stage in model.stages[: model.num_frozen] for p in stage.parameters()}
    for name, parameter in model.named_parameters():
        moved = not torch.equal(parameter, before[name])
        assert not (moved and id(parameter) in frozen), f"{name} is frozen and moved"
    assert not torch.equal(model.head.linear.weight, before["head.linear.weight"])
    model.eval()
    save_classifier(model, tmp_path / "model", method="last")
    loaded = load_classifier(tmp_path / "model")
    with torch.inference_mode():
        torch.testing.assert_close(loaded(x), model(x), rtol=1e-5, atol=1e-5)
    assert loaded.labels == ["a", "b", "c"]
    assert loaded.preprocessing.image_size == size


PECULIAR = ["mnasnet0_5", "densenet121", "googlenet", "inception_v3", "vit_b_32"]


@pytest.mark.parametrize("name", walk(PECULIAR, by_day=PECULIAR[:4]))
def test_published_files_fit_networks_with_peculiar_ones(name: str, tmp_path, monkeypatch) -> None:
    """Files as torchvision publishes them: auxiliary heads, dots in names, versions, another picture size."""
    card = CARDS[name]
    torch.manual_seed(0)
    options = {"init_weights": False} if name in {"googlenet", "inception_v3"} else {}
    net = getattr(zoo, name)(weights=None, **options).eval()
    state = net.state_dict()
    if name == "densenet121":
        for key in list(state):
            for part in ("norm", "relu", "conv"):
                for digit in "12":
                    if f"{part}{digit}." in key and "denselayer" in key:
                        state[key.replace(f"{part}{digit}.", f"{part}.{digit}.")] = state.pop(key)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(state, folder / card.file_name)
    digest = hashlib.sha256((folder / card.file_name).read_bytes()).hexdigest()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    forged = card.model_copy(update={"sha256": digest[:8]})
    parts = build_stages(forged, card.vision.image_size, networks_weights.load_weights(forged))
    model = ImageClassifier(parts, parts.head, ["a"], card.vision, card.id, freeze_batchnorm=True).eval()
    size = card.vision.image_size
    x = torch.randn(1, 3, size, size)
    if name in {"googlenet", "inception_v3"}:
        net.transform_input = True
    with torch.inference_mode():
        torch.testing.assert_close(model(x), net(x), rtol=1e-4, atol=1e-5)
    if name == "vit_b_32":  # position embeddings follow the picture
        smaller = build_stages(forged, 96, networks_weights.load_weights(forged))
        net_small = ImageClassifier(smaller, smaller.head, ["a"], card.vision, card.id, freeze_batchnorm=True)
        with torch.inference_mode():
            assert net_small.eval()(torch.randn(1, 3, 96, 96)).shape == (1, 1000)


def test_weights_of_the_convolutions_alone_get_a_head_on_their_map() -> None:
    card = catalog.get_model("torchvision/vgg16.imagenet1k_features")
    with init_empty_weights():
        parts = build_stages(card, 64, None)
        assert parts.num_features == 512
        assert not any(
            isinstance(m, nn.Linear) for stage in parts.stages for part in stage.modules for m in part.modules()
        )


def test_bundled_weights_answer_like_imagenet() -> None:
    """A picture of a plain colour field has no right answer, but real weights give the same one each time."""
    model = build_classifier(ModelRef(id="bundled/efficientnet_lite0"), None, seed=0)
    assert len(model.labels) == 1000
    assert model.labels[207] == "golden retriever"
    assert sum(p.numel() for p in model.parameters()) == catalog.get_model("bundled/efficientnet_lite0").parameters


def test_weights_are_refused_when_the_file_is_not_the_published_one(tmp_path, monkeypatch) -> None:
    card = CARDS["resnet18"]
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with pytest.raises(WeightsError, match="not on this machine"):
        networks_weights.load_weights(card)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / card.file_name).write_bytes(b"not these weights")
    assert weight_files.is_local(card)
    with pytest.raises(WeightsError, match="damaged"):
        networks_weights.load_weights(card)


def test_weights_run_nothing_that_a_file_says(tmp_path, monkeypatch) -> None:
    card = CARDS["resnet18"]
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save({"weight": _Hostile(tmp_path / "ran")}, folder / card.file_name)
    digest = hashlib.sha256((folder / card.file_name).read_bytes()).hexdigest()
    with pytest.raises(WeightsError):
        networks_weights.load_weights(card.model_copy(update={"sha256": digest[:8]}))
    assert not (tmp_path / "ran").exists()


@dataclasses.dataclass
class _Hostile:
    path: object

    def __reduce__(self):
        return (_touch, (str(self.path),))


def _touch(path: str) -> None:
    Path(path).touch()


def test_unknown_model_is_told_with_its_neighbours() -> None:
    with pytest.raises(NotFoundError, match="torchvision/resnet18"):
        catalog.get_model("torchvision/resnet19")


def test_hugging_face_cache_is_searched_too(tmp_path, monkeypatch) -> None:
    card = CARDS["resnet18"]
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    assert not weight_files.is_local(card)
    folder = tmp_path / "hf" / "hub" / "models--someone--mirror" / "snapshots" / "1"
    folder.mkdir(parents=True)
    (folder / card.file_name).touch()
    assert weight_files.is_local(card)
