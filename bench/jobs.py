"""Whole jobs, as a user waits for them: a folder of photos and a table of sentences, answered by Graft and by hand.

Both are programs that are started, read files and write a table (`core predict --file`, `bench.by_hand`), in turns. By
hand means: decoding with all processors, and whichever of the installed runtimes is quickest here in fp32; its model is
exported before the clock starts. What starting costs is told by the same jobs with one photo or one sentence.
"""

from __future__ import annotations

import csv
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from bench.by_hand import Job
from bench.rounds import Faster, do_rounds, faster, in_words
from core.files import to_json
from core.hardware import describe_machine

PHOTO = (500, 375)
_SHARE_TRIED = 8  # one in so many is answered to find the quickest runtime
_NAMES = {"pictures": "bundled/efficientnet_lite0", "sentences": "sentiment"}


class Raced(TypedDict):
    """One kind of job. Seconds by round; `share` is by hand's time over Graft's: 1 is as quick, 0.8 the aim."""

    n: int
    by_hand: str
    tried: dict[str, float]
    seconds: dict[str, list[float]]  # graft, by hand, and both for one row
    share: Faster  # of the whole wait
    share_without_start: float
    per_s: dict[str, float]  # without start
    labels_that_differ: int
    largest_difference: float  # of the confidence that is written


def race(images: str, texts: str, out: Path, *, photos: int, sentences: int, rounds: int) -> dict[str, Any]:
    """Race both kinds of job and save the table."""
    found: dict[str, Raced] = {}
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as scratch:
        folder = Path(scratch)
        makers: dict[str, Callable[[], tuple[Job, Path, Path]]] = {
            "pictures": lambda: _photos(images, folder, photos),
            "sentences": lambda: _sentences(texts, folder, sentences),
        }
        for kind, make in makers.items():
            if (photos if kind == "pictures" else sentences) > 0:
                job, few, one = make()
                n = photos if kind == "pictures" else sentences
                found[kind] = row = _race(job, few, one, folder, n=n, rounds=rounds)
                told = f"by hand's speed {in_words(row['share'])}, {row['share_without_start']:.2f}× without start"
                speeds = ", ".join(f"{who} {speed:.0f}/s" for who, speed in row["per_s"].items())
                same = f"{row['labels_that_differ']} labels differ, confidences by {row['largest_difference']:.1e}"
                print(f"{n} {kind}: {told} ({speeds}; by hand: {row['by_hand']}); {same}", flush=True)
    table: dict[str, Any] = {"machine": asdict(describe_machine()), "jobs": found}
    out.write_text(to_json(table) + "\n", encoding="utf-8")
    return table


def _race(job: Job, few: Path, one: Path, folder: Path, *, n: int, rounds: int) -> Raced:
    ways = [replace(job, runtime=name) for name in ("onnxruntime", "openvino") if find_spec(name)]
    if job.kind == "pictures":
        ways += [replace(way, decodes_ahead=True) for way in ways]
    tried = {_called(way): _by_hand(replace(way, asked=str(few)))[1] for way in ways for _ in range(2)}
    best = min(ways, key=lambda way: tried[_called(way)])
    print(f"{job.kind} by hand, seconds for a part: {tried}", file=sys.stderr, flush=True)
    seconds: dict[str, list[float]] = {name: [] for name in ("graft", "by hand", "graft, one", "by hand, one")}

    def do(_number: int) -> None:
        seconds["by hand"].append(_by_hand(best)[0])
        seconds["graft"].append(_graft(job, Path(job.asked), folder))
        seconds["by hand, one"].append(_by_hand(replace(best, asked=str(one), out=f"{best.out}.one"))[0])
        seconds["graft, one"].append(_graft(job, one, folder, name="one.csv"))

    others = do_rounds(rounds, do)
    more = {who: statistics.median(seconds[who]) - statistics.median(seconds[f"{who}, one"]) for who in _WHO}
    differ, largest = _compare(folder / "graft.csv", Path(best.out))
    return {
        "n": n,
        "by_hand": _called(best),
        "tried": tried,
        "seconds": seconds,
        "share": faster(seconds["by hand"], seconds["graft"], others, rounds),
        "share_without_start": more["by hand"] / more["graft"],
        "per_s": {who: (n - 1) / more[who] for who in _WHO},
        "labels_that_differ": differ,
        "largest_difference": largest,
    }


_WHO = ("graft", "by hand")


def _called(way: Job) -> str:
    return way.runtime + (", decoding ahead" if way.decodes_ahead else "")


