"""What the catalogue knows of the hub beside texts: pictures, pictures with texts, speech, pictures from words.

These are asked, not trained here; the classifiers among them have twins in timm that are. Each row holds what its
published configuration says beyond its type's defaults; sizes are counted from that on the meta device.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
import transformers

from core.models.card import HUB, ModelCard, Preprocessing, TextInput
from core.networks.configurations import network_class
from core.networks.heads import IMAGENET
from core.registry.tasks import IMAGE_CLASSIFICATION as _CLASSIFY
from core.snapshot.texts import APACHE, MIT, NOT_STATED, TOKENS, count
from core.snapshot.timm import Counts

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_CLIP_COLOURS = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_TWIN = "Asked here; its twin from timm can be trained."
# Hidden size, heads and so on of the usual sizes of vision transformers (Dosovitskiy et al. 2020; Touvron et al. 2021).
_TINY = {"hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768}
_SMALL = {"hidden_size": 384, "num_attention_heads": 6, "intermediate_size": 1536}
_LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
_BERT_ZH = {"vocab_size": 21128}
_SIGLIP_2 = {"text_config": {"vocab_size": 256000}, "vision_config": {}}
_CLIP_LARGE = {
    "projection_dim": 768,
    "text_config": {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072, "projection_dim": 768},
    "vision_config": {**_LARGE, "patch_size": 14, "projection_dim": 768},
}
_WHISPER_BASE = {
    "d_model": 512, "encoder_layers": 6, "decoder_layers": 6, "encoder_attention_heads": 8,
    "decoder_attention_heads": 8, "encoder_ffn_dim": 2048, "decoder_ffn_dim": 2048,
}  # fmt: skip
_WHISPER_SMALL = {
    "d_model": 768, "encoder_layers": 12, "decoder_layers": 12, "encoder_attention_heads": 12,
    "decoder_attention_heads": 12, "encoder_ffn_dim": 3072, "decoder_ffn_dim": 3072,
}  # fmt: skip


class Seen(NamedTuple):
    """How a picture is shown: the edge that the network gets, the shorter edge before the crop, how, which colours."""

    size: int
    resized: int
    interpolation: str
    colours: tuple[tuple[float, ...], tuple[float, ...]]


class Row(NamedTuple):
    """One checkpoint of the hub. `languages`: of the texts it reads beside pictures, with `max_length` tokens."""

    repository: str
    name: str
    family: str
    task: str
    kind: str  # the type of its configuration
    changes: Mapping[str, Any]  # what differs from the type's defaults
    licence: str
    seen: Seen | None = None
    languages: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    notes: str = ""


_SQUARE_HALF = Seen(224, 224, "bilinear", _HALF)
_SQUARE = Seen(224, 224, "bicubic", _IMAGENET)
_CROPPED = Seen(224, 256, "bicubic", _IMAGENET)
_CLIP_SEEN = Seen(224, 224, "bicubic", _CLIP_COLOURS)
_FEATURES = "image-feature-extraction"
_ZERO_SHOT = "zero-shot-image-classification"
_SPEECH = "automatic-speech-recognition"
_ROWS = (
    Row("google/vit-base-patch16-224", "ViT base", "Vision Transformer", _CLASSIFY, "vit", {}, APACHE, _SQUARE_HALF,
        notes=_TWIN),
    Row("google/vit-large-patch16-224", "ViT large", "Vision Transformer", _CLASSIFY, "vit", _LARGE, APACHE,
        _SQUARE_HALF, notes=_TWIN),
    Row("facebook/deit-tiny-patch16-224", "DeiT tiny", "DeiT", _CLASSIFY, "vit", _TINY, APACHE, _CROPPED, notes=_TWIN),
    Row("facebook/deit-small-patch16-224", "DeiT small", "DeiT", _CLASSIFY, "vit", _SMALL, APACHE, _CROPPED,
        notes=_TWIN),
    Row("facebook/deit-base-patch16-224", "DeiT base", "DeiT", _CLASSIFY, "vit", {}, APACHE, _CROPPED, notes=_TWIN),
    Row("microsoft/swin-tiny-patch4-window7-224", "Swin tiny", "Swin Transformer", _CLASSIFY, "swin", {}, APACHE,
        _SQUARE, notes=_TWIN),
    Row("microsoft/swin-base-patch4-window7-224", "Swin base", "Swin Transformer", _CLASSIFY, "swin",
        {"embed_dim": 128, "depths": (2, 2, 18, 2), "num_heads": (4, 8, 16, 32)}, APACHE, _SQUARE, notes=_TWIN),
    Row("facebook/convnext-tiny-224", "ConvNeXt tiny", "ConvNeXt", _CLASSIFY, "convnext", {}, APACHE, _CROPPED,
        notes=_TWIN),
    Row("facebook/convnext-base-224", "ConvNeXt base", "ConvNeXt", _CLASSIFY, "convnext",
        {"hidden_sizes": (128, 256, 512, 1024), "depths": (3, 3, 27, 3)}, APACHE, _CROPPED, notes=_TWIN),
    Row("facebook/dino-vits16", "DINO small", "DINO", _FEATURES, "vit", _SMALL, APACHE, _SQUARE, notes=_TWIN),
    Row("facebook/dino-vitb16", "DINO base", "DINO", _FEATURES, "vit", {}, APACHE, _SQUARE, notes=_TWIN),
    Row("facebook/dinov2-small", "DINOv2 small", "DINOv2", _FEATURES, "dinov2",
        {"hidden_size": 384, "num_attention_heads": 6, "image_size": 518}, APACHE, _CROPPED, notes=_TWIN),
    Row("facebook/dinov2-base", "DINOv2 base", "DINOv2", _FEATURES, "dinov2", {"image_size": 518}, APACHE, _CROPPED,
        notes=_TWIN),
    Row("openai/clip-vit-base-patch32", "CLIP base, patches of 32 px", "CLIP", _ZERO_SHOT, "clip", {}, NOT_STATED,
        _CLIP_SEEN, ("en",)),
    Row("openai/clip-vit-base-patch16", "CLIP base, patches of 16 px", "CLIP", _ZERO_SHOT, "clip",
        {"text_config": {}, "vision_config": {"patch_size": 16}}, NOT_STATED, _CLIP_SEEN, ("en",)),
    Row("openai/clip-vit-large-patch14", "CLIP large", "CLIP", _ZERO_SHOT, "clip", _CLIP_LARGE, NOT_STATED,
        _CLIP_SEEN, ("en",)),
    Row("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "OpenCLIP base", "CLIP", _ZERO_SHOT, "clip", {}, MIT, _CLIP_SEEN,
        ("en",)),
    Row("google/siglip-base-patch16-224", "SigLIP base", "SigLIP", _ZERO_SHOT, "siglip", {}, APACHE,
        Seen(224, 224, "bicubic", _HALF), ("en",)),
    Row("google/siglip2-base-patch16-224", "SigLIP 2 base", "SigLIP", _ZERO_SHOT, "siglip", _SIGLIP_2, APACHE,
        Seen(224, 224, "bilinear", _HALF), ("multilingual",)),
    Row("kakaobrain/align-base", "ALIGN base", "ALIGN", _ZERO_SHOT, "align", {}, NOT_STATED,
        Seen(289, 346, "bilinear", _HALF), ("en",)),
    Row("OFA-Sys/chinese-clip-vit-base-patch16", "Chinese-CLIP base", "Chinese-CLIP", _ZERO_SHOT, "chinese_clip",
        {"text_config": _BERT_ZH, "vision_config": {"patch_size": 16}}, NOT_STATED, _CLIP_SEEN, ("zh",)),
    Row("facebook/detr-resnet-50", "DETR, ResNet-50", "DETR", "object-detection", "detr", {"num_labels": 91}, APACHE,
        Seen(800, 800, "bilinear", _IMAGENET), notes="Finds the 91 kinds of things of COCO."),
    Row("hustvl/yolos-tiny", "YOLOS tiny", "YOLOS", "object-detection", "yolos",
        {**_TINY, "image_size": (800, 1333), "use_mid_position_embeddings": False, "num_labels": 91}, APACHE,
        Seen(800, 800, "bilinear", _IMAGENET), notes="Finds the 91 kinds of things of COCO."),
    Row("nvidia/segformer-b0-finetuned-ade-512-512", "SegFormer B0, ADE20K", "SegFormer", "image-segmentation",
        "segformer", {"num_labels": 150}, "NVIDIA Source Code License (research)",
        Seen(512, 512, "bilinear", _IMAGENET), notes="Names each part of a picture as one of 150 kinds (ADE20K)."),
    Row("openai/whisper-tiny", "Whisper tiny", "Whisper", _SPEECH, "whisper", {}, APACHE,
        notes="Hears 30 s at once, in 99 languages; counted with 128 tokens written."),
    Row("openai/whisper-base", "Whisper base", "Whisper", _SPEECH, "whisper", _WHISPER_BASE, APACHE,
        notes="Hears 30 s at once, in 99 languages; counted with 128 tokens written."),
    Row("openai/whisper-small", "Whisper small", "Whisper", _SPEECH, "whisper", _WHISPER_SMALL, APACHE,
        notes="Hears 30 s at once, in 99 languages; counted with 128 tokens written."),
    Row("facebook/wav2vec2-base-960h", "wav2vec 2.0 base", "wav2vec 2.0", _SPEECH, "wav2vec2", {}, APACHE,
        notes="Hears English; counted for 10 s."),
)  # fmt: skip


def hub_models(counted: Mapping[str, Counts] | None = None) -> list[ModelCard]:
    """Every card of the hub that is not a text model; what `counted` holds of an id is not counted again."""
    return [*(_card(row, counted or {}) for row in _ROWS), _karlo()]


def _card(row: Row, known: Mapping[str, Counts]) -> ModelCard:
    labels = {"num_labels": 1000} if row.task == _CLASSIFY else {}
    config = transformers.AutoConfig.for_model(row.kind, **labels, **row.changes)
    model_id = f"hub/{row.repository}"
    kind = network_class(row.task, config)
    # DINO's published vision transformers have no layer behind the class token.
    options = {"add_pooling_layer": False} if row.family == "DINO" else {}
    counts = known.get(model_id) or count(kind, config, partial(_shown, row), **options)
    return ModelCard(
        id=model_id,
        name=row.name,
        family=row.family,
        task=row.task,
        tasks=row.tasks,
        source="hub",
        architecture=row.kind,
        tag="",
        metrics_on=IMAGENET if row.task == _CLASSIFY else "",
        num_classes=1000 if row.task == _CLASSIFY else 0,
        preprocessing=_preprocessing(row.seen) if row.seen else None,
        text=_reading(config.text_config, row.languages) if row.task == _ZERO_SHOT else None,
        licence=row.licence,
        recipe=HUB + row.repository,
        notes=row.notes,
        file_name="model.safetensors",
        url=HUB + row.repository,
        config=dict(row.changes),
        **counts,
    )


def _preprocessing(seen: Seen) -> Preprocessing:
    mean, std = seen.colours
    values = {"image_size": seen.size, "resize_size": seen.resized, "interpolation": seen.interpolation}
    return Preprocessing.model_validate({**values, "mean": mean, "std": std})


def _reading(config: Any, languages: tuple[str, ...]) -> TextInput:
    return TextInput(
        max_length=config.max_position_embeddings,
        vocabulary=config.vocab_size,
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        languages=languages,
    )


def _shown(row: Row, config: Any) -> dict[str, torch.Tensor]:
    """One picture of the network's own size, with one text where it reads texts; or a piece of speech."""
    if row.kind == "whisper":
        ids = torch.zeros(1, TOKENS, dtype=torch.long)
        return {"input_features": torch.zeros(1, config.num_mel_bins, 3000), "decoder_input_ids": ids}
    if row.kind == "wav2vec2":
        return {"input_values": torch.zeros(1, 16_000 * 10)}
    assert row.seen is not None
    picture = torch.zeros(1, 3, row.seen.size, row.seen.size)
    if row.task != _ZERO_SHOT:
        return {"pixel_values": picture}
    ids = torch.zeros(1, min(TOKENS, config.text_config.max_position_embeddings), dtype=torch.long)
    return {"pixel_values": picture, "input_ids": ids}


def _karlo() -> ModelCard:
    """unCLIP (Ramesh et al. 2022, what DALL-E 2 is), as Kakao Brain trained it: only with the extra `diffusers`.

    Its networks are diffusers' own, so nothing is counted here: 0 means not counted.
    """
    repository = "kakaobrain/karlo-v1-alpha"
    return ModelCard(
        id=f"hub/{repository}",
        name="Karlo",
        family="unCLIP",
        task="text-to-image",
        source="hub",
        architecture="unclip",
        tag="",
        parameters=0,
        gmacs=0.0,
        size_mb=0.0,
        num_classes=0,
        licence="CreativeML OpenRAIL-M",
        recipe=HUB + repository,
        notes="Draws a picture of 256 px from a sentence in English.",
        file_name="model_index.json",
        url=HUB + repository,
        extra="diffusers",
    )
