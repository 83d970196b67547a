"""Tiny random models of every task in the hub's cache layout, as its own libraries write them.

They prove shapes and plumbing: that files load, words become tokens, pictures become boxes and tokens become words.
Of quality they say nothing; what such a model answers is chance.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sentencepiece
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

CHARS = list(
    "abcdefghijklmnopqrstuvwxyz0123456789.,:()猫狗火箭北京首都中国一张的照片这个例子是表扬投诉长城建于明代电池"
)
SIGNS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = [*SIGNS, *CHARS]
_BERT = {
    "vocab_size": len(VOCABULARY), "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 16, "max_position_embeddings": 64,
}  # fmt: skip
_PAIR = {
    "vocab_size": len(VOCABULARY), "d_model": 16, "encoder_layers": 1, "decoder_layers": 1,
    "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16,
    "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3,
    "decoder_start_token_id": 2, "forced_eos_token_id": None,
}  # fmt: skip
_EYES = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
_TEXT = {**_BERT, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
_KINDS = {0: "sky", 1: "road", 2: "cat"}


def folder_of(model_id: str) -> Path:
    """Where the cache keeps a model of this id."""
    repository = model_id.removeprefix("hub/").replace("/", "--")
    return Path(os.environ["HF_HOME"]) / "hub" / f"models--{repository}" / "snapshots" / "0"


def plant(task_id: str, model_id: str = "") -> str:
    """Put a tiny model that does a task into the cache; returns its id."""
    model_id = model_id or f"hub/tiny/{task_id}"
    torch.manual_seed(0)
    folder = folder_of(model_id)
    folder.mkdir(parents=True, exist_ok=True)
    MAKERS[task_id](folder)
    return model_id


def _save(folder: Path, name: str, kind: str, values: dict[str, Any]) -> None:
    config = transformers.AutoConfig.for_model(kind, **values)
    getattr(transformers, name)(config).save_pretrained(folder)


def _words(folder: Path) -> None:
    """A tokenizer of single characters with BERT's signs."""
    ids = {word: place for place, word in enumerate(VOCABULARY)}
    words = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split("", "isolated")]
    )
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    words.decoder = decoders.Fuse()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=64,
    ).save_pretrained(folder)  # fmt: skip


def _marian(folder: Path) -> None:
    """With a tokenizer of SentencePiece, which is what such models come with, and a file of the old kind."""
    text = "\n".join(["a cat and a dog ran home", "the battery lasts two days", "电池能用两天", "北京是中国的首都"] * 8)
    (folder / "text.txt").write_text(text, encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text.txt"), model_prefix=str(folder / "source"), vocab_size=60, minloglevel=2,
        hard_vocab_limit=False, num_threads=1,
    )  # fmt: skip
    (folder / "source.model").rename(folder / "source.spm")
    (folder / "target.spm").write_bytes((folder / "source.spm").read_bytes())
    pieces = [line.split("\t")[0] for line in (folder / "source.vocab").read_text(encoding="utf-8").splitlines()]
    words = ["</s>", "<unk>", *[piece for piece in pieces if piece not in ("<s>", "</s>", "<unk>")], ">>cmn_Hans<<"]
    ids = {word: place for place, word in enumerate([*words, "<pad>"])}
    (folder / "vocab.json").write_text(json.dumps(ids), encoding="utf-8")
    signs = {"pad_token_id": len(ids) - 1, "eos_token_id": 0, "decoder_start_token_id": len(ids) - 1}
    config = transformers.MarianConfig(**{**_PAIR, **signs, "bos_token_id": None, "vocab_size": len(ids)})
    net = transformers.MarianMTModel(config)
    net.config.architectures = ["MarianMTModel"]
    net.config.save_pretrained(folder)
    torch.save(net.state_dict(), folder / "pytorch_model.bin")


def _with_words(name: str, kind: str, values: dict[str, Any]) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        _save(folder, name, kind, values)
        _words(folder)

    return make


def _with_eyes(name: str, kind: str, values: dict[str, Any], tool: Any, words: bool = False) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        _save(folder, name, kind, values)
        tool().save_pretrained(folder)
        if words:
            _words(folder)

    return make


