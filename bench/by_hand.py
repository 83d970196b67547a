"""What a person who knows the tools would write to answer a folder of pictures or a table of sentences: no Graft.

`python -m bench.by_hand JOB` with a JSON of `Job`: decodes with all processors, computes with ONNX Runtime or OpenVINO
in fp32, writes a csv, prints the seconds behind the imports and the opening of the model.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

DECODED_TOGETHER, AT_ONCE = 64, 16
SORTED_TOGETHER, TOKENS_AT_ONCE = 1000, 2048


@dataclass(frozen=True)
class Job:
    """What is asked. `facts`: of pictures mean, std, edges; of sentences the tokenizer's file and the most tokens."""

    kind: str  # pictures, sentences
    runtime: str  # onnxruntime, openvino
    decodes_ahead: bool  # the next pictures while the network computes
    model: str
    asked: str
    out: str
    labels: list[str]
    facts: dict[str, Any]


def main() -> None:
    job = Job(**json.loads(sys.argv[1]))
    run = {"onnxruntime": _onnxruntime, "openvino": _openvino}[job.runtime](job.model)
    began = time.perf_counter()
    rows = list({"pictures": _pictures, "sentences": _sentences}[job.kind](job, run))
    with Path(job.out).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["asked", "label", "confidence"], *rows])
    print(json.dumps({"seconds": time.perf_counter() - began}))


Run = Callable[[list[np.ndarray[Any, Any]]], np.ndarray[Any, Any]]
Row = tuple[str, str, float]


def _onnxruntime(model: str) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    return lambda inputs: np.asarray(session.run(None, dict(zip(names, inputs, strict=True)))[0])


def _openvino(model: str) -> Run:
    import openvino

    wanted = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino.Core().compile_model(model, "CPU", wanted)
    return lambda inputs: np.array(compiled(inputs)[0])


def _softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    shares: np.ndarray[Any, Any] = powers / powers.sum(1, keepdims=True)
    return shares


def _pictures(job: Job, run: Run) -> Iterator[Row]:
    from PIL import Image

    facts = job.facts
    size, resized = int(facts["image_size"]), int(facts["resize_size"])
    mean, std = (np.array(facts[name], np.float32) * 255 for name in ("mean", "std"))

    def decode(path: Path) -> np.ndarray[Any, Any]:
        image = Image.open(path)
        # No draft: at half its size a picture of 500 × 375 has no longer the pixels that 256 px are made of.
        picture = image.convert("RGB")
        share = resized / min(picture.size)
        wide, high = (max(resized, int(edge * share)) for edge in picture.size)
        whole = picture.resize((wide, high), Image.Resampling.BICUBIC)
        left, top = round((wide - size) / 2), round((high - size) / 2)
        return np.asarray(whole.crop((left, top, left + size, top + size)))

    paths = sorted(Path(job.asked).iterdir())
    parts = [paths[start : start + DECODED_TOGETHER] for start in range(0, len(paths), DECODED_TOGETHER)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        waiting = [[pool.submit(decode, path) for path in parts[0]]]
        for place, part in enumerate(parts):
            squares = [one.result() for one in waiting.pop()]
            following = parts[place + 1] if place + 1 < len(parts) else []
            if job.decodes_ahead:
                waiting.append([pool.submit(decode, path) for path in following])
            for start in range(0, len(part), AT_ONCE):
                x = (np.stack(squares[start : start + AT_ONCE]).astype(np.float32) - mean) / std
                shares = _softmax(run([np.ascontiguousarray(x.transpose(0, 3, 1, 2))]))
                for path, row in zip(part[start : start + AT_ONCE], shares, strict=True):
                    yield path.name, job.labels[int(row.argmax())], float(row.max())
            if not job.decodes_ahead:
                waiting.append([pool.submit(decode, path) for path in following])


def _sentences(job: Job, run: Run) -> Iterator[Row]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(job.facts["tokenizer"])
    tokenizer.enable_truncation(int(job.facts["max_length"]))
    tokenizer.no_padding()
    with Path(job.asked).open(encoding="utf-8", newline="") as file:
        texts = [row[0] for row in csv.reader(file)][1:]
    for first in range(0, len(texts), SORTED_TOGETHER):
        part = texts[first : first + SORTED_TOGETHER]
        ids = [one.ids for one in tokenizer.encode_batch(part)]
        shares = np.zeros((len(part), len(job.labels)))
        for rows in _batches([len(one) for one in ids]):
            width = max(len(ids[row]) for row in rows)
            tokens = np.array([ids[row] + [0] * (width - len(ids[row])) for row in rows])
            mask = np.array([[1] * len(ids[row]) + [0] * (width - len(ids[row])) for row in rows])
            shares[rows] = _softmax(run([tokens, mask]))
        for text, row in zip(part, shares, strict=True):
            yield text, job.labels[int(row.argmax())], float(row.max())


def _batches(lengths: list[int]) -> Iterator[list[int]]:
    """Of about one length: at most an eighth is padding."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        width = lengths[row]
        if batch and ((len(batch) + 1) * width > TOKENS_AT_ONCE or len(batch) * (width - lengths[batch[0]]) > 256):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


if __name__ == "__main__":
    main()
