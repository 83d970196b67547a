"""The catalogue: it holds what the packages publish, and can be narrowed down; nothing here loads weights."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.compare.estimate import estimate_compare
from core.compare.spec import CompareSpec
from core.errors import InputError
from core.finetune.estimate import estimate_finetune
from core.finetune.spec import FinetuneSpec
from core.messages import explain
from core.models import catalog, weight_files
from core.models.card import ModelCard, Preprocessing, TextInput
from core.models.catalog import check_image_size, get_model, list_models
from core.models.search import find_local, group_of, line_of, search_models
from core.optimize.estimate import estimate_optimize
from core.optimize.spec import OptimizeSpec
from core.predict.spec import PredictSpec
from core.runs.kinds import check_spec

ROOT = Path(__file__).resolve().parents[3]
# Networks of every build, counted again each time: the rest is counted when the snapshot is written.
RECOUNTED = (
    "timm/resnet50.a1_in1k",
    "timm/resnet50_clip.openai",
    "timm/mobilenetv3_small_100.lamb_in1k",
    "timm/vit_tiny_patch16_224.augreg_in21k",
    "timm/vit_base_patch16_clip_224.openai",
    "timm/swin_tiny_patch4_window7_224.ms_in1k",
    "timm/convnext_atto.d2_in1k",
    "timm/mixer_b16_224.goog_in21k",
    "timm/efficientnet_b0.ra_in1k",
    "hub/hfl/chinese-macbert-base",
    "hub/google/flan-t5-small",
    "hub/openai/clip-vit-base-patch32",
)
# As their publishers, or the papers, give them; of encoders with their pooler, of T5 the encoder.
PUBLISHED = {
    "hub/google-bert/bert-base-uncased": 109_482_240,
    "hub/google-bert/bert-large-uncased": 335_141_888,
    "hub/google-bert/bert-base-chinese": 102_267_648,
    "hub/google-bert/bert-base-multilingual-cased": 177_853_440,
    "hub/distilbert/distilbert-base-uncased": 66_362_880,
    "hub/FacebookAI/roberta-base": 124_645_632,
    "hub/FacebookAI/roberta-large": 355_359_744,
    "hub/FacebookAI/xlm-roberta-base": 278_043_648,
    "hub/FacebookAI/xlm-roberta-large": 559_890_432,
    "hub/albert/albert-base-v2": 11_683_584,
    "hub/albert/albert-xxlarge-v2": 222_595_584,
    "hub/openai-community/gpt2": 124_439_808,
    "hub/openai-community/gpt2-medium": 354_823_168,
    "hub/openai-community/gpt2-large": 774_030_080,
    "hub/openai-community/gpt2-xl": 1_557_611_200,
    "hub/google/electra-base-discriminator": 108_891_648,
    "hub/sentence-transformers/all-MiniLM-L6-v2": 22_713_216,
    "hub/sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2": 117_653_760,
    "hub/microsoft/MiniLM-L12-H384-uncased": 33_360_000,
    "hub/csebuetnlp/mT5_multilingual_XLSum": 582_401_280,
    "hub/facebook/dino-vits16": 21_665_664,
    "hub/facebook/dino-vitb16": 85_798_656,
    "hub/facebook/dinov2-small": 22_056_576,
    "hub/facebook/bart-large-cnn": 406_290_432,
    "hub/distilbert/distilbert-base-cased-distilled-squad": 65_192_450,
    "hub/google/vit-base-patch16-224": 86_567_656,
    "hub/facebook/deit-small-patch16-224": 22_050_664,
    "hub/microsoft/swin-tiny-patch4-window7-224": 28_288_354,
    "hub/facebook/convnext-tiny-224": 28_589_128,
    "hub/openai/clip-vit-base-patch32": 151_277_313,
    "hub/openai/clip-vit-base-patch16": 149_620_737,
    "hub/openai/clip-vit-large-patch14": 427_616_513,
    "hub/google/siglip-base-patch16-224": 203_155_970,
    "hub/nvidia/segformer-b0-finetuned-ade-512-512": 3_752_694,
    "hub/openai/whisper-tiny": 37_760_640,
    "hub/openai/whisper-small": 241_734_912,
    "hub/facebook/wav2vec2-base-960h": 94_396_320,
    "timm/resnet50.a1_in1k": 25_557_032,
    "timm/vit_base_patch16_224.augreg_in21k_ft_in1k": 86_567_656,
    "timm/efficientnet_b0.ra_in1k": 5_288_548,
    "timm/convnext_tiny.fb_in1k": 28_589_128,
    "timm/swin_tiny_patch4_window7_224.ms_in1k": 28_288_354,
}


def test_catalogue_is_what_the_installed_packages_publish() -> None:
    from core.snapshot.write import counts_of, snapshot, versions, write_json

    kept = json.loads(catalog.SNAPSHOT.read_text(encoding="utf-8"))
    if kept["versions"] != versions():  # newer packages within the allowed ranges know other models
        pytest.skip(f"stale: made of {kept['versions']}, here are {versions()}; run `python -m core.snapshot.write`")
    counted = {model_id: counts for model_id, counts in counts_of(kept).items() if model_id not in RECOUNTED}
    assert catalog.SNAPSHOT.read_text(encoding="utf-8") == write_json(snapshot(counted)), (
        "run `python -m core.snapshot.write`"
    )


def test_catalogue_holds_what_was_promised_each_once() -> None:
    cards = list_models()
    assert len({card.id for card in cards}) == len(cards) >= 1500
    assert set(RECOUNTED) <= {card.id for card in cards}
    families = {card.family for card in cards}
    assert {"BERT", "GPT-2", "RoBERTa", "T5", "ALBERT", "DistilBERT", "ELECTRA", "DeBERTa", "XLM-RoBERTa"} <= families
    assert {"MiniLM", "Chinese BERT (wwm)", "ERNIE", "MacBERT", "CLIP", "SigLIP", "ALIGN", "Chinese-CLIP"} <= families
    for card in (card for card in cards if not card.extra):
        assert card.parameters > 1e4, card.id
        assert card.gmacs > 0, card.id
        assert card.size_mb > 0, card.id
        assert card.url, card.id


@pytest.mark.parametrize("model_id", PUBLISHED)
def test_parameters_equal_the_published_ones(model_id: str) -> None:
    assert get_model(model_id).parameters == PUBLISHED[model_id]


def test_accuracies_of_timm_are_those_of_its_table() -> None:
    path = catalog.SNAPSHOT.parents[1] / "snapshot" / "timm.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == sorted({row["model"] for row in rows})
    cards = {card.id: card for card in list_models() if card.source == "timm"}
    known = [row for row in rows if f"timm/{row['model']}" in cards]
    assert len(known) > 900
    for row in known:
        card = cards[f"timm/{row['model']}"]
        assert card.metrics == {"acc@1": float(row["top1"]), "acc@5": float(row["top5"])}, card.id
        assert card.metrics_on == "ImageNet-1K", card.id
        told = f"measured at {row['img_size']} px"
        assert (int(row["img_size"]) == card.vision.image_size) != (told in card.notes), card.id


def test_own_classes_are_counted_only_where_they_have_names() -> None:
    for card in list_models():
        if card.source == "timm":
            assert bool(card.num_classes) == bool(card.metrics_on), card.id
    tower = get_model("timm/vit_base_patch16_clip_224.openai")
    assert tower.num_classes == 0
    assert "no classes" in tower.notes
    assert len(catalog.published_labels(get_model("timm/resnet50.a1_in1k"))) == 1000


def test_an_architecture_alone_means_its_recommended_weights() -> None:
    card = get_model("timm/resnet50")
    assert card.id.startswith("timm/resnet50.")
    assert card.is_default
    assert sum(other.is_default for other in list_models() if other.id.startswith("timm/resnet50.")) == 1


def test_cards_load_without_torch() -> None:
    code = "import sys, core.models.search as s; s.find_local(); assert not {'torch', 'timm'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# -- narrowing down ----------------------------------------------------------------------------------------

_SEEN = Preprocessing(image_size=224, resize_size=256, interpolation="bicubic", mean=(0, 0, 0), std=(1, 1, 1))


def _card(model_id: str, **facts: object) -> ModelCard:
    known = {"name": model_id, "family": "ResNet", "source": "timm", "architecture": "a", "tag": "t", "file_name": "f"}
    counted = {"parameters": 5_000_000, "gmacs": 1.0, "size_mb": 20.0, "num_classes": 1000, "preprocessing": _SEEN}
    return ModelCard.model_validate({**known, **counted, "id": model_id, **facts})


_READS = TextInput(max_length=512, vocabulary=21128, layers=12, hidden=768, languages=("zh",))
_TEXT = {"task": "text-classification", "text": _READS, "preprocessing": None, "source": "hub", "family": "MacBERT"}
CARDS = [
    _card("timm/small.a", licence="Apache-2.0", metrics={"acc@1": 76.0}),
    _card("timm/large.b", licence="CC-BY-NC-4.0", parameters=90_000_000, metrics={"acc@1": 84.0}),
    _card("timm/bare.c", metrics={}, num_classes=0),
    _card("hub/hfl/macbert", **{**_TEXT, "tasks": ("fill-mask",), "licence": "apache-2.0"}),
    _card("run/1", source="run", metrics={"acc@1": 99.0}, licence="Apache-2.0"),
]


def _found(**wanted: object) -> list[str]:
    local = {"timm/large.b", "run/1"}
    return [card.id for card in search_models(CARDS, local, **wanted)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["timm/small.a", "timm/large.b", "timm/bare.c", "hub/hfl/macbert", "run/1"]),
        ({"text": "SMALL timm"}, ["timm/small.a"]),
        ({"text": "small large"}, []),
        ({"text": "chinese"}, ["hub/hfl/macbert"]),
        ({"text": "zh fill-mask"}, ["hub/hfl/macbert"]),
        ({"task": "fill-mask"}, ["hub/hfl/macbert"]),
        ({"group": "nlp"}, ["hub/hfl/macbert"]),
        ({"families": ["MacBERT", "VGG"]}, ["hub/hfl/macbert"]),
        ({"sources": ["run"]}, ["run/1"]),
        ({"commercial": True}, ["timm/small.a", "hub/hfl/macbert", "run/1"]),
        ({"max_parameters_m": 10}, ["timm/small.a", "timm/bare.c", "hub/hfl/macbert", "run/1"]),
        ({"min_accuracy": 76}, ["timm/small.a", "timm/large.b"]),
        ({"only_local": True}, ["timm/large.b", "run/1"]),
        ({"only_local": True, "max_parameters_m": 10, "text": "run"}, ["run/1"]),
    ],
)
def test_search_keeps_what_fits_everything_asked_for(wanted: dict[str, object], found: list[str]) -> None:
    assert _found(**wanted) == found


def test_a_card_without_a_count_fits_no_limit_and_shows_no_number() -> None:
    card = _card("hub/x/y", parameters=0, gmacs=0.0)
    assert search_models([card], set(), max_parameters_m=1e6) == []
    assert " M " not in line_of(card, False)


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("Apache-2.0", True),
        ("MIT", True),
        ("BSD-3-Clause", True),
        ("CC-BY-NC-4.0", False),
        ("fair-noncommercial-research-license", False),
        ("apple-amlr", False),
        ("https://github.com/facebookresearch/SWAG/blob/main/LICENSE", False),
        ("gemma", None),
        ("not stated by the publisher", None),
        ("", None),
    ],
)
def test_licence_says_whether_commerce_is_allowed(licence: str, allowed: bool | None) -> None:
    assert _card("timm/a.b", licence=licence).allows_commerce is allowed


def test_every_card_has_a_group() -> None:
    groups = {group_of(card) for card in list_models()}
    assert groups == {"vision", "nlp", "multimodal"}
    assert group_of(get_model("hub/openai/clip-vit-base-patch32")) == "multimodal"


# -- what is here ------------------------------------------------------------------------------------------


def _put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_one_listing_finds_the_weights_that_each_card_finds(home: Path) -> None:
    hub, torch_home = home / "huggingface" / "hub", home / "torch" / "hub" / "checkpoints"
    assert {model_id.partition("/")[0] for model_id in find_local()} == {"bundled"}
    _put(torch_home / get_model("torchvision/resnet18").file_name)
    _put(hub / "models--someone--mirror" / "snapshots" / "1" / get_model("torchvision/vgg11").file_name)
    _put(hub / "models--timm--resnet18.a1_in1k" / "snapshots" / "1" / "model.safetensors")
    _put(hub / "models--google-bert--bert-base-chinese" / "snapshots" / "1" / "pytorch_model.bin")
    _put(hub / "models--FacebookAI--roberta-base" / "snapshots" / "1" / "config.json")
    found = find_local()
    assert found >= {"timm/resnet18.a1_in1k", "hub/google-bert/bert-base-chinese", "torchvision/vgg11.imagenet1k_v1"}
    assert found == {card.id for card in list_models() if weight_files.is_local(card)}
    assert "hub/FacebookAI/roberta-base" not in found


def test_weights_of_another_owner_are_found_under_their_own_repository(home: Path) -> None:
    card = next(card for card in list_models() if card.source == "timm" and not card.repository.startswith("timm/"))
    folder = "models--" + card.repository.replace("/", "--")
    _put(home / "huggingface" / "hub" / folder / "snapshots" / "1" / card.file_name)
    assert weight_files.is_local(card)
    assert card.id in find_local()


# -- what is asked and not trained -------------------------------------------------------------------------

_ASKED = [
    "hub/openai/whisper-tiny",
    "hub/openai/clip-vit-base-patch32",
    "hub/google/vit-base-patch16-224",
    "hub/facebook/bart-large-mnli",
    "hub/facebook/detr-resnet-50",
]


@pytest.mark.parametrize("model_id", _ASKED)
def test_a_model_that_is_only_asked_is_refused_with_what_to_do_instead(model_id: str) -> None:
    assert not get_model(model_id).is_trainable
    values = {"model": {"id": model_id}, "data": {"id": "builtin/digits"}}
    finetune = FinetuneSpec.model_validate(values)
    compare = CompareSpec.model_validate(values)
    optimize = OptimizeSpec.model_validate({**values, "passes": ["onnx"]})
    for spec in (finetune, compare, optimize):
        problems = check_spec(spec)
        assert [problem.code for problem in problems if problem.field == "model"] == ["model.not_trainable"]
        assert "timm" in explain(problems[0])
    for report in (estimate_finetune(finetune), estimate_compare(compare), estimate_optimize(optimize)):
        assert report.time_s is None


def test_a_table_of_texts_is_not_given_to_a_model_of_another_task(tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("text\ngood\n")
    spec = PredictSpec.model_validate({"model": "hub/facebook/bart-large-mnli", "file": str(tmp_path / "texts.csv")})
    assert [problem.code for problem in check_spec(spec)] == ["model.other_task"]


def test_card_of_sound_refuses_pictures_and_texts_in_a_sentence() -> None:
    card = get_model("hub/openai/whisper-tiny")
    assert not card.is_text
    for ask in (lambda: card.vision, lambda: card.reading):
        with pytest.raises(InputError):
            ask()


def test_bert_fills_gaps_beside_classifying() -> None:
    card = get_model("hub/google-bert/bert-base-chinese")
    assert card.is_trainable
    assert card.can("fill-mask")
    assert card.can("text-classification")
    assert not card.can("translation")


def test_a_network_of_one_size_refuses_others() -> None:
    card = _card("timm/a.b", is_fixed_size=True)
    assert check_image_size(card, 224) == []
    assert [problem.code for problem in check_image_size(card, 192)] == ["model.size_is_fixed"]
