"""What a worker tells reaches the store, also when the store is not to be had for a while."""

from __future__ import annotations

import math

import pytest

from core.errors import StoreError
from core.problems import Problem
from core.progress import TimeLeft
from core.runs.reporter import RESERVE_BYTES, StoreReporter
from core.store import Run, Store, open_store
from tests.fixtures.processes import wait_until


@pytest.fixture
def run() -> Run:
    store = open_store()
    store.create_run("a", kind="import", name="a", spec={})
    store.update_run("a", status="running")
    run = store.get_run("a")
    run.folder.mkdir(parents=True)
    return run


def _told(name: str = "x") -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in open_store().read_metrics("a", names=[name])]


class _Full(Store):
    """A store on a disk that is full for as many writes as `left` says."""

    def __init__(self, left: int) -> None:
        super().__init__(open_store().path)
        self.left = left
        self.refused = 0

    def _begin(self):  # type: ignore[no-untyped-def]
        if self.left > 0:
            self.left -= 1
            self.refused += 1
            raise StoreError("store.cannot_write", path=str(self.path), detail="database or disk is full")
        return super()._begin()


# -- time left ---------------------------------------------------------------------------------------------


def test_time_left_is_unknown_before_there_is_a_speed() -> None:
    left = TimeLeft()
    assert left.update(0.0, 0.0) is None
    assert left.update(0.0, 1.0) is None


def test_time_left_is_what_remains_at_a_steady_speed() -> None:
    left = TimeLeft()
    left.update(0.0, 0.0)
    assert left.update(0.1, 1.0) == pytest.approx(9.0)
    assert left.update(0.2, 2.0) == pytest.approx(8.0)
    assert left.update(1.0, 10.0) == 0.0


def test_time_left_counts_only_what_it_watched_when_a_run_is_resumed() -> None:
    left = TimeLeft()
    assert left.update(0.8, 100.0) is None
    assert left.update(0.9, 110.0) == pytest.approx(10.0)


def test_time_left_follows_a_change_of_speed_slowly() -> None:
    left = TimeLeft()
    left.update(0.0, 0.0)
    left.update(0.1, 1.0)
    found = left.update(0.11, 2.0)
    share = 1 - math.exp(-1 / 20)
    assert found == pytest.approx(0.89 / (0.01 * share + 0.1 * (1 - share)))


def test_time_left_begins_anew_when_progress_falls_back() -> None:
    left = TimeLeft()
    left.update(0.0, 0.0)
    left.update(0.5, 1.0)
    assert left.update(0.2, 2.0) is None
    assert left.update(0.3, 3.0) == pytest.approx(7.0)


# -- telling -----------------------------------------------------------------------------------------------


def test_everything_told_is_in_the_store_when_a_run_is_done(run: Run) -> None:
    reporter = StoreReporter(open_store(), run)
    reporter.start()
    reporter.phase("train", epoch=2, epochs=5, why=run.folder)
    for step in range(1, 101):
        reporter.metrics(step, step / 10, train__loss=1 / step, val__loss=2 / step)
    reporter.progress(1, 4)
    assert reporter.finish("done", [], {"n": 1}, patience_s=0) == "done"
    assert _told("train/loss") == [(step, 1 / step) for step in range(1, 101)]
    assert len(_told("val/loss")) == 100
    found = open_store().get_run("a")
    assert (found.status, found.progress, found.eta_s, found.summary, found.error) == (
        "done",
        1.0,
        None,
        {"n": 1},
        None,
    )
    assert found.phase == {"code": "train", "values": {"epoch": 2, "epochs": 5, "why": str(run.folder)}}
    assert found.heartbeat_at is not None


def test_values_reach_the_store_while_the_run_works(run: Run) -> None:
    reporter = StoreReporter(open_store(), run)
    reporter.start()
    reporter.metrics(1, 0.1, x=2.0)
    reporter.progress(0.25, 1)
    wait_until(lambda: _told() == [(1, 2.0)] and open_store().get_run("a").progress == 0.25, 5)
    wait_until(lambda: bool(open_store().read_metrics("a", names=["sys/memory_mb"])), 5)
    assert open_store().get_run("a").status == "running"
    reporter.finish("done", [], {}, patience_s=0)


@pytest.mark.parametrize(("done", "total", "share"), [(3, 2, 1.0), (-1, 2, 0.0), (1, 3, 1 / 3)])
def test_progress_is_a_share(done: float, total: float, share: float, run: Run) -> None:
    reporter = StoreReporter(open_store(), run)
    reporter.progress(done, total)
    reporter.finish("stopped", [], {}, patience_s=0)
    assert open_store().get_run("a").progress == pytest.approx(share)


