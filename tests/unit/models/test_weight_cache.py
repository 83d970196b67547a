"""Weights in the caches: listed, deleted, brought from a folder after a look through it, and used."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core import settings
from core.cli.app import app
from core.errors import GraftError, InputError, NotFoundError, RunError, WeightsError
from core.finetune.spec import FinetuneSpec
from core.models import catalog, weight_cache, weight_files
from core.models.download import download
from core.models.spec import DownloadSpec
from core.models.weight_cache import import_weights, list_weights, remove_weights
from core.progress import SilentReporter
from core.runs import submit
from core.store import open_store
from tests.fixtures.fake_hub import BERT, RESNET, FakeHub, forge, stand_in, tensors

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with stand_in(monkeypatch) as hub:
        forge(monkeypatch, hub, os.urandom(100_000))
        yield hub


def _fetch(model: str, folder: Path) -> None:
    (folder / "artifacts").mkdir(exist_ok=True)
    download(DownloadSpec(model=model), folder, SilentReporter())


def test_fetched_weights_are_listed_and_deleting_them_frees_their_bytes(fake: FakeHub, tmp_path: Path) -> None:
    assert list_weights() == []
    for model in (BERT, RESNET):
        _fetch(model, tmp_path)
    stored = {one.model: one for one in list_weights()}
    assert set(stored) == {BERT, RESNET}
    assert stored[RESNET].bytes == 100_000
    assert stored[BERT].bytes >= 200_000
    assert all(one.is_whole for one in stored.values())
    kept = settings.hub_folder() / "models--someone--other" / "snapshots" / "1"
    kept.mkdir(parents=True)
    (kept / "model.safetensors").write_bytes(tensors(10))
    assert remove_weights(BERT) == stored[BERT].bytes
    assert remove_weights(RESNET.partition(".")[0] + ".imagenet1k_v1") == 100_000
    assert [one.model for one in list_weights()] == ["hub/someone/other"], "and nothing else is touched"
    assert not weight_files.is_local(catalog.get_model(RESNET))
    assert not (settings.hub_folder() / "models--someone--tiny-bert").exists()


def test_what_an_unfinished_download_left_is_listed_and_deleted(fake: FakeHub) -> None:
    card = catalog.get_model(RESNET)
    folder = settings.torch_folder() / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / f"{card.file_name}.part").write_bytes(b"12345")
    (one,) = list_weights()
    assert (one.model, one.bytes, one.is_whole) == (RESNET, 5, False)
    assert remove_weights(RESNET) == 5
    assert list(folder.iterdir()) == []


def test_weights_are_not_deleted_where_there_are_none_or_a_run_uses_them(fake: FakeHub, tmp_path: Path) -> None:
    for model in (RESNET, "bundled/minilm-l6", "hub/someone/nothing"):
        with pytest.raises(NotFoundError, match="No downloaded weights"):
            remove_weights(model)
    _fetch(RESNET, tmp_path)
    spec = FinetuneSpec.model_validate({"model": {"id": RESNET}, "data": {"id": "builtin/digits"}})
    run = submit.new_run(spec)
    open_store().update_run(run.id, status="running")
    with pytest.raises(RunError, match="stop it"):
        remove_weights(RESNET)
    open_store().update_run(run.id, status="done")
    assert remove_weights(RESNET) == 100_000


# -- bringing ----------------------------------------------------------------------------------------------


def test_published_file_is_brought_and_any_other_refused(fake: FakeHub, tmp_path: Path) -> None:
    card = catalog.get_model(RESNET)
    (tmp_path / "mine.pth").write_bytes(fake.files[card.file_name])
    (tmp_path / "other.pth").write_bytes(b"something else")
    with pytest.raises(InputError, match="not the published"):
        import_weights(RESNET, tmp_path / "other.pth")
    with pytest.raises(InputError, match="not a file"):
        import_weights(RESNET, tmp_path)
    with pytest.raises(InputError, match="no file or folder"):
        import_weights(RESNET, tmp_path / "nothing")
    with pytest.raises(InputError, match="takes no files"):
        import_weights("bundled/minilm-l6", tmp_path)
    assert not weight_files.is_local(card)
    assert import_weights(RESNET, tmp_path / "mine.pth") == 100_000
    found = weight_files.find_weights(card)
    assert found is not None
    assert found.read_bytes() == fake.files[card.file_name]


def test_file_without_a_published_sum_is_brought_when_it_is_of_the_kind(
    fake: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "https://github.com/someone/weights.pth"
    told = {"file_name": "weights.pth", "sha256": "", "url": url, "source": "timm", "id": "timm/x.y"}
    card = catalog.get_model(RESNET).model_copy(update=told)
    cards = (*catalog.list_models(), card)
    monkeypatch.setattr(catalog, "_by_id", lambda: {one.id: one for one in cards})
    monkeypatch.setattr(catalog, "list_models", lambda: cards)
    (tmp_path / "a.pth").write_bytes(b"\x80\x04 a bare pickle")
    with pytest.raises(WeightsError, match="not what its name says"):
        import_weights("timm/x.y", tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "b.pth", "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    assert import_weights("timm/x.y", tmp_path / "b.pth") > 0
    assert [one.model for one in list_weights()] == ["timm/x.y"]
    assert remove_weights("timm/x.y") > 0


def _folder(path: Path, **files: bytes) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    contents = {"config.json": b'{"model_type": "bert", "num_hidden_layers": 1, "hidden_size": 4, "vocab_size": 9}'}
    contents |= {"model.safetensors": tensors(500), "vocab.txt": b"a\n"}
    for name, content in {**contents, **files}.items():
        if content:
            (path / name).write_bytes(content)
    return path


def test_folder_as_the_hub_holds_it_is_brought_into_the_cache(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "bert", **{"notes.pdf": b"not needed"})
    size = import_weights(BERT, folder)
    card = catalog.get_model(BERT)
    assert card.family == "bert"
    snapshot = weight_files.model_source(card)
    assert sorted(path.name for path in snapshot.iterdir()) == ["config.json", "model.safetensors", "vocab.txt"]
    assert size == sum(path.stat().st_size for path in snapshot.iterdir())
    assert import_weights(BERT, folder) == size, "once more changes nothing"
    (one,) = list_weights()
    assert (one.model, one.is_whole) == (BERT, True)
    # A copy of a whole cache, whose snapshots are links to its blobs, is taken too.
    copy = tmp_path / "models--someone--tiny-bert"
    (copy / "blobs").mkdir(parents=True)
    (copy / "snapshots" / "1").mkdir(parents=True)
    for path in folder.iterdir():
        (copy / "blobs" / path.name).write_bytes(path.read_bytes())
        (copy / "snapshots" / "1" / path.name).symlink_to(f"../../blobs/{path.name}")
    assert import_weights("hub/someone/second", copy) == size
    assert import_weights("hub/someone/third", copy / "snapshots" / "1") == size
    assert remove_weights(BERT) == one.bytes


_BIG_HEADER = (1 << 60).to_bytes(8, "little") + b"{}"
_HOSTILE: dict[str, tuple[dict[str, bytes], str]] = {
    "code": ({"modeling.py": b"import os"}, "holds code"),
    "pickle": ({"weights.pkl": b"x"}, "holds code"),
    "no-config": ({"config.json": b""}, "holds no config.json"),
    "no-weights": ({"model.safetensors": b""}, "holds no model.safetensors"),
    "not-tensors": ({"model.safetensors": b"\x80\x04 a pickle in disguise"}, "not what its name says"),
    "cut-short": ({"model.safetensors": tensors(500)[:-1]}, "not what its name says"),
    "huge-header": ({"model.safetensors": _BIG_HEADER}, "not what its name says"),
    "not-json": ({"config.json": b"{"}, "not what its name says"),
    "a-list": ({"config.json": b"[1]"}, "not what its name says"),
    "binary-words": ({"vocab.txt": b"\xff\xfe\x00"}, "not what its name says"),
    "raw-pickle": ({"model.safetensors": b"", "pytorch_model.bin": b"\x80\x04."}, "not what its name says"),
}


@pytest.mark.parametrize("name", _HOSTILE)
def test_hostile_folder_is_refused_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    files, told = _HOSTILE[name]
    with pytest.raises((InputError, WeightsError), match=told):
        import_weights(BERT, _folder(tmp_path / "x", **files))
    assert list_weights() == []


def test_links_that_lead_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    folder = _folder(tmp_path / "x")
    (folder / "tokenizer.json").symlink_to(secret)
    with pytest.raises(InputError, match="lead out of it"):
        import_weights(BERT, folder)
    (folder / "tokenizer.json").unlink()
    (folder / "more").symlink_to(tmp_path)
    with pytest.raises(InputError, match="lead out of it"):
        import_weights(BERT, folder)
    with pytest.raises(InputError, match="is not a folder"):
        import_weights(BERT, secret)


def test_weights_are_not_brought_where_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_cache, "SPARE_BYTES", 1 << 60)
    with pytest.raises(RunError, match="are free"):
        import_weights(BERT, _folder(tmp_path / "x"))


# -- the commonest way, from the address to the answer -----------------------------------------------------


def test_resnet18_is_fetched_and_answers_as_torchvisions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import numpy as np
    import torch
    import torchvision
    from PIL import Image

    from core.predict.load import load_predictor

    torch.manual_seed(0)
    net = torchvision.models.resnet18(weights=None).eval()
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    with stand_in(monkeypatch) as hub:
        forge(monkeypatch, hub, file.getvalue())
        _fetch(RESNET, tmp_path)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (256, 300, 3), dtype=np.uint8))
    (answer,) = load_predictor(RESNET).predict([picture])
    how = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    with torch.inference_mode():
        shares = net(how(picture)[None]).softmax(1)[0]
    labels = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    assert answer[0][0] == labels[int(shares.argmax())]
    assert answer[0][1] == pytest.approx(float(shares.max()), abs=2e-3)


# -- the command line --------------------------------------------------------------------------------------


def _core(*words: str) -> Any:
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    return json.loads(done.stdout)


def test_command_line_fetches_lists_deletes_and_brings(fake: FakeHub, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "core", "download", BERT, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    fetched = json.loads(done.stdout)
    assert (fetched["status"], fetched["repository"]) == ("done", "someone/tiny-bert")
    (row,) = _core("weights")
    assert (row["model"], row["whole"]) == (BERT, True)
    assert _core("weights", "--delete", BERT)["bytes"] == row["bytes"]
    assert _core("weights", "--import", str(_folder(tmp_path / "x")), "--model", BERT)["imported"] is True
    with pytest.raises(InputError, match="--model"):
        _core("weights", "--import", str(tmp_path))


def test_every_error_of_bringing_is_one_of_grafts(tmp_path: Path) -> None:
    with pytest.raises(GraftError):
        import_weights("torchvision/nothing", tmp_path)
