"""Opening a file in its own runtime: one opener for each format, all giving logits [n, C] from named arrays.

No torch is imported for formats that need none: a file's memory and its time to load are those of its own runtime.
"""

from __future__ import annotations

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
        found: NDArray[np.float32] = self._session.run(None, dict(inputs))[0]
        return found


class _Torch:
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
            found: NDArray[np.float32] = self._module(*tensors).float().cpu().numpy()
        return found


def _eager(source: str, threads: int, device: str) -> Session:
    from core.optimize.subject import build_network, exportable

    return _Torch(exportable(build_network(source)).eval(), threads, device)


def _pt2(source: str, threads: int, device: str) -> Session:
    import torch

    return _Torch(torch.export.load(source).module(), threads, device)


OPENERS: dict[str, Callable[[str, int, str], Session]] = {
    "eager": _eager,
    "onnx": _Onnx,
    "pt2": _pt2,
}


def size_of(path: Path) -> int:
    """Bytes of a file, or of a folder with all its files."""
    if path.is_file():
        return path.stat().st_size
    return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
