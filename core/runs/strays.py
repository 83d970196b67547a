"""What a dead worker left at work: ended, as far as it is provably the run's.

On Linux nothing is left (`core.lifeline`); elsewhere, and where a watch could not act, whoever finds a run's worker
gone looks for what it had started.
"""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from core import settings
from core.store import Run

MARK = "GRAFT_RUN"  # in the environment of a worker and of all that it starts
# What a run's own processes are begun as. The tracker of `multiprocessing` ends by itself, after it has cleaned up.
_COMMANDS = ("core.lifeline", "multiprocessing.forkserver", "multiprocessing.spawn")
CLOCK_SLACK_S = 2.0  # a start time read twice differs by as much when the machine's clock was set in between


def end_strays(run: Run, until: float) -> list[int]:
    """End what this run's worker, which is gone, had started before `until`; returns the pids.

    A process counts when its environment names the run and this home, it began after the worker and before `until`
    (a resumed run's processes begin later), and its command is one of those that runs begin processes with.
    """
    ended: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if _is_of(process, run, until):
                process.kill()
                ended.append(process)
        except (psutil.Error, OSError):  # somebody else's, or gone meanwhile
            continue
    psutil.wait_procs(ended, timeout=5)
    return [process.pid for process in ended]


def _is_of(process: psutil.Process, run: Run, until: float) -> bool:
    if run.pid_started is None or process.pid in (os.getpid(), run.pid):
        return False
    began = process.create_time()
    if not run.pid_started - CLOCK_SLACK_S <= began <= until:
        return False
    if not any(command in word for word in process.cmdline() for command in _COMMANDS):
        return False
    environment = process.environ()
    home = environment.get("GRAFT_HOME")
    return environment.get(MARK) == run.id and home is not None and Path(home).resolve() == settings.home().resolve()
