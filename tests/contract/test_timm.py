"""timm's networks: the smallest of every class runs in stages as it runs whole, and a few of them live a whole run."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from core import settings
from core.data.images import load_images
from core.errors import WeightsError
from core.finetune.run import finetune
from core.finetune.spec import FinetuneSpec
from core.measurement.runtimes import open_file
from core.models import catalog, weight_files
from core.models.card import ModelCard, Preprocessing
from core.networks import build, from_timm, stages
from core.networks.heads import count_parameters, new_head
from core.networks.image import ImageClassifier, build_classifier, save_classifier
from core.networks.lora import lora_targets
from core.networks.stages import Stages
from core.networks.tuning import BEHAVIOURS, set_trainable
from core.optimize.export import export_onnx
from core.optimize.spec import OptimizeSpec
from core.optimize.trained_model import load_trained_model
from core.predict.load import load_predictor
from core.progress import PhaseClock
from core.registry.methods import MethodSettings
from core.runs.kinds import check_spec
from core.snapshot.timm_sizes import sizes_of
from core.spec import ModelRef
from core.store import open_store
from tests.fixtures.listening import Listener
from tests.fixtures.pictures import seeing
from tests.fixtures.walks import walk

# A small network of every class of timm's that is a chain of blocks: its stages, and the px at which it is quick.
NETWORKS: dict[str, tuple[int, int]] = {
    "botnet26t_256.c1_in1k": (9, 32), "vitamin_small_224.datacomp1b_clip": (15, 32),
    "beit_base_patch16_224.in22k_ft_in22k": (13, 32), "caformer_s18.sail_in1k": (19, 32),
    "cait_xxs24_224.fb_dist_in1k": (25, 32), "coatnet_nano_rw_224.sw_in1k": (17, 32),
    "convmixer_768_32.in1k": (33, 32), "cpubone_nano.r224_in1k": (8, 32), "crossvit_9_240.in1k": (1, 240),
    "cs3darknet_focus_s.ra4_e3600_r256_in1k": (5, 32), "csatv2.r512_in1k": (22, 64),
    "cspnext_tiny.rsb_a1_in1k": (10, 32), "darknet53.c2ns_in1k": (24, 32), "davit_tiny.msft_in1k": (7, 32),
    "deit_tiny_distilled_patch16_224.fb_in1k": (13, 32), "densenet121.ra_in1k": (5, 32), "dla46_c.in1k": (7, 32),
    "dpn68.mx_in1k": (23, 32), "edgenext_xx_small.in1k": (13, 32), "efficientformer_l1.snap_dist_in1k": (16, 224),
    "efficientformerv2_s0.snap_dist_in1k": (15, 32), "efficientvim_m1.e300_in1k": (1, 32),
    "efficientvim_m1_dist.in1k": (1, 32), "efficientvit_b0.r224_in1k": (11, 32),
    "efficientvit_l1.r224_in1k": (19, 32), "efficientvit_m0.r224_in1k": (7, 32), "ese_vovnet19b_dw.ra_in1k": (5, 32),
    "eva02_tiny_patch14_224.mim_in22k": (13, 32), "fasternet_t0.in1k": (5, 32),
    "fastvit_t8.apple_dist_in1k": (11, 32), "focalnet_tiny_srf.ms_in1k": (13, 32), "gcvit_xxtiny.in1k": (5, 32),
    "ghostnet_100.in1k": (11, 32), "hardcorenas_a.miil_green_in1k": (8, 32),
    "hgnetv2_b0.ssld_stage1_in22k_in1k": (6, 32), "hiera_tiny_224.mae": (13, 32), "iformer_t.in1k": (27, 32),
    "inception_next_atto.sail_in1k": (13, 32), "inception_resnet_v2.tf_ens_adv_in1k": (44, 96),
    "inception_v3.gluon_in1k": (12, 96), "inception_v4.tf_in1k": (22, 96), "lcnet_050.ra2_in1k": (7, 32),
    "lcnetv2_small.paddle_in1k": (11, 32), "legacy_seresnet18.in1k": (9, 32), "legacy_xception.tf_in1k": (13, 32),
    "levit_128s.fb_dist_in1k": (10, 32), "lowformer_b0.in1k": (12, 32), "mambaout_femto.in1k": (19, 32),
    "mixer_s16_224": (9, 32), "mobilevit_xxs.cvnets_in1k": (11, 32), "nest_tiny_jx.goog_in1k": (4, 32),
    "nextvit_small.bd_in1k": (21, 32), "pit_ti_distilled_224.in1k": (1, 32), "poolformerv2_s12.sail_in1k": (13, 32),
    "pvt_v2_b0.in1k": (5, 32), "rdnet_tiny.nv_in1k": (8, 32), "regnetx_002.pycls_in1k": (14, 32),
    "repghostnet_050.in1k": (11, 32), "repvit_m0_9.dist_300e_in1k": (21, 32), "res2net50d.in1k": (17, 32),
    "resnest14d.gluon_in1k": (5, 32), "resnetv2_18.ra4_e3600_r224_in1k": (9, 32), "rexnet_100.nav_in1k": (18, 32),
    "sam2_hiera_tiny.fb_r896": (13, 32), "samvit_base_patch16.sa1b": (13, 32), "sequencer2d_s.in1k": (19, 32),
    "shvit_s1.in1k": (12, 32), "skresnet18.ra_in1k": (9, 32), "starnet_s1.in1k": (20, 32),
    "swiftformer_xs.dist_in1k": (17, 32), "swin_tiny_patch4_window7_224.ms_in1k": (13, 32),
    "swinv2_cr_tiny_ns_224.sw_in1k": (13, 32), "swinv2_tiny_window8_256.ms_in1k": (13, 32),
    "test_byobnet.r160_in1k": (5, 32), "test_convnext.r160_in1k": (10, 32), "test_efficientnet.r160_in1k": (6, 32),
    "test_nfnet.r160_in1k": (5, 32), "test_resnet.r160_in1k": (5, 32), "test_vit.r160_in1k": (7, 32),
    "tiny_vit_5m_224.dist_in22k": (12, 32), "tresnet_m.miil_in1k": (22, 32), "vgg11.tv_in1k": (9, 32),
    "vit_small_patch16_dinov3.lvd1689m": (13, 32), "vit_srelpos_small_patch16_224.sw_in1k": (13, 32),
    "vit_tiny_r_s16_p8_224.augreg_in21k": (13, 32), "volo_d1_224.sail_in1k": (19, 32),
    "xception41p.ra3_in1k": (14, 32), "xcit_nano_12_p16_224.fb_dist_in1k": (13, 32),
}  # fmt: skip
# timm's own for tests, and those that are one stage.
FEW = [name for name, (blocks, _) in NETWORKS.items() if name.startswith("test_") or blocks == 1]
# Modules of timm whose networks are no chain of blocks: several maps at once, states beside the tokens, encoders.
WHOLE = {
    "coat", "convit", "deepseek_vit", "gemma4_vit", "hrnet", "mobilenetv5", "mvitv2", "naflexvit", "nasnet", "pnasnet",
    "qwen3_vit", "selecsls", "tnt", "twins", "visformer",
}  # fmt: skip


def card_of(name: str, **changes: Any) -> ModelCard:
    """A card as the catalogue holds it, of NAME.TAG."""
    found = timm.get_pretrained_cfg(name)
    size = min(found.input_size[1:])
    seen = Preprocessing(
        image_size=size, resize_size=size, interpolation="bicubic", mean=tuple(found.mean), std=tuple(found.std)
    )
    values = {
        "id": f"timm/{name}", "name": name, "family": "timm", "source": "timm", "parameters": 0, "gmacs": 0.1,
        "architecture": name.partition(".")[0], "tag": name.partition(".")[2], "size_mb": 1.0,
        "num_classes": found.num_classes, "metrics_on": "ImageNet-1K", "preprocessing": seen,
        "file_name": "model.safetensors", "url": f"https://huggingface.co/timm/{name}",
    }  # fmt: skip
    return ModelCard.model_validate(values | changes)


def edge(name: str) -> int:
    return min(timm.get_pretrained_cfg(name).input_size[1:])


def in_stages(parts: Stages, labels: str = "a") -> ImageClassifier:
    card = card_of("test_resnet.r160_in1k")
    return ImageClassifier(parts, parts.head, list(labels), card.vision, card.id, freeze_batchnorm=True).eval()


def with_values(name: str, size: int) -> nn.Module:
    """A network with values that are quickly drawn: timm's own take their time."""
    with stages.NothingDrawn():
        net = from_timm.create_named(name, size)
    torch.manual_seed(0)
    with torch.no_grad():
        for key, value in net.named_parameters():
            if value.ndim > 1:
                value.normal_(std=value[0].numel() ** -0.5)
            else:
                value.uniform_(0.5, 1.5) if key.endswith("weight") else value.uniform_(-0.1, 0.1)
    return net.eval()


