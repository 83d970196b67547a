"""What a training writes is told before it begins, and refused where the disk cannot hold it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from core import cache
from core.errors import RunError
from core.finetune import disk
from core.finetune.checks import check_finetune
from core.finetune.disk import MOST_KEPT_BYTES, disk_of_mb
from core.messages import explain
from core.models.catalog import get_model
from tests.fixtures.pasts import LITE0, MINILM, asked
from tests.fixtures.pictures import fill, load


def _mb(rows: int, **values: object) -> float:
    spec = asked(**values)
    return disk_of_mb(spec, get_model(spec.model.id), (rows, 0, 0))


def test_disk_grows_by_pictures_and_by_what_is_kept_of_them() -> None:
    each = (_mb(100_000, image_size=32) - _mb(0, image_size=32)) / 0.1
    assert each == pytest.approx(32 * 32 * 3 + 1280 * 4, rel=0.02), "bytes: the picture, and its features in fp32"
    texts = _mb(1_000_000, model={"id": MINILM}) - _mb(0, model={"id": MINILM})
    assert texts == pytest.approx(384 * 4, rel=0.02), "texts themselves are not written"


def test_disk_counts_nothing_for_what_would_be_too_much_to_keep() -> None:
    """Above the limit the frozen part runs in each epoch instead."""
    kept, too_many = ({"model": {"id": MINILM}, "method": "last", "train_size": n} for n in (10_000, 1_000_000))
    assert _mb(10_000, **kept) - _mb(0, **kept) > 100
    more = 1_000_000 * 5 / 32 * 400 / 1e6  # points of its curves
    assert _mb(1_000_000, **too_many) - _mb(0, **too_many) == pytest.approx(more, rel=0.02)
    assert MOST_KEPT_BYTES < 1_000_000 * 64 * 384 * 2


def test_a_training_that_may_not_fit_is_told_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    need = disk_of_mb(asked(), get_model(LITE0), (1149, 288, 360))
    for free, codes in ((need + 50, []), (need - 50, ["spec.disk_short"])):
        monkeypatch.setattr(disk, "free_disk_mb", lambda folder, free=free: free)
        found = [problem for problem in check_finetune(asked()) if problem.code.startswith("spec.disk")]
        assert [problem.code for problem in found] == codes
    assert "MB" in explain(found[0])


def test_pictures_are_not_decoded_where_they_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "pictures"
    fill(folder, {"a": 12, "b": 12})
    with monkeypatch.context() as patch:
        patch.setattr(cache.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
        with pytest.raises(RunError) as refused:
            load(folder)
    assert refused.value.code == "run.disk_short"
    assert "1 kB" in explain(refused.value.problems[0])
    assert len(load(folder).train), "with room they are"
