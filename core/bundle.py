"""An optimized model as one zip: what a program needs to use it, without Graft."""

from __future__ import annotations

import zipfile
from pathlib import Path

from core.store import Run


def write_bundle(run: Run, name: str, target: Path) -> Path:
    """Write the files of the variant `name` of a run to the zip `target`; returns it."""
    folder = run.folder / "artifacts" / "variants" / name
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return target
