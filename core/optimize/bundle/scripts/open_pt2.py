"""How predict.py opens a torch.export program (.pt2)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Arrays = dict[str, Any]


def open_model(folder: Path) -> Callable[[Arrays], Any]:
    """The model as a function from arrays to logits, by torch on the processor."""
    import torch

    model = torch.export.load(folder / "model.pt2").module()

    def run(arrays: Arrays) -> Any:
        with torch.inference_mode():
            return model(*(torch.from_numpy(one) for one in arrays.values())).float().numpy()

    return run
