"""What can be done with runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core import spec as core_spec
from core import store as core_store
from core.data.spec import ImportSpec
from core.errors import InputError, NotFoundError, RunError
from core.finetune.spec import FinetuneSpec
from core.runs import kinds, manage, queue, submit
from core.runs.names import data_name
from core.spec import parse_spec
from core.store import Run, open_store
from tests.fixtures.processes import IdleExecutor, tiny


@pytest.fixture(autouse=True)
def executor(monkeypatch: pytest.MonkeyPatch) -> IdleExecutor:
    idle = IdleExecutor()
    monkeypatch.setattr(queue, "LocalExecutor", lambda: idle)
    return idle


def _finetune(**values: object) -> FinetuneSpec:
    base = {"model": {"id": "bundled/efficientnet_lite0"}, "data": {"id": "builtin/digits"}, "device": "cpu"}
    return parse_spec(FinetuneSpec, {**base, **values})


def _ended(status: str = "done") -> Run:
    run = submit.new_run(tiny("done"))
    open_store().update_run(run.id, status=status)
    return open_store().get_run(run.id)


def test_new_run_is_queued_with_a_folder_that_tells_what_was_asked() -> None:
    spec = _finetune(epochs=3)
    run = submit.new_run(spec, name="  mine ", group="g")
    assert (run.status, run.kind, run.name, run.sibling_group, run.device) == ("queued", "finetune", "mine", "g", "cpu")
    assert run.id.startswith("ft-")
    written = json.loads((run.folder / "spec.json").read_text(encoding="utf-8"))
    assert written.pop("kind") == "finetune"
    assert parse_spec(FinetuneSpec, written) == spec == manage.spec_of(run)


def test_new_run_leaves_nothing_behind_when_it_is_refused(home: Path) -> None:
    with pytest.raises(InputError, match="no file or folder"):
        submit.new_run(_finetune(data={"id": "path:/nowhere/at/all"}))
    assert open_store().list_runs() == []
    assert not (home / "runs").exists() or not any((home / "runs").iterdir())


def test_new_run_leaves_no_folder_when_its_row_cannot_be_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store()

    def refuse(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "create_run", refuse)
    with pytest.raises(KeyboardInterrupt):
        submit.new_run(_finetune(), store=store)
    assert not any((home / "runs").iterdir())


def test_new_run_is_accepted_when_only_warnings_speak_against_it() -> None:
    assert submit.new_run(_finetune(epochs=2, patience=4)).status == "queued"


def test_submit_starts_the_run_when_a_slot_is_free(executor: IdleExecutor) -> None:
    first, second = submit.submit(_finetune()), submit.submit(_finetune())
    assert (first.status, second.status) == ("running", "queued")
    assert executor.started == [first.id]


def test_reading_data_does_not_wait_behind_a_training(executor: IdleExecutor) -> None:
    training, reading = submit.submit(_finetune()), submit.submit(tiny("done"))
    assert executor.started == [training.id, reading.id]


def test_relative_path_is_kept_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pictures").mkdir()
    monkeypatch.chdir(tmp_path)
    run = submit.new_run(parse_spec(ImportSpec, {"data": {"id": "path:pictures"}}))
    assert run.spec["data"]["id"] == f"path:{tmp_path}/pictures"
    assert run.name == "pictures"


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "EfficientNet-Lite0 · digits · head"),
        ({"method": "last", "last_blocks": 3}, "EfficientNet-Lite0 · digits · last 3"),
        ({"method": "full"}, "EfficientNet-Lite0 · digits · all layers"),
        (
            {"method": "full", "model": {"id": "bundled/efficientnet_lite0", "weights": "random"}},
            "EfficientNet-Lite0 · random · digits · all layers",
        ),
    ],
)
def test_name_says_model_data_and_method(values: dict[str, object], name: str) -> None:
    assert kinds.name_for(_finetune(**values)) == name


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("/a/cats.zip", "cats"),
        ("org/food", "food"),
        (r"C:\pictures\dogs", "dogs"),
        ("/a/b/", "b"),
        ("digits", "digits"),
    ],
)
def test_data_name_is_the_last_part(name: str, wanted: str) -> None:
    assert data_name(name) == wanted


def test_run_of_a_run_has_it_as_parent() -> None:
    spec = _finetune().model_copy(update={"model": core_spec.ModelRef(id="run/ft-1")})
    assert submit._parent_of(spec) == "ft-1"
    assert submit._parent_of(_finetune()) is None


@pytest.mark.parametrize("status", ["queued", "running"])
def test_delete_is_refused_while_a_run_is_active(status: str) -> None:
    run = _ended(status)
    with pytest.raises(RunError, match=f"is {status}: stop it"):
        manage.delete_run(run.id)
    assert run.folder.exists()
    assert open_store().get_run(run.id).status == status


def test_delete_removes_files_and_rows() -> None:
    run, other = _ended(), _ended()
    open_store().write_metrics(run.id, [("x", 0, None, 1.0, 0.0)])
    manage.delete_run(run.id)
    assert not run.folder.exists()
    assert open_store().read_metrics(run.id) == []
    with pytest.raises(NotFoundError):
        open_store().get_run(run.id)
    assert other.folder.exists()


def test_delete_works_when_the_folder_is_gone_already() -> None:
    run = _ended()
    (run.folder / "spec.json").unlink()
    run.folder.rmdir()
    manage.delete_run(run.id)
    assert open_store().list_runs() == []


def test_delete_keeps_the_row_when_a_file_cannot_be_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = _ended()

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(manage.shutil, "rmtree", refuse)
    with pytest.raises(RunError, match="Permission denied"):
        manage.delete_run(run.id)
    assert open_store().get_run(run.id).status == "done"


def test_run_is_renamed_noted_and_tagged() -> None:
    run = _ended()
    manage.rename_run(run.id, "  图片 one ")
    manage.note_run(run.id, " a remark ")
    manage.tag_run(run.id, ["b", " a ", "", "b"])
    found = open_store().get_run(run.id)
    assert (found.name, found.note, found.tags) == ("图片 one", "a remark", ["a", "b"])


def test_rename_is_refused_when_nothing_is_left_of_the_name() -> None:
    run = _ended()
    with pytest.raises(InputError, match="at least one letter"):
        manage.rename_run(run.id, "   ")
    with pytest.raises(NotFoundError):
        manage.rename_run("nothing", "x")
    assert open_store().get_run(run.id).name == run.name


@pytest.mark.parametrize("status", ["stopped", "failed", "interrupted"])
def test_resume_queues_an_ended_run_again(status: str, executor: IdleExecutor) -> None:
    run = _ended(status)
    open_store().update_run(run.id, error=[{"code": "x"}], stop_requested=True, pid=1, ended_at=1.0)
    again = manage.resume_run(run.id)
    assert executor.started == [run.id]
    assert (again.status, again.attempt, again.error, again.stop_requested) == ("running", 1, None, False)
    assert (again.ended_at, again.pid) != (1.0, 1)


@pytest.mark.parametrize("status", ["done", "queued"])
def test_resume_is_refused_when_there_is_nothing_to_go_on_with(status: str) -> None:
    run = _ended(status)
    with pytest.raises(RunError, match=f"is {status}; only a stopped"):
        manage.resume_run(run.id)
    assert open_store().get_run(run.id).attempt == 0


def test_resume_happens_once_when_asked_twice(executor: IdleExecutor) -> None:
    run = _ended("failed")
    manage.resume_run(run.id)
    with pytest.raises(RunError):
        manage.resume_run(run.id)
    assert executor.started == [run.id]


def test_repeat_makes_a_new_run_of_the_same_spec() -> None:
    run = _ended()
    again = manage.repeat_run(run.id)
    assert again.id != run.id
    assert (again.spec, again.name, again.attempt) == (run.spec, run.name, 0)


def test_checkpoint_is_seen_when_its_folder_holds_something() -> None:
    run = _ended()
    assert not manage.has_checkpoint(run)
    (run.folder / "checkpoint").mkdir()
    assert not manage.has_checkpoint(run)
    (run.folder / "checkpoint" / "best.json").touch()
    assert manage.has_checkpoint(run)


def test_log_is_told_without_colours_and_past_states_of_a_bar() -> None:
    run = _ended()
    assert manage.read_log(run.id) == ""
    log = run.folder / "worker.log"
    log.write_bytes("one\r\n\x1b[31mred\x1b[0m\n 10%\r 50%\r100%\nbroken \xe9 byte\n".encode("latin-1"))
    assert manage.read_log(run.id) == "one\nred\n100%\nbroken \ufffd byte"
    log.write_text("\n".join(map(str, range(1000))) + "\n", encoding="utf-8")
    assert manage.read_log(run.id, tail=3) == "997\n998\n999"
    assert manage.read_log(run.id, tail=5, max_bytes=9).endswith("998\n999")


def test_report_is_none_until_there_is_a_whole_one() -> None:
    run = _ended("running")
    assert core_store.read_report(run.id) is None
    (run.folder / "artifacts").mkdir()
    path = run.folder / "artifacts" / "report.json"
    for text in ('{"a": ', "[1]"):
        path.write_text(text, encoding="utf-8")
        assert core_store.read_report(run.id) is None
    path.write_text('{"a": 1}', encoding="utf-8")
    assert core_store.read_report(run.id) == {"a": 1}


def test_size_counts_every_file() -> None:
    run = _ended()
    before = manage.run_size(run.id)
    (run.folder / "artifacts").mkdir()
    (run.folder / "artifacts" / "x").write_bytes(b"12345")
    assert manage.run_size(run.id) == before + 5