def test_progress_is_ignored_when_there_is_nothing_to_do(run: Run) -> None:
    reporter = StoreReporter(open_store(), run)
    reporter.progress(1, 0)
    reporter.finish("stopped", [], {}, patience_s=0)
    assert open_store().get_run("a").progress is None


def test_what_is_no_number_is_told_once_in_the_log_and_not_stored(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    reporter = StoreReporter(open_store(), run)
    for step, value in enumerate((1.0, math.nan, math.inf, 4.0)):
        reporter.metrics(step, 0.0, x=value)
    reporter.finish("done", [], {}, patience_s=0)
    assert _told() == [(0, 1.0), (3, 4.0)]
    assert capsys.readouterr().out.count("x is nan at step 1") == 1


def test_problems_of_a_failure_are_kept(run: Run) -> None:
    problem = Problem("run.diverged", values={"step": 1, "lr": 0.1})
    StoreReporter(open_store(), run).finish("failed", [problem], {}, patience_s=0)
    found = open_store().get_run("a")
    assert (found.status, found.error) == ("failed", [problem.as_dict()])


def test_stop_is_seen_when_the_page_asks(run: Run) -> None:
    reporter = StoreReporter(open_store(), run)
    reporter.start()
    assert not reporter.should_stop()
    open_store().update_run("a", stop_requested=True)
    wait_until(reporter.should_stop, 5)
    reporter.finish("stopped", [], {}, patience_s=0)


def test_an_end_told_by_somebody_else_is_not_overwritten(run: Run) -> None:
    reporter = StoreReporter(open_store(), run)
    open_store().update_run("a", status="interrupted")
    reporter.finish("done", [], {"n": 1}, patience_s=0)
    assert open_store().get_run("a").status == "interrupted"


# -- a store that is full ----------------------------------------------------------------------------------


def test_nothing_is_lost_when_the_store_is_full_for_a_while(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    store = _Full(2)
    reporter = StoreReporter(store, run)
    reporter.start()
    for step in range(5):
        reporter.metrics(step, 0.0, x=float(step))
    reporter.phase("train", epoch=1, epochs=1)
    wait_until(lambda: len(_told()) == 5, 10)
    assert store.refused == 2
    assert reporter.finish("done", [], {}, patience_s=5) == "done"
    assert _told() == [(step, float(step)) for step in range(5)]
    found = open_store().get_run("a")
    assert found.phase is not None
    assert (found.status, found.phase["code"]) == ("done", "train")
    assert capsys.readouterr().out.count("trying again") == 1, "told once, not at every try"


def test_end_is_written_when_the_store_has_room_again(run: Run) -> None:
    reporter = StoreReporter(_Full(1), run)
    reporter.reserve_disk()
    assert (run.folder / ".reserve").stat().st_size == RESERVE_BYTES
    reporter.metrics(1, 0.0, x=1.0)
    assert reporter.finish("failed", [Problem("run.disk_full")], {}, patience_s=10) == "failed"
    assert open_store().get_run("a").status == "failed"
    assert _told() == [(1, 1.0)]
    assert not (run.folder / ".reserve").exists()


def test_run_counts_as_interrupted_when_its_end_can_never_be_written(run: Run) -> None:
    reporter = StoreReporter(_Full(10_000), run)
    reporter.metrics(1, 0.0, x=1.0)
    assert reporter.finish("done", [], {}, patience_s=0) == "interrupted"
    assert open_store().get_run("a").status == "running", "reconcile finds it"


# -- whose run it is -----------------------------------------------------------------------------------------


def _at_work(run: Run) -> StoreReporter:
    open_store().update_run("a", pid=11)
    return StoreReporter(open_store(), open_store().get_run("a"))


def test_worker_stops_and_writes_nothing_more_when_another_has_the_run(run: Run) -> None:
    reporter = _at_work(run)
    open_store().update_run("a", pid=22, progress=0.5)  # given up, resumed, and begun by another process
    reporter.progress(1, 10)
    reporter._write_all(0.0)
    reporter._read_stop_flag(10.0)
    assert reporter.should_stop()
    assert reporter.finish("stopped", [], {}, patience_s=0) == "running"
    kept = open_store().get_run("a")
    assert (kept.status, kept.pid, kept.progress) == ("running", 22, 0.5)


def test_worker_takes_back_a_run_that_was_given_up_by_mistake(run: Run) -> None:
    reporter = _at_work(run)
    lost = Problem("run.host_lost", values={"host": "h", "seconds": 400}).as_dict()
    open_store().update_run("a", status="interrupted", error=[lost], ended_at=1.0)
    reporter._read_stop_flag(10.0)
    kept = open_store().get_run("a")
    assert (kept.status, kept.error, kept.ended_at, reporter.should_stop()) == ("running", None, None, False)
    assert reporter.finish("done", [], {}, patience_s=0) == "done"
