"""The answering race: one network by eager torch, torch.compile, plain ONNX Runtime, and the files of Graft's passes.

Each contender takes turns with eager torch, each in a process of its own (`core.measurement.timing`).
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.files import to_json
from core.hardware import describe_machine, usable_threads
from core.measurement.timing import Stopwatch, race, speed_of
from core.models.catalog import get_model
from core.networks.exportable import Network
from core.optimize.checks import missing_packages
from core.optimize.export import export_onnx
from core.optimize.passes.base import FileResult, PassContext
from core.optimize.spec import OptimizeSpec
from core.optimize.trained_model import TrainedImageModel, TrainedModel, TrainedTextModel, write_inputs
from core.progress import PhaseClock, SilentReporter
from core.registry.passes import PASSES
from core.spec import ModelRef


@dataclass(frozen=True)
class RacedNetwork:
    """A network of the race: where it comes from, and the passes that Graft would take for it, where they are there."""

    model: str
    weights: str
    passes: tuple[str, ...]
    is_text: bool = False

    def build(self) -> Network:
        from core.networks.image import build_classifier
        from core.networks.text import build_text_classifier

        ref = ModelRef.model_validate({"id": self.model, "weights": self.weights})
        if self.is_text:
            return build_text_classifier(ref, ["negative", "positive"], seed=0).eval()
        return build_classifier(ref, None, seed=0).eval()


_OF_PICTURES = ("static_int8", "openvino", "openvino_int8")
_OF_TEXTS = ("dynamic_int8", "static_int8", "openvino", "openvino_int8")
NETWORKS = {
    "lite0": RacedNetwork("bundled/efficientnet_lite0", "pretrained", _OF_PICTURES),
    "resnet18": RacedNetwork("torchvision/resnet18", "random", _OF_PICTURES),
    "mobilenet_v2": RacedNetwork("torchvision/mobilenet_v2", "random", _OF_PICTURES),
    "minilm": RacedNetwork("bundled/minilm-l6", "pretrained", _OF_TEXTS, is_text=True),
}


class _RaceWatch(Stopwatch):
    program = "bench.stopwatch"


def race_all(images: str, texts: str, out: Path, *, only: list[str], compiled: bool) -> dict[str, Any]:
    """Race every network and save the table."""
    rows = {}
    for name, network in NETWORKS.items():
        if only and name not in only:
            continue
        rows[name] = _race(name, network, texts if network.is_text else images, compiled=compiled)
        for contender, row in rows[name].items():
            ratios = row.get("ratios")
            beside = f"{_told(ratios['latency'])} at batch 1, {_told(ratios['throughput'])} at 32" if ratios else ""
            beside += ", DISTURBED by other work" if row.get("processors_of_others") else ""
            print(
                f"{name:13} {contender:14} {row['latency_p50_ms']:8.2f} ms {row['throughput']:9.1f} /s  {beside}",
                flush=True,
            )
    table = {"machine": asdict(describe_machine()), "threads": usable_threads(), "networks": rows}
    out.write_text(to_json(table) + "\n", encoding="utf-8")
    return table


def _told(ratio: list[float]) -> str:
    return f"{ratio[0]:.2f}x ({ratio[1]:.2f} to {ratio[2]:.2f})"


def _trained(network: RacedNetwork, data: str, clock: PhaseClock) -> TrainedModel:
    kind = TrainedTextModel if network.is_text else TrainedImageModel
    asked = {"model": {"id": network.model}, "data": {"id": data}, "passes": list(network.passes), "search": False}
    trained = kind(OptimizeSpec.model_validate(asked), get_model(network.model), clock)
    trained.fresh = network.build  # type: ignore[method-assign]
    trained.load()
    return trained


def _race(name: str, network: RacedNetwork, data: str, *, compiled: bool) -> dict[str, Any]:
    clock, threads = PhaseClock(SilentReporter()), usable_threads()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        trained = _trained(network, data, clock)
        write_inputs(trained, trained.data.test, folder / "inputs.npz")
        plain = folder / "plain.onnx"
        export_onnx(trained, trained.model, plain)

        def watch(format: str, source: str) -> Stopwatch:
            place = folder / format / Path(source).stem
            place.mkdir(parents=True, exist_ok=True)
            inputs = folder / "inputs.npz"
            return _RaceWatch(source, format, trained.input_names, inputs, place, threads=threads, device="cpu")

        files = {"onnx": ("onnx", str(plain)), **_made(network, trained, folder, plain, clock)}
        if compiled:
            files = {"torch.compile": ("race_compiled", name), **files}
        found: dict[str, Any] = {}
        with watch("race_eager", name) as eager:
            for contender, (format, source) in files.items():
                print(f"{name}: {contender}", file=sys.stderr, flush=True)
                with watch(format, source) as other:
                    raced = race(eager, other, clock)
                    ratios = {"latency": raced.latency.span, "throughput": raced.throughput.span}
                    found[contender] = {**speed_of(other), "ratios": ratios, "processors_of_others": raced.busy}
            return {"eager": speed_of(eager), **found}


def _made(
    network: RacedNetwork, trained: TrainedModel, folder: Path, plain: Path, clock: PhaseClock
) -> dict[str, tuple[str, str]]:
    """Files by Graft's passes, those whose packages are installed."""
    found = {}
    for name in network.passes:
        if missing_packages(name):
            continue
        target = folder / name
        target.mkdir()
        run: Callable[[PassContext], FileResult] = importlib.import_module(f"core.optimize.passes.{name}").run
        made = run(PassContext(trained.spec, trained, trained.model, target, clock, lambda: plain))
        found[f"graft {name}"] = (PASSES[name].format, str(made.path))
    return found
