"""Weights are fetched as a run: resumed, checked, stopped at once, and every fault has its sentence."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import threading
from collections import namedtuple
from collections.abc import Iterator

import pytest

from core import settings
from core.cli.results import sentence
from core.errors import GraftError, InputError
from core.messages import explain
from core.models import catalog, download, file_download, hub_search, hubs, weight_files
from core.models.spec import DownloadSpec
from core.runs import manage, queue, submit, worker
from core.runs.reporter import StoreReporter
from core.store import Run, open_store
from tests.fixtures.fake_hub import BERT, RESNET, REVISION, FakeHub, Fault, forge, serve_hub, stand_in

BODY = os.urandom(400_000)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setattr(queue, "pump", lambda *_: [])
    monkeypatch.setattr(worker, "_listen_to_signals", lambda _reporter: None)
    monkeypatch.setattr(worker, "_ignore_signals", lambda: None)
    with stand_in(monkeypatch) as hub:
        forge(monkeypatch, hub, BODY)
        yield hub


def fetch(model: str = RESNET) -> Run:
    """Download a model as a worker does it, in this process; returns the ended run."""
    run = submit.new_run(DownloadSpec(model=model))
    return again(run)


def again(run: Run) -> Run:
    open_store().update_run(run.id, status="running")
    worker.work(run.id)
    return open_store().get_run(run.id)


def _told(run: Run) -> str:
    assert run.error, run.status
    return sentence(run.error[0])


def test_torchvision_file_is_fetched_as_a_run_to_where_torch_hub_keeps_it(fake: FakeHub) -> None:
    card = catalog.get_model(RESNET)
    assert not weight_files.is_local(card)
    run = fetch()
    assert (run.kind, run.device, run.status, run.progress) == ("download", "network", "done", 1.0)
    path = weight_files.find_weights(card)
    assert path == settings.torch_folder() / "hub" / "checkpoints" / card.file_name
    assert path.read_bytes() == BODY
    assert [one.name for one in path.parent.iterdir()] == [card.file_name], "nothing unfinished is left"
    assert run.summary["bytes"] == run.summary["fetched_bytes"] == len(BODY)
    report = json.loads((run.folder / "artifacts" / "report.json").read_text())
    assert report["files"][0]["sha256"] == card.sha256
    assert "0.4 of 0.4 MB" in manage.read_log(run.id) or "'done_mb': 0.4" in str(run.phase)


def test_repository_is_fetched_into_the_hubs_cache_without_code_and_pickles(fake: FakeHub) -> None:
    run = fetch(BERT)
    assert run.status == "done", run.error
    snapshot = settings.hub_folder() / "models--someone--tiny-bert" / "snapshots" / REVISION
    assert sorted(path.name for path in snapshot.iterdir()) == ["config.json", "model.safetensors", "vocab.txt"]
    for path in snapshot.iterdir():
        assert path.read_bytes() == fake.repositories["someone/tiny-bert"][path.name]
    assert (snapshot.parents[1] / "refs" / "main").read_text() == REVISION
    assert catalog.get_model(BERT).family == "bert"
    assert run.summary["revision"] == REVISION
    assert sum(fake.sent("model.safetensors")) == len(fake.repositories["someone/tiny-bert"]["model.safetensors"])
    # What is here is looked at, not fetched again.
    before = len(fake.asked)
    second = fetch(BERT)
    assert second.summary["fetched_bytes"] == 0
    assert not [one for one in fake.asked[before:] if one.method == "GET" and "storage" in one.path]


def test_repository_of_timm_is_found_by_its_id(fake: FakeHub) -> None:
    fake.repositories["timm/tiny.r160_in1k"] = dict(fake.repositories["someone/tiny-bert"])
    assert fetch("timm/tiny.r160_in1k").status == "done"
    assert list(settings.hub_folder().glob("models--timm--tiny.r160_in1k/snapshots/*/model.safetensors"))


@pytest.mark.parametrize("model", [RESNET, BERT])
def test_broken_off_transfer_goes_on_where_it_was(fake: FakeHub, model: str) -> None:
    text = "/storage/" if model == BERT else ".pth"
    fake.faults[text] = Fault(break_after=150_000, times=1)
    fake.faults[text[:-1]] = Fault(break_after=0, times=1)
    run = fetch(model)
    assert run.status == "failed"
    assert "broke off" in _told(run)
    run = again(run)
    assert run.status == "done", run.error
    path = next(iter(settings.hub_folder().glob("*/snapshots/*/model.safetensors")), None)
    whole = BODY if model == RESNET else fake.repositories["someone/tiny-bert"]["model.safetensors"]
    found = weight_files.find_weights(catalog.get_model(RESNET)) if model == RESNET else path
    assert found is not None
    assert found.read_bytes() == whole
    assert sum(fake.sent(text)) == len(whole), "no byte came twice"


def test_changed_file_is_fetched_from_its_beginning(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    card = catalog.get_model(RESNET)
    folder = settings.torch_folder() / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / f"{card.file_name}.part").write_bytes(b"of an older version")
    (folder / f"{card.file_name}.part.etag").write_text('"older"')
    assert fetch().status == "done"
    assert fake.sent(".pth") == [len(BODY)]


_FAULTS = {
    "status-404": (RESNET, ".pth", Fault(status=404), "download.not_found"),
    "status-403": (RESNET, ".pth", Fault(status=403), "download.no_access"),
    "status-503": (RESNET, ".pth", Fault(status=503), "download.refused"),
    "wrong-bytes": (RESNET, ".pth", Fault(is_wrong=True), "download.wrong_hash"),
    "silence": (RESNET, ".pth", Fault(is_silent=True), "download.timeout"),
    "gated": (BERT, "/resolve/", Fault(status=401, code="GatedRepo"), "download.gated"),
    "gated-at-once": (BERT, "/api/", Fault(status=403, code="GatedRepo"), "download.gated"),
    "no-repository": (BERT, "/api/", Fault(status=404, code="RepoNotFound"), "download.no_repository"),
    "hub-503": (BERT, "/api/", Fault(status=503), "download.refused"),
    "hub-wrong-bytes": (BERT, "/storage/", Fault(is_wrong=True), "download.wrong_hash"),
    "hub-wrong-small": (BERT, "config.json", Fault(is_wrong=True), "download.wrong_hash"),
    "hub-404": (BERT, "vocab.txt", Fault(status=404), "download.not_found"),
}


@pytest.mark.parametrize("name", _FAULTS)
def test_every_fault_has_its_sentence(name: str, fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    model, text, fault, code = _FAULTS[name]
    monkeypatch.setattr(file_download, "TIMEOUT_S", 0.3)
    fake.faults[text] = fault
    run = fetch(model)
    assert run.status == "failed"
    assert [problem["code"] for problem in run.error or []] == [code]
    assert _told(run).endswith(".")
    assert "Traceback" not in str(run.error)
    left = [*settings.hub_folder().rglob("*.part"), *settings.torch_folder().rglob("*.part")]
    if code == "download.wrong_hash":
        assert not [path for path in left if path.stat().st_size], "a wrong file is removed"
    assert not list(settings.hub_folder().glob("*/snapshots/*/model.safetensors"))
    assert not list(settings.torch_folder().rglob("*.pth"))


def test_hub_that_cannot_be_reached_is_told(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_ENDPOINT", "GRAFT_TORCH_MIRROR"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for model, mirror in ((RESNET, "GRAFT_TORCH_MIRROR"), (BERT, "HF_ENDPOINT")):
        run = fetch(model)
        assert [problem["code"] for problem in run.error or []] == ["download.no_network"]
        assert mirror in _told(run)


def test_token_is_sent_to_the_hub_alone_and_told_nowhere(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serve_hub() as storage:
        content = fake.repositories["someone/tiny-bert"]["model.safetensors"]
        storage.files["model.safetensors"] = content
        run = fetch(BERT)
        assert run.status == "done"
        assert all(one.has_token for one in fake.asked if "/resolve/" in one.path or "/api/" in one.path)
        told = manage.read_log(run.id) + json.dumps(dataclasses.asdict(run))
        told += "".join(path.read_text() for path in run.folder.rglob("*.json"))
        assert "hf_secret" not in told
        redirects = file_download._Redirects()
        request = file_download.urllib.request.Request(fake.address, headers={"Authorization": "Bearer hf_secret"})
        there = redirects.redirect_request(request, None, 302, "", {}, "https://storage.example/x")  # type: ignore[arg-type]
        assert there is not None
        assert not there.has_header("Authorization")
        with pytest.raises(file_download.urllib.error.URLError, match="not safe"):
            redirects.redirect_request(request, None, 302, "", {}, storage.address)  # type: ignore[arg-type]


def test_stop_is_obeyed_at_once_and_keeps_what_came(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.faults[".pth"] = Fault(break_after=150_000, is_held=True, times=1)
    run = submit.new_run(DownloadSpec(model=RESNET))
    came = threading.Event()
    tell = StoreReporter.progress

    def progress(self: StoreReporter, done: float, total: float) -> None:
        tell(self, done, total)
        if done:
            came.set()

    monkeypatch.setattr(StoreReporter, "progress", progress)
    monkeypatch.setattr(download, "_TELL_EVERY_S", 0.0)
    monkeypatch.setattr(download, "_STOP_GRACE_S", 0.05)
    threading.Thread(target=lambda: (came.wait(60), queue.stop_run(run.id)), daemon=True).start()
    run = again(run)
    assert (run.status, [problem["code"] for problem in run.error or []]) == ("stopped", ["run.stopped"])
    fake.release.set()  # the thread that was left waiting ends, as it does with the worker's process
    for thread in threading.enumerate():
        if thread.name == "download":
            thread.join(60)
    (part,) = settings.torch_folder().rglob("*.part")
    kept = part.stat().st_size
    assert 0 < kept < len(BODY)
    assert BODY.startswith(part.read_bytes())
    monkeypatch.setattr(StoreReporter, "should_stop", lambda _self: False)
    run = again(run)
    assert run.status == "done"
    assert fake.sent(".pth")[-1] == len(BODY) - kept


def test_stop_does_not_wait_for_a_server_that_says_nothing(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.faults[".pth"] = Fault(is_silent=True)
    monkeypatch.setattr(download, "_STOP_GRACE_S", 0.05)
    monkeypatch.setattr(StoreReporter, "should_stop", lambda _self: True)
    assert fetch().status == "stopped"
    assert not fake.sent(".pth"), "the server has not even answered yet"


def test_full_disk_is_told_before_anything_is_fetched(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(100_000_000, 0, 50_100_000))
    for model in (RESNET, BERT):
        run = fetch(model)
        assert [problem["code"] for problem in run.error or []] == ["download.no_room"]
        assert "50 MB are free" in _told(run)
    assert not [one for one in fake.sent("/storage/") if one]
    assert not list(settings.torch_folder().rglob("*.part"))


def test_disk_that_fills_up_meanwhile_keeps_what_came(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(file_download, "check_file", full)
    run = fetch()
    assert [problem["code"] for problem in run.error or []] == ["run.disk_full"]
    assert [path.stat().st_size for path in settings.torch_folder().rglob("*.part")] == [len(BODY)]
    monkeypatch.undo()


def test_what_speaks_against_a_download_is_told_before_it(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def codes(model: str) -> list[tuple[str, str]]:
        return [(problem.code, problem.severity) for problem in hubs.check_download(model)]

    assert codes(RESNET) == codes(BERT) == []
    assert codes("torchvision/nothing") == [("model.unknown", "error")]
    assert codes("hub/../etc") == [("model.unknown", "error")]
    assert codes("bundled/minilm-l6") == [("download.comes_along", "error")]
    card = catalog.get_model(RESNET)
    elsewhere = card.model_copy(update={"url": "https://example.org/models/x.pth"})
    monkeypatch.setattr(hubs, "get_model", lambda _id: elsewhere)
    assert codes(RESNET) == [("download.no_address", "error")]
    monkeypatch.setattr(hubs, "get_model", catalog.get_model)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert codes(BERT) == [("download.offline", "error")]
    assert codes(RESNET) == []
    monkeypatch.setenv("GRAFT_OFFLINE", "1")
    with pytest.raises(InputError) as refused:
        submit.new_run(DownloadSpec(model=RESNET))
    assert "GRAFT_OFFLINE=1" in explain(refused.value.problems[0])
    monkeypatch.delenv("GRAFT_OFFLINE")
    assert fetch().status == "done"
    assert codes(RESNET) == [("download.already_here", "warning")]


@pytest.mark.parametrize(
    ("model", "same"),
    [
        (RESNET, "torchvision/resnet18"),
        ("timm/resnet18.a1_in1k", "hub/timm/resnet18.a1_in1k"),
        ("timm/resnet18.a1_in1k", "timm/resnet18"),
    ],
)
def test_two_names_of_the_same_files_have_one_lock(model: str, same: str) -> None:
    assert download.lock_of(model).lock_file == download.lock_of(same).lock_file


def test_second_download_of_a_model_waits_for_no_one(fake: FakeHub) -> None:
    with download.lock_of(RESNET):
        run = fetch()
    assert [problem["code"] for problem in run.error or []] == ["download.at_work"]


_NEEDED: list[tuple[list[str], str, list[str]]] = [
    (["a.py", "model.safetensors", "pytorch_model.bin", "config.json"], "", ["config.json", "model.safetensors"]),
    (["pytorch_model.bin", "config.json"], "", ["config.json", "pytorch_model.bin"]),
    (["open_clip_pytorch_model.bin", "x.bin"], "open_clip_pytorch_model.bin", ["open_clip_pytorch_model.bin"]),
    (["config.json", "tf_model.h5", "../model.safetensors"], "", []),
    (
        ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"],
        "",
        ["model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
    ),
    (
        ["model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors", "../config.json"],
        "",
        ["model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"],
    ),
]


@pytest.mark.parametrize(("names", "preferred", "wanted"), _NEEDED)
def test_only_what_a_model_is_built_from_is_fetched(names: list[str], preferred: str, wanted: list[str]) -> None:
    assert download.needed_files(dict.fromkeys(names, 10), preferred) == wanted


def test_switches_reach_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_XET", "HF_ENDPOINT"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    settings.pass_to_libraries()
    assert os.environ["HF_HUB_OFFLINE"] == "1", "as GRAFT_OFFLINE says"
    assert "HF_HUB_DISABLE_XET" not in os.environ
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    settings.pass_to_libraries()
    assert os.environ["HF_HUB_DISABLE_XET"] == "1"
    assert hubs.hub_endpoint() == "https://mirror.example"


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_proxy_that_a_failed_download_went_by_is_named_without_its_login(
    monkeypatch: pytest.MonkeyPatch, fake: FakeHub, variable: str
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "http://zoe:pass-of-zoe@127.0.0.1:9")
    for setting in ("HF_ENDPOINT", "GRAFT_TORCH_MIRROR"):
        monkeypatch.setenv(setting, "https://bob:pass-of-bob@mirror.example")
    for model, setting in ((RESNET, "GRAFT_TORCH_MIRROR"), (BERT, "HF_ENDPOINT")):
        told = [sentence(problem) for problem in fetch(model).error or []]
        assert len(told) == 2
        assert "mirror.example" in told[0]
        assert setting in told[0]
        assert variable in told[1]
        assert "http://127.0.0.1:9" in told[1]
        assert not [word for word in ("zoe", "bob", "pass") if word in "".join(told)]
    with pytest.raises(GraftError) as searched:
        hub_search.search_hub("bert")
    assert [problem.code for problem in searched.value.problems] == ["hub.unreachable", "download.by_proxy"]
    monkeypatch.setenv("NO_PROXY", "mirror.example")
    assert hubs.ways_to("https://mirror.example/x") == []
