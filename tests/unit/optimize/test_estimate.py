"""What an optimization will cost, told only from what was measured here."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.finetune import estimate as finetune_estimate
from core.finetune.estimate import EstimateReport
from core.models.catalog import get_model
from core.optimize.estimate import estimate_optimize
from core.optimize.spec import OptimizeSpec
from core.spec import parse_spec
from tests.fixtures.optimizations import make_optimization
from tests.fixtures.pasts import LITE0, RESNET, calibrate


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others do not matter here."""
    monkeypatch.setattr(finetune_estimate, "others_at_work", lambda: 0.0)


def _optimize(**values: object) -> EstimateReport:
    base = {"model": {"id": LITE0}, "data": {"id": "builtin/digits"}, "passes": ("onnx", "half"), "test_size": 300}
    return estimate_optimize(parse_spec(OptimizeSpec, base | values))


def test_time_of_an_optimization_is_told_only_after_something_was_measured(home: Path) -> None:
    found = _optimize()
    assert (found.time_s, found.reason) == (None, "estimate.unknown")
    assert found.disk_mb == pytest.approx(1.5 * get_model(LITE0).size_mb, abs=0.1)
    calibrate(home)
    assert _optimize().time_s is not None


def test_more_variants_tests_and_epochs_take_longer(home: Path) -> None:
    calibrate(home)
    base = _optimize().time_s
    assert base is not None
    learning = {"passes": ("onnx", "half", "prune_magnitude")}
    for more in (
        {"passes": ("onnx", "half", "export")},
        {"test_size": 360},
        learning,
        {"passes": ("onnx", "static_int8")},
    ):
        found = _optimize(**more).time_s
        assert found is not None
        assert found[1] > base[1], more
    once, twice = _optimize(**learning, epochs=1).time_s, _optimize(**learning, epochs=5).time_s
    assert once is not None
    assert twice is not None
    assert twice[0] > once[0]


def test_an_earlier_optimization_of_the_model_tells_its_speed() -> None:
    run = make_optimization("done")
    assert _optimize().from_run == run.id
    assert _optimize(model={"id": RESNET}).from_run is None


def test_unknown_model_of_an_optimization_gives_a_reason() -> None:
    assert _optimize(model={"id": "torchvision/nothing"}).reason == "estimate.unknown"
