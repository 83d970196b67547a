"""While others want the processors, threads hardly spin; what they compute stays the same."""

from __future__ import annotations

import subprocess
import sys

import pytest

from core import sharing
from tests.fixtures.processes import ROOT

_SCRIPT = """
import hashlib
import psutil, torch
from core import sharing
from tests.fixtures.processes import wait_until

me, watch = psutil.Process(), sharing.Watch()

def compute():
    x = torch.randn(64, 512, generator=torch.Generator().manual_seed(0))
    for _ in range(20):
        x = torch.tanh(x @ x.T @ x / 512)
    return hashlib.sha256(x.numpy().tobytes()).hexdigest()

def threads():
    return me.num_threads()

alone, before = compute(), threads()
watch.notice(0.2)
assert not watch.is_sharing
watch.notice(0.9)
assert watch.is_sharing
assert threads() - before >= psutil.cpu_count(), (threads(), before)
assert compute() == alone
watch.notice(0.2)
watch.notice(0.0)
assert watch.is_sharing  # not at once: a browser comes and goes
watch._until = 0.0
watch.notice(0.0)
assert not watch.is_sharing
wait_until(lambda: threads() == before)
assert compute() == alone
print("done")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="GNU OpenMP is Linux's")
def test_sleeping_threads_are_kept_while_others_want_the_processors() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "done\n", done.stderr


def test_what_others_use_is_all_but_what_this_process_does() -> None:
    before = sharing._Used(at=10.0, of_all=100.0, own=3.0)
    assert sharing._Used(at=12.0, of_all=103.0, own=5.0).by_others_since(before) == pytest.approx(0.5)
    assert sharing._Used(at=12.0, of_all=101.0, own=5.0).by_others_since(before) == 0.0  # counted at another moment
    first, second = sharing._Used.now(), sharing._Used.now()
    assert 0 < first.of_all <= second.of_all
    assert first.own <= second.own


def test_processors_that_are_left_to_others_are_nothing_to_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing.psutil, "cpu_count", lambda: 16)
    monkeypatch.setattr(sharing, "usable_threads", lambda: 4)
    assert sharing._left_to_others() == 12


def test_what_the_user_said_of_waiting_holds() -> None:
    assert sharing.spin_less({})["GOMP_SPINCOUNT"] == "10000"
    assert sharing.spin_less({"GOMP_SPINCOUNT": "5", "KMP_BLOCKTIME": "9"}) == {
        "GOMP_SPINCOUNT": "5",
        "KMP_BLOCKTIME": "9",
    }
    assert sharing.spin_less({"OMP_WAIT_POLICY": "ACTIVE"}) == {"OMP_WAIT_POLICY": "ACTIVE"}


def test_there_is_one_watch_a_process() -> None:
    assert sharing.watch() is sharing.watch()
    assert sharing.watch().daemon
