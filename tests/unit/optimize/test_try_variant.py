"""Asking an optimized file: pictures and texts as they were read in training, and what cannot be asked."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from core.errors import NotFoundError
from core.optimize.try_variant import load_variant
from core.predict.spec import PredictSpec
from core.runs import kinds, manage, submit
from core.runs.worker import work
from core.spec import parse_spec
from core.store import Run, open_store
from tests.fixtures.optimizations import BROKEN, make_optimization

LITE0 = "bundled/efficientnet_lite0"
PICTURES = {
    "task": "image-classification",
    "labels": ["dark", "bright"],
    "input": "pixels",
    "image_size": 32,
    "resize_size": 32,
    "interpolation": "bilinear",
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
}


def _save(folder: Path, nodes: list[Any], inputs: list[Any], weights: list[Any], facts: dict[str, Any]) -> None:
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [None, 2])
    graph = helper.make_graph(nodes, "net", inputs, [logits], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(folder / "model.onnx"))
    (folder / "preprocessing.json").write_text(json.dumps(facts), encoding="utf-8")
    path = folder.parents[1] / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    report["conditions"]["labels"] = facts["labels"]
    path.write_text(json.dumps(report), encoding="utf-8")


def _folder(run: Run, name: str = "static_int8") -> Path:
    return run.folder / "artifacts" / "variants" / name


def _of_pictures() -> Run:
    """Its variant tells bright pictures from dark ones."""
    run = make_optimization("done")
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [None, 3, 32, 32])
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "axis"], ["column"]),
        helper.make_node("MatMul", ["column", "weights"], ["logits"]),
    ]
    weights = [
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("weights", TensorProto.FLOAT, [1, 2], [-0.5, 0.5]),
    ]
    _save(_folder(run), nodes, [pixels], weights, PICTURES)
    return run


def test_pictures_are_normalised_and_answered() -> None:
    variant = load_variant(_of_pictures().id, "static_int8")
    white, black = (Image.new("RGB", (40, 50), colour) for colour in ("white", "black"))
    bright, dark = variant.predict([white, black])
    # White is (1 - 0.5) / 0.25 = 2: logits of -1 and 1.
    assert bright[0] == ("bright", pytest.approx(1 / (1 + np.exp(-2)), abs=1e-3))
    assert dark[0][0] == "dark"


def test_variant_answers_a_folder_as_a_run(tmp_path: Path) -> None:
    """Each as it is answered alone, without the model that it was made of."""
    made = _of_pictures()
    folder = tmp_path / "pictures"
    folder.mkdir()
    greys = {f"{grey:03}.png": Image.new("RGB", (40, 50), (grey, grey, grey)) for grey in range(0, 250, 10)}
    for name, picture in greys.items():
        picture.save(folder / name)
    asked = {"model": LITE0, "file": str(folder), "variant": f"{made.id}/static_int8"}
    run = submit.new_run(parse_spec(PredictSpec, asked))
    assert "--variant" in kinds.command_line(manage.spec_of(run))
    open_store().update_run(run.id, status="running")
    assert work(run.id) == 0, manage.read_log(run.id)
    assert open_store().get_run(run.id).summary["answered_by"] == [f"{made.id}/static_int8"]
    with (run.folder / "artifacts" / "answers.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    alone = load_variant(made.id, "static_int8").predict(list(greys.values()))
    assert [row["label"] for row in rows] == [shares[0][0] for shares in alone]
    assert [float(row["confidence"]) for row in rows] == [pytest.approx(shares[0][1], abs=1e-4) for shares in alone]
    assert {row["label"] for row in rows} == {"dark", "bright"}


def test_what_speaks_against_a_variant_is_told_before_the_start(tmp_path: Path) -> None:
    made = _of_pictures()
    (tmp_path / "a.csv").write_text("text\ngood\n", encoding="utf-8")

    def codes(model: str, variant: str) -> list[str]:
        spec = parse_spec(PredictSpec, {"model": model, "file": str(tmp_path / "a.csv"), "variant": variant})
        return [problem.code for problem in kinds.check_spec(spec) if problem.field == "variant"]

    assert codes(LITE0, f"{made.id}/static_int8") == []
    assert codes(LITE0, f"{made.id}/never") == ["optimize.no_variant"]
    assert codes(LITE0, f"{made.id}/{BROKEN}") == ["optimize.no_variant"]
    assert codes(LITE0, "op-gone/static_int8") == ["run.unknown"]
    assert codes("sentiment", f"{made.id}/static_int8") == ["predict.other_variant"]


def test_texts_are_cleaned_cut_padded_and_answered() -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    run = make_optimization("done")
    folder = _folder(run)
    tokenizer = Tokenizer(WordLevel({"[PAD]": 0, "[UNK]": 1, "good": 2, "bad": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, [None, None]) for name in ("input_ids", "attention_mask")
    ]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["each"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["each", "wide"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "middle"], ["logits"], keepdims=0),
    ]
    weights = [
        # Padding would speak for "negative", were it not masked.
        helper.make_tensor("table", TensorProto.FLOAT, [4, 2], [9, 0, 0, 0, 0, 2, 2, 0]),
        helper.make_tensor("last", TensorProto.INT64, [1], [-1]),
        helper.make_tensor("middle", TensorProto.INT64, [1], [1]),
    ]
    facts = {"task": "text-classification", "labels": ["negative", "positive"], "max_length": 4, "pad_id": 0}
    _save(folder, nodes, inputs, weights, facts)
    variant = load_variant(run.id, "static_int8")
    good, bad, empty, cut = variant.answer(["<b>good</b> day", "bad", "", "good good good good bad bad bad bad bad"])
    assert (good.label, bad.label, cut.label) == ("positive", "negative", "positive")
    assert good.confidence == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-3)
    assert (empty.label, empty.reason) == ("", "predict.nothing_to_read")
    assert set(bad.probabilities) == {"negative", "positive"}
    assert variant.answer([]) == []


def test_what_cannot_be_asked_is_told() -> None:
    run = make_optimization("done")
    with pytest.raises(NotFoundError) as unknown:
        load_variant(run.id, "never")
    assert "static_int8" in str(unknown.value)
    with pytest.raises(NotFoundError):
        load_variant(run.id, BROKEN)  # its file answers otherwise: it is not offered
