"""The batch race: one MiniLM classifier asked by the transformers pipeline and by Graft, alternating."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from bench.rounds import do_rounds, faster, in_words
from core.files import to_json
from core.hardware import describe_machine

BATCHES = (1, 8, 16, 32, 64, 128)


def race(data_id: str, out: Path, *, sentences: int, rounds: int) -> dict[str, Any]:
    """Time both on the same sentences with the same network; the pipeline at whichever batch size is its best."""
    from core.data.texts import load_texts
    from core.hardware import keep_freed_memory
    from core.spec import DataRef

    keep_freed_memory()  # for both: they share this process
    data = load_texts(DataRef(id=data_id), seed=0)
    texts = [data.texts[row] for row in data.train[:sentences]]
    theirs, ours = _both()
    trial = texts[: max(256, sentences // 8)]
    theirs(trial, batch_size=32)
    ours.answer(trial)
    speeds = {size: len(trial) / _seconds(partial(theirs, trial, batch_size=size)) for size in BATCHES}
    best = max(speeds, key=speeds.__getitem__)
    print(f"pipeline, texts per second by batch size: {speeds}; best {best}", file=sys.stderr)
    times: dict[str, list[float]] = {"pipeline": [], "graft": []}

    def do(_number: int) -> None:
        times["pipeline"].append(_seconds(lambda: theirs(texts, batch_size=best)))
        times["graft"].append(_seconds(lambda: ours.answer(texts)))

    others = do_rounds(rounds, do)
    found = faster(times["pipeline"], times["graft"], others, rounds)
    table: dict[str, Any] = {
        "machine": asdict(describe_machine()),
        "sentences": len(texts),
        "pipeline_batch": best,
        "pipeline_texts_per_s": speeds,
        "seconds": times,
        "graft_is_faster": found,
    }
    out.write_text(to_json(table) + "\n", encoding="utf-8")
    print(
        f"{len(texts)} sentences: pipeline {statistics.median(times['pipeline']):.1f} s (batch {best}), "
        f"Graft {statistics.median(times['graft']):.1f} s: faster by {in_words(found)}"
    )
    return table


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _both() -> tuple[Any, Any]:
    """The pipeline and Graft's predictor around one and the same classifier."""
    import torch
    from torch import nn
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    from core.models.catalog import get_model
    from core.models.weight_files import model_source
    from core.networks.text import PublishedTextClassifier, WholeClassifier
    from core.predict.texts import TextPredictor

    folder = model_source(get_model("bundled/minilm-l6"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    net = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, dtype=torch.float32).eval()
    theirs = pipeline("text-classification", model=net, tokenizer=tokenizer, device="cpu", truncation=True)
    model = PublishedTextClassifier(WholeClassifier(net), nn.Identity(), ["0", "1"], tokenizer, "bundled/minilm-l6")
    return theirs, TextPredictor(model, 128, "bundled/minilm-l6")
