"""Every model of the catalogue and every network of timm has a family, and what is told of the families is sound."""

from __future__ import annotations

import re
from datetime import date

import pytest

from core.i18n import translator
from core.models.catalog import list_models
from core.models.families import FAMILIES, GROUP_NAMES, family_name, get_family

# Families that neither timm nor torchvision holds: the hub's.
OF_THE_HUB = {
    *(family.name for family in FAMILIES.values() if family.group == "nlp"),
    *("DETR", "SegFormer", "YOLOS", "ALIGN", "Chinese-CLIP", "unCLIP", "wav2vec 2.0", "Whisper"),
}
WITHOUT_A_PAPER = {"CSATv2", "PP-HGNet"}


def test_every_family_of_the_catalogue_has_an_entry() -> None:
    assert {card.family for card in list_models()} <= set(FAMILIES)


def test_torchvision_networks_get_the_family_of_their_cards_when_asked_by_name() -> None:
    cards = [card for card in list_models() if card.source == "torchvision"]
    assert len(cards) > 100
    assert not [card.id for card in cards if family_name(card.architecture, card.tag) != card.family]


def test_every_pretrained_network_of_timm_has_a_family_and_every_family_a_network() -> None:
    import timm

    names = [name.partition(".") for name in timm.list_models(pretrained=True)]
    families = {f"{name}.{tag}": family_name(name, tag) for name, _, tag in names}
    assert len(families) > 1000
    assert not [name for name, family in families.items() if get_family(family) is None]
    of_torchvision = {card.family for card in list_models() if card.source == "torchvision"}
    assert set(families.values()) | of_torchvision == set(FAMILIES) - OF_THE_HUB


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("resnet50.a1_in1k", "ResNet"),
        ("resnetv2_50.a1h_in1k", "ResNet"),
        ("resnetv2_50x1_bit.goog_in21k", "BiT"),
        ("resnet50d.ra2_in1k", "ResNet-D"),
        ("resnet50_clip.openai", "CLIP"),
        ("resnetrs50.tf_in1k", "ResNet-RS"),
        ("legacy_seresnext50_32x4d.in1k", "SE-ResNet"),
        ("dla60_res2net.in1k", "Res2Net"),
        ("tf_efficientnet_lite0.in1k", "EfficientNet"),
        ("tf_efficientnetv2_s.in21k", "EfficientNetV2"),
        ("convnext_tiny.fb_in1k", "ConvNeXt"),
        ("convnext_tiny.dinov3_lvd1689m", "ConvNeXt"),
        ("convnextv2_tiny.fcmae", "ConvNeXt V2"),
        ("coatnet_0_rw_224.sw_in1k", "CoAtNet"),
        ("coat_tiny.in1k", "CoaT"),
        ("efficientvit_m0.r224_in1k", "EfficientViT (Microsoft)"),
        ("efficientvit_b0.r224_in1k", "EfficientViT (MIT)"),
        ("swinv2_tiny_window8_256.ms_in1k", "Swin Transformer V2"),
        ("test_vit.r160_in1k", "Vision Transformer"),
        ("vit_base_patch16_224.augreg_in1k", "Vision Transformer"),
        ("vit_base_patch16_224.sam_in1k", "Vision Transformer"),
        ("vit_base_patch16_224.dino", "DINO"),
        ("vit_base_patch16_224.mae", "MAE"),
        ("vit_base_patch14_dinov2.lvd142m", "DINOv2"),
        ("vit_base_patch16_dinov3.lvd1689m", "DINOv3"),
        ("vit_base_patch16_dinov3_qkvb.eupe_lvd1689m", "EUPE"),
        ("vit_base_patch16_clip_224.laion2b_ft_in1k", "CLIP"),
        ("vit_large_patch14_clip_224.apple_mclip2_dfndr2b", "MobileCLIP"),
        ("vit_base_patch16_siglip_224.v2_webli", "SigLIP"),
        ("naflexvit_base_patch16_siglip.v2_webli", "SigLIP"),
        ("eva02_base_patch14_224.mim_in22k", "EVA"),
        ("deit3_base_patch16_224.fb_in1k", "DeiT"),
        ("beitv2_base_patch16_224.in1k_ft_in1k", "BEiT"),
        ("beit3_base_patch16_224.pt", "BEiT-3"),
        ("vitamin_small_224.datacomp1b_clip", "ViTamin"),
        ("samvit_base_patch16.sa1b", "SAM"),
        ("sam2_hiera_tiny.fb_r896", "SAM"),
    ],
)
def test_networks_get_the_family_they_are_known_by(name: str, family: str) -> None:
    architecture, _, tag = name.partition(".")
    assert family_name(architecture, tag) == family


def test_a_network_takes_its_family_from_the_module_when_its_name_says_nothing() -> None:
    assert family_name("something_new", module="vision_transformer") == "Vision Transformer"
    assert family_name("something_new", module="convnext") == "ConvNeXt"


def test_a_network_has_no_family_when_neither_name_nor_module_is_known() -> None:
    assert family_name("something_new", module="strange") == "strange"
    assert family_name("something_new") == "something_new"
    assert get_family("something_new") is None


def test_years_are_those_of_the_papers() -> None:
    for family in FAMILIES.values():
        assert 2012 <= family.year <= date.today().year, family.name
        number = re.fullmatch(r"https://arxiv\.org/abs/(\d\d)(\d\d)\.\d{4,5}", family.url)
        if "arxiv.org" in family.url:
            assert number, family.url
            assert family.year == 2000 + int(number[1]), family.name
            assert 1 <= int(number[2]) <= 12, family.url


def test_addresses_are_safe_and_stand_once() -> None:
    urls = [family.url for family in FAMILIES.values()]
    assert not [url for url in urls if not url.startswith("https://") or " " in url]
    assert len(set(urls)) == len(urls)
    assert {family.name for family in FAMILIES.values() if not family.paper} == WITHOUT_A_PAPER


@pytest.mark.parametrize("name", FAMILIES)
def test_two_sentences_tell_what_a_family_brought(name: str) -> None:
    text = FAMILIES[name].brought
    assert len(re.findall(r"\.(?= [A-Z]|$)", text)) == 2, text
    assert text[0].isupper()
    assert text.endswith(".")
    assert len(text) < 280, "a caption, no article"
    chinese = translator("zh_CN")(text)
    assert chinese.count("。") == 2, chinese
    assert chinese.endswith("。")


def test_every_group_has_a_name_and_families() -> None:
    assert {family.group for family in FAMILIES.values()} == set(GROUP_NAMES)
