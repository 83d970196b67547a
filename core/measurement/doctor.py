"""What this machine has, what of Graft's needs is met, and how fast it computes (for the first estimate)."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Callable
from typing import NotRequired, TypedDict

import torch

from core import settings
from core.files import to_json, write_atomically
from core.finetune.autotune import autocast, default_engine, pick_device
from core.hardware import describe_machine, free_disk_mb, keep_freed_memory, this_host
from core.models.catalog import get_model
from core.models.search import find_local
from core.networks.image import build_classifier
from core.networks.tuning import set_trainable
from core.spec import ModelRef
from core.store import open_store

_MODEL = "bundled/efficientnet_lite0"
_SIZE, _BATCH, _BUDGET_S = 128, 32, 8.0
_PACKAGES = ("torch", "torchvision", "timm", "transformers", "datasets", "onnxruntime", "streamlit", "plotly", "pandas")


class Rates(TypedDict):
    """How fast a machine computes: billions of multiply-adds a second."""

    host: str
    measured_at: float
    model: str
    forward_gmacs_per_s: float
    learning_gmacs_per_s: float


class Examination(TypedDict):
    """What a machine has and what of Graft's needs is met."""

    machine: dict[str, object]  # `core.hardware.Machine` in JSON
    packages: dict[str, str]
    home: str
    free_disk_mb: int
    runs: int
    local_models: list[str]
    offline: bool
    calibration: NotRequired[Rates]


def examine(*, calibrate: bool, tell: Callable[[str], None]) -> Examination:
    """The machine, packages, folders and, with `calibrate`, the rates it reaches (kept for estimates)."""
    machine = describe_machine()
    home = settings.home()
    report: Examination = {
        "machine": machine.model_dump(mode="json"),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "home": str(home),
        "free_disk_mb": round(free_disk_mb(home)),
        "runs": len(open_store().list_runs()),
        "local_models": sorted(find_local()),
        "offline": settings.is_offline(),
    }
    if calibrate:
        tell("timing this machine, about 20 s")
        report["calibration"] = measure_rates()
    return report


def measure_rates() -> Rates:
    """Billions of multiply-adds a second, forward and learning, of the bundled network; estimates ask for them."""
    keep_freed_memory()
    device = pick_device("auto")
    card = get_model(_MODEL)
    gmacs = card.gmacs * (_SIZE / card.vision.image_size) ** 2
    engine = default_engine("auto", device)
    model = build_classifier(ModelRef(id=_MODEL, weights="random"), ["a", "b"], seed=0, image_size=_SIZE)
    model.to(device).to(memory_format=torch.channels_last)
    x = torch.randn(_BATCH, 3, _SIZE, _SIZE, device=device).contiguous(memory_format=torch.channels_last)
    y = torch.zeros(_BATCH, dtype=torch.int64, device=device)

    def forward() -> None:
        with torch.inference_mode(), autocast(engine.replace(precision=engine.prefix_precision), device):
            model.eval()(x)

    set_trainable(model, "full")

    def learn() -> None:
        model.train()
        with autocast(engine, device):
            loss = torch.nn.functional.cross_entropy(model(x).float(), y)
        loss.backward()  # type: ignore[no-untyped-call]
        model.zero_grad(set_to_none=True)

    report: Rates = {
        "host": this_host(),
        "measured_at": time.time(),
        "model": _MODEL,
        "forward_gmacs_per_s": gmacs * _BATCH / _median_seconds(forward, device),
        # A learning step costs about three forward passes: estimates count it so.
        "learning_gmacs_per_s": 3 * gmacs * _BATCH / _median_seconds(learn, device),
    }
    write_atomically(settings.home() / "calibration.json", to_json(report) + "\n")
    return report


def _median_seconds(step: Callable[[], None], device: torch.device) -> float:
    step()
    seconds: list[float] = []
    began = time.perf_counter()
    while len(seconds) < 3 or (time.perf_counter() - began < _BUDGET_S and len(seconds) < 20):
        start = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[len(seconds) // 2]
