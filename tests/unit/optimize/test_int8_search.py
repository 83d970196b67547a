"""The search for layers to leave in float, on a file of two layers of which one is touchy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.optimize import int8_search
from core.optimize.int8_search import GuardedInt8
from core.optimize.passes.base import FileResult, PassContext
from core.optimize.spec import OptimizeSpec
from core.progress import PhaseClock, SilentReporter


class _TwoLayers:
    """Two matrix products as one ONNX file, and a way to spoil those that are not left in float."""

    def __init__(self, path: Path) -> None:
        rng = np.random.default_rng(0)
        self.path = path
        self.weights = {f"{name}/MatMul": rng.normal(size=(4, 4)).astype(np.float32) for name in ("calm", "touchy")}
        self.harm = {"calm/MatMul": 0.001, "touchy/MatMul": 2.0}
        self.write({}, path)
        self.calls: list[list[str]] = []

    def write(self, noise: dict[str, float], path: Path) -> None:
        rng = np.random.default_rng(1)
        nodes, tensors, last = [], [], "pixels"
        for name, weight in self.weights.items():
            spoiled = weight + rng.normal(size=weight.shape).astype(np.float32) * np.float32(noise.get(name, 0.0))
            tensors.append(numpy_helper.from_array(spoiled.astype(np.float32), f"w_{name}"))
            nodes.append(helper.make_node("MatMul", [last, f"w_{name}"], [f"out_{name}"], name=name))
            last = f"out_{name}"
        shape = ["batch", 4]
        graph = helper.make_graph(
            nodes,
            "two",
            [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(last, TensorProto.FLOAT, shape)],
            tensors,
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)

    def quantize(self, in_float: list[str], target: Path) -> None:
        self.calls.append(in_float)
        self.write({name: harm for name, harm in self.harm.items() if name not in in_float}, target)


class _Rows:
    """As much of a trained model as the search looks at."""

    is_labelled = True
    labels = ["a", "b", "c", "d"]
    input_names = ("pixels",)

    def __init__(self, two: _TwoLayers) -> None:
        rng = np.random.default_rng(2)
        self.inputs_ = rng.normal(size=(300, 4)).astype(np.float32)
        first, second = two.weights.values()
        targets = (self.inputs_ @ first @ second).argmax(1)
        self.data = type("Data", (), {"validation": np.arange(300), "targets": targets})()

    def batches(self, rows: Any, size: int) -> Any:
        yield np.arange(len(rows)), {"pixels": self.inputs_[rows]}


def search(tmp_path: Path, **values: Any) -> tuple[FileResult, _TwoLayers]:
    two = _TwoLayers(tmp_path / "plain.onnx")
    rows: Any = _Rows(two)
    (tmp_path / "made").mkdir()
    base = {"model": {"id": "torchvision/squeezenet1_1"}, "data": {"id": "builtin/digits"}, "passes": ("static_int8",)}
    spec = OptimizeSpec.model_validate({**base, "test_size": 100, **values})
    network: Any = None
    context = PassContext(spec, rows, network, tmp_path / "made", PhaseClock(SilentReporter()), lambda: two.path)
    return GuardedInt8(context, two.path, two.quantize).run(), two


def test_search_leaves_the_layer_in_float_that_costs_the_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8_search, "_MOST_IN_FLOAT", 0.5)
    made, _ = search(tmp_path, max_drop=2.0)
    assert [row["group"] for row in made.sensitivity or [] if row["in_float"]] == ["touchy"]
    assert made.facts == {"quantized": 1, "in_float": 1}
    assert made.search is not None
    assert made.search["reason"] == "within_limit"
    assert made.search["kept"]["points"] < made.search["full"]["points"]
    assert made.search["kept"]["agreement"] > made.search["full"]["agreement"]


def test_search_is_left_out_when_plain_int8_keeps_the_limit_or_nobody_wants_it(tmp_path: Path) -> None:
    made, two = search(tmp_path, max_drop=100.0)
    assert made.search is not None
    assert made.search["reason"] == "not_needed"
    assert two.calls == [[]]
    (tmp_path / "b").mkdir()
    made, two = search(tmp_path / "b", search=False)
    assert made.search is None
    assert two.calls == [[]]


def test_search_says_when_it_found_nothing_that_keeps_the_limit(tmp_path: Path) -> None:
    made, two = search(tmp_path, max_drop=0.0)
    assert made.search is not None
    assert made.search["reason"] == "best_found"
    # What was chosen is what lies there.
    kept = [row["group"] for row in made.sensitivity or [] if row["in_float"]]
    model = onnx.load(made.path)
    changed = {
        tensor.name
        for tensor in model.graph.initializer
        if not np.allclose(numpy_helper.to_array(tensor), two.weights[tensor.name.removeprefix("w_")])
    }
    assert changed == {f"w_{name}" for name in two.weights if name.partition("/")[0] not in kept}
