"""Opening a file in its own runtime: one opener for each format, all giving logits [n, C] from named arrays.

No torch is imported for formats that need none: a file's memory and its time to load are those of its own runtime.
"""

from __future__ import annotations

import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Inputs = Mapping[str, NDArray[Any]]


class Session(Protocol):
    """An open file. `runtime` is its name and version."""

    runtime: str

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Logits [n, C]."""


def open_file(source: str, format: str, *, threads: int, device: str = "cpu") -> Session:
    """Open a file of a format (a path), or with `eager` the published or trained model of an id."""
    return OPENERS[format](source, threads, device)


class _Onnx:
    def __init__(self, source: str, threads: int, device: str) -> None:
        import onnxruntime

        self.runtime = f"ONNX Runtime {onnxruntime.__version__}"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        wanted = "CUDAExecutionProvider" if device == "cuda" else "CPUExecutionProvider"
        self._session = onnxruntime.InferenceSession(source, options, providers=[wanted])
        if wanted not in self._session.get_providers():
            raise RuntimeError(f"{wanted} is not there")

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = self._session.run(None, dict(inputs))[0]
        return logits


class TorchSession:
    """Whatever torch itself runs: the model as it comes, an exported program, a script."""

    def __init__(self, module: Any, threads: int, device: str) -> None:
        import torch

        torch.set_num_threads(threads)
        self.runtime = f"PyTorch {torch.__version__.partition('+')[0]}"
        self._torch, self._device = torch, torch.device(device)
        self._module = module.to(self._device)

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        torch = self._torch
        with torch.inference_mode():
            tensors = [torch.from_numpy(value).to(self._device) for value in inputs.values()]
            logits: NDArray[np.float32] = self._module(*tensors).float().cpu().numpy()
        return logits


def _eager(source: str, threads: int, device: str) -> Session:
    from core.networks.exportable import build_network, exportable

    return TorchSession(exportable(build_network(source)).eval(), threads, device)


def _pt2(source: str, threads: int, device: str) -> Session:
    import torch

    return TorchSession(torch.export.load(source).module(), threads, device)


def _torchscript(source: str, threads: int, device: str) -> Session:
    import warnings

    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*deprecated")
        script = torch.jit.load(source, map_location=device)  # type: ignore[no-untyped-call]
        return TorchSession(script, threads, device)


def import_openvino() -> Any:
    """OpenVINO, without the package through which it and NNCF report their use over the network unasked."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


class _OpenVino:
    """A folder with `model.xml` and `model.bin`, computing in f32 or bf16 (int8 where the file says so)."""

    precision = "f32"

    def __init__(self, source: str, threads: int, device: str) -> None:
        openvino = import_openvino()
        self.runtime = f"OpenVINO {openvino.__version__.partition('-')[0]}"
        wanted = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": self.precision,
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._model = openvino.Core().compile_model(Path(source) / "model.xml", "CPU", wanted)

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        return np.array(self._model(dict(inputs))[0], dtype=np.float32)


class _OpenVinoBf16(_OpenVino):
    precision = "bf16"


class _OneByOne(ABC):
    """A file of fixed shape: a batch is answered example by example, texts are padded to the one length."""

    shapes: list[tuple[int, ...]]  # of the inputs, in their order

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        fitted = [_fit(value, shape) for value, shape in zip(inputs.values(), self.shapes, strict=True)]
        rows = zip(*fitted, strict=True)
        return np.concatenate([self.answer([value[None] for value in row]) for row in rows])

    @abstractmethod
    def answer(self, one: list[NDArray[Any]]) -> NDArray[np.float32]:
        """Logits [1, C] of one example."""


