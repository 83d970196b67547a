"""`python -m bench memory`: what the memory model tells beside what fresh processes really take at most.

Each measurement is a process of its own (`python -m bench.memory MODEL WAY BATCH PRECISION`) that loads the libraries
Graft loads, builds the network with random values and answers or learns three times; its peak is VmHWM.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MODELS = ("bundled/efficientnet_lite0", "torchvision/resnet50.imagenet1k_v2", "bundled/minilm-l6")
STEPS = 3


def compare(
    out: Path, models: list[str], ways: list[str], batches: list[int], precisions: list[str]
) -> list[dict[str, Any]]:
    """Print and save estimate, measured peak and their ratio for every combination."""
    from core.inspection.memory_baseline import measure_baseline

    measure_baseline()
    rows: list[dict[str, Any]] = []
    print(f"{'model':38} {'way':10} {'batch':>5} {'':5} {'told':>8} {'measured':>9} {'ratio':>6}  process alone")
    for model in models:
        # The estimates as a process of their own would tell them: this one has loaded more than one network needs.
        told = _json(["-c", f"from bench.memory import tell; tell({model!r})"])
        for way in ways:
            for batch in batches:
                for precision in precisions:
                    table = told["inference"] if way == "inference" else told["training"].get(way)
                    if table is None:
                        continue
                    measured = _json(["-m", "bench.memory", model, way, str(batch), precision])
                    estimate = table[precision][str(batch)]
                    row = {"model": model, "way": way, "batch": batch, "precision": precision, "told_mb": estimate}
                    row |= {**measured, "ratio": estimate / measured["peak_mb"]}
                    rows.append(row)
                    print(
                        f"{model:38} {way:10} {batch:5} {precision:5} {estimate:8.0f} {measured['peak_mb']:9.0f} "
                        f"{row['ratio']:6.2f}  {measured['alone_mb']:.0f}",
                        flush=True,
                    )
    out.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    worst = max(rows, key=lambda row: abs(row["ratio"] - 1))
    print(f"worst: {worst['ratio']:.2f} ({worst['model']}, {worst['way']}, batch {worst['batch']})")
    return rows


def tell(model: str) -> None:
    """Print the memory model's table of one model as JSON."""
    from core.inspection.run import take_apart
    from core.inspection.spec import InspectSpec
    from core.spec import ModelRef

    print(json.dumps(take_apart(InspectSpec(model=ModelRef(id=model)))["memory"]))


def _json(arguments: list[str]) -> dict[str, Any]:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def measure(model_id: str, way: str, batch: int, precision: str) -> dict[str, float]:
    """Answer or learn for real in this process; returns its peak and what it held before, in MB."""
    from core.hardware import keep_freed_memory, peak_resident_mb, resident_mb

    keep_freed_memory()
    if way != "inference":
        import core.finetune.run  # noqa: F401  what a training loads
    import torch

    from core.inspection.blueprint import NEW_CLASSES, TOKENS
    from core.models.catalog import get_model
    from core.networks.image import build_classifier
    from core.networks.tuning import set_trainable
    from core.spec import ModelRef

    card = get_model(model_id)
    labels = [str(number) for number in range(NEW_CLASSES)] if way != "inference" or card.is_text else None
    ref = ModelRef(id=model_id, weights="random")
    x: Any
    if card.is_text:
        from core.networks.text import TokenBatch, build_text_classifier

        alone = resident_mb()
        model: Any = build_text_classifier(ref, labels, seed=0)
        ids = torch.randint(1000, 20000, (batch, TOKENS))
        x = TokenBatch(ids, torch.ones_like(ids))
    else:
        if card.source == "bundled":
            import timm  # noqa: F401
        alone = resident_mb()
        model = build_classifier(ref, labels, seed=0).to(memory_format=torch.channels_last)
        size = card.vision.image_size
        x = torch.randn(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16")
    if way == "inference":
        model.eval()
        with torch.inference_mode(), autocast:
            for _ in range(STEPS):
                model(x)
        return {"peak_mb": peak_resident_mb(), "alone_mb": alone}
    set_trainable(model, way)
    model.train()
    y = torch.arange(batch) % NEW_CLASSES
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], fused=True)
    for _ in range(STEPS):
        with autocast:
            logits = model(x)
        loss: Any = torch.nn.functional.cross_entropy(logits.float(), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return {"peak_mb": peak_resident_mb(), "alone_mb": alone}


if __name__ == "__main__":
    asked, kind, size, numbers = sys.argv[1:]
    print(json.dumps(measure(asked, kind, int(size), numbers)))
