"""The families that models belong to: what each brought, when, in which paper; and which one a network is of.

A plain vision transformer is of the family that its weights were learned by (DINOv2, CLIP, MAE …), for there
are hundreds of one shape; any other network is of the family that its shape comes from, whatever its weights.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from core.i18n import N_
from core.models.family_texts import BROUGHT

Group = Literal["vision", "nlp", "multimodal"]
GROUP_NAMES: dict[Group, str] = {
    "vision": N_("Vision"),
    "nlp": N_("NLP"),
    "multimodal": N_("Multimodal"),
}


@dataclass(frozen=True)
class Family:
    """One family of models, with the paper that it was first described in."""

    name: str  # as in the field `family` of a `ModelCard`
    group: Group
    year: int  # of the first publication
    paper: str  # its title; empty where there is none
    url: str  # of the paper, or of the project's page where there is no paper
    brought: str  # two sentences, English: what it brought, and what it is good for


# name, year, paper, address or number at arXiv, what names of its networks begin with (timm and torchvision)
_Row = tuple[str, int, str, str, str]

# fmt: off
_VISION: tuple[_Row, ...] = (
    # -- convolutions ------------------------------------------------------------------------------------
    ("AlexNet", 2012, "ImageNet Classification with Deep Convolutional Neural Networks",
     "https://doi.org/10.1145/3065386", "alexnet"),
    ("VGG", 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition", "1409.1556", "vgg"),
    ("GoogLeNet", 2014, "Going Deeper with Convolutions", "1409.4842", "googlenet"),
    ("Inception", 2015, "Rethinking the Inception Architecture for Computer Vision", "1512.00567", "inception"),
    ("ResNet", 2015, "Deep Residual Learning for Image Recognition", "1512.03385", "resnet resnetv2 byobnet"),
    ("SqueezeNet", 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size",
     "1602.07360", "squeezenet"),
    ("Wide ResNet", 2016, "Wide Residual Networks", "1605.07146", "wide_resnet"),
    ("DenseNet", 2016, "Densely Connected Convolutional Networks", "1608.06993", "densenet rdnet"),
    ("Xception", 2016, "Xception: Deep Learning with Depthwise Separable Convolutions", "1610.02357", "xception"),
    ("ResNeXt", 2016, "Aggregated Residual Transformations for Deep Neural Networks", "1611.05431", "resnext"),
    ("MobileNetV1", 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
     "1704.04861", "mobilenetv1"),
    ("DPN", 2017, "Dual Path Networks", "1707.01629", "dpn"),
    ("DLA", 2017, "Deep Layer Aggregation", "1707.06484", "dla"),
    ("NASNet", 2017, "Learning Transferable Architectures for Scalable Image Recognition", "1707.07012",
     "nasnet pnasnet"),
    ("SE-ResNet", 2017, "Squeeze-and-Excitation Networks", "1709.01507",
     "senet seresnet seresnext eca_resne ecaresne gcresne bat_resne skresne"),
    ("MobileNetV2", 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", "1801.04381",
     "mobilenetv2 mobilenet_v2"),
    ("ShuffleNetV2", 2018, "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design", "1807.11164",
     "shufflenet"),
    ("MNASNet", 2018, "MnasNet: Platform-Aware Neural Architecture Search for Mobile", "1807.11626",
     "mnasnet semnasnet"),
    ("ResNet-D", 2018, "Bag of Tricks for Image Classification with Convolutional Neural Networks", "1812.01187",
     "resnetaa resnetblur"),
    ("FBNet", 2018, "FBNet: Hardware-Aware Efficient ConvNet Design via Differentiable Neural Architecture Search",
     "1812.03443", "fbnet spnasnet hardcorenas"),
    ("Res2Net", 2019, "Res2Net: A New Multi-scale Backbone Architecture", "1904.01169",
     "res2net res2next dla60_res2"),
    ("VoVNet", 2019, "An Energy and GPU-Computation Efficient Backbone Network for Real-Time Object Detection",
     "1904.09730", "vovnet ese_vovnet eca_vovnet"),
    ("MobileNetV3", 2019, "Searching for MobileNetV3", "1905.02244", "mobilenetv3 mobilenet_v3 mobilenet_edgetpu"),
    ("EfficientNet", 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", "1905.11946",
     "efficientnet tinynet"),
    ("SelecSLS", 2019, "XNect: Real-time Multi-Person 3D Motion Capture with a Single RGB Camera", "1907.00837",
     "selecsls"),
    ("MixNet", 2019, "MixConv: Mixed Depthwise Convolutional Kernels", "1907.09595", "mixnet"),
    ("HRNet", 2019, "Deep High-Resolution Representation Learning for Visual Recognition", "1908.07919", "hrnet"),
    ("CSPNet", 2019, "CSPNet: A New Backbone that can Enhance Learning Capability of CNN", "1911.11929",
     "cspres cspdark cspnext cs3 darknet sedarknet cspnet"),
    ("GhostNet", 2019, "GhostNet: More Features from Cheap Operations", "1911.11907", "ghostnet repghost"),
    ("BiT", 2019, "Big Transfer (BiT): General Visual Representation Learning", "1912.11370", ""),
    ("RegNet", 2020, "Designing Network Design Spaces", "2003.13678", "regnet"),
    ("TResNet", 2020, "TResNet: High Performance GPU-Dedicated Architecture", "2003.13630", "tresnet"),
    ("ResNeSt", 2020, "ResNeSt: Split-Attention Networks", "2004.08955", "resnest"),
    ("GERNet", 2020, "Neural Architecture Design for GPU-Efficient Networks", "2006.14090", "gernet"),
    ("ReXNet", 2020, "Rethinking Channel Dimensions for Efficient Model Design", "2007.00992", "rexnet"),
    ("RepVGG", 2021, "RepVGG: Making VGG-style ConvNets Great Again", "2101.03697", "repvgg"),
    ("BoTNet", 2021, "Bottleneck Transformers for Visual Recognition", "2101.11605",
     "botnet sebotnet eca_botnext halonet sehalonet eca_halonext haloregnet lambda_ lamhalo halo2 byoanet"),
    ("NFNet", 2021, "High-Performance Large-Scale Image Recognition Without Normalization", "2102.06171",
     "nfnet dm_nfnet eca_nfnet nf_"),
    ("ResNet-RS", 2021, "Revisiting ResNets: Improved Training and Scaling Strategies", "2103.07579", "resnetrs"),
    ("EfficientNetV2", 2021, "EfficientNetV2: Smaller Models and Faster Training", "2104.00298",
     "efficientnetv2 efficientnet_v2 gc_efficientnetv2"),
    ("PP-LCNet", 2021, "PP-LCNet: A Lightweight CPU Convolutional Neural Network", "2109.15099", "lcnet"),
    ("PP-HGNet", 2022, "",
     "https://github.com/PaddlePaddle/PaddleClas/blob/release/2.5.1/docs/en/models/PP-HGNet_en.md", "hgnet"),
    ("ConvNeXt", 2022, "A ConvNet for the 2020s", "2201.03545", "convnext"),
    ("ConvMixer", 2022, "Patches Are All You Need?", "2201.09792", "convmixer"),
    ("FocalNet", 2022, "Focal Modulation Networks", "2203.11926", "focalnet"),
    ("MobileOne", 2022, "MobileOne: An Improved One millisecond Mobile Backbone", "2206.04040", "mobileone"),
    ("ConvNeXt V2", 2023, "ConvNeXt V2: Co-designing and Scaling ConvNets with Masked Autoencoders", "2301.00808",
     "convnextv2"),
    ("FasterNet", 2023, "Run, Don't Walk: Chasing Higher FLOPS for Faster Neural Networks", "2303.03667", "fasternet"),
    ("InceptionNeXt", 2023, "InceptionNeXt: When Inception Meets ConvNeXt", "2303.16900", "inception_next"),
    ("RepViT", 2023, "RepViT: Revisiting Mobile CNN From ViT Perspective", "2307.09283", "repvit"),
    ("StarNet", 2024, "Rewrite the Stars", "2403.19967", "starnet"),
    ("MobileNetV4", 2024, "MobileNetV4 -- Universal Models for the Mobile Ecosystem", "2404.10518",
     "mobilenetv4 mobilenetv5"),
    ("MambaOut", 2024, "MambaOut: Do We Really Need Mamba for Vision?", "2405.07992", "mambaout"),
    ("EfficientViM", 2024, "EfficientViM: Efficient Vision Mamba with Hidden State Mixer based State Space Duality",
     "2411.15241", "efficientvim"),
    ("CSATv2", 2025, "", "https://huggingface.co/Hyunil/CSATv2", "csatv2"),
    # -- neither convolutions nor attention --------------------------------------------------------------
    ("MLP-Mixer", 2021, "MLP-Mixer: An all-MLP Architecture for Vision", "2105.01601",
     "mixer gmixer resmlp gmlp mlp_mixer"),
    ("MetaFormer", 2021, "MetaFormer Is Actually What You Need for Vision", "2111.11418",
     "poolformer convformer caformer metaformer"),
    ("Sequencer", 2022, "Sequencer: Deep LSTM for Image Classification", "2205.01972", "sequencer"),
    # -- plain vision transformers, by what they learned from --------------------------------------------
    ("Vision Transformer", 2020, "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale",
     "2010.11929", "vit vision_transformer"),
    ("DeiT", 2020, "Training data-efficient image transformers & distillation through attention", "2012.12877", "deit"),
    ("DINO", 2021, "Emerging Properties in Self-Supervised Vision Transformers", "2104.14294", ""),
    ("BEiT", 2021, "BEiT: BERT Pre-Training of Image Transformers", "2106.08254", "beit"),
    ("MAE", 2021, "Masked Autoencoders Are Scalable Vision Learners", "2111.06377", ""),
    ("EVA", 2022, "EVA: Exploring the Limits of Masked Visual Representation Learning at Scale", "2211.07636", "eva"),
    ("FlexiViT", 2022, "FlexiViT: One Model for All Patch Sizes", "2212.08013", "flexivit naflexvit"),
    ("I-JEPA", 2023, "Self-Supervised Learning from Images with a Joint-Embedding Predictive Architecture",
     "2301.08243", ""),
    ("SAM", 2023, "Segment Anything", "2304.02643", "samvit sam2_ hieradet"),
    ("DINOv2", 2023, "DINOv2: Learning Robust Visual Features without Supervision", "2304.07193", ""),
    ("RADIO", 2023, "AM-RADIO: Agglomerative Vision Foundation Model -- Reduce All Domains Into One", "2312.06709", ""),
    ("Sapiens", 2024, "Sapiens: Foundation for Human Vision Models", "2408.12569", ""),
    ("DINOv3", 2025, "DINOv3", "2508.10104", ""),
    ("EUPE", 2026, "Efficient Universal Perception Encoder", "2603.22387", ""),
    ("LingBot-Vision", 2026, "Vision Pretraining for Dense Spatial Perception", "2607.05247", ""),
    # -- transformers of other shapes, and mixtures with convolutions ------------------------------------
    ("TNT", 2021, "Transformer in Transformer", "2103.00112", "tnt"),
    ("ConViT", 2021, "ConViT: Improving Vision Transformers with Soft Convolutional Inductive Biases", "2103.10697",
     "convit"),
    ("Swin Transformer", 2021, "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows",
     "2103.14030", "swin"),
    ("CrossViT", 2021, "CrossViT: Cross-Attention Multi-Scale Vision Transformer for Image Classification",
     "2103.14899", "crossvit"),
    ("PiT", 2021, "Rethinking Spatial Dimensions of Vision Transformers", "2103.16302", "pit_"),
    ("CaiT", 2021, "Going deeper with Image Transformers", "2103.17239", "cait"),
    ("LeViT", 2021, "LeViT: a Vision Transformer in ConvNet's Clothing for Faster Inference", "2104.01136", "levit"),
    ("CoaT", 2021, "Co-Scale Conv-Attentional Image Transformers", "2104.06399", "coat"),
    ("Visformer", 2021, "Visformer: The Vision-friendly Transformer", "2104.12533", "visformer"),
    ("Twins", 2021, "Twins: Revisiting the Design of Spatial Attention in Vision Transformers", "2104.13840", "twins"),
    ("NesT", 2021,
     "Nested Hierarchical Transformer: Towards Accurate, Data-Efficient and Interpretable Visual Understanding",
     "2105.12723", "nest"),
    ("SegFormer", 2021, "SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers",
     "2105.15203", ""),
    ("CoAtNet", 2021, "CoAtNet: Marrying Convolution and Attention for All Data Sizes", "2106.04803",
     "coatnet coatnext"),
    ("XCiT", 2021, "XCiT: Cross-Covariance Image Transformers", "2106.09681", "xcit"),
    ("VOLO", 2021, "VOLO: Vision Outlooker for Visual Recognition", "2106.13112", "volo"),
    ("PVT v2", 2021, "PVT v2: Improved Baselines with Pyramid Vision Transformer", "2106.13797", "pvt_v2"),
    ("MobileViT", 2021, "MobileViT: Light-weight, General-purpose, and Mobile-friendly Vision Transformer",
     "2110.02178", "mobilevit"),
    ("Swin Transformer V2", 2021, "Swin Transformer V2: Scaling Up Capacity and Resolution", "2111.09883",
     "swinv2 swin_v2 swin_transformer_v2"),
    ("MViTv2", 2021, "MViTv2: Improved Multiscale Vision Transformers for Classification and Detection",
     "2112.01526", "mvitv2"),
    ("MaxViT", 2022, "MaxViT: Multi-Axis Vision Transformer", "2204.01697", "maxvit maxxvit"),
    ("DaViT", 2022, "DaViT: Dual Attention Vision Transformers", "2204.03645", "davit"),
    ("EfficientViT (MIT)", 2022,
     "EfficientViT: Multi-Scale Linear Attention for High-Resolution Dense Prediction", "2205.14756",
     "efficientvit_b efficientvit_l efficientvit_mit"),
    ("EfficientFormer", 2022, "EfficientFormer: Vision Transformers at MobileNet Speed", "2206.01191",
     "efficientformer"),
    ("GC ViT", 2022, "Global Context Vision Transformers", "2206.09959", "gcvit"),
    ("EdgeNeXt", 2022,
     "EdgeNeXt: Efficiently Amalgamated CNN-Transformer Architecture for Mobile Vision Applications",
     "2206.10589", "edgenext"),
    ("Next-ViT", 2022,
     "Next-ViT: Next Generation Vision Transformer for Efficient Deployment in Realistic Industrial Scenarios",
     "2207.05501", "nextvit"),
    ("TinyViT", 2022, "TinyViT: Fast Pretraining Distillation for Small Vision Transformers", "2207.10666",
     "tiny_vit"),
    ("FastViT", 2023, "FastViT: A Fast Hybrid Vision Transformer using Structural Reparameterization", "2303.14189",
     "fastvit"),
    ("SwiftFormer", 2023,
     "SwiftFormer: Efficient Additive Attention for Transformer-based Real-time Mobile Vision Applications",
     "2303.15446", "swiftformer"),
    ("EfficientViT (Microsoft)", 2023,
     "EfficientViT: Memory Efficient Vision Transformer with Cascaded Group Attention", "2305.07027",
     "efficientvit_m efficientvit_msra"),
    ("Hiera", 2023, "Hiera: A Hierarchical Vision Transformer without the Bells-and-Whistles", "2306.00989", "hiera"),
    ("SHViT", 2024, "SHViT: Single-Head Vision Transformer with Memory Efficient Macro Design", "2401.16456", "shvit"),
    ("LowFormer", 2024, "LowFormer: Hardware Efficient Design for Convolutional Transformer Backbones", "2409.03460",
     "lowformer cpubone"),
    ("iFormer", 2025, "iFormer: Integrating ConvNet and Transformer for Mobile Application", "2501.15369", "iformer"),
    # -- finding things in pictures ----------------------------------------------------------------------
    ("DETR", 2020, "End-to-End Object Detection with Transformers", "2005.12872", ""),
    ("YOLOS", 2021, "You Only Look at One Sequence: Rethinking Transformer in Vision through Object Detection",
     "2106.00666", ""),
)

_NLP: tuple[_Row, ...] = (
    ("Marian", 2018, "Marian: Fast Neural Machine Translation in C++", "1804.00344", ""),
    ("BERT", 2018, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
     "1810.04805", ""),
    ("GPT-2", 2019, "Language Models are Unsupervised Multitask Learners",
     "https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf", ""),
    ("ERNIE", 2019, "ERNIE: Enhanced Representation through Knowledge Integration", "1904.09223", ""),
    ("Chinese BERT (wwm)", 2019, "Pre-Training with Whole Word Masking for Chinese BERT", "1906.08101", ""),
    ("RoBERTa", 2019, "RoBERTa: A Robustly Optimized BERT Pretraining Approach", "1907.11692", ""),
    ("ALBERT", 2019, "ALBERT: A Lite BERT for Self-supervised Learning of Language Representations", "1909.11942", ""),
    ("DistilBERT", 2019, "DistilBERT, a distilled version of BERT: smaller, faster, cheaper and lighter",
     "1910.01108", ""),
    ("T5", 2019, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer",
     "1910.10683", ""),
    ("BART", 2019,
     "BART: Denoising Sequence-to-Sequence Pre-training for Natural Language Generation, Translation, and "
     "Comprehension", "1910.13461", ""),
    ("XLM-RoBERTa", 2019, "Unsupervised Cross-lingual Representation Learning at Scale", "1911.02116", ""),
    ("MiniLM", 2020,
     "MiniLM: Deep Self-Attention Distillation for Task-Agnostic Compression of Pre-Trained Transformers",
     "2002.10957", ""),
    ("ELECTRA", 2020, "ELECTRA: Pre-training Text Encoders as Discriminators Rather Than Generators",
     "2003.10555", ""),
    ("MacBERT", 2020, "Revisiting Pre-Trained Models for Chinese Natural Language Processing", "2004.13922", ""),
    ("DeBERTa", 2020, "DeBERTa: Decoding-enhanced BERT with Disentangled Attention", "2006.03654", ""),
    ("mT5", 2020, "mT5: A massively multilingual pre-trained text-to-text transformer", "2010.11934", ""),
)

_MULTIMODAL: tuple[_Row, ...] = (
    ("ALIGN", 2021, "Scaling Up Visual and Vision-Language Representation Learning With Noisy Text Supervision",
     "2102.05918", ""),
    ("CLIP", 2021, "Learning Transferable Visual Models From Natural Language Supervision", "2103.00020", ""),
    ("unCLIP", 2022, "Hierarchical Text-Conditional Image Generation with CLIP Latents", "2204.06125", ""),
    ("BEiT-3", 2022, "Image as a Foreign Language: BEiT Pretraining for All Vision and Vision-Language Tasks",
     "2208.10442", "beit3"),
    ("Chinese-CLIP", 2022, "Chinese CLIP: Contrastive Vision-Language Pretraining in Chinese", "2211.01335", ""),
    ("SigLIP", 2023, "Sigmoid Loss for Language Image Pre-Training", "2303.15343", ""),
    ("MobileCLIP", 2023, "MobileCLIP: Fast Image-Text Models through Multi-Modal Reinforced Training",
     "2311.17049", "fastvit_mci"),
    ("InternViT", 2023,
     "InternVL: Scaling up Vision Foundation Models and Aligning for Generic Visual-Linguistic Tasks",
     "2312.14238", ""),
    ("ViTamin", 2024, "ViTamin: Designing Scalable Vision Models in the Vision-Language Era", "2404.02132", "vitamin"),
    ("TIPS", 2024, "TIPS: Text-Image Pretraining with Spatial awareness", "2410.16512", ""),
    ("AIMv2", 2024, "Multimodal Autoregressive Pre-training of Large Vision Encoders", "2411.14402", "aimv2"),
    ("Perception Encoder", 2025,
     "Perception Encoder: The best visual embeddings are not at the output of the network", "2504.13181", ""),
    ("Qwen3-VL", 2025, "Qwen3-VL Technical Report", "2511.21631", "qwen3_vit"),
    ("Gemma 4", 2026, "Gemma 4 Technical Report", "2607.02770", "gemma4_vit"),
    ("DeepSeek-V4", 2026, "DeepSeek-V4.1-Flash: Pushing the Limits of KV Cache Compression", "2609.19969",
     "deepseek_vit"),
    ("wav2vec 2.0", 2020, "wav2vec 2.0: A Framework for Self-Supervised Learning of Speech Representations",
     "2006.11477", ""),
    ("Whisper", 2022, "Robust Speech Recognition via Large-Scale Weak Supervision", "2212.04356", ""),
)
# fmt: on

_ROWS: dict[Group, tuple[_Row, ...]] = {"vision": _VISION, "nlp": _NLP, "multimodal": _MULTIMODAL}


def _address(paper: str) -> str:
    return paper if paper.startswith("https://") else f"https://arxiv.org/abs/{paper}"


FAMILIES: dict[str, Family] = {
    name: Family(name, group, year, paper, _address(url), BROUGHT[name])
    for group, rows in _ROWS.items()
    for name, year, paper, url, _ in rows
}
_PREFIXES = {prefix: row[0] for rows in _ROWS.values() for row in rows for prefix in row[4].split()}

# What names a family in "architecture.tag"; the first that is found counts.
_SIGNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), family)
    for pattern, family in (
        (r"resnetv2_\w+_bit\.", "BiT"),
        (r"resnet\d+(x\d+)?_clip", "CLIP"),
        (r"resnet\d+[cdst]", "ResNet-D"),
        (r"vit_.*eupe", "EUPE"),
        (r"vit_.*dinov3", "DINOv3"),
        (r"vit_.*dinov2", "DINOv2"),
        (r"vit_.*\.dino", "DINO"),
        (r"vit_.*\.mae", "MAE"),
        (r"vit_.*ijepa", "I-JEPA"),
        (r"vit_.*_lingbot", "LingBot-Vision"),
        (r"vit_.*_sapiens", "Sapiens"),
        (r"(naflex)?vit_.*_radio", "RADIO"),
        (r"(naflex)?vit_.*_siglip", "SigLIP"),
        (r"vit_.*_tips", "TIPS"),
        (r"vit_intern", "InternViT"),
        (r"vit_pe_", "Perception Encoder"),
        (r"vit_.*(_mci_|mclip)", "MobileCLIP"),
        (r"vit_.*_clip", "CLIP"),
    )
)


def family_name(architecture: str, tag: str = "", module: str = "") -> str:
    """The family of a network of timm or torchvision, by its names.

    `architecture` is timm's name of the network, `tag` that of its weights, `module` that of the file that it
    comes from ("vision_transformer"), which helps where the name says nothing. A network of no known family
    gets the name of its module, or its own: `get_family` then answers None.
    """
    name = re.sub(r"^(test_|tf_|legacy_)", "", architecture)
    signed = next((family for pattern, family in _SIGNS if pattern.match(f"{name}.{tag}")), None)
    return signed or _by_prefix(name) or _by_prefix(module) or module or architecture


def _by_prefix(name: str) -> str | None:
    longest = max((prefix for prefix in _PREFIXES if name.startswith(prefix)), key=len, default=None)
    return None if longest is None else _PREFIXES[longest]


def get_family(name: str) -> Family | None:
    """What is known of the family of this name; None for one that the table does not have."""
    return FAMILIES.get(name)
