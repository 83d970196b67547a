"""The passes that learn: what they take out stays out, and what they add for training is gone afterwards."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from core.data.images import load_images
from core.data.texts import load_texts
from core.errors import InputError, StoppedError
from core.finetune.checkpoints import Checkpoints
from core.finetune.loop import Loop
from core.models.catalog import get_model
from core.networks.exportable import exportable
from core.networks.heads import count_parameters
from core.networks.image import build_classifier
from core.networks.text import TextClassifier, build_text_classifier
from core.networks.tokens import Tokens
from core.networks.transforms import Batcher
from core.optimize.layers import list_layers, list_weights
from core.optimize.masks import KEPT_AT_LEAST, Masks
from core.optimize.passes import distill, prune_gradual, prune_magnitude, prune_structured, qat
from core.optimize.passes.base import PassContext
from core.optimize.retrain import copy_of, retrain
from core.optimize.spec import OptimizeSpec
from core.optimize.teacher import ask_teacher
from core.optimize.trained_model import TrainedImageModel, TrainedModel, TrainedTextModel
from core.progress import PhaseClock, SilentReporter
from core.spec import DataRef, ModelRef
from tests.fixtures.listening import Listener
from tests.fixtures.pictures import seeing
from tests.fixtures.reviews import write_reviews
from tests.fixtures.text_models import plant

SMALL, DEEP = "torchvision/shufflenet_v2_x0_5", "torchvision/resnet18"
SIZE, CPU = 32, torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower on several."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reviews(tmp_path_factory.mktemp("data"))


def _spec(model: str, data: str, **changes: Any) -> OptimizeSpec:
    values = {"model": {"id": model, "weights": "random"}, "data": {"id": data}, "epochs": 1, "seed": 3}
    return OptimizeSpec.model_validate(values | changes)


def _digits(model: str = SMALL, **changes: Any) -> TrainedModel:
    """A random network on 200 digits of 32 px, as a trained model holds it."""
    spec, card = _spec(model, "builtin/digits", **changes), get_model(model)
    trained = TrainedImageModel(spec, card, PhaseClock(SilentReporter()))
    trained.size = SIZE
    trained.data = load_images(
        DataRef(id="builtin/digits"), seeing(SIZE, SIZE), train_size=200, test_size=50, seed=3, reporter=trained.clock
    )
    ref = ModelRef(id=model, weights="random")
    trained.model = build_classifier(ref, list(trained.data.labels), seed=0, image_size=SIZE).eval()
    trained._batcher = Batcher(card.vision, SIZE, CPU, channels_last=False)
    return trained


def _reviews(path: Path, home: Path, kind: str = "bert", **changes: Any) -> TrainedModel:
    """A tiny transformer of three layers on reviews that one word tells."""
    model = plant(kind, home)
    trained = TrainedTextModel(_spec(model, f"path:{path}", **changes), get_model(model), PhaseClock(SilentReporter()))
    trained.data = data = load_texts(DataRef(id=f"path:{path}"), seed=3)
    trained.model = build_text_classifier(ModelRef(id=model), list(data.labels), seed=0).eval()
    rows = np.concatenate([data.train, data.validation, data.test])
    trained.size = 32
    trained.tokens = Tokens(data.texts, rows, trained.model.tokenizer, trained.size, None)
    return trained


def _work(trained: TrainedModel, folder: Path, clock: PhaseClock | None = None) -> PassContext:
    def onnx() -> Path:
        raise AssertionError("passes that learn need no file")

    return PassContext(trained.spec, trained, trained.model, folder, clock or trained.clock, onnx)


def _values(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def _assert_exports_equal(trained: TrainedModel, network: Any, folder: Path) -> None:
    """ONNX Runtime answers as the network does, at another batch size than it was exported with."""
    rows = trained.data.test[:5]
    inputs = trained.inputs(rows[:2])
    tensors = tuple(torch.from_numpy(inputs[name]) for name in trained.input_names)
    program = torch.onnx.export(
        exportable(network).eval(), tensors, dynamo=True, dynamic_shapes=trained.dynamic_shapes(),
        input_names=list(trained.input_names), verbose=False,
    )  # fmt: skip
    assert program is not None
    program.save(folder / "model.onnx")
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    found = session.run(None, dict(trained.inputs(rows)))[0]
    np.testing.assert_allclose(found, trained.logits(network, rows), atol=1e-3, rtol=1e-3)


# -- layers ----------------------------------------------------------------------------------------------


def test_layers_leave_out_heads_norms_and_embeddings(reviews: Path, home: Path) -> None:
    images, texts = _digits().model, _reviews(reviews, home).model
    for network in (images, texts):
        names = list_weights(network)
        assert names
        assert not [name for name in names if "head" in name or "norm" in name.lower() or "embed" in name]
        assert set(names) <= {name for name, _ in network.named_modules()}
    assert len(list_layers(texts)) == 3 * 6


# -- pruning ---------------------------------------------------------------------------------------------


def test_zeros_stay_through_training_and_nothing_else_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, kept = _digits(sparsity=0.6, epochs=2), []
    save = Checkpoints.save_best

    def spy(self: Checkpoints, state: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
        kept.append({name: value.clone() for name, value in state.items()})
        save(self, state, facts)

    monkeypatch.setattr(Checkpoints, "save_best", spy)
    before = _values(trained.model)
    made = prune_magnitude.run(_work(trained, tmp_path))
    network, facts = made.network, made.facts
    drawn = copy_of(trained.model)
    Masks(list_weights(drawn)).draw(0.6)
    for name, weight in list_weights(network).items():
        assert torch.equal(weight == 0, list_weights(drawn)[name] == 0), name
        assert all(torch.equal(state[f"{name}.weight"] == 0, weight == 0) for state in kept), name
        assert weight.is_contiguous()
    assert kept
    assert facts["zeros"] == round(0.6 * facts["weights"])
    assert facts["sparsity"] == pytest.approx(0.6, abs=1e-4)
    assert max(layer["sparsity"] for layer in facts["layers"]) <= 1 - KEPT_AT_LEAST
    assert bool((network.head.linear.weight != 0).all())
    assert not torch.equal(network.head.linear.weight, trained.model.head.linear.weight), "it trained"
    for name, value in trained.model.state_dict().items():
        assert torch.equal(value, before[name]), f"the network it started from changed: {name}"
    assert list(tmp_path.iterdir()) == [], "the checkpoints are gone"


def test_gradual_pruning_rises_along_its_curve_to_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, drawn = _digits(sparsity=0.7, epochs=2), []
    draw = Masks.draw

    def spy(self: Masks, sparsity: float) -> None:
        draw(self, sparsity)
        drawn.append((sparsity, self.sparsity))

    monkeypatch.setattr(Masks, "draw", spy)
    made = prune_gradual.run(_work(trained, tmp_path))
    asked = [share for share, _ in drawn]
    assert asked == sorted(asked)
    assert len(asked) > 5
    # A cubic curve is at 7/8 of its height half-way.
    assert asked[len(asked) // 2 - 1] == pytest.approx(0.7 * 7 / 8, abs=0.03)
    assert [found for _, found in drawn] == pytest.approx(asked, abs=1e-4)
    assert made.facts["sparsity"] == pytest.approx(0.7, abs=1e-4)
    assert made.facts["best_epoch"] == 2, "an earlier epoch has fewer zeros"


def test_structured_pruning_is_smaller_and_its_file_answers_alike(tmp_path: Path) -> None:
    trained = _digits(DEEP, channel_ratio=0.5, train_size=64)
    trained.model.freeze_batchnorm = True
    made = prune_structured.run(_work(trained, tmp_path))
    facts, network = made.facts, made.network
    assert facts["parameters_before"] == count_parameters(trained.model)[0]
    assert facts["parameters"] == count_parameters(network)[0] < 0.4 * facts["parameters_before"]
    assert facts["gmacs"] < 0.5 * facts["gmacs_before"]
    assert network.head.linear.out_features == 10
    assert network.stages[0].modules[0].out_channels == 32, "the stages hold the layers that were cut"
    norm = network.net.bn1
    assert not torch.equal(norm.running_mean, torch.zeros_like(norm.running_mean)), "statistics are learned anew"
    assert not network.training
    _assert_exports_equal(trained, network, tmp_path)


def test_feed_forwards_lose_what_weighs_nothing_and_answers_stay(
    reviews: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = _reviews(reviews, home, channel_ratio=0.5)
    with torch.no_grad():
        for layer in trained.model.layers:
            layer.output.dense.weight[:, ::2] = 0  # every second hidden value reaches nothing
    monkeypatch.setattr(prune_structured, "retrain", lambda *_, **__: {})
    made = prune_structured.run(_work(trained, tmp_path))
    assert made.network.layers[0].intermediate.dense.out_features == 16
    assert made.facts["gmacs"] < made.facts["gmacs_before"]
    rows = trained.data.test
    np.testing.assert_allclose(trained.logits(made.network, rows), trained.logits(trained.model, rows), atol=1e-5)


def test_networks_without_separable_channels_are_refused(reviews: Path, home: Path, tmp_path: Path) -> None:
    for trained in (_reviews(reviews, home, "gpt2"), _digits("torchvision/shufflenet_v2_x0_5")):
        with pytest.raises(InputError) as caught:
            prune_structured.run(_work(trained, tmp_path))
        assert caught.value.code == "optimize.cannot_prune_channels"


# -- distillation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_student_has_half_the_layers_and_follows_its_teacher(
    weight: float, reviews: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = _reviews(reviews, home, epochs=8, lr=0.01, teacher_weight=weight)
    work = _work(trained, tmp_path)
    trained.model = wrong = copy_of(work.network)
    retrain(work, wrong, lr=0.01)
    with torch.no_grad():  # a teacher that is wrong on purpose
        wrong.head.linear.weight.copy_(wrong.head.linear.weight.flip(0))
        wrong.head.linear.bias.copy_(wrong.head.linear.bias.flip(0))
    # The true labels choose the best epoch, and would choose the one that follows least.
    monkeypatch.setattr(Loop, "is_validated", lambda self, epoch: epoch == self.spec.epochs)
    made = distill.run(work)
    rows = trained.data.train
    accuracy = (trained.logits(made.network, rows).argmax(1) == trained.data.targets[rows]).mean()
    assert accuracy < 0.4 if weight else accuracy > 0.9
    assert made.facts["teacher_validation"] < 0.2
    assert len(made.network.layers) == made.network.config.num_hidden_layers == 1
    assert (made.facts["layers"], made.facts["layers_before"]) == (1, 3)
    assert len(trained.model.layers) == 3
    assert made.facts["parameters"] < made.facts["parameters_before"]


def test_first_layers_of_a_student_are_those_of_the_original(reviews: Path, home: Path, tmp_path: Path) -> None:
    from core.optimize.student import build_student

    trained = _reviews(reviews, home)
    trained.model.layers.append(copy.deepcopy(trained.model.layers[0]))
    with torch.no_grad():
        trained.model.layers[2].output.dense.bias.fill_(7.0)
    student, facts = build_student(_work(trained, tmp_path))
    assert facts["layers_kept"] == [0, 2]
    assert isinstance(student, TextClassifier)
    assert bool((student.layers[1].output.dense.bias == 7).all())
    _assert_exports_equal(trained, student, tmp_path)


def test_teacher_of_other_classes_gets_a_head_and_sees_no_test_rows(reviews: Path, home: Path, tmp_path: Path) -> None:
    trained = _reviews(reviews, home, teacher=plant("electra", home))
    logits = ask_teacher(_work(trained, tmp_path), trained.spec.teacher)
    data = trained.data
    assert logits.shape == (len(data.targets), 2)
    asked = np.flatnonzero(logits.abs().sum(1).numpy())
    assert asked.tolist() == sorted([*data.train, *data.validation])
    assert not (tmp_path / "teacher").exists()


def test_students_that_do_not_fit_are_refused(reviews: Path, home: Path, tmp_path: Path) -> None:
    for trained, code in (
        (_digits(), "optimize.no_student"),
        (_digits(student=plant("electra", home)), "model.not_for_pictures"),
        (_reviews(reviews, home, student=SMALL), "model.not_for_texts"),
        (_reviews(reviews, home, student="bundled/minilm-l6"), "optimize.other_tokens"),
    ):
        with pytest.raises(InputError) as caught:
            distill.run(_work(trained, tmp_path))
        assert caught.value.code == code


def test_named_student_sees_pictures_as_it_was_trained_to(tmp_path: Path) -> None:
    trained = _digits(student=SMALL, train_size=64)
    shown = trained.model.preprocessing
    made = distill.run(_work(trained, tmp_path))
    assert made.facts["student_weights"] == "random", "its weights are not on this machine"
    trained.model.preprocessing = shown.model_copy(update={"mean": (0.1, 0.2, 0.3), "std": (1.0, 0.5, 2.0)})
    other = distill.run(_work(trained, tmp_path)).network
    first = other.stages[0]
    x = torch.rand(1, 3, SIZE, SIZE)
    old, new = (torch.tensor(values).view(1, 3, 1, 1) for values in ((0.1, 0.2, 0.3), shown.mean))
    old_std, new_std = (torch.tensor(values).view(1, 3, 1, 1) for values in ((1.0, 0.5, 2.0), shown.std))
    torch.testing.assert_close(first.run((x - old) / old_std), (x - new) / new_std)


# -- training for int8 -----------------------------------------------------------------------------------


def test_training_for_int8_leaves_a_plain_network_and_keeps_zeros(tmp_path: Path) -> None:
    trained = _digits("torchvision/squeezenet1_1", train_size=96)
    Masks(list_weights(trained.model)).draw(0.3)
    made = qat.run(_work(trained, tmp_path))
    network = made.network
    assert made.facts["layers_quantized"] == len(list_layers(trained.model)) > 10
    assert not [module for module in network.modules() if parametrize.is_parametrized(module)]
    assert not [module for module in network.modules() if module._forward_pre_hooks]
    assert set(network.state_dict()) == set(trained.model.state_dict())
    for name, weight in list_weights(network).items():
        was = list_weights(trained.model)[name]
        assert torch.equal(weight == 0, was == 0), name
        assert not torch.equal(weight, was), name
    _assert_exports_equal(trained, network, tmp_path)


def test_rounding_is_that_of_int8() -> None:
    torch.manual_seed(0)
    weight = torch.randn(4, 3, 3, 3)
    rounded = qat._Rounded(0)(weight)
    for channel in range(4):
        scale = weight[channel].abs().max() / 127
        torch.testing.assert_close(rounded[channel], (weight[channel] / scale).round() * scale)
    hook, layer = qat._Range(), nn.Linear(4, 4)
    x = torch.tensor([[-1.0, 0.0, 0.5, 3.0]])
    assert hook(layer, (x,)) is None
    hook.is_rounding = True
    seen = hook(layer.eval(), (x * 2,))[0]
    assert float(seen.max()) == pytest.approx(3.0, abs=0.02), "what lies outside the range is cut off"
    assert float(seen[0, 1]) == 0.0
    assert len(np.unique(hook(layer, (torch.linspace(-1, 3, 4000).view(-1, 4),))[0])) == 256


# -- what all have in common -----------------------------------------------------------------------------


def test_stop_is_heard_and_leaves_nothing(tmp_path: Path) -> None:
    trained = _digits()
    with pytest.raises(StoppedError):
        prune_magnitude.run(_work(trained, tmp_path, PhaseClock(Listener(stop_after=2))))
    assert list(tmp_path.iterdir()) == []


def test_same_seed_gives_the_same_weights_and_curves_are_told(tmp_path: Path) -> None:
    listener = Listener()
    networks = [
        prune_magnitude.run(_work(_digits(train_size=64), tmp_path, PhaseClock(reporter))).network
        for reporter in (listener, SilentReporter())
    ]
    for name, value in networks[0].state_dict().items():
        assert torch.equal(value, networks[1].state_dict()[name]), name
    assert ("val__accuracy", 2) in listener.rows
    assert ("train__loss", 2) in listener.rows


@pytest.mark.parametrize("made_by", [prune_magnitude, prune_gradual, prune_structured, qat, distill])
def test_other_classes_are_refused_before_anything_is_computed(made_by: Any, tmp_path: Path) -> None:
    trained = _digits()
    trained.model.labels = ["cat", "dog"]
    with pytest.raises(InputError) as caught:
        made_by.run(_work(trained, tmp_path))
    assert caught.value.code == "optimize.other_labels"


def test_copy_of_a_vision_transformer_shares_nothing_with_it() -> None:
    with torch.device("meta"):
        model = build_classifier(ModelRef(id="torchvision/vit_b_32", weights="random"), ["a", "b"], seed=0)
    model = model.to_empty(device="cpu")
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    copied = copy_of(model)
    with torch.no_grad():
        copied.net.encoder.pos_embedding.fill_(1.0)
        x = torch.zeros(1, 3, 224, 224)
        assert float(copied.run(x, 0, 1).mean()) == 1.0
        assert float(model.run(x, 0, 1).mean()) == 0.0
