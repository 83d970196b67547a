"""Nothing that came from outside is opened by a loader that can run code, whatever it is called and says it is."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import joblib
import numpy as np
import pytest
import torch

from core import settings
from core.data.open import open_collection
from core.data.picture import open_image
from core.data.uploads import store_upload
from core.errors import GraftError
from core.files import sha256
from core.messages import explain
from core.models import catalog
from core.models.weight_cache import import_weights
from core.networks.weights import load_weights
from core.optimize.bundle.write import write_bundle
from core.optimize.outside import why_closed as why_file_is_closed
from core.optimize.rows import OptimizeReport
from core.optimize.try_variant import load_variant
from core.predict.tasks.load import load_task
from core.registry.formats import upload_suffixes
from core.registry.model_formats import FORMATS
from core.runs import manage
from core.runs.archive import import_run
from core.runs.export import export_run
from core.spec import DataRef
from core.store import Run, open_store
from pages.ui.cached.runs import why_closed
from tests.fixtures.fake_hub import RESNET
from tests.fixtures.optimizations import make_optimization
from tests.fixtures.poison import onnx_file, poisons
from tests.fixtures.tiny_models import folder_of, plant

NAME = "static_int8"
CLOSED = {"optimize.outside_program", "optimize.outside_content", "optimize.no_bundle"}


@pytest.fixture(scope="module")
def marker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("marker") / "bitten"


@pytest.fixture(scope="module")
def packed(marker: Path) -> dict[str, bytes]:
    return poisons(marker)


@pytest.fixture(autouse=True)
def not_bitten(marker: Path) -> Any:
    yield
    assert not marker.exists()


def test_poison_bites_where_it_is_opened_as_what_it_is(tmp_path: Path) -> None:
    ways: dict[str, Callable[[IO[bytes]], object]] = {
        "pt2": torch.export.load,
        "joblib": joblib.load,
        "npy": lambda file: np.load(file, allow_pickle=True),
    }
    for name, way in ways.items():
        bitten = tmp_path / name
        with suppress(Exception):
            way(io.BytesIO(poisons(bitten)[name]))
        assert bitten.exists(), name


def _import_with(content: bytes, format: str, file: str = f"variants/{NAME}/model.onnx") -> tuple[Run, list[str]]:
    """An optimization that came in an archive with this as the file of a variant."""
    made = make_optimization("done")
    artifacts = made.folder / "artifacts"
    report = json.loads((artifacts / "report.json").read_text(encoding="utf-8"))
    row = next(row for row in report["variants"] if row["name"] == NAME)
    row |= {"format": format, "file": file}
    (artifacts / "report.json").write_text(json.dumps(report), encoding="utf-8")
    (artifacts / file).parent.mkdir(parents=True, exist_ok=True)
    (artifacts / file).write_bytes(content)
    run, told = import_run(export_run(made.id))
    return run, [problem.code for problem in told]


def _refused(run: Run) -> set[str]:
    codes = set()
    for way in (lambda: load_variant(run.id, NAME), lambda: write_bundle(run, NAME, settings.folder("exports"))):
        with pytest.raises(GraftError) as refused:
            way()
        assert str(refused.value).endswith(".")
        codes.add(refused.value.code)
    return codes


@pytest.mark.parametrize("format", [*FORMATS, "eager", "odd"])
def test_disguised_variant_of_an_imported_run_is_not_opened(format: str, packed: dict[str, bytes]) -> None:
    run, _told = _import_with(packed["pt2"], format)
    assert _refused(run) <= CLOSED
    for content in packed.values():
        (run.folder / "artifacts" / "variants" / NAME / "model.onnx").write_bytes(content)
        assert _refused(run) <= CLOSED
    manage.tag_run(run.id, [])
    assert open_store().get_run(run.id).is_from_outside, "where it came from cannot be taken away"


def test_programs_are_kept_and_not_opened_and_told(packed: dict[str, bytes]) -> None:
    for format, ending in (("pt2", ".pt2"), ("torchscript", ".ts"), ("executorch", ".pte"), ("tensorrt", ".engine")):
        run, told = _import_with(packed["pt2"], format, f"variants/{NAME}/model{ending}")
        assert "run.archive_programs" in told
        assert (run.folder / "artifacts" / "variants" / NAME / f"model{ending}").is_file()
        assert "optimize.outside_program" in _refused(run) <= CLOSED


def test_page_says_which_files_it_does_not_open(packed: dict[str, bytes]) -> None:
    run, _told = _import_with(packed["pt2"], "pt2", f"variants/{NAME}/model.pt2")
    report = OptimizeReport.from_dict(json.loads((run.folder / "artifacts" / "report.json").read_text("utf-8")))
    row = report.row(NAME)
    assert row is not None
    (problem,) = why_closed(run.id, NAME, run, row)
    assert "not opened here" in explain(problem)


def test_onnx_files_reach_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    for kind in ("outside", "beside", "own-operator", "hidden-operator"):
        path.write_bytes(onnx_file(kind))
        assert why_file_is_closed(path, "onnx"), kind
    path.write_bytes(onnx_file())
    assert why_file_is_closed(path, "onnx") == ""


def test_openvino_and_tflite_are_told_by_their_content(tmp_path: Path) -> None:
    own = '<?xml version="1.0"?><net><layers><layer id="0" type="MatMul" version="{}"/></layers></net>'
    for text, is_open in (
        (own.format("opset1"), True),
        (own.format("extension"), False),
        ('<?xml version="1.0"?><!DOCTYPE net [<!ENTITY x SYSTEM "file:///etc/passwd">]><net/>', False),
        (onnx_file().decode("latin-1"), False),
    ):
        (tmp_path / "model.xml").write_text(text, encoding="latin-1")
        assert (why_file_is_closed(tmp_path, "openvino") == "") == is_open, text
    (tmp_path / "a.tflite").write_bytes(b"\x1c\0\0\0TFL3")
    assert why_file_is_closed(tmp_path / "a.tflite", "tflite") == ""
    (tmp_path / "a.tflite").write_bytes(b"PK\x03\x04xxxx")
    assert why_file_is_closed(tmp_path / "a.tflite", "tflite")


def test_own_variants_are_opened_as_before() -> None:
    run = make_optimization("done")
    assert not run.is_from_outside
    (run.folder / "artifacts" / "variants" / NAME / "model.onnx").write_bytes(onnx_file())
    load_variant(run.id, NAME)


def test_uploads_and_files_of_data_run_nothing(packed: dict[str, bytes], tmp_path: Path) -> None:
    for kind, content in packed.items():
        for suffix in upload_suffixes():
            path = tmp_path / f"{kind}{suffix}"
            path.write_bytes(content)
            with suppress(GraftError):
                store_upload(path, path.name)
            with suppress(GraftError):
                open_collection(DataRef(id=f"path:{path}"))
        with pytest.raises(GraftError):
            open_image(io.BytesIO(content))
        with pytest.raises(GraftError):
            import_run(path, "run.zip")


def test_weights_from_elsewhere_run_nothing(packed: dict[str, bytes], tmp_path: Path) -> None:
    model = plant("fill-mask")
    kept = folder_of(model)
    card = catalog.get_model(RESNET)
    target = settings.torch_folder() / "hub" / "checkpoints" / card.file_name
    target.parent.mkdir(parents=True)
    for kind, content in packed.items():
        folder = tmp_path / kind
        folder.mkdir()
        (folder / "config.json").write_bytes((kept / "config.json").read_bytes())
        for name in ("pytorch_model.bin", "model.safetensors"):
            (folder / name).write_bytes(content)
            with suppress(GraftError):
                import_weights("hub/someone/poison", folder)
            (folder / name).unlink()
        target.write_bytes(content)
        true = card.model_copy(update={"sha256": sha256(target)})
        with pytest.raises(GraftError):
            load_weights(true)
    for content in packed.values():
        for name in ("pytorch_model.bin", "model.safetensors"):
            for old in (*kept.glob("*.bin"), *kept.glob("*.safetensors")):
                old.unlink()
            (kept / name).write_bytes(content)
            with pytest.raises((GraftError, OSError, ValueError, RuntimeError, KeyError)):
                load_task("fill-mask", model)


def test_archives_that_reach_out_leave_nothing_outside(tmp_path: Path, home: Path) -> None:
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w") as tar:
        for name in ("../../reaching-out.png", "/tmp/reaching-out.png", "reaching-out.png"):
            tar.addfile(tarfile.TarInfo(name))
        link = tarfile.TarInfo("reaching-out-link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    outside = ("../reaching-out.png", "/reaching-out.png", "C:\\reaching-out.png", "..\\reaching-out.png")
    entries = {**dict.fromkeys(outside, b""), "reaching-out.tar": inner.getvalue()}
    for name, content in entries.items():
        path = tmp_path / "x.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, content)
        for way in (lambda path: store_upload(path, "x.zip"), import_run):
            with pytest.raises(GraftError):
                way(path)
    found = [one for folder in (tmp_path, home, tmp_path.parent) for one in folder.glob("**/*reaching-out*")]
    assert found == []
