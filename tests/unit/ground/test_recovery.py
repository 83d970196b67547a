"""A damaged record of runs: set aside and kept, made anew, and said so; nothing that can be read is lost."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core import recovery, store
from core.errors import StoreError
from core.files import to_json, write_atomically
from core.runs import export
from core.store import Run, open_store
from tests.fixtures.homes import living_in

RUNS = 16


def _id(number: int) -> str:
    return f"ft-0101-000000-{number:03}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Run]]:
    """A home with ended runs, their curves and files, as workers leave them."""
    with living_in(tmp_path_factory.mktemp("made")) as home:
        kept = open_store()
        for number in range(RUNS):
            spec = {"model": {"id": "bundled/minilm-l6"}, "words": "x" * 900}
            kept.create_run(_id(number), kind="finetune", name=f"run {number}", spec=spec, created_at=1000.0 + number)
            kept.write_metrics(_id(number), [("train/loss", step, 0.5, step / 7, 0.0) for step in range(60)])
            kept.update_run(_id(number), status="done", summary={"test": {"accuracy": number / RUNS}}, progress=1.0)
            run = kept.get_run(_id(number))
            (run.folder / "artifacts").mkdir(parents=True)
            write_atomically(run.folder / "artifacts" / "report.json", "{}")
            write_atomically(run.folder / "spec.json", to_json({"kind": "finetune", **spec}))
            export.keep_facts(run.id, kept)
        with closing(sqlite3.connect(kept.path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return home, kept.list_runs()


@pytest.fixture
def runs(home: Path, made: tuple[Path, list[Run]]) -> list[Run]:
    shutil.copytree(made[0], home, dirs_exist_ok=True)
    return made[1]


def _flip(path: Path, places: list[int]) -> None:
    content = bytearray(path.read_bytes())
    for place in places:
        content[place] ^= 0xFF
    path.write_bytes(content)


def _flip_somewhere(seed: int) -> Callable[[Path], None]:
    def flip(path: Path) -> None:
        size, rng = path.stat().st_size, random.Random(seed)
        for start in rng.choices(range(100, size - 300), k=3):
            _flip(path, list(range(start, start + 200)))

    return flip


DAMAGES: dict[str, Callable[[Path], object]] = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-5000]),
    "other bytes at the front": lambda path: _flip(path, list(range(60))),
    "words instead": lambda path: path.write_text("these are words" * 1000, encoding="utf-8"),
    **{f"other bytes somewhere, {seed}": _flip_somewhere(seed) for seed in range(6)},
}


def _use() -> list[Run]:
    """What two visits find: the first may have to tell that the file is damaged."""
    store._open.cache_clear()
    codes = list[str]()
    for _ in range(2):
        try:
            for run in open_store().list_runs():
                open_store().read_metrics(run.id)
                open_store().list_artifacts(run.id)
        except StoreError as error:
            codes.append(error.code)
    assert set(codes) <= {"store.damaged"}
    return open_store().list_runs()


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_store_is_set_aside_and_no_run_is_lost(
    runs: list[Run], home: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = open_store().path
    if "somewhere" in damage:
        (home / ".graft.sqlite.checked").unlink(missing_ok=True)  # a day later
    DAMAGES[damage](path)
    spoilt = path.read_bytes() if path.exists() else b""
    found = _use()
    seen = {run.id: (run.status, run.name, run.summary, run.spec, run.created_at) for run in found}
    for run in runs:
        assert seen[run.id] == (run.status, run.name, run.summary, run.spec, run.created_at)
        points = {(one.name, one.step): one.value for one in open_store().read_metrics(run.id)}
        assert points == {("train/loss", step): step / 7 for step in range(60)}
        assert [artifact.name for artifact in open_store().list_artifacts(run.id)] == ["report.json"]
    kept = list(home.glob("graft.damaged-*.sqlite"))
    if path.read_bytes() == spoilt or not spoilt:
        return  # no byte of it that counts was hit; or there is nothing to keep
    assert [one.read_bytes() for one in kept] == [spoilt]
    (problem,) = recovery.told(path)
    assert problem.values["runs"] + problem.values["made"] == RUNS
    assert "is kept as" in capsys.readouterr().err
    kept[0].unlink()
    assert recovery.told(path) == []


def test_run_that_left_only_its_spec_is_told_as_interrupted(home: Path) -> None:
    open_store()
    folder = home / "runs" / "ft-0101-000000-abc"
    folder.mkdir(parents=True)
    write_atomically(folder / "spec.json", to_json({"kind": "finetune", "epochs": 3}))
    (home / "graft.sqlite").unlink()
    (run,) = _use()
    assert (run.id, run.status, run.spec) == (folder.name, "interrupted", {"epochs": 3})
    assert [problem["code"] for problem in run.error or []] == ["run.row_lost"]


def test_row_that_is_no_row_any_more_breaks_nothing_else(runs: list[Run], home: Path) -> None:
    """SQLite finds nothing wrong with a text in which letters have changed."""
    with closing(sqlite3.connect(home / "graft.sqlite")) as connection, connection:
        connection.execute("UPDATE run SET summary = '{\"test' WHERE id = ?", [_id(3)])
    assert {run.id: run.summary for run in _use()} == {run.id: run.summary for run in runs}


def test_sound_store_that_was_suspected_stays(runs: list[Run], home: Path) -> None:
    before = (home / "graft.sqlite").read_bytes()
    recovery.suspect(home / "graft.sqlite")
    assert _use() == runs
    assert (home / "graft.sqlite").read_bytes() == before
    assert not list(home.glob("*damaged*"))


def test_store_of_another_version_is_no_damaged_one(home: Path) -> None:
    with closing(sqlite3.connect(home / "graft.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE run (id TEXT)")
        connection.execute("PRAGMA user_version = 99")
    recovery.suspect(home / "graft.sqlite")
    with pytest.raises(StoreError) as refused:
        open_store()
    assert refused.value.code == "store.other_version"
    assert not list(home.glob("*damaged*"))


def test_locked_store_is_no_damaged_one(runs: list[Run], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> sqlite3.Connection:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(recovery, "_open", refuse)
    recovery.suspect(home / "graft.sqlite")
    assert _use() == runs
    assert not list(home.glob("*damaged*"))
