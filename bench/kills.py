"""`python -m bench kills`: worker, server or both killed at random moments, and what is true afterwards.

Each try kills with SIGKILL and then asks: is the record true, is anything lost, is a process left; and after it was
resumed, are the numbers those of an undisturbed run. All tries live in one home, where the undisturbed run of each kind
comes first; caches are emptied before each try, so that every one has all the work before it.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.kill_kinds import KINDS, Kind, Numbers, curve, environment, forget_download, make_archive, make_inputs
from bench.kill_processes import Server, end, processes, serve_one_model, workers
from bench.kill_server import load_libraries
from core import settings
from core.cache import clear_cache
from core.files import is_unfinished, sha256, to_json
from core.store import Run, open_store

VICTIMS = ("worker", "server", "both")
# A few seconds: what a dead run started is gone by then.
LEFT_AFTER_S = 5.0
# A worker that has recorded its end unloads its libraries, beside whatever else is at work.
ENDED_AFTER_S = 30.0
MOST_KILLS = 4
COLD = 0.2  # the share of tries whose processes start from nothing, as they do in truth
_PATIENCE_S = 600.0


@dataclass
class Kill:
    """Whom, when, what the run did then, and what the record said afterwards."""

    victim: str
    after_s: float  # since the server was told
    phase: str = ""
    status: str = ""
    gone_s: float = 0.0  # until no process was left
    is_late: bool = False  # the run had ended before


@dataclass
class Try:
    """A job that is killed some times and resumed each time, and everything that was not as it should be."""

    number: int
    kind: str
    kills: list[Kill] = field(default_factory=list)
    is_warm: bool = True  # its processes were forked with their libraries loaded
    seconds: float = 0.0
    ended_s: float = 0.0  # from the record of its end to that of its last process
    faults: list[str] = field(default_factory=list)

    @property
    def in_time(self) -> list[Kill]:
        """The kills that came before the end."""
        return [kill for kill in self.kills if not kill.is_late]

    def line(self) -> str:
        """For people."""
        told = [
            f"{kill.victim} {kill.after_s:.1f} s {kill.phase}: {'late' if kill.is_late else kill.status}"
            for kill in self.kills
        ]
        return f"{self.number:3} {self.kind:9} {' | '.join(told)}   {'; '.join(self.faults) or 'right'}"


def measure(out: Path, *, tries: int, seed: int, only: Sequence[str], folder: Path | None) -> list[Try]:
    """Print and save every try; the seed says what is killed and when. In `folder` undisturbed runs are kept."""
    names = list(only or KINDS)
    with tempfile.TemporaryDirectory(prefix="graft kills ") as fresh, serve_one_model() as hub:
        place = (folder or Path(fresh)).absolute()
        os.environ |= environment(place / "home", hub)
        campaign = _Campaign(place, random.Random(seed))
        load_libraries()
        campaign.prepare(names)
        done: list[Try] = []
        while len(done) < tries:
            one = campaign.attempt(len(done) + 1, names[len(done) % len(names)])
            done.append(one)
            print(one.line(), flush=True)
            out.write_text(to_json([asdict(one) for one in done]) + "\n", encoding="utf-8")
        lost = campaign.lost()
    kills = Counter(one.kind for one in done for _ in one.in_time)
    late = sum(len(one.kills) - len(one.in_time) for one in done)
    wrong = sum(bool(one.faults) for one in done)
    print(f"{sum(kills.values())} kills in {len(done)} tries ({late} came too late): {dict(kills)}")
    print(f"{wrong} tries not right; lost of what was there before: {lost or 'nothing'}", flush=True)
    return done


class _Campaign:
    """The home, what is known of undisturbed runs, and the tries."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.is_warm = True
        self.wanted: dict[str, Numbers] = {}
        self.took: dict[str, float] = {}
        self.kept: dict[str, dict[str, Any]] = {}  # the rows that nothing may change any more

    # -- undisturbed -------------------------------------------------------------------------------------
    def prepare(self, names: Sequence[str]) -> None:
        """The undisturbed run of each kind; a head first, which others are about."""
        self.folder.mkdir(exist_ok=True)
        kept = self.folder / "undisturbed.json"
        if kept.exists():
            self.wanted, self.took, self.kept = json.loads(kept.read_text(encoding="utf-8"))
        else:
            make_inputs(self.folder)
        for name in dict.fromkeys(["head", *names]):
            if name not in self.wanted:
                self._do_undisturbed(name)
                kept.write_text(to_json([self.wanted, self.took, self.kept]), encoding="utf-8")

    def _do_undisturbed(self, name: str) -> None:
        self._begin_anew(name)
        began, self.is_warm = time.monotonic(), KINDS[name].is_warm
        with self._server(KINDS[name].order(self.folder)) as server:
            run = self._whole(KINDS[name], server)
            self.took[name] = time.monotonic() - began
        self.wanted[name] = KINDS[name].numbers(run)
        self._keep(run)
        if name == "head":
            (self.folder / "first").write_text(run.id, encoding="utf-8")
            make_archive(self.folder, run)
        if name == "archive":
            _delete(run.id)
            self.kept.pop(run.id)
        print(f"undisturbed {name}: {self.took[name]:.1f} s", flush=True)

    def _whole(self, kind: Kind, server: Server) -> Run:
        run_id = server.read_id(kind)
        run = _ended(run_id)
        if run.status != "done":
            raise RuntimeError(f"{kind.name}: {run.status} {run.error}")
        return run

    def _keep(self, run: Run) -> None:
        self.kept[run.id] = {"status": run.status, "summary": run.summary, "points": len(curve(run))}

    def _begin_anew(self, name: str) -> None:
        clear_cache()
        if name == "download":
            forget_download()

    @contextmanager
    def _server(self, order: dict[str, Any]) -> Iterator[Server]:
        server = Server(self.folder, order, is_warm=self.is_warm)
        try:
            yield server
        finally:
            server.kill()

    # -- disturbed ---------------------------------------------------------------------------------------
    def attempt(self, number: int, name: str) -> Try:
        """Kill up to three times and look."""
        kind, one = KINDS[name], Try(number, name)
        one.is_warm = self.is_warm = kind.is_warm and self.rng.random() > COLD
        self._begin_anew(name)
        began = time.monotonic()
        try:
            (self._in_worker if kind.in_worker else self._in_server)(one, kind)
        except Exception as error:
            one.faults.append(f"{type(error).__name__}: {error}"[:300])
        self._end_all(one)
        one.seconds = time.monotonic() - began
        one.faults += [f"lost: {text}" for text in self.lost()]
        return one

    def _in_worker(self, one: Try, kind: Kind) -> None:
        order, run, before = kind.order(self.folder), None, dict[str, float]()
        for _ in range(self.rng.randint(1, MOST_KILLS)):
            with self._server(order) as server:
                run_id = server.read_id(kind)
                kill = Kill(self.rng.choice(VICTIMS), self.rng.uniform(0.05, 0.75) * self.took[kind.name])
                one.kills.append(kill)
                time.sleep(kill.after_s)
                run = open_store().get_run(run_id)
                kill.is_late, kill.phase = not run.is_active, run.phase["code"] if run.phase else run.status
                before |= curve(run)
                self._strike(one, kill, server, run_id)
            run = open_store().get_run(run_id)
            kill.status = kill.status or run.status
            if run.status == "done":
                break
            # Where its server alone was killed it goes on.
            order = {"do": "poll" if run.is_active else "resume", "run": run_id}
        assert run is not None
        if run.status != "done":
            with self._server(order) as server:
                server.read_id(kind)
                run = _ended(run.id)
        if run.status != "done":
            one.faults.append(f"in the end it {run.status}: {run.error}")
            return
        self._compare(one, kind, run, before)
        self._keep(run)

    def _strike(self, one: Try, kill: Kill, server: Server, run_id: str) -> None:
        """Kill, and look at the record and at what is left."""
        if kill.victim in ("server", "both"):
            server.kill()
        if kill.victim == "server":
            if not kill.is_late and not workers(run_id) and open_store().get_run(run_id).pid is not None:
                time.sleep(0.5)  # it may just have ended
                if open_store().get_run(run_id).is_active:
                    one.faults.append("its server's death ended the worker")
            return
        for pid in workers(run_id):
            end(pid)
        kill.gone_s = self._wait_gone(one, server)
        if kill.victim == "worker":
            self._see_interrupted(one, kill, run_id)
        else:
            with self._server({"do": "poll"}):
                self._see_interrupted(one, kill, run_id)

    def _see_interrupted(self, one: Try, kill: Kill, run_id: str) -> None:
        run = _ended(run_id, 300.0)
        kill.status = run.status
        codes = [problem["code"] for problem in run.error or []]
        if run.status == "done" and not codes:
            return  # its end was written before the kill
        if run.status != "interrupted" or codes not in (["run.process_gone"], ["run.never_started"]):
            one.faults.append(f"the record says {run.status} {codes}")

    def _compare(self, one: Try, kind: Kind, run: Run, before: dict[str, float]) -> None:
        found = kind.numbers(run)
        for name, value in self.wanted[kind.name].items():
            if to_json(found.get(name)) != to_json(value):
                one.faults.append(f"{run.id}: {name} differs: {_difference(found.get(name), value)}")
        whole = curve(run)
        if lost := [name for name in before if name not in whole]:
            one.faults.append(f"{len(lost)} points of before the kill are gone, {lost[:3]}")
        if left := [path.name for path in run.folder.rglob("*") if path.is_file() and is_unfinished(path)]:
            one.faults.append(f"unfinished files are left: {left[:3]}")
        for artifact in open_store().list_artifacts(run.id):
            path = run.folder / artifact.path
            if not path.is_file() or sha256(path) != artifact.sha256:
                one.faults.append(f"artifact {artifact.name} is not what its sum says")

    def _in_server(self, one: Try, kind: Kind) -> None:
        """An archive is taken in by the server: all of it or nothing, and then again."""
        before = {run.id for run in open_store().list_runs()}
        kill = Kill("server", self.rng.uniform(0.0, 0.6), "archive")
        one.kills.append(kill)
        with self._server(kind.order(self.folder)) as server:
            server.read_line()
            time.sleep(kill.after_s)
            server.kill()
            kill.gone_s, kill.is_late = self._wait_gone(one, server), bool(server.rest())
        new = [run for run in open_store().list_runs() if "imported" in run.tags]
        kill.status = new[0].status if new else "not there"
        for run in new:
            self._compare_archive(one, kind, run)
        if not new:
            with self._server(kind.order(self.folder)) as again:
                again.read_line()
                words = again.read_line().split()
                self._compare_archive(one, kind, open_store().get_run(words[0]))
                if len(words) > 1:
                    one.faults.append(f"taken in again, it says {words[1:]}")
        rows = {run.id for run in open_store().list_runs()}
        if lost := before - rows:
            one.faults.append(f"rows are gone: {lost}")
        folders = {path.name for path in settings.folder("runs").iterdir()}
        if folders - rows:
            one.faults.append(f"folders without a row: {folders - rows}")
        for run in open_store().list_runs():
            if "imported" in run.tags:
                _delete(run.id)

    def _compare_archive(self, one: Try, kind: Kind, run: Run) -> None:
        for name, value in kind.numbers(run).items():
            if to_json(value) != to_json(self.wanted[kind.name][name]):
                one.faults.append(f"taken in, its {name} differs")

    # -- processes ---------------------------------------------------------------------------------------
    def _wait_gone(self, one: Try, server: Server) -> float:
        """Seconds until nothing of what was killed is left; a fault after a few."""
        began = time.monotonic()
        while True:
            left = processes()
            left.pop(server.pid, None)
            if not left:
                return time.monotonic() - began
            if time.monotonic() - began > LEFT_AFTER_S:
                one.faults.append(f"left after {LEFT_AFTER_S:.0f} s: {[text[:80] for text in left.values()]}")
                return time.monotonic() - began
            time.sleep(0.05)

    def _end_all(self, one: Try) -> None:
        """After a try nothing of it works any more."""
        began = time.monotonic()
        while left := processes():
            one.ended_s = time.monotonic() - began
            if one.ended_s > ENDED_AFTER_S:
                one.faults.append(f"at work after the end: {[text[:80] for text in left.values()]}")
                for pid in left:
                    end(pid)
                return
            time.sleep(0.05)

    def lost(self) -> list[str]:
        """What is not any more as it was when its run had ended."""
        wrong = []
        runs = {run.id: run for run in open_store().list_runs()}
        for run_id, row in self.kept.items():
            run = runs.get(run_id)
            if run is None:
                wrong.append(f"{run_id} is gone")
            elif {"status": run.status, "summary": run.summary, "points": len(curve(run))} != row:
                wrong.append(f"{run_id} is another: {run.status}, was {row['status']}")
        return wrong


def _ended(run_id: str, seconds: float = _PATIENCE_S) -> Run:
    deadline = time.monotonic() + seconds
    while (run := open_store().get_run(run_id)).is_active:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{run_id} is {run.status} for {seconds:.0f} s: {run.phase}")
        time.sleep(0.1)
    return run


def _difference(found: Any, wanted: Any) -> str:
    """The first few places where two values differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        names = [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
        return ", ".join(f"{name}: {_difference(found.get(name), wanted.get(name))}" for name in names[:3])
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        places = [place for place in range(len(found)) if found[place] != wanted[place]]
        return ", ".join(f"[{place}] {_difference(found[place], wanted[place])}" for place in places[:2])
    return f"{str(found)[:60]} instead of {str(wanted)[:60]}"


def _delete(run_id: str) -> None:
    from core.runs.manage import delete_run

    delete_run(run_id)
