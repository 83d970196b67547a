"""What `doctor` and earlier runs tell of this machine's pace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.finetune.pace import Rates, read_calibration
from core.hardware import this_host
from tests.fixtures.pasts import START_S, calibrate


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        '{"host": "elsewhere", "forward_gmacs_per_s": 1, "learning_gmacs_per_s": 1}',
        '{"host": "HOST", "forward_gmacs_per_s": 1}',
        '{"host": "HOST", "forward_gmacs_per_s": 0, "learning_gmacs_per_s": 1}',
        '{"host": "HOST", "start_s": 1, "trainer_s": 1, "fits_per_s": 1, "gauges": {}}',
        '{"host": "HOST", "start_s": 1, "trainer_s": 1, "fits_per_s": 1, "gauges": {"dense": {"seen": "x"}}}',
        '{"host": "HOST", "start_s": 1, "trainer_s": 1, "fits_per_s": 0, "gauges": {"dense": {"seen": 1}}}',
        '{"host": "HOST", "start_s": 1, "trainer_s": 1, "gauges": {"dense": {"seen": 1, "learned": 1, "exact": 1}}}',
    ],
)
def test_calibration_is_none_when_it_is_not_of_this_machine(text: str | None, home: Path) -> None:
    if text is not None:
        (home / "calibration.json").write_text(text.replace("HOST", this_host()), encoding="utf-8")
    assert read_calibration() is None


def test_calibration_is_read_when_it_is_of_this_machine(home: Path) -> None:
    calibrate(home)
    found = read_calibration()
    assert found is not None
    assert (found.gauges["depthwise"], found.start_s, found.fits_per_s) == (Rates(100.0, 50.0, 80.0), START_S, 1.0)
    old = {"host": this_host(), "forward_gmacs_per_s": 100.0, "learning_gmacs_per_s": 50.0}
    (home / "calibration.json").write_text(json.dumps(old), encoding="utf-8")
    found = read_calibration()
    assert found is not None, "as version 0.1 kept it"
    assert found.gauges == {"depthwise": Rates(100.0, 50.0, 50.0)}
