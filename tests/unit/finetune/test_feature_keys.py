"""What is kept of a frozen part belongs to the very weights that made it, whatever name they lie under."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import timm
import torch
from safetensors.torch import load_file, save_file

from core.data.images import load_images
from core.data.texts import load_texts
from core.finetune.records import FinetuneSummary
from core.finetune.run import finetune
from core.finetune.spec import FinetuneSpec
from core.models import weight_files
from core.models.catalog import get_model
from core.models.weight_cache import import_weights
from core.networks.identity import identity, identity_of_reading
from core.networks.image import load_classifier
from core.networks.text import load_text_classifier
from core.predict.pictures import Predictor
from core.predict.texts import TextPredictor
from core.spec import DataRef
from tests.fixtures.listening import Listener
from tests.fixtures.reviews import write_reviews
from tests.fixtures.text_models import plant

PICTURES = "timm/test_resnet.r160_in1k"


def test_other_pictures_weights_under_one_id_are_other_features(home: Path, tmp_path: Path) -> None:
    spec = FinetuneSpec.model_validate(
        {
            "model": {"id": PICTURES}, "data": {"id": "builtin/digits"}, "image_size": 32, "train_size": 60,
            "test_size": 50, "epochs": 2, "lr": 0.05,
        }
    )  # fmt: skip
    told = {}
    for seed in (0, 1):
        import_weights(PICTURES, _published(tmp_path / f"weights-{seed}", seed))
        summary = finetune(spec, tmp_path / f"run-{seed}", Listener(), resume=False)
        assert _computed(summary) == (sum(summary["data"][part] for part in ("train", "validation", "test")), 0)
        told[seed] = pd.read_parquet(tmp_path / f"run-{seed}" / "artifacts" / "predictions.parquet")
    assert not told[0].equals(told[1])
    again = finetune(spec, tmp_path / "again", Listener(), resume=False)
    assert _computed(again)[0] == 0, "the same weights are the same features"
    saved = Predictor(load_classifier(tmp_path / "run-1" / "artifacts" / "model"), 32)
    how = saved.model.preprocessing
    data = load_images(spec.data, how, train_size=60, test_size=50, seed=0, reporter=Listener())
    answers = saved.answer_seen(list(data.pixels.read(told[1]["row"].to_numpy())))
    assert [answer[0][0] for answer in answers] == [data.labels[place] for place in told[1]["predicted"]]


def test_other_text_weights_under_one_id_are_other_features(home: Path, tmp_path: Path) -> None:
    model = plant("bert", home)
    data = DataRef(id=f"path:{write_reviews(tmp_path)}")
    spec = FinetuneSpec.model_validate({"model": {"id": model}, "data": data, "lr": 0.05, "epochs": 2})
    first = finetune(spec, tmp_path / "a", Listener(), resume=False)
    assert _computed(first) == (160, 0)
    weights = Path(os.environ["HF_HOME"]) / "hub" / "models--tiny--bert" / "snapshots" / "0" / "model.safetensors"
    kept = weights.stat()
    save_file({name: tensor.flip(0) for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    os.utime(weights, ns=(kept.st_atime_ns, kept.st_mtime_ns))  # as a copy that keeps its time
    assert weights.stat().st_size == kept.st_size
    assert _computed(finetune(spec, tmp_path / "b", Listener(), resume=False)) == (160, 0)
    told = pd.read_parquet(tmp_path / "b" / "artifacts" / "predictions.parquet")
    texts = load_texts(data, seed=0).texts
    saved = TextPredictor(load_text_classifier(tmp_path / "b" / "artifacts" / "model"), 64, "run/b")
    answers = saved.probabilities([texts[row] for row in told["row"]])
    np.testing.assert_array_equal(answers.argmax(1), told["predicted"])


def test_identity_is_that_of_values_layers_settings_and_words(home: Path) -> None:
    from core.networks.text import build_text_classifier
    from core.spec import ModelRef

    model = build_text_classifier(ModelRef(id=plant("bert", home)), ["a", "b"], seed=0)
    first = identity(model.net, model.config)
    assert identity(model.net, model.config) == first
    model.config.layer_norm_eps = 0.1
    other = identity(model.net, model.config)
    assert other != first
    with torch.no_grad():
        next(model.net.parameters()).view(-1)[3] += 1e-3
    assert identity(model.net, model.config) not in (first, other)
    read = identity_of_reading(["a", "bc"], model.tokenizer, 16)
    model.tokenizer(["a b c d"], truncation=True, max_length=2)
    assert identity_of_reading(["a", "bc"], model.tokenizer, 16) == read
    assert identity_of_reading(["ab", "c"], model.tokenizer, 16) != read
    assert identity_of_reading(["a", "bc"], model.tokenizer, 8) != read
    model.tokenizer.add_tokens(["bc"])
    assert identity_of_reading(["a", "bc"], model.tokenizer, 16) != read


def test_stamp_changes_with_the_weights_that_lie_there(home: Path, tmp_path: Path) -> None:
    """What a page keeps in memory of a model is not what answers after other weights were brought."""
    card = get_model(PICTURES)
    assert weight_files.stamp(card) == ""
    import_weights(PICTURES, _published(tmp_path / "a", 0))
    first = weight_files.stamp(card)
    import_weights(PICTURES, _published(tmp_path / "b", 1))
    assert weight_files.stamp(card) not in ("", first)


def _published(folder: Path, seed: int) -> Path:
    """Weights as the hub holds them, of random values."""
    torch.manual_seed(seed)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    save_file(timm.create_model("test_resnet").state_dict(), folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps({"architecture": "test_resnet"}))
    return folder


def _computed(summary: FinetuneSummary) -> tuple[int, int]:
    """Rows that went through the frozen part, and rows of which that was kept."""
    return summary["engine"]["computed_rows"], summary["engine"]["cached_rows"]