def _whisper(folder: Path) -> None:
    """With the signs for moments, by which it moves on through recordings of more than half a minute."""
    ids = {word: place for place, word in enumerate(VOCABULARY)}
    words = transformers.WhisperTokenizer(
        vocab=ids, merges=[], unk_token="[UNK]", bos_token="[CLS]", eos_token="[SEP]", pad_token="[PAD]",
    )  # fmt: skip
    times = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]
    words.add_tokens(["<|notimestamps|>", *times], special_tokens=True)
    words.save_pretrained(folder)
    values = {**_PAIR, "num_mel_bins": 16, "max_source_positions": 1500, "max_target_positions": 32}
    config = transformers.WhisperConfig(**{**values, "vocab_size": len(words)})
    net = transformers.WhisperForConditionalGeneration(config)
    net.generation_config._from_model_config = False
    net.generation_config.no_timestamps_token_id = words.convert_tokens_to_ids("<|notimestamps|>")
    net.generation_config.suppress_tokens = net.generation_config.begin_suppress_tokens = None
    net.save_pretrained(folder)
    transformers.WhisperFeatureExtractor(feature_size=16).save_pretrained(folder)


def _wav2vec2(folder: Path) -> None:
    letters = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, **{c: 5 + i for i, c in enumerate("ABCDE")}}
    values = {
        "vocab_size": len(letters), "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 16, "conv_dim": (8, 8), "conv_stride": (5, 64), "conv_kernel": (10, 64),
        "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2,
    }  # fmt: skip
    _save(folder, "Wav2Vec2ForCTC", "wav2vec2", values)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    path = folder / "vocab.json"
    path.write_text(json.dumps(letters))
    transformers.Wav2Vec2CTCTokenizer(str(path)).save_pretrained(folder)


def _unclip(folder: Path) -> None:
    """A drawer of 16 px that is made larger once, by the classes of diffusers: only where that extra is installed."""
    import diffusers
    from diffusers.pipelines.deprecated.unclip.text_proj import UnCLIPTextProjModel

    width, layers = 16, {"layers_per_block": 1, "norm_num_groups": 4, "block_out_channels": (8, 16)}
    config = transformers.CLIPTextConfig(**{**_TEXT, "projection_dim": width})
    down, up = ("ResnetDownsampleBlock2D",) * 2, ("ResnetUpsampleBlock2D",) * 2
    enlarge = {"down_block_types": down, "up_block_types": up, "in_channels": 6, "out_channels": 3, **layers}
    enlarge = {**enlarge, "sample_size": 32, "add_attention": False, "resnet_time_scale_shift": "scale_shift"}
    _words(folder / "tokenizer")
    words = transformers.AutoTokenizer.from_pretrained(folder / "tokenizer")
    schedule = diffusers.UnCLIPScheduler
    diffusers.UnCLIPPipeline(
        prior=diffusers.PriorTransformer(
            num_attention_heads=2, attention_head_dim=8, embedding_dim=width, num_layers=1, num_embeddings=64,
        ),
        decoder=diffusers.UNet2DConditionModel(
            sample_size=16, in_channels=3, out_channels=6, **layers, cross_attention_dim=width,
            down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
            up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
            mid_block_type="UNetMidBlock2DSimpleCrossAttn", attention_head_dim=4, class_embed_type="identity",
            resnet_time_scale_shift="scale_shift",
        ),
        text_encoder=transformers.CLIPTextModelWithProjection(config),
        tokenizer=words,
        text_proj=UnCLIPTextProjModel(
            clip_embeddings_dim=width, time_embed_dim=32, cross_attention_dim=width, clip_extra_context_tokens=2
        ),
        super_res_first=diffusers.UNet2DModel(**enlarge),
        super_res_last=diffusers.UNet2DModel(**enlarge),
        prior_scheduler=schedule(variance_type="fixed_small_log", prediction_type="sample", clip_sample_range=5.0),
        decoder_scheduler=schedule(variance_type="learned_range", prediction_type="epsilon"),
        super_res_scheduler=schedule(variance_type="fixed_small_log", prediction_type="epsilon"),
    ).save_pretrained(folder)  # fmt: skip


def _clip_tool() -> Any:
    return transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})


