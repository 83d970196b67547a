"""What holds of every curve that is thinned."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.charts.curve_data import thin

VALUES = st.lists(st.floats(-1e6, 1e6), max_size=400).map(lambda found: np.array(found, dtype=np.float64))


@given(VALUES, st.integers(4, 100))
def test_a_thinned_curve_keeps_its_ends_and_extremes_and_is_no_longer_than_asked(y: np.ndarray, most: int) -> None:
    x = np.arange(len(y)) / 7
    kept_x, kept_y = thin(x, y, most)
    assert len(kept_x) == len(kept_y) <= most
    assert (np.diff(kept_x) > 0).all()
    places = np.round(kept_x * 7).astype(int)
    assert np.array_equal(y[places], kept_y), "points are left out, none is made up"
    if len(y):
        assert (kept_x[0], kept_x[-1], kept_y.min(), kept_y.max()) == (x[0], x[-1], y.min(), y.max())


@given(VALUES)
def test_a_short_curve_stays_as_it_is(y: np.ndarray) -> None:
    x = np.arange(len(y), dtype=np.float64)
    kept_x, kept_y = thin(x, y, max(4, len(y)))
    assert np.array_equal(kept_x, x)
    assert np.array_equal(kept_y, y)
