"""Every way of tuning, from its row to a network that learned: a new row appears everywhere by itself."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
import torch

from core.charts.theme import LOOKS, look_of
from core.cli.jobs import finetune
from core.compare.figure_words import family_word
from core.compare.grid import families, family_cell, grid
from core.compare.spec import CompareSpec
from core.errors import WeightsError
from core.finetune.estimate import estimate_finetune
from core.finetune.recipe import ANY_ROWS, learning_rate
from core.finetune.spec import FinetuneSpec
from core.i18n import translator
from core.networks import tuning as networks_tuning
from core.networks.heads import count_parameters
from core.networks.image import build_classifier, load_classifier, save_classifier
from core.networks.tuning import BEHAVIOURS, Behaviour, Tunable, count_put_in, set_trainable
from core.registry.methods import METHODS, MethodSettings
from core.registry.table import build_table
from core.runs import kinds
from core.runs.kinds import check_spec
from core.spec import ModelRef, metadata, parse_spec

ROOT = Path(__file__).resolve().parents[2]
LITE0, DIGITS = {"id": "bundled/efficientnet_lite0"}, {"id": "builtin/digits"}
TINY = ModelRef(id="timm/test_vit.r160_in1k", weights="random")  # the smallest that every way can tune


def test_every_row_has_a_behaviour_and_every_behaviour_a_row() -> None:
    assert list(BEHAVIOURS) == list(METHODS)
    for row, behaviour in zip(METHODS.values(), BEHAVIOURS.values(), strict=True):
        put_in = {behaviour.put_in is not None, behaviour.count is not None, behaviour.merge is not None}
        assert put_in == {row.adds_layers}, row.id
        assert (behaviour.cut(9, MethodSettings()) > 0) == (row.kept is not None), row.id
        assert (behaviour.cut(9, MethodSettings()) == 9) == row.only_head, row.id


def test_fields_of_a_row_are_fields_of_the_specs_and_shown_for_it_alone() -> None:
    told = {field.name: field.default for field in fields(MethodSettings)}
    for kind, choice in ((FinetuneSpec, "method"), (CompareSpec, "methods")):
        for name, default in told.items():
            field = kind.model_fields[name]
            assert field.default == default
            having = [row.id for row in METHODS.values() if name in row.fields]
            assert metadata(field)["shown_when"] == ([choice, having] if having else None), name
    assert {name for row in METHODS.values() for name in row.fields} <= told.keys()


@pytest.mark.parametrize("method", METHODS)
def test_a_row_is_asked_for_checked_estimated_named_and_drawn(method: str, home: Path) -> None:
    row, words = METHODS[method], translator("zh_CN")
    spec = parse_spec(FinetuneSpec, {"model": LITE0, "data": DIGITS, "method": method})
    assert metadata(FinetuneSpec.model_fields["method"])["choices"][method] == row.choice
    codes = {problem.code for problem in check_spec(spec)}
    assert codes == ({"model.no_attention"} if row.needs_attention else set())
    assert estimate_finetune(spec).memory_mb > 0
    assert 0 < learning_rate(spec, ANY_ROWS) == row.rates.pictures
    assert kinds.name_for(spec).endswith(f"· digits · {row.run_name(MethodSettings())}")
    assert f"--method {method}" in kinds.command_line(spec)
    assert look_of({"method": method}) == LOOKS[method]
    assert {words(text) for text in (row.choice, row.pretrained_word)}.isdisjoint({row.choice, row.pretrained_word})
    assert row.trains(words, MethodSettings())
    compared = parse_spec(CompareSpec, {"model": LITE0, "data": DIGITS, "methods": [method]})
    assert families(compared)[-1] == method
    assert family_cell(method, 100, 0) in grid(compared)
    assert family_word(method, words)


def test_the_command_line_takes_every_way() -> None:
    accepted, _option = get_args(inspect.signature(finetune).parameters["method"].annotation)
    assert list(get_args(accepted)) == list(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_every_way_trains_saves_and_loads_to_the_same_answers(method: str, home: Path, tmp_path: Path) -> None:
    model = build_classifier(TINY, ["a", "b"], seed=0, image_size=32)
    learned = _learn(model, method)
    assert (model.num_frozen > 0) == (METHODS[method].kept is not None)
    assert (learned <= {"head.linear.weight", "head.linear.bias"}) == METHODS[method].only_head
    model.eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        answers = model(x)
        save_classifier(model, tmp_path / "model")
        torch.testing.assert_close(load_classifier(tmp_path / "model")(x), answers, atol=1e-5, rtol=1e-4)
    weights = tmp_path / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 8  # a bit of a weight, which nothing else would notice
    for damaged in (content, content[:-100], b""):
        weights.write_bytes(damaged)
        with pytest.raises(WeightsError, match="is damaged"):
            load_classifier(tmp_path / "model")


@pytest.mark.parametrize("method", [name for name, row in METHODS.items() if row.adds_layers])
def test_what_a_way_would_put_in_is_counted_as_it_is(method: str, home: Path) -> None:
    model = build_classifier(TINY, ["a", "b"], seed=0, image_size=32)
    before, told = count_parameters(model)[0], count_put_in(model, method, MethodSettings())
    set_trainable(model, method)
    assert count_parameters(model)[0] - before == told


def _learn(model: Tunable, method: str) -> set[str]:
    """Two steps (an adapter's second half begins at zero); the names of what changed."""
    set_trainable(model, method, MethodSettings(last_blocks=1, lora_rank=2))
    before = {name: tensor.clone() for name, tensor in model.named_parameters()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model.train()
    for _ in range(2):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(torch.randn(4, 3, 32, 32)), torch.tensor([0, 1, 1, 0])).backward()
        optimizer.step()
    changed = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert changed
    assert not changed & frozen
    return changed


# -- a new row -------------------------------------------------------------------------------------------

_NEW_ROW = """
from dataclasses import replace
from typing import Literal
from core.registry import methods
from core.registry.table import build_table
last = methods.METHODS["full"]
new = replace(last, id="norms", choice="Train the norms", word="Norms", pretrained_word="Pretrained, norms",
    run_word="norms", light="#111111", dark="#EEEEEE", marker="hexagon", glyph="⬢", trains_all=False)
methods.METHODS = build_table([*methods.METHODS.values(), new])
methods.MethodId = Literal[tuple(methods.METHODS)]

from core.inspection.report import tuning_rows
from core.finetune.estimate import estimate_finetune
from core.charts.theme import LOOKS
from core.compare.grid import grid
from core.i18n import translator
from core.compare.figures import family_word
from core.runs.kinds import check_spec, command_line, name_for
from core.compare.spec import CompareSpec
from core.finetune.spec import FinetuneSpec
from core.spec import parse_spec
from core.cli.jobs import finetune
import inspect
from typing import get_args

values = {"model": {"id": "bundled/efficientnet_lite0"}, "data": {"id": "builtin/digits"}}
spec = parse_spec(FinetuneSpec, {**values, "method": "norms"})
assert check_spec(spec) == []
assert estimate_finetune(spec).memory_mb > 0
assert name_for(spec).endswith("norms")
assert "--method norms" in command_line(spec)
assert LOOKS["norms"].marker == "hexagon"
compared = parse_spec(CompareSpec, {**values, "methods": ["norms", "head"]})
assert compared.methods == ("head", "norms")
assert "norms" in {cell.family for cell in grid(compared)}
assert family_word("norms", translator("en")) == "Pretrained, norms"
counted = {"parameters": 1, "share": 0.1}
report = {"tuning": {"classes": 2, "blocks": 1, "rank": 8, "norms": counted}}
assert [row["key"] for row in tuning_rows(report, 1, translator("en"))] == ["norms"]
accepted, _option = get_args(inspect.signature(finetune).parameters["method"].annotation)
assert get_args(accepted)[-1] == "norms"
"""


def test_a_new_row_is_asked_for_checked_estimated_named_and_drawn_without_another_change(home: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _NEW_ROW], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def _only_norms(model: Tunable, settings: MethodSettings) -> None:
    for module in model.net.modules():
        module.requires_grad_(False)
    for module in model.net.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.requires_grad_(True)


def test_a_new_behaviour_trains_without_another_change(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = Behaviour("norms", cut=lambda blocks, settings: 0, put_in=_only_norms)
    monkeypatch.setattr(networks_tuning, "BEHAVIOURS", build_table([*BEHAVIOURS.values(), new]))
    model = build_classifier(TINY, ["a", "b"], seed=0, image_size=32)
    assert all("norm" in name or name.startswith("head.") for name in _learn(model, "norms"))
