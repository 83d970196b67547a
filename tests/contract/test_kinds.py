"""Every kind of run, from what is asked to its row: a new row is checked, named, queued and shown by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.data.spec import ImportSpec
from core.i18n import translator
from core.registry.table import build_table
from core.runs import kinds, manage, submit
from core.runs.kinds import KINDS, Kind, check_spec, command_line, kind_of, name_for
from core.spec import DataRef, Spec, parse_spec
from core.store import open_store
from pages.ui.words import VIEWS

LITE0, DIGITS = {"id": "bundled/efficientnet_lite0"}, {"id": "builtin/digits"}
ASKED: dict[str, dict[str, object]] = {
    "finetune": {"model": LITE0, "data": DIGITS},
    "compare": {"model": LITE0, "data": DIGITS},
    "optimize": {"model": LITE0, "data": DIGITS},
    "import": {"data": DIGITS},
    "predict": {"file": "reviews.csv"},
    "inspect": {"model": LITE0},
    "measure": {"model": LITE0},
    "download": {"model": "torchvision/resnet18.imagenet1k_v1"},
}
DEVICES = {"cpu", "cuda", "mps", "disk", "network"}


def test_every_kind_is_asked_for_here() -> None:
    assert list(ASKED) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.id)
def test_a_row_is_checked_named_placed_told_and_shown(kind: Kind, home: Path) -> None:
    spec = parse_spec(kind.spec, ASKED[kind.id])
    assert kind_of(spec) is kind
    assert {problem.severity for problem in check_spec(spec)} <= {"error", "warning"}
    assert name_for(spec)
    assert kind_of(spec).device(spec) in DEVICES
    assert command_line(spec).startswith("python -m core ")
    assert kind.view in VIEWS
    assert translator("zh_CN")(kind.word) != kind.word
    assert len(kind.prefix) == 2


def test_a_record_that_asks_for_nothing_is_refused() -> None:
    with pytest.raises(TypeError, match="no kind of run for Spec"):
        kind_of(Spec())


@pytest.mark.parametrize("field", ["id", "prefix", "word"])
def test_two_kinds_share_nothing_that_tells_them_apart(field: str) -> None:
    other = replace(KINDS["import"], **{field: getattr(KINDS["finetune"], field)})
    with pytest.raises(ValueError, match=r"stands in two rows|belongs to"):
        build_table([KINDS["finetune"], other], unique=("spec", "prefix", "word"))


class _CountSpec(ImportSpec):
    """A kind that only this test knows."""


def test_a_new_row_is_named_checked_queued_and_read_back(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = replace(KINDS["import"], id="count", spec=_CountSpec, prefix="co", word="Count", name=lambda spec: "counted")
    table = build_table([*KINDS.values(), new])
    monkeypatch.setattr(kinds, "KINDS", table)
    monkeypatch.setattr(manage, "KINDS", table)
    run = submit.new_run(_CountSpec(data=DataRef(id="builtin/digits")))
    assert (run.kind, run.name, run.device, run.id[:3]) == ("count", "counted", "disk", "co-")
    assert manage.spec_of(open_store().get_run(run.id)) == _CountSpec(data=DataRef(id="builtin/digits"))
