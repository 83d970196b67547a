"""The kinds of file an optimization writes: what one is called, and how it is carried away in a bundle.

What opens a file of a format to time and ask it stands with the runtimes (`OPENERS`).
"""

from __future__ import annotations

from dataclasses import dataclass

from core.registry.table import build_table


@dataclass(frozen=True)
class Format:
    """One row. Only what a bundle's script is shown to open is carried away: other files stay in the run's folder.

    In `packages`, `{version}` is the version that the file was measured with: older ones may not open it.
    """

    id: str
    endings: tuple[str, ...]  # the first is that of the file itself, or of the main one in a folder
    packages: tuple[str, ...] = ()  # lines of a bundle's requirements; none: it is not carried away
    opener: str = ""  # the part with the open_model of a bundle's script; empty: the one of ONNX
    precision: str = "f32"  # what that opener computes in, where it asks
    is_inert: bool = False  # opening a file runs nothing that it holds: one that came from elsewhere may be opened

    @property
    def is_bundled(self) -> bool:
        """Whether a file of this format is carried away."""
        return bool(self.packages)


FORMATS = build_table(
    (
        Format("onnx", (".onnx", ".onnx.data"), ("onnxruntime>=1.19",), is_inert=True),
        Format("pt2", (".pt2",), ("torch>={version}",), "open_pt2.py"),
        Format("torchscript", (".ts",), ("torch>=2.2",), "open_torchscript.py"),
        Format("openvino", (".xml", ".bin"), ("openvino>=2025.0",), "open_openvino.py", is_inert=True),
        Format("openvino_bf16", (".xml", ".bin"), ("openvino>=2025.0",), "open_openvino.py", "bf16", True),
        Format("tflite", (".tflite",), is_inert=True),
        Format("executorch", (".pte",)),
        Format("tensorrt", (".engine",)),
    )
)
BUNDLED = tuple(row.id for row in FORMATS.values() if row.is_bundled)
# Endings of files that are programs: kept with an imported run, and never opened here.
PROGRAM_SUFFIXES = frozenset(ending for row in FORMATS.values() if not row.is_inert for ending in row.endings)
