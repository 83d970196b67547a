"""What several processes do at the same moment: `python -m tests.unit.together` is asked line by line for `WORK`.

One process loads the libraries and forks those that work, so that they really begin together.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from io import BytesIO
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any

import numpy as np

from core import runs, settings
from core.catalog import list_models
from core.data import library
from core.data.cache import RowStore, cache_folder, clear_cache, with_lock
from core.data.images import Pixels
from core.data.questions import store_questions
from core.data.sources import open_collection
from core.download import download
from core.engine import Engine, load_engine, save_engine
from core.errors import GraftError
from core.events import Silence
from core.export import export_run
from core.files import sha256, write_atomically
from core.local_weights import import_weights
from core.model_specs import DownloadSpec
from core.run_archive import import_run
from core.specs import DataRef, ImportSpec
from core.store import open_store
from pages.ui.curve import put_plotly

MEMBERS = 6
TURNS = 12  # where one chance to collide is easily missed
DIGITS = open_collection(DataRef(id="builtin/digits"))
ROWS = np.arange(400, dtype=np.int64)


def content(number: int) -> bytes:
    """A table that differs between the members."""
    return "\n".join(["text,label", *(f"text {number} of {row},{row % 2}" for row in range(2000))]).encode()


def _new_store(number: int) -> str:
    store = open_store()
    store.create_run(f"im-{number}", kind="import", name="", spec={})
    return store.get_run(f"im-{number}").id


def _new_run(_number: int) -> str:
    return runs.new_run(ImportSpec(data=DataRef(id="builtin/digits"))).id


def _rows(number: int) -> bool:
    store = RowStore(cache_folder("features", "a-key"), len(ROWS), (64,), np.float32)
    wanted = np.repeat(ROWS.astype(np.float32)[:, None], 64, 1)
    for part in np.array_split(np.roll(ROWS, 60 * number), 20):
        rows = np.sort(part)
        store.write(rows, wanted[rows])
    assert not len(store.missing(ROWS))
    return bool((store.read(ROWS) == wanted).all())


def _pixels(_number: int) -> int:
    pixels = Pixels(DIGITS, 16, 16, "bilinear")
    pixels.decode_missing(ROWS, Silence())
    return int(pixels.read(ROWS).astype(np.int64).sum())


def _lock(_number: int) -> bool:
    """Whether nobody else was inside at the same time."""
    with with_lock("a-key"):
        mark = settings.home() / "inside"
        mark.touch(exist_ok=False)
        mark.unlink()
    return True


def _clear(number: int) -> bool:
    if number % 2:
        clear_cache()
    else:
        for turn in range(20):
            RowStore(cache_folder("facts", f"key-{turn}"), 10, (4,), np.int64)
    return True


def _autotune(number: int) -> bool:
    save_engine(f"key {number}", Engine(precision="fp32", prefix_precision="fp32", threads=number))
    found = load_engine(f"key {number}")
    return found is not None and found.threads == number


def _json(number: int) -> int:
    path = settings.home() / "calibration.json"
    for _ in range(20):
        write_atomically(path, json.dumps([number] * 20_000))
        assert len(set(json.loads(path.read_text(encoding="utf-8")))) == 1
    return number


def _upload(number: int) -> str:
    return library.store_upload(BytesIO(content(number)), "pets.csv")


def _asked(_number: int) -> list[str]:
    return [str(store_questions(BytesIO(content(0)), "pets.csv", f"upload {turn}")) for turn in range(TURNS)]


def _export(_number: int) -> str:
    return str(export_run("im-done"))


def _import_run(_number: int) -> str:
    return import_run(settings.home() / "archive.zip")[0].id


def _import_weights(_number: int) -> int:
    return import_weights("hub/someone/tiny-bert", settings.home() / "bert")


def _download(number: int) -> str:
    folder = settings.home() / f"member-{number}"
    (folder / "artifacts").mkdir(parents=True)
    try:
        return str(download(DownloadSpec(model="hub/someone/tiny-bert"), folder, Silence())["bytes"])
    except GraftError as error:
        return error.code


def _plotly(_number: int) -> list[str]:
    targets = [settings.home() / f"static-{turn}" / "plotly-1.min.js" for turn in range(TURNS)]
    for target in targets:
        put_plotly(target)
    return [sha256(target) for target in targets]


WORK: dict[str, Callable[[int], Any]] = {
    "new_store": _new_store,
    "new_run": _new_run,
    "rows": _rows,
    "pixels": _pixels,
    "lock": _lock,
    "clear": _clear,
    "autotune": _autotune,
    "json": _json,
    "upload": _upload,
    "asked": _asked,
    "export": _export,
    "import_run": _import_run,
    "import_weights": _import_weights,
    "download": _download,
    "plotly": _plotly,
}


def _member(name: str, number: int, barrier: Barrier, answers: Connection) -> None:
    try:
        barrier.wait(60)
        answers.send(WORK[name](number))
    except BaseException:
        answers.send({"error": traceback.format_exc()})


def _together(name: str) -> list[Any]:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(MEMBERS)
    pipes = [context.Pipe(duplex=False) for _ in range(MEMBERS)]
    members = [
        context.Process(target=_member, args=(name, number, barrier, pipe[1])) for number, pipe in enumerate(pipes)
    ]
    for member in members:
        member.start()
    found = [pipe[0].recv() if pipe[0].poll(60) else {"error": "no answer"} for pipe in pipes]
    for member in members:
        member.join()
    return found


def main() -> None:
    """Answer each line {"work": …, "environment": …} with a line of what the members found."""
    list_models()  # read once, before anybody is forked
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        os.environ.clear()
        os.environ.update(asked["environment"])
        print(json.dumps(_together(asked["work"])), flush=True)


if __name__ == "__main__":
    main()
