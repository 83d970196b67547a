"""Tiny pictures and the folders and zips that the tests of `core.data` read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.data.images import ImageData, load_images
from core.errors import Problem
from core.events import Silence
from core.specs import DataRef


def picture(seed: int = 0, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> Image.Image:
    """A noisy picture (width, height); no two seeds give the same."""
    width, height = size
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)).convert(
        mode
    )


def encoded(seed: int = 0, format: str = "PNG", size: tuple[int, int] = (12, 10), **options: Any) -> bytes:
    content = io.BytesIO()
    picture(seed, size).save(content, format, **options)
    return content.getvalue()


def fill(root: Path, classes: Mapping[str, int], size: tuple[int, int] = (12, 10), first: int = 0) -> Path:
    """Class folders (or split/class) below a root, with this many different pictures each."""
    seed = first
    for name, n in classes.items():
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        for i in range(n):
            (folder / f"{i:03}.png").write_bytes(encoded(seed, size=size))
            seed += 1
    return root


def pack(path: Path, files: Mapping[str, bytes] | Iterable[str], **options: Any) -> Path:
    """A zip of these files; names alone get a picture each."""
    if not isinstance(files, Mapping):
        files = {name: encoded(i) for i, name in enumerate(files)}
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def pack_raw(path: Path, names: Iterable[bytes]) -> Path:
    """A zip whose names are these bytes without the UTF-8 flag, as old packers write them."""
    stand_ins = {f"{i:04}".ljust(len(name), "x"): name for i, name in enumerate(names)}
    pack(path, stand_ins)
    content = path.read_bytes()
    for stand_in, name in stand_ins.items():
        content = content.replace(stand_in.encode(), name)
    path.write_bytes(content)
    return path


def load(source: Path | str, **changes: Any) -> ImageData:
    """`load_images` of a path or an id, small."""
    name = f"path:{source}" if isinstance(source, Path) else source
    values = {"image_size": 8, "resize_size": 8, "interpolation": "bilinear", "seed": 0, "reporter": Silence()}
    return load_images(DataRef(id=name), **(values | changes))


def codes(problems: Iterable[Problem], severity: str | None = None) -> set[str]:
    return {problem.code for problem in problems if severity in (None, problem.severity)}
