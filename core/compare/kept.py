"""What a training of a comparison left: its result and its predictions, either both as they were written or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from core.compare.grid import Cell, artifact
from core.compare.records import CellResult
from core.files import from_sealed_json, sha256, to_sealed_json, write_atomically


def keep_result(folder: Path, cell: Cell, result: CellResult) -> None:
    """Keep a result, with the sum of the predictions that lie beside it already."""
    sums = {"predictions": sha256(artifact(folder, cell, ".parquet"))}
    write_atomically(artifact(folder, cell, ".json"), to_sealed_json({**result, "sums": sums}))


def read_result(folder: Path, cell: Cell) -> CellResult | None:
    """The result of a training that is done; None where there is none, or where it was damaged: it is trained again."""
    try:
        kept = from_sealed_json(artifact(folder, cell, ".json").read_text(encoding="utf-8"))
        sums = cast(dict[str, str] | None, kept.pop("sums", None))  # earlier versions kept none
        if sums is not None and sums["predictions"] != sha256(artifact(folder, cell, ".parquet")):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return cast(CellResult, kept) if artifact(folder, cell, ".parquet").exists() else None
