"""An exported run is taken in elsewhere as it was; what is not right in an archive is refused, whole."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core import store
from core.errors import DataError, GraftError, InputError
from core.finetune.spec import FinetuneSpec
from core.runs import archive, manage, submit
from core.runs.archive import import_run
from core.runs.export import export_run, metric_rows
from core.runs.reports import check_report
from core.store import Run, Store, open_store

Files = dict[str, bytes]


@pytest.fixture
def run() -> Run:
    spec = FinetuneSpec.model_validate({"model": {"id": "bundled/minilm-l6"}, "data": {"id": "builtin/reviews-en"}})
    made = submit.new_run(spec, name="mine")
    kept = open_store()
    summary = {"test": {"accuracy": 0.9, "interval": [0.8, 0.95], "n": 100}}
    times = {"created_at": 5.0, "started_at": 10.0, "ended_at": 20.0}
    kept.update_run(made.id, status="done", summary=summary, tags=["a"], note="a note", owner="me", pid=4, **times)
    kept.write_metrics(made.id, [("train/loss", s, s / 2, 1.0 / s, 0.0) for s in (1, 2)])
    kept.write_metrics(made.id, [("val/loss", 2, 1.0, 0.1 + 0.2, 0.0)])
    (made.folder / "artifacts" / "model").mkdir(parents=True)
    (made.folder / "artifacts" / "model" / "model.safetensors").write_bytes(b"weights" * 1000)
    (made.folder / "artifacts" / "report.json").write_text("{}")
    (made.folder / "worker.log").write_text("a line\n")
    store_artifacts(made)
    return kept.get_run(made.id)


def store_artifacts(run: Run) -> None:
    from core.runs.worker import _register_artifacts

    _register_artifacts(run, open_store())


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on this is another machine."""

    def move() -> None:
        monkeypatch.setenv("GRAFT_HOME", str(tmp_path / "elsewhere"))
        store._open.cache_clear()

    return move


def test_run_is_the_same_on_another_machine(run: Run, elsewhere: Callable[[], None]) -> None:
    path, rows = export_run(run.id), metric_rows(run.id, open_store())
    artifacts = [(a.name, a.kind, a.bytes, a.sha256, a.path) for a in open_store().list_artifacts(run.id)]
    (run.folder / "estimate.json").unlink()  # what was told of this machine stays on it
    content = {p.relative_to(run.folder): p.read_bytes() for p in run.folder.rglob("*") if p.is_file()}
    elsewhere()
    found, told = import_run(path)
    assert told == []
    for name in ("id", "kind", "name", "status", "spec", "summary", "note", "created_at", "started_at", "ended_at"):
        assert getattr(found, name) == getattr(run, name), name
    assert found.tags == ["a", "imported"]
    assert (found.owner, found.pid, found.host) == (None, None, None)
    assert metric_rows(found.id, open_store()) == rows
    assert [(a.name, a.kind, a.bytes, a.sha256, a.path) for a in open_store().list_artifacts(found.id)] == artifacts
    for name in ("run.json", "metrics.csv"):  # what its row is made from if need be
        (found.folder / name).unlink()
    assert {p.relative_to(found.folder): p.read_bytes() for p in found.folder.rglob("*") if p.is_file()} == content
    assert export_run(found.id).is_file(), "and it can be exported again"
    manage.delete_run(found.id)


