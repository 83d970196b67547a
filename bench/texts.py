"""The text race: the usual way of fine-tuning an encoder against Graft on the same sentences, alternating."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.contenders import Watch, Watching
from bench.rounds import do_rounds, faster, in_words
from core.files import to_json
from core.hardware import describe_machine

MODEL = "bundled/minilm-l6"
SENTENCES = 5000
LR = 1e-4


def usual(job: dict[str, Any]) -> dict[str, Any]:
    """As the text-classification examples write it: padded to 128 tokens, batches of 16, fp32, plain Trainer."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    from core.data.texts import load_texts
    from core.models.catalog import get_model
    from core.models.weight_files import model_source
    from core.spec import DataRef

    data = load_texts(DataRef(id=job["data"]), train_size=SENTENCES, seed=0)
    folder = model_source(get_model(MODEL))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    net = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(data.labels), dtype=torch.float32)

    def encoded(rows: Any) -> list[dict[str, Any]]:
        texts = [data.texts[row] for row in rows]
        found = tokenizer(texts, padding="max_length", truncation=True, max_length=128, return_tensors="pt")
        return [
            {"input_ids": ids, "attention_mask": mask, "labels": int(data.targets[row])}
            for row, ids, mask in zip(rows, found["input_ids"], found["attention_mask"], strict=True)
        ]

    watch = Watch(job["steps"])

    class Stop(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if watch.tick():
                control.should_training_stop = True

    arguments = TrainingArguments(
        output_dir=job["scratch"], num_train_epochs=1, per_device_train_batch_size=16, learning_rate=LR,
        save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    trainer: Any = Trainer(model=net, args=arguments, train_dataset=encoded(data.train), callbacks=[Stop()])
    trainer.train()
    if job["steps"]:
        return watch.result(batches=-(-len(data.train) // 16))
    answers = trainer.predict(encoded(data.test)).predictions.argmax(1)
    return watch.result(batches=-(-len(data.train) // 16), accuracy=float((answers == data.targets[data.test]).mean()))


def graft(job: dict[str, Any]) -> dict[str, Any]:
    """Graft's own run as its worker does it, whole: timing its options and validating included."""
    from core.hardware import keep_freed_memory

    keep_freed_memory()
    from core.finetune.run import finetune
    from core.finetune.spec import FinetuneSpec

    spec = FinetuneSpec.model_validate(
        {"model": {"id": MODEL}, "data": {"id": job["data"]}, "method": "full", "epochs": 1, "lr": LR,
         "train_size": SENTENCES}
    )  # fmt: skip
    began = time.perf_counter()
    summary = finetune(spec, Path(job["scratch"]), Watching(Watch(None)), resume=False)
    phases = summary["phases"]
    return {
        "epoch_s": phases["train"],
        "work_s": sum(phases.get(name, 0.0) for name in ("tokens", "autotune", "train", "validate")),
        "wall_s": time.perf_counter() - began,
        "accuracy": summary["test"]["accuracy"],
        "engine": summary["engine"],
        "baseline": summary["baseline"]["accuracy"],
    }


def race(data: str, out: Path, *, steps: int, rounds: int, accuracy: bool) -> dict[str, Any]:
    """Alternate both; the usual way's epoch is extrapolated from timed steps, Graft's is run whole."""
    rows: dict[str, list[dict[str, Any]]] = {"usual": [], "graft": []}
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as scratch:

        def do(_number: int) -> None:
            for name, found in rows.items():
                found.append(_run(name, {"data": data, "steps": steps}, Path(scratch)))

        others = do_rounds(rounds, do)
        epochs = [statistics.median(r["step_s"]) * r["batches"] for r in rows["usual"]]
        table: dict[str, Any] = {
            "machine": asdict(describe_machine()),
            "sentences": SENTENCES,
            "usual_epoch_s": epochs,
            "graft": rows["graft"],
            "graft_is_faster": faster(epochs, [row["epoch_s"] for row in rows["graft"]], others, rounds),
        }
        if accuracy:
            table["usual_accuracy"] = _run("usual", {"data": data, "steps": None}, Path(scratch))["accuracy"]
    out.write_text(to_json(table) + "\n", encoding="utf-8")
    print(render(table))
    return table


def _run(name: str, job: dict[str, Any], scratch: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=scratch) as home:
        environment = {**os.environ, "GRAFT_HOME": home, "TOKENIZERS_PARALLELISM": "false"}
        words = [sys.executable, "-m", "bench.texts", name, json.dumps(job | {"scratch": str(Path(home) / "run")})]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        for line in done.stdout.splitlines():
            if line.startswith("RESULT "):
                result: dict[str, Any] = json.loads(line[7:])
                return result
        raise RuntimeError(f"{name} failed:\n{done.stderr[-3000:]}")


def render(table: dict[str, Any]) -> str:
    """The table for people."""
    usual_s, graft_s = statistics.median(table["usual_epoch_s"]), [row["epoch_s"] for row in table["graft"]]
    lines = [
        f"{table['sentences']} sentences, MiniLM-L6, all layers, one epoch, {table['machine']['processor']}",
        f"  usual way {usual_s:8.1f} s (extrapolated from timed steps)",
        f"  Graft     {statistics.median(graft_s):8.1f} s (measured), {table['graft'][-1]['accuracy']:.1%}; "
        f"word counts {table['graft'][-1]['baseline']:.1%}",
        f"  Graft is faster by {in_words(table['graft_is_faster'])}",
    ]
    if "usual_accuracy" in table:
        lines.append(f"  usual way's accuracy {table['usual_accuracy']:.1%}")
    return "\n".join(lines)


if __name__ == "__main__":
    print("RESULT " + json.dumps({"usual": usual, "graft": graft}[sys.argv[1]](json.loads(sys.argv[2]))))
