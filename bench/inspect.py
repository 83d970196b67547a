"""`python -m bench inspect`: every classifier of torchvision taken apart, beside what torchvision publishes of it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any


def walk(out: Path, *, memory: bool) -> None:
    """Print and save parameters (which must be exact), the ratio of multiply-adds, time and peak memory."""
    from core.hardware import peak_resident_mb
    from core.inspection.run import take_apart
    from core.inspection.spec import InspectSpec
    from core.models.catalog import list_models
    from core.spec import ModelRef

    cards = [card for card in list_models() if card.source == "torchvision" and card.is_default]
    rows: list[dict[str, Any]] = []
    began = time.perf_counter()
    for card in cards:
        start = time.perf_counter()
        report = take_apart(InspectSpec(model=ModelRef(id=card.id)), with_memory=memory)
        rows.append(
            {
                "id": card.id,
                "parameters": report["parameters"],
                "published": card.parameters,
                "gmacs": report["gmacs"],
                "ratio": report["gmacs"] / card.gmacs,
                "seconds": time.perf_counter() - start,
            }
        )
        row = rows[-1]
        exact = "exact" if row["parameters"] == row["published"] else f"{row['parameters'] - row['published']:+}"
        mark = "" if abs(row["ratio"] - 1) <= 0.02 else "  <-- more than 2%"
        print(
            f"{card.id:52} {row['parameters']:>12,} {exact:8} {row['gmacs']:9.3f} GMACs {row['ratio']:6.3f} "
            f"{row['seconds']:5.2f} s{mark}",
            flush=True,
        )
    seconds = time.perf_counter() - began
    off = [row for row in rows if row["parameters"] != row["published"]]
    far = [row for row in rows if abs(row["ratio"] - 1) > 0.02]
    print(f"{len(rows)} classifiers in {seconds:.0f} s, peak {peak_resident_mb():.0f} MB")
    print(f"parameters not exact: {len(off)}; multiply-adds more than 2% off: {len(far)}")
    out.write_text(
        json.dumps({"seconds": seconds, "peak_mb": peak_resident_mb(), "rows": rows}, indent=1), encoding="utf-8"
    )
