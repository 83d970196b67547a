"""Curves are read piece by piece, and are what a reader of everything sees."""

from __future__ import annotations

import numpy as np

from core.charts.curve_data import CurveBuffer, read_curves
from core.store import MetricRow, open_store


def _rows(steps: range, shift: float = 0.0, name: str = "train/loss") -> list[MetricRow]:
    return [(name, step, step / 10, shift + step, 0.0) for step in steps]


def test_a_curve_read_in_pieces_is_the_curve_read_at_once_also_after_a_resume() -> None:
    store = open_store()
    store.create_run("ft-1", kind="finetune", name="", spec={})
    buffer = CurveBuffer("ft-1")
    assert not buffer.refresh(store)
    assert buffer.curve("train/loss").last is None
    pieces = [
        _rows(range(20)),
        _rows(range(20, 40)),
        _rows(range(30, 35), 100.0),  # from a checkpoint on
        [*_rows(range(35, 60), 200.0), ("val/loss", 1, None, 0.5, 0.0)],
    ]
    for piece in pieces:
        store.write_metrics("ft-1", piece)
        assert buffer.refresh(store)
        assert not buffer.refresh(store)
        whole = read_curves(store, "ft-1", ["train/loss", "val/loss", "none"])
        for name, curve in whole.items():
            assert np.array_equal(buffer.curve(name).x, curve.x)
            assert np.array_equal(buffer.curve(name).y, curve.y)
    wanted = [*range(30), *range(130, 135), *range(235, 260)]
    assert buffer.curve("train/loss").y.tolist() == wanted
    assert (buffer.curve("val/loss").x.tolist(), buffer.curve("val/loss").last) == ([1.0], 0.5)
