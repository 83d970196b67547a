"""The passes that make a model smaller or faster, as a table: what each does, needs, suits, and why it is refused.

A pass that learns (distillation, pruning) gives a smaller network; one that writes gives a file of it. The work of
each is done by the module of its name in `core.optimize.passes`. No torch here: the form, the command line and the
checks read this table.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from core.catalog import ModelCard
from core.errors import Problem
from core.hardware import describe_machine
from core.i18n import N_, Translator

Kind = Literal["onnx", "int8", "16bit", "pruned", "distilled", "runtime"]


@dataclass(frozen=True)
class Pass:
    """One row. `packages` are what must be importable, `install` the line that brings them."""

    name: str
    label: str
    help: str
    kind: Kind  # what the charts mark it by
    learns: bool = False
    packages: tuple[str, ...] = ()
    install: str = ""
    rounds: bool = False  # its file answers nearly, not exactly, as the network does


# In the order of a chain: first what learns (a smaller network, then a sparser one), then what writes a file.
PASSES: tuple[Pass, ...] = (
    Pass(
        "distill",
        N_("Distillation"),
        N_("Train a smaller network (the student) to answer as a larger one does (the teacher)."),
        "distilled",
        learns=True,
    ),
    Pass(
        "prune_structured",
        N_("Structured pruning"),
        N_("Take whole channels out and train on: smaller and faster, at a price in accuracy."),
        "pruned",
        learns=True,
        packages=("torch_pruning",),
        install="pip install torch-pruning",
    ),
    Pass(
        "prune_magnitude",
        N_("Magnitude pruning"),
        N_("Set the smallest weights to zero and train on: the file shrinks only when it is compressed."),
        "pruned",
        learns=True,
    ),
    Pass(
        "prune_gradual",
        N_("Sparse training (gradual pruning)"),
        N_("Set more and more weights to zero while training."),
        "pruned",
        learns=True,
    ),
    Pass(
        "qat",
        N_("Quantization-aware training"),
        N_("Train on with the rounding of int8 simulated, then quantize: for nets that lose much by plain int8."),
        "int8",
        learns=True,
    ),
    Pass("onnx", N_("ONNX"), N_("The same network for ONNX Runtime: same answers, most often faster."), "onnx"),
    Pass(
        "dynamic_int8",
        N_("Dynamic int8"),
        N_("Weights in 8 bits, the rest rounded while computing. For transformers; convolutions collapse."),
        "int8",
        rounds=True,
    ),
    Pass(
        "static_int8",
        N_("Static int8"),
        N_("Weights and activations in 8 bits, their ranges measured on training examples. For convolutional nets."),
        "int8",
        rounds=True,
    ),
    Pass(
        "half",
        N_("16 bit"),
        N_("Numbers of 16 bits: bf16 on a processor that has it, fp16 on an NVIDIA GPU. Half the size."),
        "16bit",
        rounds=True,
    ),
    Pass("export", N_("torch.export (.pt2)"), N_("The network as a program that torch alone can run."), "runtime"),
    Pass(
        "torchscript",
        N_("TorchScript"),
        N_("The older format of torch for programs without Python. torch calls it deprecated."),
        "runtime",
    ),
    Pass(
        "openvino",
        N_("OpenVINO"),
        N_("For Intel's runtime, in 32 bits."),
        "runtime",
        packages=("openvino",),
        install="pip install openvino",
    ),
    Pass(
        "openvino_bf16",
        N_("OpenVINO bf16"),
        N_("For Intel's runtime, computing in bf16."),
        "16bit",
        packages=("openvino",),
        install="pip install openvino",
        rounds=True,
    ),
    Pass(
        "openvino_int8",
        N_("OpenVINO int8"),
        N_("For Intel's runtime, in 8 bits, ranges measured on training examples."),
        "int8",
        packages=("openvino", "nncf"),
        install="pip install openvino nncf",
        rounds=True,
    ),
    Pass(
        "tflite",
        N_("TFLite"),
        N_("For phones and small devices (LiteRT)."),
        "runtime",
        packages=("litert_torch", "ai_edge_litert"),
        install="pip install -r requirements-extras.txt",
    ),
    Pass(
        "executorch",
        N_("ExecuTorch"),
        N_("torch's own format for phones and small devices (XNNPACK)."),
        "runtime",
        packages=("executorch",),
        install="pip install executorch",
    ),
    Pass(
        "tensorrt",
        N_("TensorRT"),
        N_("For NVIDIA GPUs, in fp16."),
        "runtime",
        packages=("tensorrt",),
        install="pip install tensorrt",
        rounds=True,
    ),
)
BY_NAME = {row.name: row for row in PASSES}
NAMES = tuple(BY_NAME)
# What is tried where nothing else is asked for: what does not suit the network is refused with its reason.
USUAL = ("onnx", "dynamic_int8", "static_int8", "half")
INT8_FILES = ("dynamic_int8", "static_int8")


@dataclass(frozen=True)
class Variant:
    """A chain of passes: those that learn, then the one that writes the file."""

    passes: tuple[str, ...]

    @property
    def name(self) -> str:
        """`prune_magnitude+static_int8`; the plain file of a network that learned goes by that pass's name."""
        if len(self.passes) > 1 and self.passes[-1] == "onnx":
            return "+".join(self.passes[:-1])
        return "+".join(self.passes)

    @property
    def parent(self) -> str:
        """The variant it is made from; `original` for the first in a chain."""
        learned = self.learned if self.passes[-1] != "onnx" else self.learned[:-1]
        return "+".join(learned) or "original"

    @property
    def learned(self) -> tuple[str, ...]:
        """The passes of it that learn."""
        return tuple(name for name in self.passes if BY_NAME[name].learns)

    @property
    def kind(self) -> Kind:
        """What a chart marks it by: the last pass that says something of the network."""
        telling = [name for name in self.passes if name != "onnx"] or list(self.passes)
        return BY_NAME[telling[-1]].kind