@pytest.mark.parametrize("when", ["before its row", "before its row is all there"])
def test_archive_whose_taking_in_was_killed_is_taken_in_whole_under_its_id(
    run: Run, elsewhere: Callable[[], None], monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Killed: nothing is tidied up any more. There is no run, half a run neither, and no other id is needed then."""
    path = export_run(run.id)
    elsewhere()

    class Killed(BaseException):
        pass

    def kill(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(archive.shutil, "rmtree", lambda *_, **__: None)
        patch.setattr(Store, "delete_run", lambda *_: None)
        patch.setattr(*((Store, "create_run") if when == "before its row" else (store, "_put_artifact")), kill)
        with pytest.raises(Killed):
            import_run(path)
    assert open_store().list_runs() == []
    assert open_store().read_metrics(run.id) == []
    found, told = import_run(path)
    assert (found.id, told) == (run.id, [])
    assert len(open_store().list_artifacts(run.id)) == 2
    assert not list(found.folder.glob(".*"))


def test_run_that_is_here_already_gets_another_id_and_says_so(run: Run) -> None:
    found, told = import_run(export_run(run.id))
    assert found.id != run.id
    assert found.id.startswith(run.id)
    assert [problem.code for problem in told] == ["run.archive_new_id"]
    assert open_store().get_run(run.id).tags == ["a"], "the one that was here is left as it was"


def test_parent_that_is_not_here_is_told(run: Run, elsewhere: Callable[[], None]) -> None:
    open_store().update_run(run.id, parent="ft-nowhere")
    path = export_run(run.id)
    elsewhere()
    found, told = import_run(path)
    assert found.parent is None
    assert [problem.code for problem in told] == ["run.archive_no_parent"]


def test_files_that_could_run_code_are_left_out_and_told(run: Run, elsewhere: Callable[[], None]) -> None:
    for name in ("model/model.pt", "variants/a.pte", "predict.py", "model/net.bin"):
        path = run.folder / "artifacts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x80\x04.")
    path = export_run(run.id)
    elsewhere()
    found, told = import_run(path)
    assert [(problem.code, problem.values["n"]) for problem in told] == [("run.archive_left_out", 4)]
    names = {p.name for p in found.folder.rglob("*") if p.is_file()}
    assert names == {"model.safetensors", "report.json", "spec.json", "worker.log", "run.json", "metrics.csv"}


def _pack(path: Path, files: Files, *, listed: dict[str, Any] | None = None, **manifest: Any) -> Path:
    rows = {name: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for name, c in files.items()}
    told = {"format": 1, "files": rows if listed is None else listed, **manifest}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr("manifest.json", json.dumps(told))
    return path


def _files(run: Run) -> Files:
    with zipfile.ZipFile(export_run(run.id)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}


def _with(files: Files, **facts: Any) -> Files:
    return {**files, "run.json": json.dumps({**json.loads(files["run.json"]), **facts}).encode()}


def _reports(files: Files, **report: Any) -> Files:
    return {**files, "artifacts/report.json": json.dumps(report).encode()}


MISTAKE = {"row": 0, "true": "a", "predicted": "b", "confidence": 0.9}
_WRONG: dict[str, tuple[Callable[[Files], Files], str]] = {
    "no-row": (lambda files: {n: c for n, c in files.items() if n != "run.json"}, "run.archive_changed"),
    "path-out": (lambda files: {**files, "artifacts/../../x.json": b"{}"}, "data.zip_unsafe_path"),
    "absolute": (lambda files: {**files, "/etc/x.json": b"{}"}, "data.zip_unsafe_path"),
    "elsewhere": (lambda files: {**files, "checkpoint/x.json": b"{}"}, "run.archive_changed"),
    "hidden": (lambda files: {**files, "artifacts/.x.json": b"{}"}, "run.archive_changed"),
    "odd-name": (lambda files: {**files, "artifacts/a:b.json": b"{}"}, "run.archive_changed"),
    "unknown-kind": (lambda files: _with(files, kind="shell"), "run.archive_unreadable"),
    "bad-id": (lambda files: _with(files, id="../../x"), "run.archive_unreadable"),
    "still-running": (lambda files: _with(files, status="running"), "run.archive_not_ended"),
    "bad-spec": (lambda files: _with(files, spec={"model": 3}), "run.archive_unreadable"),
    "bad-summary": (lambda files: _with(files, summary=[1]), "run.archive_unreadable"),
    "bad-time": (lambda files: _with(files, ended_at="now"), "run.archive_unreadable"),
    "bad-error": (lambda files: _with(files, error=["x"]), "run.archive_unreadable"),
    "not-json": (lambda files: {**files, "run.json": b"{"}, "run.archive_unreadable"),
    "bad-metrics": (lambda files: {**files, "metrics.csv": b"step,epoch,a\nx,1,2\n"}, "run.archive_unreadable"),
    "formula-metric": (lambda files: {**files, "metrics.csv": b"step,epoch,=1+1\n1,1,2\n"}, "run.archive_unreadable"),
    "leads-out": (lambda files: _reports(files, mistakes=[{"file": "../../spec.json"}]), "run.archive_changed"),
    "file-out": (lambda files: _reports(files, variants=[{"name": "a", "file": "/a.onnx"}]), "run.archive_changed"),
    "bad-variant": (lambda files: _reports(files, variants=[{"name": "../x"}]), "run.archive_changed"),
    "no-variant": (lambda files: _reports(files, variants=[3]), "run.archive_unreadable"),
    "unknown-field": (lambda files: _reports(files, surprise=1), "run.archive_unreadable"),
    "other-type": (lambda files: _reports(files, accuracy="<b>1</b>"), "run.archive_unreadable"),
    "no-file": (lambda files: _reports(files, mistakes=[{**MISTAKE, "file": "a.png"}]), "run.archive_unreadable"),
    "summary-field": (lambda files: _with(files, summary={"surprise": 1}), "run.archive_unreadable"),
    "bomb": (lambda files: {**files, "artifacts/a.json": b"0" * 30_000_000}, "data.zip_bomb"),
}


@pytest.mark.parametrize("name", _WRONG)
def test_archive_that_is_not_right_is_refused_and_leaves_nothing(
    name: str, run: Run, tmp_path: Path, elsewhere: Callable[[], None]
) -> None:
    change, code = _WRONG[name]
    files = change(_files(run))
    path = _pack(tmp_path / "x.zip", files)
    if name == "bomb":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry, content in files.items():
                archive.writestr(entry, content)
    elsewhere()
    with pytest.raises(GraftError) as refused:
        import_run(path)
    assert code in [problem.code for problem in refused.value.problems]
    assert str(refused.value).endswith(".")
    assert open_store().list_runs() == []
    assert list((tmp_path / "elsewhere").glob("runs/*")) == []


def test_pictures_of_a_report_are_its_own() -> None:
    data = {"preview": [{"label": "a", "name": "1.png", "picture": "data:image/png;base64,aaaa"}]}
    check_report("import", json.dumps(data), set())
    for address in ("http://evil.example/a.png", "//evil.example/a.png", "data:text/html;base64,aaaa", "/app/static/x"):
        data["preview"][0]["picture"] = address
        with pytest.raises(ValueError, match="names a picture"):
            check_report("import", json.dumps(data), set())
    with pytest.raises(ValueError, match="no way of optimizing"):
        check_report("optimize", json.dumps({"variants": [{"name": "a", "passes": ["<b>evil</b>"]}]}), set())
    values = {"code": "compare.dominated", "values": {}}
    with pytest.raises(ValueError, match="cannot be told"):
        check_report("compare", json.dumps({"conclusions": [values]}), set())


def test_changed_missing_and_unlisted_files_are_refused(run: Run, tmp_path: Path) -> None:
    files = _files(run)
    weights = "artifacts/model/model.safetensors"
    rows = {name: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for name, c in files.items()}
    other = {**files, weights: b"WEIGHTS" * 1000}
    for changed, listed in (
        (other, rows),  # the same length, another content
        ({**files, weights: b"x"}, rows),
        ({n: c for n, c in files.items() if n != weights}, rows),
        ({**files, "artifacts/more.json": b"{}"}, rows),
        ({**files, "run.json": files["run.json"].replace(b'"mine"', b'"ours"')}, rows),
    ):
        with pytest.raises(DataError, match="refused: 1 files"):
            import_run(_pack(tmp_path / "x.zip", changed, listed=listed))
    with pytest.raises(DataError, match="another version"):
        import_run(_pack(tmp_path / "x.zip", files, format=2))
    with zipfile.ZipFile(tmp_path / "y.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(DataError, match=r"manifest\.json is missing"):
        import_run(tmp_path / "y.zip")
    (tmp_path / "z.zip").write_bytes(b"no zip")
    with pytest.raises(DataError):
        import_run(tmp_path / "z.zip")
    with pytest.raises(InputError):
        import_run(tmp_path / "nothing.zip")
    assert [one.id for one in open_store().list_runs()] == [run.id]
    assert [path.name for path in run.folder.parent.iterdir()] == [run.id]


def test_brought_model_answers_as_it_did(elsewhere: Callable[[], None]) -> None:
    import numpy as np
    from PIL import Image

    from core.networks.image import build_classifier, save_classifier
    from core.predict.load import load_predictor
    from core.spec import ModelRef

    base = "torchvision/squeezenet1_1.imagenet1k_v1"
    spec = FinetuneSpec.model_validate(
        {"model": {"id": base, "weights": "random"}, "data": {"id": "builtin/digits"}, "method": "full"}
    )
    run = submit.new_run(spec)
    model = build_classifier(ModelRef(id=base, weights="random"), ["a", "b", "c"], seed=0, image_size=64)
    save_classifier(model.eval(), run.folder / "artifacts" / "model")
    open_store().update_run(run.id, status="done", started_at=1.0, ended_at=2.0)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    before = load_predictor(f"run/{run.id}").predict([picture])
    path = export_run(run.id)
    elsewhere()
    with pytest.raises(GraftError):
        load_predictor(f"run/{run.id}")
    found, told = import_run(path)
    assert (found.id, told) == (run.id, [])
    assert load_predictor(f"run/{found.id}").predict([picture]) == before