def _by_hand(job: Job) -> tuple[float, float]:
    """(seconds of the whole program, seconds behind its start)."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "bench.by_hand", json.dumps(asdict(job))], check=True, capture_output=True, text=True
    )
    return time.perf_counter() - began, float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def _graft(job: Job, asked: Path, folder: Path, name: str = "graft.csv") -> float:
    """Seconds of `core predict` in a home of its own, with nothing kept ready."""
    words = ["predict", "--model", _NAMES[job.kind], "--file", str(asked), "--out", str(folder / name)]
    with tempfile.TemporaryDirectory(dir=folder) as home:
        began = time.perf_counter()
        environment = {**os.environ, "GRAFT_HOME": home, "GRAFT_WARM": "0"}
        subprocess.run([sys.executable, "-m", "core", *words], check=True, capture_output=True, env=environment)
        return time.perf_counter() - began


def _compare(graft: Path, by_hand: Path) -> tuple[int, float]:
    """How many labels differ, and the largest difference of a confidence. What is called unsure has no label."""
    with graft.open(encoding="utf-8-sig", newline="") as one, by_hand.open(encoding="utf-8", newline="") as other:
        pairs = list(zip(csv.DictReader(one), csv.DictReader(other), strict=True))
    labels = [(row.get("label") or row["answer"], peer["label"]) for row, peer in pairs]
    differ = sum(own not in (label, "unsure", "declined") for own, label in labels)
    both = [(row["confidence"], peer["confidence"]) for row, peer in pairs if row["confidence"]]
    return differ, max(abs(float(own) - float(peer)) for own, peer in both)


# -- what is asked ---------------------------------------------------------------------------------------


def _photos(data_id: str, folder: Path, n: int) -> tuple[Job, Path, Path]:
    """Small pictures as photos: enlarged, with light that changes slowly and grain, as JPEG of quality 88."""
    from PIL import Image

    from core.data.images import Pixels
    from core.data.open import open_collection
    from core.models.catalog import get_model, published_labels
    from core.networks.exportable import build_network
    from core.spec import DataRef

    card = get_model(_NAMES["pictures"])
    collection = open_collection(DataRef(id=data_id))
    rows = collection.splits["test"][:n]
    rng = np.random.default_rng(0)
    places = {name: folder / name for name in ("photos", "few", "one")}
    for place in places.values():
        place.mkdir()
    for number, picture in enumerate(Pixels(collection, card.vision).pictures(rows)):
        light = Image.fromarray(rng.normal(0, 12, (4, 5)).astype(np.float32)).resize(PHOTO, Image.Resampling.BICUBIC)
        whole = np.asarray(picture.resize(PHOTO, Image.Resampling.BICUBIC), dtype=np.float32)
        whole = whole + np.asarray(light)[..., None] + rng.normal(0, 6, (PHOTO[1], PHOTO[0], 1))
        content = io.BytesIO()
        Image.fromarray(whole.clip(0, 255).astype(np.uint8)).save(content, "JPEG", quality=88)
        for name in ("photos", *["few"] * (number < max(1, n // _SHARE_TRIED)), *["one"] * (number == 0)):
            (places[name] / f"{number:06}.jpg").write_bytes(content.getvalue())
    size = card.vision.image_size
    shapes = ({0: "batch"},)
    _export(build_network(card.id), (np.zeros((2, 3, size, size), np.float32),), shapes, folder / "pictures.onnx")
    job = _job("pictures", folder, places["photos"], published_labels(card), card.vision.model_dump(mode="json"))
    return job, places["few"], places["one"]


def _sentences(data_id: str, folder: Path, n: int) -> tuple[Job, Path, Path]:
    from core.data.texts import load_texts
    from core.networks.exportable import exportable
    from core.predict.sentiment.encoder import MAX_LENGTH
    from core.predict.sentiment.model import Sentiment
    from core.spec import DataRef

    data = load_texts(DataRef(id=data_id), seed=0)
    texts = [data.texts[row] for row in data.train[:n]]
    places = {"sentences": texts, "few": texts[: max(1, n // _SHARE_TRIED)], "one": texts[:1]}
    for name, part in places.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["sentence"], *([text] for text in part)])
    encoder = Sentiment().encoder()
    tokens = np.ones((2, 8), np.int64)
    shapes = ({0: "batch", 1: "tokens"}, {0: "batch", 1: "tokens"})
    _export(exportable(encoder.model), (tokens, tokens), shapes, folder / "sentences.onnx")
    encoder.model.tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    facts = {"tokenizer": str(folder / "tokenizer.json"), "max_length": MAX_LENGTH}
    job = _job("sentences", folder, folder / "sentences.csv", encoder.labels, facts)
    return job, folder / "few.csv", folder / "one.csv"


def _job(kind: str, folder: Path, asked: Path, labels: Sequence[str], facts: dict[str, Any]) -> Job:
    model, out = folder / f"{kind}.onnx", folder / f"{kind}.by_hand.csv"
    return Job(kind, "onnxruntime", False, str(model), str(asked), str(out), list(labels), facts)


def _export(network: Any, inputs: tuple[np.ndarray[Any, Any], ...], names: Sequence[dict[int, str]], to: Path) -> None:
    """A network as plain fp32 ONNX, with axes of any length."""
    import torch

    axes = {name: torch.export.Dim(name) for name in ("batch", "tokens")}
    shapes = tuple({axis: axes[name] for axis, name in one.items()} for one in names)
    given = tuple(torch.from_numpy(one) for one in inputs)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(), given, to, dynamo=True, external_data=False, dynamic_shapes=shapes, verbose=False
        )
