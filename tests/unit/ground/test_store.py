"""The record of runs: nothing doubled, nothing lost, nothing claimed twice."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import NotFoundError, StoreError
from core.store import Artifact, Store, open_store
from tests.fixtures.processes import spawn_together


def _add(store: Store, run_id: str, **columns: object) -> None:
    store.create_run(run_id, kind="import", name=run_id, spec={"data": {"id": "builtin/digits"}}, **columns)


def _losses(store: Store) -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in store.read_metrics("a", names=["train/loss"])]


def test_metrics_are_replaced_when_a_resumed_run_logs_them_again() -> None:
    store = open_store()
    _add(store, "a")
    store.write_metrics("a", [("train/loss", step, 0.1 * step, 1.0 + step, time.time()) for step in range(5)])
    store.write_metrics("a", [("train/loss", step, 0.1 * step, 100.0 + step, time.time()) for step in (3, 4, 5)])
    assert sorted(_losses(store)) == [(0, 1.0), (1, 2.0), (2, 3.0), (3, 103.0), (4, 104.0), (5, 105.0)]


def test_reading_after_an_id_gives_what_is_new_and_what_was_replaced() -> None:
    store = open_store()
    _add(store, "a")
    assert store.read_points("a") == (0, {})
    store.write_metrics("a", [("train/loss", step, None, float(step), 0.0) for step in (2, 0, 1)])
    last, points = store.read_points("a")
    assert points == {"train/loss": [(0, 0.0, 0.0), (1, 1.0, 1.0), (2, 2.0, 2.0)]}
    assert store.read_points("a", after=last) == (last, {})
    store.write_metrics("a", [("train/loss", 1, None, 9.0, 0.0), ("val/loss", 3, 1.5, 0.5, 0.0)])
    newest, news = store.read_points("a", after=last)
    assert news == {"train/loss": [(1, 1.0, 9.0)], "val/loss": [(3, 1.5, 0.5)]}
    assert newest > last
    assert store.read_points("a", names=["val/loss"]) == (newest, {"val/loss": news["val/loss"]})


def test_an_id_is_never_used_twice_when_the_newest_rows_are_gone() -> None:
    store = open_store()
    _add(store, "a")
    _add(store, "b")
    store.write_metrics("a", [("x", 0, None, 1.0, 0.0)])
    last = store.read_metrics("a")[-1].id
    store.delete_run("a")
    store.write_metrics("b", [("x", 0, None, 2.0, 0.0)])
    assert store.read_metrics("b")[0].id > last


def test_runs_are_found_by_all_words_of_name_note_tag_or_id_whatever_their_case(home: Path) -> None:
    store = open_store()
    _add(store, "im-1", note="Äpfel und Birnen", tags=["Obst"], created_at=1.0)
    _add(store, "im-2", note="äpfel", tags=["水果"], created_at=2.0, status="done")
    _add(store, "im-3", created_at=3.0, status="done")
    for words, ids in (
        ([], ["im-3", "im-2", "im-1"]),
        (["ÄPFEL"], ["im-2", "im-1"]),
        (["äpfel", "obst"], ["im-1"]),
        (["水果"], ["im-2"]),
        (["IM-3"], ["im-3"]),
        (["%"], []),
    ):
        found, n = store.find_runs(words, limit=10)
        assert ([run.id for run in found], n) == (ids, len(ids)), words
    newest, n = store.find_runs(statuses=["done"], kind="import", limit=1)
    assert ([run.id for run in newest], n) == (["im-3"], 2)
    assert store.find_runs(kind="finetune", limit=1) == ([], 0)


def test_store_of_an_earlier_graft_is_given_the_indexes_that_it_lacks(home: Path) -> None:
    _add(open_store(), "a")
    with closing(sqlite3.connect(home / "graft.sqlite")) as connection:
        connection.execute("DROP INDEX run_newest")
        connection.execute("CREATE INDEX ix_run_status ON run (status)")
    store = Store(home / "graft.sqlite")
    with closing(sqlite3.connect(home / "graft.sqlite")) as connection:
        plan = connection.execute("EXPLAIN QUERY PLAN SELECT * FROM run ORDER BY created_at DESC, id DESC LIMIT 5")
        assert "USING INDEX run_newest" in plan.fetchone()[3]
    assert [run.id for run in store.list_runs()] == ["a"]


def test_metrics_of_another_run_stay_apart() -> None:
    store = open_store()
    for name in "ab":
        _add(store, name)
        store.write_metrics(name, [("x", 0, None, float(ord(name)), 0.0)])
    assert [m.value for m in store.read_metrics("a")] == [97.0]
    store.delete_run("a")
    assert [m.value for m in store.read_metrics("b")] == [98.0]
    assert store.read_metrics("a") == []


@pytest.mark.parametrize("version", [0, 2, 99])
def test_store_is_refused_when_another_version_wrote_it(tmp_path: Path, version: int) -> None:
    path = tmp_path / "graft.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE run (id TEXT)")
        connection.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(StoreError, match="another version") as refused:
        Store(path)
    assert refused.value.code == "store.other_version"
    with sqlite3.connect(path) as connection:  # and it was left alone
        assert connection.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall() == [("run",)]


def test_store_is_refused_when_the_file_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "graft.sqlite"
    path.write_bytes(b"these are some words and no database at all" * 50)
    with pytest.raises(StoreError, match="is damaged"):
        Store(path)


def test_unknown_run_is_told() -> None:
    with pytest.raises(NotFoundError, match="no run nothing here"):
        open_store().get_run("nothing")


def test_runs_are_listed_newest_first_and_filtered() -> None:
    store = open_store()
    _add(store, "a", sibling_group="g")
    _add(store, "b", sibling_group="g", parent="a")
    store.create_run("c", kind="finetune", name="c", spec={})
    store.update_run("b", status="done")
    assert [run.id for run in store.list_runs()] == ["c", "b", "a"]
    assert [run.id for run in store.list_runs(limit=2)] == ["c", "b"]
    assert [run.id for run in store.list_runs(sibling_group="g")] == ["b", "a"]
    assert [run.id for run in store.list_runs(statuses=["queued"])] == ["c", "a"]
    assert [run.id for run in store.list_runs(statuses=[])] == []
    assert [run.id for run in store.list_runs(kind="finetune")] == ["c"]
    assert [run.id for run in store.list_runs(parent="a")] == ["b"]


def test_update_is_not_done_when_the_status_is_another() -> None:
    store = open_store()
    _add(store, "a")
    assert not store.update_run("a", only_if=["running"], status="done")
    assert store.get_run("a").status == "queued"
    assert store.update_run("a", only_if=["queued", "running"], status="running")
    assert not store.update_run("nothing", status="done")


def test_claim_takes_the_oldest_of_its_device_while_slots_are_free() -> None:
    store = open_store()
    for name, device in (("a", "cpu"), ("b", "cuda"), ("c", "cpu"), ("d", "cpu")):
        _add(store, name, device=device)
    first = store.claim_next("cpu", 2, host="here")
    assert first is not None
    assert (first.id, first.status, first.host) == ("a", "running", "here")
    second = store.claim_next("cpu", 2)
    assert second is not None
    assert second.id == "c"
    assert store.claim_next("cpu", 2) is None
    assert store.get_run("d").status == "queued"
    other = store.claim_next("cuda", 1)
    assert other is not None
    assert other.id == "b"
    assert store.claim_next("mps", 1) is None


def test_each_run_is_claimed_once_when_two_processes_claim(home: Path) -> None:
    store = open_store()
    names = [f"r{i:02}" for i in range(30)]
    for name in names:
        _add(store, name, device="cpu")
    script = "while (run := store.claim_next('cpu', 1000)) is not None: print(run.id)"
    found = [text.split() for text in spawn_together(home, script, 2)]
    assert sorted(found[0] + found[1]) == names
    assert all(run.status == "running" for run in store.list_runs())


def test_nothing_is_lost_when_processes_write_at_once(home: Path) -> None:
    _add(open_store(), "a")
    script = (
        "for step in range(40):\n"
        "    store.write_metrics('a', [(f'w{sys.argv[1]}/{k}', step, None, step + k, 0.0) for k in range(5)])\n"
    )
    spawn_together(home, script, 3)
    found = open_store().read_metrics("a")
    assert len(found) == 3 * 40 * 5
    assert all(m.value == m.step + int(m.name[-1]) for m in found)
    assert [m.id for m in found] == sorted({m.id for m in found})


def test_artifact_is_replaced_when_written_again() -> None:
    store = open_store()
    _add(store, "a")
    for size in (1, 2):
        store.write_artifact(Artifact("a", "report.json", "report", "artifacts/report.json", size, "00", 0.0))
    assert [artifact.bytes for artifact in store.list_artifacts("a")] == [2]
    store.delete_run("a")
    assert store.list_artifacts("a") == []
