"""Text networks that learn more quickly: the embeddings that occur, quick dropout, and the same network behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor, nn

from core.networks.text_learning import QuickDropout, UsedEmbedding, dropout_mask, learning_quickly
from tests.fixtures.text_models import FAMILIES

USED = np.array([0, 2, 3, 7, 11])


def _network(kind: str) -> Any:
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(kind, **FAMILIES[kind])
    auto = transformers.AutoModelForTextEncoding if kind == "t5" else transformers.AutoModel
    return auto.from_config(config).eval()  # no dropout: what is learned does not hang on chance


def _learn(net: Any, ids: Tensor) -> int:
    """Three steps towards nothing in particular; returns how many numbers the optimizer moved."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.0)
    for _ in range(3):
        optimizer.zero_grad()
        net(input_ids=ids, attention_mask=torch.ones_like(ids))[0].square().mean().backward()
        optimizer.step()
    return sum(state["exp_avg"].numel() for state in optimizer.state.values())


def _modules(net: nn.Module) -> list[tuple[str, type]]:
    return [(name, type(module)) for name, module in net.named_modules(remove_duplicate=False)]


@pytest.mark.parametrize("kind", FAMILIES)
def test_networks_learn_the_same_with_the_tokens_that_occur(kind: str) -> None:
    whole, part = _network(kind), _network(kind)
    before = whole.get_input_embeddings()
    ids = torch.from_numpy(USED)[torch.tensor([[1, 3, 4, 2], [1, 4, 4, 2]])]
    names = list(part.state_dict())
    moved = _learn(whole, ids)
    with learning_quickly(part, USED):
        assert type(part.get_input_embeddings()) is UsedEmbedding
        assert _learn(part, ids) == moved - (before.num_embeddings - len(USED)) * before.embedding_dim
    assert list(part.state_dict()) == names
    for name, tensor in whole.state_dict().items():
        assert torch.allclose(part.state_dict()[name], tensor, atol=1e-6), name
    assert _modules(part) == _modules(whole)


def test_all_learn_where_most_occur_where_nothing_learns_and_where_their_weight_serves_something_else() -> None:
    net = _network("bert")
    with learning_quickly(net, np.arange(39)):
        assert type(net.get_input_embeddings()) is nn.Embedding
    net.pooler = nn.Linear(16, 40, bias=False)
    net.pooler.weight = net.get_input_embeddings().weight
    with learning_quickly(net, USED):
        assert type(net.get_input_embeddings()) is nn.Embedding
    net = _network("bert").requires_grad_(False)
    with learning_quickly(net, USED):
        assert type(net.get_input_embeddings()) is nn.Embedding


def test_all_learn_in_networks_that_read_their_table_in_other_ways_or_have_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = _network("bert").train()
    embedding, forward = net.embeddings.word_embeddings, type(net).forward

    def shifted(self: Any, input_ids: Tensor, **more: Any) -> Any:
        table = self.get_input_embeddings().weight
        return forward(self, inputs_embeds=table[input_ids % len(table)], **more)

    monkeypatch.setattr(type(net), "forward", shifted)
    with learning_quickly(net, USED):
        assert net.embeddings.word_embeddings is embedding
        assert all(module.training for module in net.modules())
        nn.init.ones_(embedding.weight)
    assert bool((embedding.weight == 1).all()), "what was learned is not undone"
    monkeypatch.setattr(type(net), "get_input_embeddings", _has_none)
    with learning_quickly(net, USED):
        assert net.embeddings.word_embeddings is embedding


def _has_none(_net: nn.Module) -> nn.Module:
    raise NotImplementedError


def test_network_is_whole_again_when_learning_failed() -> None:
    net = _network("bert")
    assert nn.Dropout in {type(module) for module in net.modules()}
    with pytest.raises(IndexError), learning_quickly(net, USED):
        net(input_ids=torch.tensor([[39]]))  # a token that was not to occur
    assert type(net.get_input_embeddings()) is nn.Embedding
    assert not {type(module) for module in net.modules()} & {QuickDropout, UsedEmbedding}


@pytest.mark.parametrize("p", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_leaves_out_so_many_keeps_the_mean_and_follows_the_seed(p: float, dtype: torch.dtype) -> None:
    shape = torch.Size([333, 301])
    torch.manual_seed(3)
    mask = dropout_mask(shape, p, dtype)
    n = shape.numel()
    assert mask.dtype == dtype
    # Five standard deviations of a binomial.
    assert abs(float((mask == 0).float().mean()) - p) <= 5 * (p * (1 - p) / n) ** 0.5
    assert float(mask.float().max()) == pytest.approx(0 if p == 1 else 1 / (1 - p), rel=4e-3)
    for shift in (1, 2, 3, 301):  # places that one random number decides about, and neighbours
        kept = (mask.flatten() != 0).float()
        if p < 1:
            together = torch.corrcoef(torch.stack([kept[:-shift], kept[shift:]]))[0, 1]
            assert abs(float(together)) < 5 / n**0.5
    torch.manual_seed(3)
    assert torch.equal(dropout_mask(shape, p, dtype), mask)


def test_dropout_does_nothing_in_answers_and_lets_gradients_through() -> None:
    layer, x = QuickDropout(0.25), torch.ones(50, 7, requires_grad=True)
    assert torch.equal(layer.eval()(x), x)
    y = layer.train()(x)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