@pytest.mark.parametrize("name", walk(sorted(NETWORKS), by_day=FEW))
def test_network_in_stages_is_the_network(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, size = NETWORKS[name]
    net = with_values(name, size)
    x = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        wanted = net(x)
    monkeypatch.setattr(build, "_create", lambda *_, **__: net)
    parts = build.build_stages(card_of(name), size, None)
    model = in_stages(parts)
    with torch.inference_mode():
        middle = model.run(x, 0, blocks // 2)
        found = model.head(model.run(middle, blocks // 2))
    assert found.isfinite().all()
    assert wanted.std() > 0
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    assert model.num_blocks == blocks
    assert len({stage.name for stage in model.stages}) == blocks
    # Every parameter learns with one stage, and a new head takes what leaves the last one.
    staged = [id(p) for stage in model.stages for p in stage.parameters()]
    assert sorted(set(staged)) == sorted(id(p) for p in parts.net.parameters())
    model.head = new_head(parts.num_features, 7, is_map=parts.is_map).eval()
    with torch.inference_mode():
        assert model.head(model.run(middle, blocks // 2)).shape == (2, 7)
    learning = []
    for method in ("head", "last", "full"):
        set_trainable(model, method, MethodSettings(last_blocks=1))
        learning.append(count_parameters(model)[1])
        frozen = [part for stage in model.train().stages[: model.num_frozen] for part in stage.modules]
        assert not any(module.training for part in frozen for module in part.modules())
    assert learning[0] == 7 * parts.num_features + 7
    assert learning[0] < learning[1] <= learning[2] == count_parameters(model)[0]
    assert (learning[1] == learning[2]) == (blocks == 1)


def test_every_module_of_timm_is_in_stages_or_said_to_be_whole() -> None:
    home = timm.models._registry._model_to_module
    asked = {home[name.partition(".")[0]] for name in timm.list_pretrained()}
    assert {home[name.partition(".")[0]] for name in NETWORKS} | WHOLE == asked


@pytest.mark.parametrize("name", ["coat_lite_tiny.in1k", "selecsls42b.in1k", "qwen3_vit_88m_enc.qwen3_5_0_8b"])
def test_network_that_is_no_chain_is_one_stage(name: str) -> None:
    size = min(edge(name), 224)
    with torch.device("meta"):
        parts = build.build_stages(card_of(name), size, None)
        model = in_stages(parts)
        assert [stage.name for stage in model.stages] == ["trunk"]
        assert model.run(torch.zeros(2, 3, size, size), 0).shape == (2, parts.num_features)
    one = MethodSettings(last_blocks=1)
    assert [BEHAVIOURS[name].cut(model.num_blocks, one) for name in ("head", "last", "full")] == [1, 0, 0]


def plant(name: str) -> nn.Module:
    """Random "published" weights of NAME.TAG in the Hugging Face cache; the network that they are of."""
    torch.manual_seed(0)
    net = timm.create_model(name, pretrained=False).eval()
    path = catalog._hugging_face_folder() if hasattr(catalog, "_hugging_face_folder") else settings.hub_folder()
    path = path / f"models--timm--{name}" / "snapshots" / "1"
    path.mkdir(parents=True)
    save_file({key: value.contiguous() for key, value in net.state_dict().items()}, path / "model.safetensors")
    return net


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put cards into the catalogue."""
    by_id = dict(catalog._by_id())

    def add(name: str, **changes: Any) -> ModelCard:
        card = card_of(name, **changes)
        by_id[card.id] = card
        return card

    monkeypatch.setattr(catalog, "_by_id", lambda: by_id)
    return add


RUNS = ["test_resnet.r160_in1k", "test_convnext.r160_in1k", "test_vit.r160_in1k"]
METHODS = {
    "random": {"model": {"weights": "random"}, "method": "full"},
    "head": {"method": "head"},
    "last": {"method": "last", "last_blocks": 2},
    "lora": {"method": "lora", "lora_rank": 4},
}


@pytest.mark.parametrize("name", RUNS)
def test_run_on_digits_learns_saves_and_answers_again(name: str, known: Any, tmp_path: Path) -> None:
    has_attention = "vit" in name
    card = known(name, has_attention_layers=has_attention, has_attention=has_attention)
    assert card.has_attention == has_attention
    assert not weight_files.is_local(card)
    plant(name)
    assert weight_files.is_local(card)
    store = open_store()
    for kind, method in METHODS.items():
        if kind == "lora" and not has_attention:
            continue
        model = {"id": card.id, **method.get("model", {})}
        values = {
            "data": {"id": "builtin/digits"}, "train_size": 60, "test_size": 30, "epochs": 2, "batch_size": 20,
            "image_size": 64, "precision": "fp32", "seed": 1, **method, "model": model,
        }  # fmt: skip
        spec = FinetuneSpec.model_validate(values)
        assert [problem.code for problem in check_spec(spec) if problem.severity == "error"] == []
        store.create_run(f"ft-{kind}", kind="finetune", name=kind, spec=spec.model_dump(mode="json"))
        summary = finetune(spec, store.get_run(f"ft-{kind}").folder, Listener(), resume=False)
        store.update_run(f"ft-{kind}", status="done", summary=summary)
        assert summary["test"]["n"] == 30
        seen = seeing(64, 64, "bicubic")
        data = load_images(spec.data, seen, train_size=60, test_size=30, seed=1, reporter=Listener())
        predictor = load_predictor(f"run/ft-{kind}")
        answers = predictor.predict(data.pixels.pictures(data.test))
        told = pd.read_parquet(store.get_run(f"ft-{kind}").folder / "artifacts" / "predictions.parquet")
        # Predict rounds an enlarged picture to whole values, training does not; a fitted head has large weights.
        assert np.allclose([answer[0][1] for answer in answers], told["confidence"], atol=0.02)
        made = catalog.get_model(f"run/ft-{kind}")
        assert made.has_attention == has_attention


@pytest.mark.parametrize("name", ["test_vit.r160_in1k", "swin_tiny_patch4_window7_224.ms_in1k"])
def test_published_weights_are_fitted_to_another_picture_size(name: str, known: Any) -> None:
    card = known(name)
    plant(name)
    size = 96
    whole = build_classifier(ModelRef(id=card.id), None, seed=0).eval()
    smaller = build_classifier(ModelRef(id=card.id), None, seed=0, image_size=size).eval()
    # timm's own way, from the same file.
    path = weight_files.find_weights(card)
    net = timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"file": str(path)}, img_size=size).eval()
    x, y = torch.randn(1, 3, size, size), torch.randn(1, 3, edge(name), edge(name))
    with torch.inference_mode():
        torch.testing.assert_close(smaller(x), net(x), rtol=1e-4, atol=1e-5)
        assert whole(y).shape == (1, card.num_classes)


def test_weights_in_half_precision_are_computed_in_fp32(known: Any) -> None:
    name = "test_vit.r160_in1k"
    card = known(name)
    net = plant(name)
    path = weight_files.find_weights(card)
    assert path is not None
    save_file({key: value.half() for key, value in net.state_dict().items()}, path)
    model = build_classifier(ModelRef(id=card.id), None, seed=0)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_file_of_another_network_is_refused(known: Any) -> None:
    card = known("test_vit.r160_in1k")
    net = plant(card.name)
    path = weight_files.find_weights(card)
    assert path is not None
    save_file({key: value for key, value in net.state_dict().items() if "norm" not in key}, path)
    with pytest.raises(WeightsError, match="does not fit"):
        build_classifier(ModelRef(id=card.id), None, seed=0)


@pytest.mark.parametrize(
    "name", ["test_vit.r160_in1k", "beit_base_patch16_224.in22k_ft_in22k_in1k", "swinv2_cr_tiny_ns_224.sw_in1k"]
)
def test_every_adapter_beside_attention_is_asked(name: str) -> None:
    """BEiT reads the weight of `qkv` itself, unless it is told not to."""
    parts = build.build_stages(card_of(name), 32, None)
    model, wanted = in_stages(parts), lora_targets(parts.net)
    x = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        before = model(x)
    set_trainable(model, "lora", MethodSettings(lora_rank=2, lora_alpha=4))
    with torch.inference_mode():
        torch.testing.assert_close(model(x), before, rtol=1e-4, atol=1e-5)
    model(x).sum().backward()
    asked = [p.grad is not None for key, p in model.net.named_parameters() if "lora_" in key]
    assert len(asked) == 2 * len(wanted) > 0
    assert all(asked)


def test_networks_without_linear_attention_take_no_adapters() -> None:
    with torch.device("meta"):
        for name in ("test_resnet", "test_efficientnet", "resnet50_clip"):
            assert lora_targets(timm.create_model(name)) == []


@pytest.mark.parametrize("name", ["test_vit.r160_in1k", "levit_128s.fb_dist_in1k", "poolformerv2_s12.sail_in1k"])
def test_copy_of_a_network_runs_on_its_own(name: str) -> None:
    size = edge(name)
    model = in_stages(build.build_stages(card_of(name), size, None))
    changed = copy.deepcopy(model)
    x = torch.randn(1, 3, size, size)
    with torch.inference_mode():
        before = model(x)
        for parameter in changed.parameters():
            parameter.zero_()
        assert not changed(x).any()
        assert torch.equal(model(x), before)


def test_exported_file_answers_as_the_network_does(known: Any, tmp_path: Path) -> None:
    name = "test_vit.r160_in1k"
    known(name)
    model = build_classifier(ModelRef(id=f"timm/{name}", weights="random"), list("0123456789"), seed=0, image_size=64)
    store = open_store()
    store.create_run("ft-1", kind="finetune", name="one", spec={})
    save_classifier(model, store.get_run("ft-1").folder / "artifacts" / "model")
    store.update_run("ft-1", status="done")
    spec = OptimizeSpec.model_validate({"model": {"id": "run/ft-1"}, "data": {"id": "builtin/digits"}})
    trained = load_trained_model(spec, PhaseClock(Listener()))
    export_onnx(trained, trained.model, tmp_path / "model.onnx")
    rows = trained.data.test[:5]
    found = open_file(str(tmp_path / "model.onnx"), "onnx", threads=1).run(trained.inputs(rows))
    np.testing.assert_allclose(found, trained.logits(trained.model, rows), atol=1e-4)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("test_resnet.r160_in1k", {"is_fixed_size": False, "min_size": 32, "size_multiple": 1}),
        ("test_vit.r160_in1k", {"is_fixed_size": False, "min_size": 32, "size_multiple": 16}),
        ("levit_128s.fb_dist_in1k", {"is_fixed_size": True, "min_size": 224, "size_multiple": 1}),
    ],
)
def test_picture_sizes_are_found_by_trial(name: str, wanted: dict[str, Any]) -> None:
    assert sizes_of(name) == wanted
