"""What is gone on from is what was written: a damaged checkpoint is passed over, a damaged best epoch is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from core.errors import RunError
from core.finetune.checkpoints import RECIPE, Checkpoints

FILES = ("model.safetensors", "trainer_state.json", "optimizer.pt", "scheduler.pt", "rng_state.pth")
BEST = {"epoch": 2, "step": 9, "accuracy": 0.5, "loss": 0.7}
Damage = Callable[[Path], object]


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, Damage] = {
    "one bit is another": _flip,
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "empty": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
}


def _write(checkpoints: Checkpoints, step: int) -> Path:
    folder = checkpoints.folder / f"checkpoint-{step}"
    folder.mkdir()
    save_file({"w": torch.full((8,), float(step))}, folder / "model.safetensors")
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}), encoding="utf-8")
    for name in FILES[2:]:
        torch.save({"step": step}, folder / name)
    checkpoints.mark_complete(step)
    return folder


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    found = Checkpoints(tmp_path / "checkpoint")
    for step in (10, 20):
        _write(found, step)
    return found


@pytest.mark.parametrize("name", [*FILES, "complete"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_checkpoint_is_passed_over_for_the_one_before(checkpoints: Checkpoints, name: str, damage: str) -> None:
    newest = checkpoints.folder / "checkpoint-20"
    if (name, damage) == ("complete", "empty"):
        pytest.skip("that is the mark of an earlier version, see below")
    DAMAGES[damage](newest / name)
    assert checkpoints.last() == checkpoints.folder / "checkpoint-10"
    assert checkpoints.damaged() == (["checkpoint-20"] if (newest / "complete").exists() else [])
    checkpoints.drop_unusable()
    assert not newest.exists()


def test_checkpoint_of_an_earlier_version_is_taken_when_it_can_be_read(checkpoints: Checkpoints) -> None:
    (checkpoints.folder / "checkpoint-20" / "complete").write_bytes(b"")
    assert checkpoints.last() == checkpoints.folder / "checkpoint-20"
    (checkpoints.folder / "checkpoint-20" / "optimizer.pt").write_bytes(b"")
    assert checkpoints.last() == checkpoints.folder / "checkpoint-10"


@pytest.mark.parametrize("damage", ["one bit is another", "cut short", "empty"])
def test_damaged_best_epoch_is_told_where_training_would_go_on_without_it(
    checkpoints: Checkpoints, damage: str
) -> None:
    state = {"w": torch.arange(100.0), "b": torch.ones(3, dtype=torch.bfloat16)}
    checkpoints.save_best(state, BEST)
    checkpoints.check_best()
    assert all(torch.equal(checkpoints.load_best()[name], state[name]) for name in state)
    DAMAGES[damage](checkpoints.folder / "best.safetensors")
    with pytest.raises(RunError, match="best epoch cannot be read"):
        checkpoints.check_best()


def test_damaged_best_epoch_is_forgotten_where_all_is_done_again(checkpoints: Checkpoints) -> None:
    for step in (10, 20):
        (checkpoints.folder / f"checkpoint-{step}" / "complete").unlink()
    checkpoints.save_best({"w": torch.arange(100.0)}, BEST)
    (checkpoints.folder / "finished.json").write_text("{}", encoding="utf-8")
    _flip(checkpoints.folder / "best.safetensors")
    checkpoints.check_best()
    assert checkpoints.best_facts() is None
    assert not (checkpoints.folder / "finished.json").exists()


@pytest.mark.parametrize("content", [b'{"recipe": 2}', b"", b"\xff\x00", b"[]", b"{}"])
def test_mark_of_how_a_run_began_is_kept_and_damaged_it_ends_nothing(tmp_path: Path, content: bytes) -> None:
    found = Checkpoints(tmp_path)
    assert found.recipe() == RECIPE
    (tmp_path / "began.json").write_bytes(content)
    assert found.recipe() == (2 if b"2" in content else RECIPE)
    assert (tmp_path / "began.json").read_bytes() == content
