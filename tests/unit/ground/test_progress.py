"""Where a run's time goes."""

from __future__ import annotations

import pytest

from core import progress as core_progress
from core.errors import StoppedError
from core.progress import PhaseClock, SilentReporter


class _Listener(SilentReporter):
    def __init__(self) -> None:
        self.phases: list[tuple[str, dict[str, object]]] = []
        self.shares: list[float] = []
        self.is_stopping = False

    def phase(self, code: str, **values: object) -> None:
        self.phases.append((code, values))

    def progress(self, done: float, total: float) -> None:
        self.shares.append(done / total)

    def should_stop(self) -> bool:
        return self.is_stopping


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in a list that a test sets."""
    moment = [0.0]
    monkeypatch.setattr(core_progress.time, "perf_counter", lambda: moment[0])
    return moment


def test_seconds_are_summed_by_phase(now: list[float]) -> None:
    watch = PhaseClock(SilentReporter())
    for moment, code in ((1.0, "data"), (4.0, "train"), (9.0, "validate"), (10.0, "train"), (12.0, "save")):
        now[0] = moment
        watch.phase(code)
    now[0] = 12.5
    assert watch.total(["train", "validate", "never"]) == 8.0
    assert watch.seconds == {"data": 3.0, "train": 7.0, "validate": 1.0, "save": 0.5}


def test_phase_goes_on_with_its_values_after_one_inside_it(now: list[float]) -> None:
    listener = _Listener()
    watch = PhaseClock(listener)
    watch.phase("train", epoch=1, epochs=3)
    now[0] = 2.0

    def fail() -> None:
        with watch.during("compile"):
            now[0] = 5.0
            raise ValueError("no export")

    with pytest.raises(ValueError, match="no export"):
        fail()
    now[0] = 6.0
    assert watch.total(["train"]) == 3.0
    assert watch.seconds["compile"] == 3.0
    train = ("train", {"epoch": 1, "epochs": 3})
    assert listener.phases == [train, ("compile", {}), train]


def test_work_of_all_kinds_adds_up_to_one_share() -> None:
    listener = _Listener()
    watch = PhaseClock(listener)
    watch.work("train", 5)
    assert listener.shares == [], "nothing was expected yet"
    watch = PhaseClock(listener)
    watch.expect(100.0, prefix=1.0, train=3.0)
    watch.begin_at(prefix=10)
    watch.work("prefix", 20)
    watch.work("train", 10)
    watch.work("unknown", 1000)
    watch.work("train", 1000)
    assert listener.shares == pytest.approx([0.1, 0.3, 0.6, 0.6, 1.0])


def test_stop_is_raised_when_it_was_asked_for() -> None:
    listener = _Listener()
    watch = PhaseClock(listener)
    watch.raise_if_stopped()
    listener.is_stopping = True
    with pytest.raises(StoppedError):
        watch.raise_if_stopped()
