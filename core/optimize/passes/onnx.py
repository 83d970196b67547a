"""The same network as an ONNX file."""

from __future__ import annotations

import shutil

from core.optimize.work import Made, Work


def run(work: Work) -> Made:
    """Copy the plain fp32 ONNX file of the network: it is exported once for all passes that start from it."""
    target = work.folder / "model.onnx"
    shutil.copyfile(work.onnx(), target)
    return Made(path=target, format="onnx")
