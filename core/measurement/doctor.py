"""What this machine has, what of Graft's needs is met, and how fast it computes (for the first estimate)."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import NotRequired, TypedDict

import numpy as np
import torch
from sklearn.datasets import load_digits

from core import settings
from core.files import to_json, write_atomically
from core.finetune.autotune import ComputeChoice, autocast, default_engine, pick_device
from core.finetune.cross_validation import cross_validate, draw_folds
from core.finetune.head_fit import fit_head
from core.finetune.pace import Gauge
from core.finetune.passes import count_passes, fit_work, gmacs_of
from core.finetune.spec import FinetuneSpec
from core.hardware import describe_machine, free_disk_mb, keep_freed_memory, this_host, turns
from core.inspection.memory_baseline import measure_start
from core.models.card import ModelCard
from core.models.catalog import get_model
from core.models.search import find_local
from core.networks.folding import fold
from core.networks.image import ImageClassifier, build_classifier
from core.networks.text import TextClassifier, TokenBatch, build_text_classifier
from core.networks.tuning import set_trainable
from core.spec import ModelRef
from core.store import open_store

# A network of each kind that estimates tell apart (`core.finetune.pace.gauge_of`).
_PICTURES: dict[Gauge, str] = {
    "depthwise": "bundled/efficientnet_lite0",
    "dense": "torchvision/resnet18.imagenet1k_v1",
}
_TEXTS = "bundled/minilm-l6"
_SIZE, _TOKENS, _BATCH, _BUDGET_S = 96, 64, 32, 3.0
_FIT_ROWS = 600
_PACKAGES = ("torch", "torchvision", "timm", "transformers", "datasets", "onnxruntime", "streamlit", "plotly", "pandas")


class Calibration(TypedDict):
    """How fast a machine computes: billions of multiply-adds a second by kind of network and of pass, as they would be
    without others at work; and seconds until a worker has loaded its libraries."""

    host: str
    measured_at: float
    start_s: float | None
    trainer_s: float | None
    fits_per_s: float
    gauges: dict[str, dict[str, float]]


class Examination(TypedDict):
    """What a machine has and what of Graft's needs is met."""

    machine: dict[str, object]  # `core.hardware.Machine` in JSON
    packages: dict[str, str]
    home: str
    free_disk_mb: int
    runs: int
    local_models: list[str]
    offline: bool
    calibration: NotRequired[Calibration]


def examine(*, calibrate: bool, tell: Callable[[str], None]) -> Examination:
    """The machine, packages, folders and, with `calibrate`, the rates it reaches (kept for estimates)."""
    machine = describe_machine()
    home = settings.home()
    report: Examination = {
        "machine": asdict(machine),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "home": str(home),
        "free_disk_mb": round(free_disk_mb(home)),
        "runs": len(open_store().list_runs()),
        "local_models": sorted(find_local()),
        "offline": settings.is_offline(),
    }
    if calibrate:
        tell("timing this machine, about half a minute")
        report["calibration"] = calibrate_here()
    return report


