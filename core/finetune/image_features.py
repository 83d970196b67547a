"""The frozen part of a network: computed once per picture, kept, shared between runs.

Whatever lies below the lowest block that learns never changes (it stays in eval mode), so its output is a
property of weights, pictures and size. The first epoch computes it batch by batch while it trains; later
epochs, later runs and the final test read it. On a CPU, ONNX Runtime computes it when it was measured to
be faster here and enough pictures remain to pay for the export.
"""

from __future__ import annotations

import hashlib
import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.cache import RowStore, cache_folder, with_lock
from core.data.images import Pixels
from core.errors import first_line
from core.files import replacing
from core.finetune.autotune import ComputeChoice, Timing
from core.finetune.passes import LEAST_AT_ONCE
from core.networks.folding import fold
from core.networks.image import ImageClassifier
from core.networks.transforms import Batcher
from core.progress import PhaseClock

# Timed batches before a choice; the first one of an engine warms up and does not count.
TIMED_BATCHES = 2
# Exporting takes some ten seconds; it must have a chance to save more than that.
WORTH_EXPORTING_S = 25.0


class FrozenPrefix:
    """The output of the first `cut` stages for any rows of a data set, computed at most once."""

    def __init__(
        self,
        model: ImageClassifier,
        cut: int,
        batcher: Batcher,
        pixels: Pixels,
        engine: ComputeChoice,
        network: str,
        clock: PhaseClock,
    ) -> None:
        """`network` tells it, with its weights, from every other (`core.networks.identity`)."""
        self.model, self.cut, self.batcher, self.pixels, self.engine = model, cut, batcher, pixels, engine
        self._network = network
        self.clock = clock
        self.timings: list[Timing] = []
        self.rows_computed = 0
        self.rows_expected = 0
        self._times: list[float] = []
        self._is_decided = engine.prefix != "auto"
        self.when_decided: Callable[[], None] = lambda: None  # told once, when `engine` says who computes
        model.eval()
        self._folded = fold(model, cut, engine.prefix_precision, batcher.device)
        self._run: Callable[[Tensor], Tensor] = self._eager
        with torch.inference_mode():
            probe = self._eager(batcher(pixels.read(np.zeros(1, dtype=np.int64))))
        # A head's input is small and kept exactly; block activations are many and kept in half the bytes.
        self._is_exact = probe.ndim == 2
        numpy_type = np.dtype(np.float32) if self._is_exact else np.dtype(np.uint16)
        precision = engine.prefix_precision + ("|fused" if self._folded else "")
        # Where a later version of Graft cuts a network into other stages, these are other features.
        network += "|" + ",".join(stage.name for stage in model.stages[:cut])
        facts = f"{network}|{cut}|{batcher.size}|{batcher.preprocessing.model_dump_json()}|{precision}|{pixels.key}"
        self.key = hashlib.sha256(facts.encode()).hexdigest()[:24]
        self._onnx_key = hashlib.sha256(f"{network}|{cut}|{batcher.size}".encode()).hexdigest()[:24]
        self._store = RowStore(cache_folder("features", self.key), len(pixels), tuple(probe.shape[1:]), numpy_type)
        if engine.prefix == "onnxruntime":
            self._use_onnxruntime()

    def missing(self, rows: NDArray[np.int64]) -> int:
        """How many of these rows are still to be computed."""
        return len(self._store.missing(rows))

    @property
    def row_bytes(self) -> int:
        return int(self._store.row_bytes)

    def exact(self) -> FrozenPrefix | None:
        """The same as a saved model computes it, in fp32; None where what is kept is rounded."""
        if not self._is_exact:
            return None
        if self.engine.prefix_precision == "fp32":
            return self
        engine = self.engine.exact()
        return FrozenPrefix(self.model, self.cut, self.batcher, self.pixels, engine, self._network, self.clock)

    def read(self, rows: NDArray[np.int64]) -> Tensor:
        """The prefix's output [n, …] as float32 on the device; what is missing is computed and kept."""
        missing = self._store.missing(rows)
        if len(missing):
            self._compute(missing)
        return self._decode(self._store.read(rows))

    def _compute(self, rows: NDArray[np.int64]) -> None:
        filled = np.resize(rows, max(len(rows), LEAST_AT_ONCE))
        x = self.batcher(self.pixels.read(filled))
        start = time.perf_counter()
        with torch.inference_mode():
            h = self._run(x)
        elapsed = time.perf_counter() - start
        self._store.write(rows, self._encode(h[: len(rows)]))
        self.rows_computed += len(rows)
        self.clock.work("prefix", len(rows))
        if not self._is_decided:
            self._consider(elapsed / len(filled))

    # -- the choice between eager torch and ONNX Runtime -------------------------------------------------
    def _consider(self, seconds_per_row: float) -> None:
        """After a few timed batches: is exporting the frozen part likely to pay, and did it?"""
        self._times.append(seconds_per_row)
        if len(self._times) <= TIMED_BATCHES:
            return
        eager = float(np.median(self._times[1:]))
        self.timings.append(Timing("prefix", "eager", 1 / eager))
        self._is_decided = True
        left_s = (self.rows_expected - self.rows_computed) * eager
        may_export = self.batcher.device.type == "cpu" and self.engine.prefix_precision == "fp32"
        is_faster = may_export and left_s >= WORTH_EXPORTING_S and self._use_onnxruntime() and self._beats(eager)
        self.engine = self.engine.replace(prefix="onnxruntime" if is_faster else "eager")
        if not is_faster:
            self._run = self._eager
        self.when_decided()

    def _beats(self, eager: float) -> bool:
        """Whether ONNX Runtime, which is ready, takes fewer seconds for a picture than eager torch did."""
        x = self.batcher(self.pixels.read(np.arange(min(32, len(self.pixels)))))
        seconds = []
        for _ in range(1 + TIMED_BATCHES):
            start = time.perf_counter()
            self._run(x)
            seconds.append((time.perf_counter() - start) / len(x))
        onnx = float(np.median(seconds[1:]))
        self.timings.append(Timing("prefix", "onnxruntime", 1 / onnx))
        return onnx < eager

    def _eager(self, x: Tensor) -> Tensor:
        if self._folded is not None:
            return self._folded(x)
        precision = self.engine.prefix_precision
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
        with torch.autocast(x.device.type, dtype=dtype, enabled=precision != "fp32"):
            return self.model.run(x, 0, self.cut).float()

    def _use_onnxruntime(self) -> bool:
        """Export the frozen part and open it; False, with the reason in the timings, where that fails."""
        path = cache_folder("onnx", self._onnx_key) / "prefix.onnx"
        try:
            with self.clock.during("compile"), with_lock(f"onnx-{self._onnx_key}"):
                if not path.exists():
                    self._export(path)
            run = _open_session(path, self.engine.threads)
            sample = self.batcher(self.pixels.read(np.arange(min(2, len(self.pixels)))))
            with torch.inference_mode():
                wanted, got = self._eager(sample), run(sample)
            error = float((wanted - got).abs().max() / wanted.abs().max().clamp(min=1e-6))
            if error > 1e-3:
                raise ValueError(f"results differ from torch by {error:.1e}")
        except Exception as error:  # an exporter fails in many ways; eager torch is always there, and it is said
            self.timings.append(Timing("prefix", "onnxruntime", None, reason=first_line(error)))
            self.clock.log(f"ONNX Runtime is not used for the frozen part: {error}")
            return False
        self._run = run
        return True

    def _export(self, path: Path) -> None:
        x = torch.zeros(2, 3, self.batcher.size, self.batcher.size)
        noisy = logging.getLogger("torch.onnx")
        level, was_training = noisy.level, self.model.training
        noisy.setLevel(logging.ERROR)
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            part = _Part(self.model, self.cut).eval()
            shapes = ({0: torch.export.Dim("batch")},)
            with replacing(path) as unfinished:
                torch.onnx.export(
                    part, (x,), unfinished, dynamo=True, external_data=False, dynamic_shapes=shapes, verbose=False
                )
        noisy.setLevel(level)
        self.model.train(was_training)  # the export may come in the middle of a training step

    # -- how activations are kept ------------------------------------------------------------------------
    def _encode(self, h: Tensor) -> NDArray[Any]:
        if self._is_exact:
            return np.ascontiguousarray(h.cpu().numpy())
        return np.ascontiguousarray(h.cpu().contiguous().to(torch.bfloat16).view(torch.uint16).numpy())

    def _decode(self, kept: NDArray[Any]) -> Tensor:
        h = torch.from_numpy(np.ascontiguousarray(kept))
        if not self._is_exact:
            h = h.view(torch.bfloat16).float()
        h = h.to(self.batcher.device)
        if h.ndim == 4 and self.batcher.channels_last:
            h = h.contiguous(memory_format=torch.channels_last)
        return h


class _Part(nn.Module):
    """The first `cut` stages as a module of its own, for the exporter."""

    def __init__(self, model: ImageClassifier, cut: int) -> None:
        super().__init__()
        self.model, self.cut = model, cut

    def forward(self, x: Tensor) -> Tensor:
        return self.model.run(x, 0, self.cut)


def _open_session(path: Path, threads: int) -> Callable[[Tensor], Tensor]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that spin while they wait would take the cores from torch's own.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(x: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {name: x.contiguous().numpy()})[0])

    return run
