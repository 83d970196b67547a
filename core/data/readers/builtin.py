"""Data sets that come with Graft or its libraries."""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.data.collection import ArrayItems, Collection, digest
from core.data.readers.table import open_table
from core.errors import DataError
from core.spec import DataRef

_REVIEWS = ("reviews-en", "reviews-zh")
_FOLDER = Path(__file__).parent / "reviews"


def open_builtin(paths: Sequence[Path], ref: DataRef, name: str) -> Collection:
    """`builtin/NAME`. Raises `DataError` for a name that is none."""
    if name in _REVIEWS:
        return open_table([_FOLDER / f"{name}.csv"], ref, name)
    if name != "digits":
        known = ", ".join(f"builtin/{one}" for one in ("digits", *_REVIEWS))
        raise DataError("data.unknown_builtin", id=ref.id, known=known)
    table = _read_digits()
    grey = np.round(table[:, :-1].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    pixels = np.repeat(grey[..., None], 3, axis=3)
    targets = table[:, -1].astype(np.int64)
    rows = np.arange(len(targets), dtype=np.int64)
    return Collection(
        id=ref.id,
        name="digits",
        fingerprint=digest(pixels.tobytes(), targets.tobytes()),
        labels=[str(label) for label in range(10)],
        targets=targets,
        splits={"train": rows},
        items=ArrayItems(pixels, "digit"),
        num_bytes=pixels.nbytes,
    )


def _read_digits() -> NDArray[np.float64]:
    """Optical Recognition of Handwritten Digits (Alpaydin & Kaynak 1998) [1797, 8 * 8 + 1] as scikit-learn carries it.

    Its own loader would first import scipy's statistics and pandas: seconds, for a file of 57 KB.
    """
    found = importlib.util.find_spec("sklearn")
    assert found is not None
    assert found.submodule_search_locations is not None
    path = Path(found.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
    with gzip.open(path, "rt", encoding="ascii") as lines:
        return np.loadtxt(lines, delimiter=",")
