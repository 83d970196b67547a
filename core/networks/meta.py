"""Networks without weights: built on the meta device, and tensors that only have a shape."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_FILLS = {Tensor.normal_, Tensor.uniform_, Tensor.erfinv_, Tensor.clamp_, Tensor.fill_, Tensor.zero_}


@contextmanager
def on_meta() -> Iterator[None]:
    """Everything built within has shapes and no values, and is not filled with random ones."""
    with torch.device("meta"), Unfilled():
        yield


class Unfilled(TorchFunctionMode):
    """Leaves out what only gives values: they would be worked out, and kept nowhere."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _FILLS or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


@lru_cache(maxsize=1)
def fake_tensors() -> Any:
    """Within, tensors are on the processor and have no values."""
    from torch._subclasses.fake_tensor import FakeTensorMode  # loads a good deal that answering never needs

    return FakeTensorMode(allow_non_fake_inputs=True)
