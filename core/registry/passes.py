"""The passes that make a model smaller or faster: what each does, needs, suits, takes and gives, one row each.

A pass that learns (distillation, pruning) gives a smaller network; one that writes gives a file of it. The work of
each is done by the module of its id in `core.optimize.passes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.i18n import N_, Translator
from core.registry.model_formats import FORMATS
from core.registry.table import build_table

KindId = Literal["onnx", "int8", "16bit", "pruned", "distilled", "runtime"]


@dataclass(frozen=True)
class Kind:
    """What a pass makes of a network, as charts, estimates and bundles see it."""

    id: str
    marker: str = ""  # of charts; empty: drawn as a plain file for another runtime
    word: str = ""
    size_share: float = 1.0  # of the original's bytes
    # Where kernels differ between processors the label decides: logits may be this share of their spread away.
    logit_share: float = 0.0

    @property
    def is_rounded(self) -> bool:
        """Whether it computes in fewer bits, and so a little differently on each processor."""
        return self.logit_share > 0


# In the order of a chart's legend.
KINDS = build_table(
    (
        Kind("16bit", "square", N_("16 bit"), size_share=0.5, logit_share=0.02),
        Kind("int8", "triangle-up", N_("int8"), size_share=0.27, logit_share=0.05),
        Kind("pruned", "diamond", N_("Pruned")),
        Kind("distilled", "star", N_("Distilled")),
        Kind("runtime", "x", N_("Other runtime")),
        Kind("onnx"),
    )
)

_TRAINING = ("combine", "epochs", "train_size", "lr")


@dataclass(frozen=True)
class Pass:
    """One row. `packages` are what must be importable, `install` the line that brings them."""

    id: str
    label: str
    help: str
    kind: KindId
    learns: bool = False
    format: str = ""  # of the file it writes (core.registry.model_formats); a pass that learns writes none
    file_pass: str = "onnx"  # the pass that writes the plain file of what it learned
    options: tuple[str, ...] = ()  # the settings of an optimization that it takes
    models: tuple[str, ...] = ()  # those of them that name another model
    packages: tuple[str, ...] = ()
    install: str = ""
    is_usual: bool = False  # tried where nothing else is asked for
    quantizes: bool = False  # chained behind what learned, where chains are asked for
    rounds: bool = False  # its file answers nearly, not exactly, as the network does
    bf16_on: tuple[str, ...] = ()  # the devices on which it needs a processor with instructions for bf16
    needs_nvidia: bool = False
    on_convolutions: str = ""  # the problem that refuses it for networks without attention
    on_transformers: str = ""  # the warning for networks with attention
    remarks: tuple[str, ...] = ()  # warnings that always hold


# In the order of a chain: first what learns (a smaller network, then a sparser one), then what writes a file.
PASSES = build_table(
    (
        Pass(
            "distill",
            N_("Distillation"),
            N_("Train a smaller network (the student) to answer as a larger one does (the teacher)."),
            "distilled",
            learns=True,
            options=(*_TRAINING, "teacher", "student", "temperature", "teacher_weight"),
            models=("student", "teacher"),
        ),
        Pass(
            "prune_structured",
            N_("Structured pruning"),
            N_("Take whole channels out and train on: smaller and faster, at a price in accuracy."),
            "pruned",
            learns=True,
            options=(*_TRAINING, "channel_ratio"),
            packages=("torch_pruning",),
            install="pip install torch-pruning",
        ),
        Pass(
            "prune_magnitude",
            N_("Magnitude pruning"),
            N_("Set the smallest weights to zero and train on: the file shrinks only when it is compressed."),
            "pruned",
            learns=True,
            options=(*_TRAINING, "sparsity"),
            remarks=("optimize.dense_stays",),
        ),
        Pass(
            "prune_gradual",
            N_("Sparse training (gradual pruning)"),
            N_("Set more and more weights to zero while training."),
            "pruned",
            learns=True,
            options=(*_TRAINING, "sparsity"),
        ),
        Pass(
            "qat",
            N_("Quantization-aware training"),
            N_("Train on with the rounding of int8 simulated, then quantize: for nets that lose much by plain int8."),
            "int8",
            learns=True,
            file_pass="static_int8",  # training for int8 is of use in int8 alone
            options=(*_TRAINING, "search", "calibration", "calibration_rows"),
            on_transformers="optimize.static_on_transformers",
        ),
        Pass(
            "onnx",
            N_("ONNX"),
            N_("The same network for ONNX Runtime: same answers, most often faster."),
            "onnx",
            format="onnx",
            is_usual=True,
        ),
        Pass(
            "dynamic_int8",
            N_("Dynamic int8"),
            N_("Weights in 8 bits, the rest rounded while computing. For transformers; convolutions collapse."),
            "int8",
            format="onnx",
            options=("search",),
            is_usual=True,
            quantizes=True,
            rounds=True,
            on_convolutions="optimize.dynamic_on_convolutions",
        ),
        Pass(
            "static_int8",
            N_("Static int8"),
            N_(
                "Weights and activations in 8 bits, their ranges measured on training examples. For convolutional nets."
            ),
            "int8",
            format="onnx",
            options=("search", "calibration", "calibration_rows"),
            is_usual=True,
            quantizes=True,
            rounds=True,
            on_transformers="optimize.static_on_transformers",
        ),
        Pass(
            "half",
            N_("16 bit"),
            N_("Numbers of 16 bits: bf16 on a processor that has it, fp16 on an NVIDIA GPU. Half the size."),
            "16bit",
            format="pt2",
            is_usual=True,
            rounds=True,
            bf16_on=("cpu",),
        ),
        Pass(
            "export",
            N_("torch.export (.pt2)"),
            N_("The network as a program that torch alone can run."),
            "runtime",
            format="pt2",
        ),
        Pass(
            "torchscript",
            N_("TorchScript"),
            N_("The older format of torch for programs without Python. torch calls it deprecated."),
            "runtime",
            format="torchscript",
            remarks=("optimize.torchscript_deprecated",),
        ),
        Pass(
            "openvino",
            N_("OpenVINO"),
            N_("For Intel's runtime, in 32 bits."),
            "runtime",
            format="openvino",
            packages=("openvino",),
            install="pip install openvino",
        ),
        Pass(
            "openvino_bf16",
            N_("OpenVINO bf16"),
            N_("For Intel's runtime, computing in bf16."),
            "16bit",
            format="openvino_bf16",
            packages=("openvino",),
            install="pip install openvino",
            rounds=True,
            bf16_on=("cpu", "cuda"),
        ),
        Pass(
            "openvino_int8",
            N_("OpenVINO int8"),
            N_("For Intel's runtime, in 8 bits, ranges measured on training examples."),
            "int8",
            format="openvino",
            options=("calibration_rows",),
            packages=("openvino", "nncf"),
            install="pip install openvino nncf",
            rounds=True,
        ),
        Pass(
            "tflite",
            N_("TFLite"),
            N_("For phones and small devices (LiteRT)."),
            "runtime",
            format="tflite",
            packages=("litert_torch", "ai_edge_litert"),
            install="pip install -r requirements-extras.txt",
        ),
        Pass(
            "executorch",
            N_("ExecuTorch"),
            N_("torch's own format for phones and small devices (XNNPACK)."),
            "runtime",
            format="executorch",
            packages=("executorch",),
            install="pip install executorch",
        ),
        Pass(
            "tensorrt",
            N_("TensorRT"),
            N_("For NVIDIA GPUs, in fp16."),
            "runtime",
            format="tensorrt",
            packages=("tensorrt",),
            install="pip install tensorrt",
            rounds=True,
            needs_nvidia=True,
        ),
    )
)
USUAL = tuple(row.id for row in PASSES.values() if row.is_usual)


def passes_with(option: str) -> tuple[str, ...]:
    """The passes that take a setting of an optimization."""
    return tuple(row.id for row in PASSES.values() if option in row.options)


def name_of(variant: str, translate: Translator) -> str:
    """A variant's or a pass's name in words: "Magnitude pruning + Static int8". What is none is left as it is.

    The file that only holds what learned goes by that.
    """
    names = variant.split("+")
    held = {"onnx", *(PASSES[name].file_pass for name in names if name in PASSES and PASSES[name].learns)}
    shown = [name for name in names if name not in held] or names
    return " + ".join(translate(PASSES[name].label) if name in PASSES else name for name in shown)


def check_row(row: Pass) -> None:
    """Refuse a row that contradicts itself. Raises `ValueError`."""
    if row.learns == bool(row.format):
        raise ValueError(f"{row.id}: a pass either learns or writes a file of a format")
    if row.format and row.format not in FORMATS:
        raise ValueError(f"{row.id}: there is no format {row.format}")
    if row.kind not in KINDS:
        raise ValueError(f"{row.id}: there is no kind {row.kind}")
    if bool(row.packages) != bool(row.install):
        raise ValueError(f"{row.id}: packages and the line that installs them go together")
    if not set(row.models) <= set(row.options):
        raise ValueError(f"{row.id}: a model it takes is a setting")


for _row in PASSES.values():
    check_row(_row)