def name_of(variant: str, translate: Translator) -> str:
    """A variant's or a pass's name in words: "Magnitude pruning + Static int8". What is none is left as it is.

    The file that only holds what learned goes by that, and so does that of training for int8.
    """
    names = variant.split("+")
    held = {"onnx", *(["static_int8"] if "qat" in names else [])}
    shown = [name for name in names if name not in held] or names
    return " + ".join(translate(BY_NAME[name].label) if name in BY_NAME else name for name in shown)


def variants_of(passes: Sequence[str], *, combine: bool) -> list[Variant]:
    """Every variant that is asked for, each once, those without training first.

    With `combine`, networks that learned are quantized too, and all passes that learn make one chain.
    """
    chosen = [row for row in PASSES if row.name in passes]
    files = [row.name for row in chosen if not row.learns]
    learn = [row.name for row in chosen if row.learns]
    quantized = [name for name in files if name in INT8_FILES]
    chains: list[tuple[str, ...]] = [(name,) for name in learn]
    if combine and len(learn) > 1:
        chains += [tuple(learn[:count]) for count in range(2, len(learn) + 1)]
    found: list[tuple[str, ...]] = [(name,) for name in files]
    for chain in chains:
        # Training for int8 is of use in int8 alone.
        found += [(*chain, "static_int8")] if chain[-1] == "qat" else [(*chain, "onnx")]
        found += [(*chain, name) for name in quantized] if combine else []
    return [Variant(names) for names in dict.fromkeys(found)]


@lru_cache(maxsize=32)
def missing_packages(name: str) -> tuple[str, ...]:
    """The packages that a pass needs and that are not installed."""
    return tuple(package for package in BY_NAME[name].packages if importlib.util.find_spec(package) is None)


def check_pass(name: str, card: ModelCard, device: str = "cpu") -> list[Problem]:
    """What speaks against a pass for this network here: errors refuse it, warnings are told. Never raises."""
    row, machine = BY_NAME[name], describe_machine()
    told = {"name": name, "model": card.name}
    problems = []
    missing = missing_packages(name)
    if missing:
        values = {"name": name, "packages": ", ".join(missing), "install": row.install}
        problems.append(Problem("optimize.not_installed", field="passes", values=values))
    if name == "dynamic_int8" and not card.is_text and not is_transformer(card):
        problems.append(Problem("optimize.dynamic_on_convolutions", field="passes", values=told))
    if name in ("static_int8", "qat") and is_transformer(card):
        problems.append(Problem("optimize.static_on_transformers", "warning", "passes", told))
    if name == "half" and device == "cpu" and not machine.is_native("bf16"):
        problems.append(Problem("optimize.no_bf16", field="passes", values={"processor": machine.processor}))
    if name == "openvino_bf16" and not machine.is_native("bf16"):
        problems.append(Problem("optimize.no_bf16", field="passes", values={"processor": machine.processor}))
    is_refused = any(problem.severity == "error" for problem in problems)
    if name in INT8_FILES and not machine.is_native("int8") and not is_refused:
        values = {"processor": machine.processor}
        problems.append(Problem("optimize.no_fast_int8", "warning", "passes", values))
    if name == "tensorrt" and "cuda" not in machine.devices:
        problems.append(Problem("optimize.no_nvidia", field="passes", values={"processor": machine.processor}))
    if name == "torchscript":
        problems.append(Problem("optimize.torchscript_deprecated", "warning", "passes"))
    if name == "prune_magnitude":
        problems.append(Problem("optimize.dense_stays", "warning", "passes"))
    return problems


def is_transformer(card: ModelCard) -> bool:
    """Whether the network is built of attention layers, with layer norms and GELU."""
    return card.is_text or card.has_attention
