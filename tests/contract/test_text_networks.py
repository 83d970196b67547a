"""Every family of text networks, on tiny random configurations: cut, frozen, adapted, saved and loaded alike."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
import transformers

from core.errors import InputError, NotFoundError
from core.models.catalog import get_model, list_models
from core.networks.heads import count_parameters
from core.networks.text import (
    TextClassifier,
    TokenBatch,
    build_text_classifier,
    load_text_classifier,
    save_text_classifier,
)
from core.networks.tuning import set_trainable
from core.registry.methods import MethodSettings
from core.spec import ModelRef
from tests.fixtures.text_models import FAMILIES, plant


def _batch() -> TokenBatch:
    ids = torch.tensor([[2, 8, 9, 10, 3, 0], [2, 11, 3, 0, 0, 0], [2, 4, 5, 6, 7, 3]])
    return TokenBatch(ids, (ids > 0).long())


def _build(kind: str, home: Path) -> TextClassifier:
    model = build_text_classifier(ModelRef(id=plant(kind, home)), ["no", "yes"], seed=0)
    with torch.no_grad():
        model(_batch())  # in training mode, once: the head's statistics are then those of some batch
    return model.eval()


@pytest.mark.parametrize("kind", FAMILIES)
def test_family_answers_and_padding_changes_nothing(kind: str, home: Path) -> None:
    model, batch = _build(kind, home), _batch()
    with torch.inference_mode():
        together = model(batch)
        alone = model(TokenBatch(batch.ids[1:2, :3], batch.mask[1:2, :3]))
    assert together.shape == (3, 2)
    torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", sorted(set(FAMILIES) - {"albert", "t5"}))
def test_layers_above_a_cut_give_the_same_from_kept_states(kind: str, home: Path) -> None:
    model, batch = _build(kind, home), _batch()
    assert model.num_blocks == 4
    assert model.can_be_cut
    with torch.inference_mode():
        whole = model.run(batch, 0)
        for cut in range(1, model.num_blocks + 1):
            kept = batch.with_hidden(model.run_prefix(batch, cut))
            torch.testing.assert_close(model.run(kept, cut), whole, atol=1e-5, rtol=1e-4)
    assert len(model.layers) == 3, "the layers taken out for a moment are back"


@pytest.mark.parametrize("method", ["head", "last", "full", "lora"])
@pytest.mark.parametrize("kind", FAMILIES)
def test_only_what_a_method_names_learns_and_it_is_saved(kind: str, method: str, home: Path, tmp_path: Path) -> None:
    model, batch = _build(kind, home), _batch()
    set_trainable(model, method, MethodSettings(last_blocks=1, lora_rank=4, lora_alpha=8))
    total, learning = count_parameters(model)
    before = {name: tensor.clone() for name, tensor in model.named_parameters()}
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert (learning == total) == (method == "full")
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    model.train()
    for _ in range(2):  # an adapter's second half begins at zero: the first step cannot move its first half
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(batch), torch.tensor([0, 1, 1])).backward()
        optimizer.step()
    changed = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert changed
    assert not changed & frozen
    assert (changed <= {"head.linear.weight", "head.linear.bias"}) == (method == "head")
    if method == "lora":
        assert any("lora_B" in name for name in changed)
    model.eval()
    with torch.inference_mode():
        answers = model(batch)
        save_text_classifier(model, tmp_path / "model")
        loaded = load_text_classifier(tmp_path / "model")
        assert not any("lora" in name for name, _ in loaded.named_parameters())
        torch.testing.assert_close(loaded(batch), answers, atol=1e-5, rtol=1e-4)


def test_random_weights_are_random_and_the_same_for_a_seed(home: Path) -> None:
    ref = ModelRef(id=plant("bert", home), weights="random")
    one, same, other = (build_text_classifier(ref, ["a", "b"], seed=seed) for seed in (1, 1, 2))
    pretrained = build_text_classifier(ModelRef(id="hub/tiny/bert"), ["a", "b"], seed=1)
    name = "net.embeddings.word_embeddings.weight"
    assert torch.equal(one.state_dict()[name], same.state_dict()[name])
    assert not torch.equal(one.state_dict()[name], other.state_dict()[name])
    assert not torch.equal(one.state_dict()[name], pretrained.state_dict()[name])


def test_published_classifier_answers_with_its_own_labels(home: Path) -> None:
    folder = Path(os.environ["HF_HOME"]) / "hub" / "models--tiny--bert" / "snapshots" / "0"
    plant("bert", home)
    config = transformers.AutoConfig.for_model("bert", **FAMILIES["bert"], id2label={0: "bad", 1: "good"})
    transformers.AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    assert get_model("hub/tiny/bert").labels == ("bad", "good")
    model = build_text_classifier(ModelRef(id="hub/tiny/bert"), None, seed=0)
    assert model.labels == ["bad", "good"]
    with torch.inference_mode():
        assert model(_batch()).shape == (3, 2)


def test_what_is_not_there_or_has_no_classifier_is_told(home: Path) -> None:
    with pytest.raises(NotFoundError):
        get_model("hub/nobody/nothing")
    with pytest.raises(InputError, match="no classifier"):
        build_text_classifier(ModelRef(id=plant("bert", home)), None, seed=0)


def test_code_of_a_repository_is_never_run(home: Path, tmp_path: Path) -> None:
    folder = Path(os.environ["HF_HOME"]) / "hub" / "models--tiny--bert" / "snapshots" / "0"
    model_id = plant("bert", home)
    mark = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w')\nclass Evil: ...\n")
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace("{", '{"auto_map": {"AutoModel": "evil.Evil"},', 1))
    build_text_classifier(ModelRef(id=model_id), ["a", "b"], seed=0)
    assert not mark.exists()


def test_cards_of_text_models_are_complete() -> None:
    cards = [card for card in list_models() if card.is_text]
    assert len(cards) > 12
    assert {"en", "zh", "multilingual"} <= {language for card in cards for language in card.reading.languages}
    for card in cards:
        assert card.parameters > 1e6
        assert card.gmacs > 0
        assert card.licence
        assert card.reading.layers
        assert card.reading.vocabulary > 10_000
