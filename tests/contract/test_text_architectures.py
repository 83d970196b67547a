"""What the rows of text architectures say is what transformers' networks do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from core.networks.configurations import encoder_class, tokens_at_once
from core.registry.text_architectures import TEXT_ARCHITECTURES, TextArchitecture, text_architecture

_SMALL: dict[str, Any] = {
    "vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
    "max_position_embeddings": 20, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2,
}  # fmt: skip


@pytest.mark.parametrize("row", TEXT_ARCHITECTURES.values(), ids=lambda row: row.id)
def test_every_row_is_an_architecture_of_transformers(row: TextArchitecture) -> None:
    config = transformers.AutoConfig.for_model(row.id)
    assert type(config) in encoder_class(config)._model_mapping
    assert not row.is_pair or config.is_encoder_decoder
    assert text_architecture(row.id) is row


@pytest.mark.parametrize("kind", [*(row.id for row in TEXT_ARCHITECTURES.values() if row.positions_before), "bert"])
def test_as_many_tokens_fit_as_positions_are_left_and_no_more(kind: str) -> None:
    net = transformers.AutoModel.from_config(transformers.AutoConfig.for_model(kind, **_SMALL)).eval()
    most = tokens_at_once(net.config)
    assert most == 20 - text_architecture(kind).positions_before
    net(input_ids=torch.full((1, most), 5))
    with pytest.raises((IndexError, RuntimeError)):
        net(input_ids=torch.full((1, most + 1), 5))


def test_architecture_without_a_row_is_like_bert() -> None:
    row = text_architecture("something-new")
    assert (row.id, row.is_pair, row.positions_before, row.has_own_layers, row.tasks) == (
        "something-new", False, 0, True, (),
    )  # fmt: skip
