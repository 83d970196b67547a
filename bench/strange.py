"""Strange files and hostile command lines: nothing ends in a traceback, and every refusal is a sentence.

Each command runs in a process that is forked from this one, where the libraries are loaded already, and so do its
workers; each has its own home's runs looked through for tracebacks.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from bench.strange_files import write_all
from bench.strange_words import command_lines
from core.files import to_json, write_atomically
from core.runs import queue
from core.runs.queue import LocalExecutor
from core.store import Run

_PATIENCE_S = 300
# A traceback, or what Python and its libraries say instead of a sentence.
_OF_PYTHON = re.compile(
    r"Traceback|\b[A-Z]\w*(?:Error|Exception|Warning)\b:|object has no attribute|recursion depth|codec can't|NoneType"
    r"|not subscriptable|<class |most recent call|string should (?:match|have)|does not know: ",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Outcome:
    """What a command did, and what is wrong with that."""

    words: list[str]
    status: int
    seconds: float
    said: str  # the end of stderr
    wrong: list[str] = field(default_factory=list)


def walk(out: Path, *, verbs: Sequence[str], kinds: Sequence[str], lines: bool) -> bool:
    """Ask every verb about every strange file, and try the hostile command lines; returns whether all was sound."""
    _load()
    place = Path(tempfile.mkdtemp(prefix="graft-strange-"))
    try:
        files = write_all(place / "files")
        asked = [
            words
            for kind, paths in files.items()
            if kind in kinds or not kinds
            for path in paths
            for words in _asked(verbs, kind, path, place)
        ]
        asked += list(command_lines(place)) if lines else []
        os.chdir(place)  # what is written beside lies there
        outcomes = []
        for number, words in enumerate(asked):
            outcome = _ask(words, place / f"home-{number}", place)
            outcomes.append(outcome)
            if outcome.wrong:
                print(f"{outcome.wrong}  {_short(words)}\n    {outcome.said[-300:]}", flush=True)
    finally:
        _remove(place)
    write_atomically(out, to_json([asdict(one) for one in outcomes]))
    wrong = [one for one in outcomes if one.wrong]
    statuses = dict(Counter(one.status for one in outcomes))
    print(f"{len(outcomes)} commands, {len(wrong)} with something wrong, exit statuses {statuses}")
    return not wrong


def _load() -> None:
    """Everything that commands and workers load: it is there when they are forked."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import core.data.report
    import core.finetune.run
    import core.optimize.run
    import core.predict.at_once
    import core.predict.run
    import core.runs.worker  # noqa: F401
    from core.cli.app import VERBS
    from core.registry.formats import FORMATS, load

    for function in (*(row.reader for row in FORMATS.values()), *(verb.does for verb in VERBS.values())):
        load(function)


def _asked(verbs: Sequence[str], kind: str, path: Path, place: Path) -> Iterator[list[str]]:
    holds_pictures = kind in ("zip", "folder", "pictures")
    model = "bundled/efficientnet_lite0" if holds_pictures else "bundled/minilm-l6"
    small = ["--epochs", "1", *(["--image-size", "32"] if holds_pictures else ["--max-length", "16"])]
    for verb in verbs:
        if verb == "data":
            yield ["data", f"path:{path}"]
        elif verb == "predict" and kind == "pictures":
            yield ["predict", str(path)]
        elif verb == "predict":
            more = ["--model", model] if holds_pictures else []
            yield ["predict", *more, "--file", str(path), "--out", str(place / "answers.csv")]
        elif verb == "finetune":
            yield ["finetune", "--model", model, "--data", f"path:{path}", *small]
        else:
            yield ["optimize", "--model", model, "--data", f"path:{path}", "--passes", "onnx"]


# -- one command -------------------------------------------------------------------------------------------


def _ask(words: list[str], home: Path, place: Path) -> Outcome:
    home.mkdir()
    out, err, began = place / "out", place / "err", time.monotonic()
    pid = os.fork()
    if not pid:
        _be("core.cli.app", ["core", *words], home, out, err)
    status = _wait(pid)
    logs = "".join(path.read_text("utf-8", "replace") for path in home.rglob("*.log"))
    said, printed = err.read_text("utf-8", "replace"), out.read_text("utf-8", "replace")
    wrong = list(_wrong(status, printed, said, logs))
    _remove(home)
    return Outcome([_short([word]) for word in words], status, round(time.monotonic() - began, 2), said[-2000:], wrong)


def _wrong(status: int, printed: str, said: str, logs: str) -> Iterator[str]:
    """What is not as it should be, in a word each."""
    if status not in (0, 1, 2, 3, 130):
        yield f"status {status}"
    for where, text in (("stdout", printed), ("stderr", said), ("log", logs)):
        found = _OF_PYTHON.search(text if where != "log" else "Traceback" if "Traceback" in text else "")
        if found:
            yield f"{where}: {found[0]}"
    lines = [line for line in said.strip().split("\n") if line]
    if status in (1, 2) and not (lines and lines[-1].rstrip().endswith((".", "。"))):
        yield "no sentence"
    if max(map(len, lines), default=0) > 1500:
        yield "a sentence without end"


def _be(program: str, argv: list[str], home: Path, out: Path, err: Path) -> None:
    """Be a program in a forked process, and end."""
    code = 1
    try:
        os.setsid()
        for number, path in ((1, out), (2, err)):
            os.dup2(
                os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if number == 2 and out == err else os.O_TRUNC)),
                number,
            )
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update({"GRAFT_HOME": str(home), "GRAFT_OFFLINE": "1", "PYTHONUTF8": "1"})
        sys.argv = argv
        queue.LocalExecutor = _Forking  # type: ignore[misc]
        result = sys.modules[program].main()
        code = result if isinstance(result, int) else 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class _Forking(LocalExecutor):
    """Workers forked from who asks for them."""

    def start(self, run: Run) -> tuple[int, float]:
        log = run.folder / "worker.log"
        log.touch()
        pid = os.fork()
        if not pid:
            _be("core.runs.worker", ["worker", run.id], Path(os.environ["GRAFT_HOME"]), log, log)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for it: it must not stay behind as a zombie
        try:
            return pid, psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            return pid, time.time()


def _wait(pid: int) -> int:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    for process in [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]:
        process.kill()
    os.waitpid(pid, 0)
    return 124


def _short(words: Sequence[str]) -> str:
    text = " ".join(words).encode("utf-8", "backslashreplace").decode()
    return text if len(text) < 200 else f"{text[:150]}… ({len(text)} letters)"


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
