"""Every pass that writes a file, on a tiny network for pictures and one for texts: it runs and agrees, or is refused.

Where a runtime is not installed, the pass must be refused with the line that installs it. Passes that learn are
tested elsewhere.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
import sys
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from core import store
from core.errors import RunError
from core.files import size_of
from core.measurement.runtimes import OPENERS, open_file
from core.messages import SENTENCES
from core.networks.exportable import exportable
from core.networks.image import build_classifier, save_classifier
from core.networks.text import TokenBatch, build_text_classifier, save_text_classifier
from core.optimize.checks import check_pass
from core.optimize.export import export_onnx
from core.optimize.passes import tensorrt, torchscript
from core.optimize.passes.base import FileResult, PassContext
from core.optimize.spec import OptimizeSpec
from core.optimize.trained_model import TrainedModel, TrainedTextModel, load_trained_model
from core.progress import PhaseClock
from core.registry.model_formats import FORMATS
from core.registry.passes import PASSES, Pass, check_row
from core.spec import ModelRef
from tests.fixtures.listening import Listener
from tests.fixtures.text_models import FAMILIES, plant

FILES = [row.id for row in PASSES.values() if not row.learns]
ROUNDED = {row.id for row in PASSES.values() if row.rounds}
ROOT = Path(__file__).parents[2]
PX = 32
# Of ten classes that a network without training hardly tells apart, rounding changes some.
MOST = 0.6


class Shop:
    """A trained model with its plain ONNX file, which the passes share as in a run."""

    def __init__(self, spec: OptimizeSpec, folder: Path) -> None:
        self.clock = PhaseClock(Listener())
        self.spec, self.folder, self.trained = spec, folder, load_trained_model(spec, self.clock)
        self._made = dict[str, Path]()
        _fit_head(self.trained)

    def file(self, name: str) -> Path:
        """What a pass writes, written once."""
        if name not in self._made:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", message=".*torch.jit")
                made: FileResult = importlib.import_module(f"core.optimize.passes.{name}").run(self.work(name))
            self._made[name] = made.path
        return self._made[name]

    def work(self, name: str) -> PassContext:
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return PassContext(self.spec, self.trained, self.trained.model, folder, self.clock, self._onnx)

    def _onnx(self) -> Path:
        path = self.folder / "plain.onnx"
        if not path.exists():
            export_onnx(self.trained, self.trained.model, path)
        return path

    def network(self, inputs: dict[str, Any]) -> Any:
        module = exportable(self.trained.model).eval()
        with torch.inference_mode():
            return module(*(torch.from_numpy(inputs[name]) for name in self.trained.input_names)).numpy()


@torch.no_grad()
def _fit_head(trained: TrainedModel) -> None:
    """A head that tells classes by their means: the labels of a network without training hang on the last digit."""
    model, rows = trained.model, trained.data.train[:300]
    targets = torch.from_numpy(trained.data.targets[rows])
    tensors = [torch.from_numpy(value) for value in trained.inputs(rows).values()]
    features = model.run(TokenBatch(*tensors) if isinstance(trained, TrainedTextModel) else tensors[0], 0)
    features = nn.Sequential(*list(model.head.children())[:-2])(features)
    norm, linear = model.head.norm, model.head.linear
    norm.running_mean, norm.running_var = features.mean(0), features.var(0) + 1e-4
    means = torch.stack([norm(features)[targets == label].mean(0) for label in range(len(trained.labels))])
    scale = 3 / norm(features).std() / len(means[0]) ** 0.5
    linear.weight.copy_(means * scale)
    linear.bias.copy_(-(means**2).sum(1) / 2 * scale)


def _run(kind: str, save: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """A finished run that holds a model, as an optimization finds it."""
    opened = store.open_store()
    opened.create_run(f"ft-{kind}", kind="finetune", name=kind, spec={})
    save(opened.get_run(f"ft-{kind}").folder / "artifacts" / "model")
    opened.update_run(f"ft-{kind}", status="done")
    return {"model": {"id": f"run/ft-{kind}"}, "calibration_rows": 24, "search": False, "threads": 2, **spec}


def _pictures(folder: Path) -> dict[str, Any]:
    model = build_classifier(
        ModelRef(id="torchvision/squeezenet1_1", weights="random"), [str(n) for n in range(10)], seed=0, image_size=PX
    )
    return _run("pictures", lambda target: save_classifier(model, target), {"data": {"id": "builtin/digits"}})


def _texts(folder: Path) -> dict[str, Any]:
    random = np.random.default_rng(0)
    lines = ["text,label"]
    for number in range(240):
        words = random.choice(["a", "b", "c", "d", "e", "f", "very"], random.integers(1, 20)).tolist()
        words += [["bad", "good"][number % 2]] * 3
        lines.append(f"{' '.join(random.permutation(words))} {number % 7 * 'film '},{['no', 'yes'][number % 2]}")
    path = folder / "texts.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    model = build_text_classifier(ModelRef(id=plant("bert", folder)), ["no", "yes"], seed=0)
    return _run(
        "texts", lambda target: save_text_classifier(model, target, max_length=32), {"data": {"id": f"path:{path}"}}
    )


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Shop]]:
    """Both kinds, made once: they are in memory when the home they were made in is gone."""
    folder = tmp_path_factory.mktemp("shops")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("GRAFT_HOME", folder / "home"), ("HF_HOME", folder / "hf"), ("GRAFT_OFFLINE", "1")):
            patch.setenv(name, str(value))
        patch.setitem(FAMILIES, "bert", {**FAMILIES["bert"], "num_hidden_layers": 1})
        store._open.cache_clear()
        specs = {"pictures": _pictures(folder), "texts": _texts(folder)}
        made = {kind: Shop(OptimizeSpec.model_validate(spec), folder / kind) for kind, spec in specs.items()}
    yield made
    store._open.cache_clear()


@pytest.mark.parametrize("kind", ["pictures", "texts"])
@pytest.mark.parametrize("name", FILES)
def test_pass_writes_a_file_that_agrees_or_is_refused(name: str, kind: str, shops: dict[str, Shop]) -> None:
    shop = shops[kind]
    told = check_pass(name, shop.trained.card)
    assert {problem.code for problem in told} <= set(SENTENCES)
    if any(problem.severity == "error" for problem in told):
        return
    path = shop.file(name)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*torch.jit")
        session = open_file(str(path), PASSES[name].format, threads=2)
    assert path.is_relative_to(shop.folder / name)
    assert size_of(path) > 1000
    assert re.search(r"\d", session.runtime)
    trained, same = shop.trained, []
    rows = trained.data.test[:40] if name in ROUNDED else trained.data.test[:12]
    for part in (rows[:1], rows[1:6], rows[6:]):
        inputs = trained.inputs(part)
        answers, wanted = session.run(inputs), shop.network(inputs)
        assert answers.shape == wanted.shape
        assert answers.dtype == np.float32
        assert np.isfinite(answers).all()
        same += (answers.argmax(1) == wanted.argmax(1)).tolist()
        if name not in ROUNDED:
            assert np.abs(answers - wanted).max() <= 1e-3 * np.abs(wanted).max()
    assert np.mean(same) >= (MOST if name in ROUNDED else 1)
    assert not _places_named_in(path)


@pytest.mark.parametrize("name", [name for name in FILES if name not in ROUNDED])
def test_texts_may_have_any_length(name: str, shops: dict[str, Shop]) -> None:
    shop = shops["texts"]
    if any(problem.severity == "error" for problem in check_pass(name, shop.trained.card)):
        return
    session = open_file(str(shop.file(name)), PASSES[name].format, threads=2)
    for length in (2, 9, 32):
        ids = np.random.default_rng(length).integers(4, 15, (3, length))
        mask = np.ones_like(ids)
        mask[1, length // 2 :] = 0
        inputs = {"input_ids": ids, "attention_mask": mask}
        np.testing.assert_allclose(session.run(inputs), shop.network(inputs), rtol=1e-3, atol=1e-3)


def _places_named_in(path: Path) -> set[str]:
    """Folders of this machine that a file (or an archive's part) names."""
    parts = [path] if path.is_file() else [part for part in path.rglob("*") if part.is_file()]
    contents = [part.read_bytes() for part in parts]
    for part in parts:
        if zipfile.is_zipfile(part):
            with zipfile.ZipFile(part) as archive:
                contents += [archive.read(name) for name in archive.namelist()]
    places = {str(ROOT), str(path.parent), str(Path(torch.__file__).parents[1]), sys.prefix, str(Path.home())} - {"/"}
    return {place for place in places if any(place.encode() in content for content in contents)}


@pytest.mark.parametrize("row", PASSES.values(), ids=PASSES)
def test_row_of_a_pass_is_whole(row: Pass) -> None:
    """What other places ask a row for is there: its module, settings and sentences."""
    assert importlib.import_module(f"core.optimize.passes.{row.id}").run.__doc__
    assert set(row.options) <= set(OptimizeSpec.model_fields)
    codes = {*row.remarks, *(code for code in (row.on_convolutions, row.on_transformers) if code)}
    assert codes <= set(SENTENCES)
    assert set(row.bf16_on) <= {"cpu", "cuda"}
    if row.learns:
        assert not PASSES[row.file_pass].learns


def test_every_module_of_a_pass_has_a_row_and_every_format_an_opener() -> None:
    assert {path.stem for path in (ROOT / "core/optimize/passes").glob("[a-z]*.py")} - {"base"} == set(PASSES)
    assert set(OPENERS) == {"eager", *FORMATS}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"format": "onnx"}, "either learns or writes"),
        ({"learns": False}, "either learns or writes"),
        ({"learns": False, "format": "onyx"}, "no format onyx"),
        ({"kind": "int9"}, "no kind int9"),
        ({"packages": ("torch_pruning",)}, "go together"),
        ({"models": ("teacher",), "options": ()}, "is a setting"),
    ],
)
def test_row_that_contradicts_itself_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_row(dataclasses.replace(PASSES["distill"], **changes))