def calibrate_here() -> Calibration:
    """Time what trainings are made of, on a network of every kind with random weights, and keep it for estimates."""
    keep_freed_memory()
    start = measure_start()
    report: Calibration = {
        "host": this_host(),
        "measured_at": time.time(),
        "start_s": start["start_s"] if start else None,
        "trainer_s": start["trainer_s"] if start else None,
        "fits_per_s": measure_fits(),
        "gauges": {gauge: _gauge_pictures(model) for gauge, model in _PICTURES.items()},
    }
    report["gauges"] |= {"attention": _gauge_texts(_TOKENS, _BATCH), "long": _gauge_texts(4 * _TOKENS, _BATCH // 2)}
    write_atomically(settings.home() / "calibration.json", to_json(report) + "\n")
    return report


def measure_fits() -> float:
    """How fast heads are fitted, as `fit_work` counts: of digits, as many mixtures of whose pixels as networks give."""
    pixels, classes = load_digits(return_X_y=True)
    targets = torch.from_numpy(classes[:_FIT_ROWS]).long()
    mixtures = torch.randn(64, 1280, generator=torch.Generator().manual_seed(0))
    features = torch.relu(torch.from_numpy(pixels[:_FIT_ROWS]).float() @ mixtures)
    folds = draw_folds(targets.numpy(), np.arange(_FIT_ROWS), 0)

    def fit() -> None:
        strength = cross_validate(features, targets, 10, folds).strength
        fit_head(features, targets, 10, strength)

    spec = FinetuneSpec.model_validate(
        {"model": {"id": _TEXTS}, "data": {"id": "builtin/digits"}, "train_size": _FIT_ROWS}
    )
    return fit_work(spec, (_FIT_ROWS, 0, 0), 1280, 10) / _seconds(fit, torch.device("cpu"), repeat=1, warm=False)


def _gauge_pictures(model_id: str) -> dict[str, float]:
    device, card = pick_device("auto"), get_model(model_id)
    model = build_classifier(ModelRef(id=model_id, weights="random"), ["a", "b"], seed=0, image_size=_SIZE)
    model.to(device).to(memory_format=torch.channels_last)
    x = torch.randn(_BATCH, 3, _SIZE, _SIZE, device=device).contiguous(memory_format=torch.channels_last)
    engine = default_engine("auto", device)
    folded = fold(model.eval(), model.num_blocks, engine.prefix_precision, device)
    return _gauge(
        card, gmacs_of(card, _SIZE, None), model, lambda: model(x), engine, _BATCH, folded and partial(folded, x)
    )


def _gauge_texts(tokens: int, rows: int) -> dict[str, float]:
    device, card = pick_device("auto"), get_model(_TEXTS)
    model = build_text_classifier(ModelRef(id=_TEXTS), ["a", "b"], seed=0).to(device)
    ids = torch.randint(1000, 2000, (rows, tokens), device=device)
    batch = TokenBatch(ids, torch.ones_like(ids))
    engine = default_engine("auto", device, is_text=True)
    return _gauge(card, gmacs_of(card, 0, tokens), model, lambda: model.head(model.run(batch, 0)), engine, rows)


def _gauge(
    card: ModelCard,
    gmacs: float,
    model: ImageClassifier | TextClassifier,
    answer: Callable[[], torch.Tensor],
    engine: ComputeChoice,
    rows: int,
    frozen: Callable[[], torch.Tensor] | None = None,
) -> dict[str, float]:
    """Billions of multiply-adds a second by the kind of pass, counted as estimates count them.

    `frozen`: how the part that does not learn is computed, where it is not as the rest answers.
    """
    device = pick_device("auto")
    targets = torch.zeros(rows, dtype=torch.int64, device=device)
    values = {"model": {"id": card.id, "weights": "random"}, "data": {"id": "builtin/digits"}, "method": "full"}
    spec = FinetuneSpec.model_validate({**values, "epochs": 1, "batch_size": rows})
    work = count_passes(spec, card, gmacs, (rows, 0, rows))

    def look(precision: ComputeChoice, how: Callable[[], torch.Tensor] = answer) -> None:
        model.eval()
        with torch.inference_mode(), autocast(precision, device):
            how()

    def learn() -> None:
        model.train()
        with autocast(engine, device):
            loss = torch.nn.functional.cross_entropy(answer().float(), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        model.zero_grad(set_to_none=True)

    short = engine.exact() if frozen else engine.replace(precision=engine.prefix_precision)
    seen = _seconds(lambda: look(short, frozen or answer), device)
    exact = _seconds(lambda: look(engine.exact()), device)
    set_trainable(model, "full")
    learned = _seconds(learn, device)
    return {"seen": work.exact / seen, "learned": work.learned / learned, "exact": work.exact / exact}


def _seconds(step: Callable[[], object], device: torch.device, *, repeat: int = 5, warm: bool = True) -> float:
    """Of the quickest of some: others at work only make it longer."""
    if warm:
        step()
    seconds: list[float] = []
    began = time.perf_counter()
    while not seconds or (len(seconds) < repeat and time.perf_counter() - began < _BUDGET_S):
        start, before = time.perf_counter(), turns()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(turns().alone(time.perf_counter() - start, before))
    return min(seconds)