def _fit(value: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if value.ndim != 2 or value.shape[1] == shape[1]:
        return value
    return np.pad(value, ((0, 0), (0, shape[1] - value.shape[1])))


class _TfLite(_OneByOne):
    def __init__(self, source: str, threads: int, device: str) -> None:
        from ai_edge_litert import __version__
        from ai_edge_litert.interpreter import Interpreter

        self.runtime = f"LiteRT {__version__}"
        self._file = Interpreter(source, num_threads=threads)
        self._file.allocate_tensors()
        details = sorted(self._file.get_input_details(), key=lambda one: _place(one["name"]))
        self._inputs = [(one["index"], one["dtype"]) for one in details]
        self.shapes = [tuple(one["shape"]) for one in details]
        self._output = self._file.get_output_details()[0]["index"]

    def answer(self, one: list[NDArray[Any]]) -> NDArray[np.float32]:
        for (index, dtype), value in zip(self._inputs, one, strict=True):
            self._file.set_tensor(index, value.astype(dtype, copy=False))
        self._file.invoke()
        logits: NDArray[np.float32] = self._file.get_tensor(self._output)
        return logits


def _place(name: str) -> int:
    """The place of an input that the converter named `serving_default_args_1`."""
    found = re.search(r"args_(\d+)", name)
    return int(found[1]) if found else 0


class _ExecuTorch(_OneByOne):
    def __init__(self, source: str, threads: int, device: str) -> None:
        from importlib.metadata import version

        import torch
        from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool
        from executorch.runtime import Runtime

        _unsafe_reset_threadpool(threads)  # the one way there is to set them
        self.runtime = f"ExecuTorch {version('executorch')}"
        self._torch = torch
        self._program = Runtime.get().load_program(source)
        self._method: Any = self._program.load_method("forward")
        meta = self._method.metadata
        self.shapes = [tuple(meta.input_tensor_meta(place).sizes()) for place in range(meta.num_inputs())]

    def answer(self, one: list[NDArray[Any]]) -> NDArray[np.float32]:
        tensors = [self._torch.from_numpy(np.ascontiguousarray(value)) for value in one]
        logits: NDArray[np.float32] = self._method.execute(tensors)[0].numpy().copy()
        return logits


class _TensorRt:
    """An engine on the GPU; a batch larger than it was built for is cut."""

    def __init__(self, source: str, threads: int, device: str) -> None:
        import tensorrt
        import torch

        self.runtime = f"TensorRT {tensorrt.__version__}"
        self._torch = torch
        self._keeper = tensorrt.Runtime(tensorrt.Logger(tensorrt.Logger.ERROR))
        self._engine = self._keeper.deserialize_cuda_engine(Path(source).read_bytes())
        if self._engine is None:
            raise RuntimeError("the engine was built for another GPU or another version of TensorRT")
        self._context = self._engine.create_execution_context()
        self._most = int(self._engine.get_tensor_profile_shape(self._engine.get_tensor_name(0), 0)[2][0])

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        count = len(next(iter(inputs.values())))
        parts = [slice(start, start + self._most) for start in range(0, count, self._most)]
        return np.concatenate([self._part({name: value[part] for name, value in inputs.items()}) for part in parts])

    def _part(self, inputs: Inputs) -> NDArray[np.float32]:
        torch, context = self._torch, self._context
        stream = torch.cuda.current_stream()
        given = {name: torch.from_numpy(np.ascontiguousarray(value)).cuda() for name, value in inputs.items()}
        for name, tensor in given.items():
            context.set_input_shape(name, tuple(tensor.shape))
            context.set_tensor_address(name, tensor.data_ptr())
        logits = torch.empty(tuple(context.get_tensor_shape("logits")), dtype=torch.float32, device="cuda")
        context.set_tensor_address("logits", logits.data_ptr())
        if not context.execute_async_v3(stream.cuda_stream):
            raise RuntimeError("the engine did not run")
        stream.synchronize()
        part: NDArray[np.float32] = logits.cpu().numpy()
        return part


OPENERS: dict[str, Callable[[str, int, str], Session]] = {
    "eager": _eager,
    "onnx": _Onnx,
    "pt2": _pt2,
    "torchscript": _torchscript,
    "openvino": _OpenVino,
    "openvino_bf16": _OpenVinoBf16,
    "tflite": _TfLite,
    "executorch": _ExecuTorch,
    "tensorrt": _TensorRt,
}
InputArrays = dict[str, NDArray[Any]]  # by the names of an exported file's inputs