def test_trace_that_keeps_its_batch_size_is_refused(shops: dict[str, Shop], monkeypatch: pytest.MonkeyPatch) -> None:
    class Fixed(nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return pixels.flatten(1)[:, :3] * float(len(pixels))

    monkeypatch.setattr(torchscript, "exportable", lambda network: Fixed())
    with pytest.raises(RunError, match="holds for the shapes"):
        torchscript.run(shops["pictures"].work("fixed"))


def test_tensorrt_says_what_is_missing(shops: dict[str, Shop]) -> None:
    if importlib.util.find_spec("tensorrt") is not None:
        pytest.skip("TensorRT is installed here")
    codes = {problem.code for problem in check_pass("tensorrt", shops["pictures"].trained.card)}
    assert "optimize.not_installed" in codes
    assert torch.cuda.is_available() or "optimize.no_nvidia" in codes
    with pytest.raises(RunError, match="TensorRT: No module named 'tensorrt'"):
        tensorrt.run(shops["pictures"].work("tensorrt"))


def test_tensorrt_is_given_the_network_in_fp16(shops: dict[str, Shop]) -> None:
    shop = shops["texts"]
    target = shop.folder / "half.onnx"
    tensorrt.write_half(shop.work("tensorrt"), target)
    inputs = shop.trained.inputs(shop.trained.data.test[:9])
    answers, wanted = open_file(str(target), "onnx", threads=2).run(inputs), shop.network(inputs)
    assert answers.dtype == np.float32
    assert np.abs(answers - wanted).max() <= 0.05 * np.abs(wanted).max()
    tensors = onnx.load(target).graph.initializer
    assert {onnx.TensorProto.FLOAT16} <= {tensor.data_type for tensor in tensors}