def _detr_values() -> dict[str, Any]:
    backbone = transformers.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 8, 8],
        depths=[1, 1, 1, 1],
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    values = {
        **_PAIR,
        "d_model": 64,
        "encoder_attention_heads": 8,
        "decoder_attention_heads": 8,
        "num_queries": 4,
        "backbone_config": backbone,
    }
    return {**values, "id2label": _KINDS, "use_timm_backbone": False, "backbone": None}


_NLI = {0: "contradiction", 1: "neutral", 2: "entailment"}
_GPT2 = {
    "vocab_size": len(VOCABULARY), "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 64, "eos_token_id": 3,
    "bos_token_id": 2,
}  # fmt: skip
_T5 = {
    "vocab_size": len(VOCABULARY), "d_model": 16, "num_layers": 1, "num_heads": 2, "d_ff": 16, "d_kv": 8,
    "decoder_start_token_id": 0, "eos_token_id": 3, "pad_token_id": 0,
}  # fmt: skip
_CLIP = {"text_config": _TEXT, "vision_config": _EYES, "projection_dim": 8}
_YOLOS = {**_EYES, "image_size": [32, 32], "num_detection_tokens": 4, "id2label": _KINDS}
_SEGFORMER = {
    "num_encoder_blocks": 2, "depths": [1, 1], "sr_ratios": [2, 1], "hidden_sizes": [8, 8], "patch_sizes": [3, 3],
    "strides": [4, 2], "num_attention_heads": [1, 1], "mlp_ratios": [1, 1], "decoder_hidden_size": 8,
    "id2label": _KINDS,
}  # fmt: skip

MAKERS: dict[str, Callable[[Path], None]] = {
    "zero-shot-classification": _with_words("BertForSequenceClassification", "bert", {**_BERT, "id2label": _NLI}),
    "fill-mask": _with_words("BertForMaskedLM", "bert", _BERT),
    "question-answering": _with_words("BertForQuestionAnswering", "bert", _BERT),
    "summarization": _with_words("BartForConditionalGeneration", "bart", _PAIR),
    "translation-zh-en": _marian,
    "translation-en-zh": _marian,
    "text-generation": _with_words("GPT2LMHeadModel", "gpt2", _GPT2),
    "text2text-generation": _with_words("T5ForConditionalGeneration", "t5", _T5),
    "zero-shot-image-classification": _with_eyes("CLIPModel", "clip", _CLIP, _clip_tool, words=True),
    "image-text-similarity": _with_eyes("CLIPModel", "clip", _CLIP, _clip_tool, words=True),
    "object-detection": _with_eyes(
        "YolosForObjectDetection", "yolos", _YOLOS,
        lambda: transformers.YolosImageProcessor(size={"shortest_edge": 32, "longest_edge": 32}),
    ),
    "image-segmentation": _with_eyes(
        "SegformerForSemanticSegmentation", "segformer", _SEGFORMER,
        lambda: transformers.SegformerImageProcessor(size={"height": 64, "width": 64}),
    ),
    "automatic-speech-recognition": _whisper,
    "text-to-image": _unclip,
    # Other families that do the same tasks.
    "chinese-clip": _with_eyes(
        "ChineseCLIPModel", "chinese_clip", _CLIP,
        lambda: transformers.ChineseCLIPImageProcessor(size={"height": 32, "width": 32}, do_center_crop=False),
        words=True,
    ),
    "siglip": _with_eyes(
        "SiglipModel", "siglip", {"text_config": _TEXT, "vision_config": _EYES},
        lambda: transformers.SiglipImageProcessor(size={"height": 32, "width": 32}), words=True,
    ),
    "detr": lambda folder: _with_eyes(
        "DetrForObjectDetection", "detr", _detr_values(),
        lambda: transformers.DetrImageProcessor(size={"shortest_edge": 64, "longest_edge": 64}),
    )(folder),
    "detr-parts": lambda folder: _with_eyes(
        "DetrForSegmentation", "detr", _detr_values(),
        lambda: transformers.DetrImageProcessor(size={"shortest_edge": 64, "longest_edge": 64}),
    )(folder),
    "wav2vec2": _wav2vec2,
}  # fmt: skip
