"""A fitted head in a run: it goes on after a stop, and what learns more begins from it and is held against it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import StoppedError
from core.finetune.run import Finetuning, finetune
from core.finetune.spec import FinetuneSpec
from tests.fixtures.coloured import RANDOM, Whole, colour_spec, trained_once, write_colours
from tests.fixtures.listening import Listener


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nobody changes them."""
    return write_colours(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[FinetuneSpec], Whole]:
    return trained_once(tmp_path_factory)


def test_stopped_fit_goes_on_to_the_numbers_of_a_whole_one(
    pictures: Path, home: Path, tmp_path: Path, uninterrupted: Callable[..., Whole]
) -> None:
    spec = colour_spec(pictures)
    whole, counting = uninterrupted(spec), Listener()
    whole.leave_caches_in(home)
    assert finetune(spec, tmp_path / "again", counting, resume=False)["fit"] == whole.summary["fit"]
    assert counting.rows == whole.rows, "what is in the cache changes no number"
    for stop_after in (2, 12, 18, counting.steps // 2):
        first, second, folder = Listener(stop_after), Listener(), tmp_path / str(stop_after)
        with pytest.raises(StoppedError):
            finetune(spec, folder, first, resume=False)
        got = finetune(spec, folder, second, resume=True)
        assert {**first.rows, **second.rows} == whole.rows
        for name in ("test", "val", "best_epoch", "epochs_done", "fit"):
            assert got[name] == whole.summary[name], name
        assert got["fit"]["passes"] == got["epochs_done"] - 1, "the features come before the first pass"


def test_more_than_a_head_begins_from_the_fitted_one_and_is_held_against_it(
    pictures: Path, home: Path, uninterrupted: Callable[..., Whole]
) -> None:
    few = {
        "train_size": 60,
        "precision": "fp32",
    }  # of so many asked for, no other row is learned from: both fit the same head
    head = uninterrupted(colour_spec(pictures, **few))
    full = uninterrupted(colour_spec(pictures, method="full", epochs=1, lr=1e-6, **few))
    assert full.rows["val__accuracy", 0] == pytest.approx(head.summary["val"]["accuracy"], abs=0.02)
    points = [step for name, step in head.rows if name == "val__loss"]
    assert full.rows["val__loss", 0] == pytest.approx(head.rows["val__loss", max(points)], abs=0.02)
    assert full.rows["train__loss", 1] < 0.5, "new heads begin at the loss of a guess, ln 3"
    probe = full.summary["probe"]
    assert probe["trained_on"] == 60
    assert probe["accuracy"] == pytest.approx(head.summary["test"]["accuracy"], abs=0.05)
    assert probe["better"] is None, "with so small a rate nothing is gained, and that is said"
    assert probe["difference"] == pytest.approx(full.summary["test"]["accuracy"] - probe["accuracy"])
    report = json.loads((full.home / "runs" / "whole" / "artifacts" / "report.json").read_text(encoding="utf-8"))
    assert report["probe"] == probe
    assert "probe" not in uninterrupted(colour_spec(pictures, **RANDOM)).summary, "random weights have no features yet"


def test_run_that_version_0_1_began_goes_on_as_it_began(pictures: Path, tmp_path: Path) -> None:
    spec = colour_spec(pictures, train_size=None, method="last", last_blocks=1)
    with pytest.raises(StoppedError):
        finetune(spec, tmp_path / "run", Listener(8, since="train"), resume=False)
    (tmp_path / "run" / "checkpoint" / "began.json").unlink()
    training = Finetuning(spec, tmp_path / "run", Listener(), resume=True)
    training.task.load_data(as_in_0_1=training.is_of_0_1)
    assert len(training.task.data.validation) == 45, "half of few rows chose the epoch then"
    assert not Finetuning(spec, tmp_path / "new", Listener(), resume=True).is_of_0_1
