"""What can be asked for, and that everything wrong with it is told at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from core import hardware
from core.data.spec import ImportSpec
from core.errors import InputError, NotFoundError
from core.finetune.checks import check_fitted
from core.finetune.recipe import learning_rate
from core.finetune.spec import FinetuneSpec
from core.i18n import translator
from core.messages import explain
from core.models import catalog
from core.problems import Problem
from core.runs.kinds import KINDS, check_spec
from core.runs.submit import with_absolute_paths
from core.spec import DataRef, ModelRef, metadata, parse_spec

MODEL = {"id": "bundled/efficientnet_lite0"}
DIGITS = {"id": "builtin/digits"}


def _spec(**values: object) -> FinetuneSpec:
    return parse_spec(FinetuneSpec, {"model": MODEL, "data": DIGITS, **values})


def _codes(spec: FinetuneSpec | ImportSpec) -> dict[str, str]:
    return {problem.code: problem.severity for problem in check_spec(spec)}


def test_what_a_fitted_head_does_not_know_is_told() -> None:
    def told(**asked: object) -> list[str]:
        return [problem.code for problem in check_fitted(_spec(**asked))]

    assert told() == []
    for asked in ({"epochs": 20}, {"lr": 0.1}, {"patience": 3}, {"schedule": "constant"}):
        assert told(**asked) == ["spec.fitted_head"], asked
        assert told(**asked, augment="light") == told(**asked, method="full") == [], "that learns in steps"


def test_parsing_tells_every_wrong_field_at_once() -> None:
    values = {"model": MODEL, "data": DIGITS, "epochs": 0, "method": "half", "lr": -1, "colour": "red", "seed": "x"}
    with pytest.raises(InputError) as refused:
        parse_spec(FinetuneSpec, values)
    problems = refused.value.problems
    assert {problem.field for problem in problems} == {"epochs", "method", "lr", "colour", "seed"}
    assert {problem.code for problem in problems} == {"spec.invalid_value", "spec.unknown_field"}
    told = str(refused.value)
    for part in ("epochs: 0", "'half'", "lr: -1", "colour is not a setting", "batch_size"):
        assert part in told


def test_parsing_refuses_a_missing_model() -> None:
    with pytest.raises(InputError) as refused:
        parse_spec(FinetuneSpec, {"data": DIGITS})
    assert [problem.field for problem in refused.value.problems] == ["model"]


def test_spec_is_frozen_and_round_trips_through_json() -> None:
    spec = _spec(method="last", last_blocks=3, lr=3e-4, train_size=50)
    assert FinetuneSpec.model_validate_json(spec.model_dump_json()) == spec
    with pytest.raises(ValidationError):
        spec.epochs = 3  # type: ignore[misc]


@pytest.mark.parametrize(("method", "rate"), [("head", 1e-3), ("last", 1e-3), ("full", 5e-4)])
def test_learning_rate_follows_the_method_when_none_is_given(method: str, rate: float) -> None:
    assert learning_rate(_spec(method=method), 5000) == rate
    assert learning_rate(_spec(method=method, lr=0.2), 5000) == 0.2


@pytest.mark.parametrize(("rows", "rate"), [(2, 1e-4), (200, 1e-4), (500, 2.5e-4), (1000, 5e-4), (10**6, 5e-4)])
def test_layers_that_know_something_move_less_with_few_rows(rows: int, rate: float) -> None:
    assert learning_rate(_spec(method="full"), rows) == pytest.approx(rate)
    random = {"id": "bundled/efficientnet_lite0", "weights": "random"}
    assert learning_rate(_spec(method="full", model=random), rows) == 2e-3
    assert learning_rate(_spec(method="full", model={"id": "bundled/minilm-l6"}), rows) == 1e-4
    assert learning_rate(_spec(method="last"), 5 * rows) == pytest.approx(2 * rate)
    assert learning_rate(_spec(method="head"), rows) == 1e-3


def test_learning_rate_of_an_unknown_model_is_refused_unless_it_is_given() -> None:
    with pytest.raises(NotFoundError):
        learning_rate(_spec(model={"id": "torchvision/resnet19"}), 1)
    assert learning_rate(_spec(model={"id": "torchvision/resnet19"}, lr=0.2), 1) == 0.2


@pytest.mark.parametrize("bad", ["digits", "builtin/", "path:", "path: x", "", "Builtin/digits", "builtin/ x"])
def test_data_id_is_refused_when_it_has_no_source_or_name(bad: str) -> None:
    with pytest.raises(ValidationError):
        DataRef(id=bad)


@pytest.mark.parametrize(
    ("data_id", "source", "name"),
    [
        ("builtin/digits", "builtin", "digits"),
        ("hub/org/name:config", "hub", "org/name:config"),
        ("path:/a/b c", "path", "/a/b c"),
        (r"path:C:\pictures", "path", r"C:\pictures"),
    ],
)
def test_data_id_is_split_into_source_and_name(data_id: str, source: str, name: str) -> None:
    ref = DataRef(id=data_id)
    assert (ref.source, ref.name) == (source, name)


def test_check_is_silent_when_nothing_is_wrong() -> None:
    assert check_spec(_spec()) == []
    assert check_spec(ImportSpec(data=DataRef(id="builtin/digits"))) == []


def test_check_tells_all_problems_at_once(tmp_path: Path) -> None:
    spec = _spec(
        model={"id": "torchvision/resnet18.imagenet1k_v1"},
        data={"id": f"path:{tmp_path}/nothing"},
        device="cuda",
        batch_size=64,
        train_size=10,
        epochs=3,
        patience=5,
    )
    found = _codes(spec)
    assert found["data.path_missing"] == "error"
    assert found["weights.not_local"] == "error"
    assert found["spec.batch_larger_than_data"] == "warning"
    assert found["spec.patience_never"] == "warning"
    assert all(problem.field for problem in check_spec(spec))
    assert all("{" not in explain(problem) for problem in check_spec(spec))


def test_batch_that_leaves_hardly_a_step_is_told() -> None:
    """At batch 128 an epoch of digits has 9 steps: 65% where batches of 32 reach 95%, and longer steps are worse."""
    few = {"method": "full", "epochs": 1, "batch_size": 128}
    (problem,) = check_spec(_spec(**few))
    assert (problem.code, problem.severity, problem.field) == ("spec.few_steps", "warning", "batch_size")
    assert "9 steps" in explain(problem)
    for changed in ({"batch_size": 32}, {"epochs": 5}, {"method": "head"}):
        assert "spec.few_steps" not in _codes(_spec(**(few | changed)))


def test_check_tells_neighbours_when_the_model_is_unknown() -> None:
    problems = check_spec(_spec(model={"id": "torchvision/resnet19"}))
    assert [(problem.code, problem.field) for problem in problems] == [("model.unknown", "model")]
    assert "torchvision/resnet18" in explain(problems[0])


def test_check_warns_when_random_weights_stay_frozen() -> None:
    model = {**MODEL, "weights": "random"}
    assert _codes(_spec(model=model)) == {"spec.random_frozen": "warning"}
    assert _codes(_spec(model=model, method="full")) == {}


def test_check_refuses_a_device_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = replace(hardware.describe_machine(), devices=("cpu",))
    monkeypatch.setattr(hardware, "describe_machine", lambda: machine)
    assert _codes(_spec(device="cuda")) == {"spec.no_such_device": "error"}


def test_check_judges_number_formats_by_this_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_cpu_flags", lambda: frozenset({"avx2"}))
    assert _codes(_spec(device="cpu", precision="bf16")) == {"spec.bf16_emulated": "warning"}
    assert _codes(_spec(device="cpu", precision="fp16")) == {"spec.fp16_on_cpu": "error"}
    monkeypatch.setattr(hardware, "_cpu_flags", lambda: frozenset({"avx512_bf16"}))
    assert _codes(_spec(device="cpu", precision="bf16")) == {}


def test_check_refuses_a_picture_size_that_the_model_cannot_take() -> None:
    card = next(card for card in catalog.list_models() if card.min_size > 32)
    spec = _spec(model={"id": card.id, "weights": "random"}, method="full", image_size=32)
    assert "model.size_too_small" in _codes(spec)


def test_check_refuses_a_path_outside_the_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside, outside):
        folder.mkdir()
    (inside / "link").symlink_to(outside)
    monkeypatch.setenv("GRAFT_DATA_ROOTS", str(inside))

    def codes(path: Path | str) -> dict[str, str]:
        return _codes(ImportSpec(data=DataRef(id=f"path:{path}")))

    assert codes(inside) == {}
    assert codes(outside) == {"data.path_not_allowed": "error"}
    assert codes(f"{inside}/../out") == {"data.path_not_allowed": "error"}
    assert codes(inside / "link") == {"data.path_not_allowed": "error"}


def test_check_refuses_an_unknown_source() -> None:
    assert _codes(ImportSpec(data=DataRef(id="kaggle/cats"))) == {"data.unknown_source": "error"}


def test_paths_are_made_absolute_without_following_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    spec = with_absolute_paths(_spec(data={"id": "path:./x/../link"}))
    assert spec.data.id == f"path:{tmp_path}/link"
    assert with_absolute_paths(_spec()) == _spec()


def test_every_knob_says_what_it_is_within_its_own_bounds() -> None:
    for kind in (kind.spec for kind in KINDS.values()):
        for name, field in kind.model_fields.items():
            if name in {"model", "data"}:
                continue
            facts = metadata(field)
            assert field.title, name
            assert field.description, name
            assert field.description.endswith("."), name
            assert facts["level"] in {"basic", "expert"}
            if facts["shown_when"]:
                other, values = facts["shown_when"]
                assert set(values) <= set(metadata(kind.model_fields[other])["choices"])
            if facts["choices"]:
                for choice in facts["choices"]:
                    value = (choice,) if isinstance(field.default, tuple) else choice
                    filled = parse_spec(kind, {"model": MODEL, "data": DIGITS, name: value})
                    assert getattr(filled, name) == value


def test_model_ref_tells_its_source() -> None:
    assert ModelRef(id="run/ft-1").source == "run"
    with pytest.raises(ValidationError):
        ModelRef(id="resnet18")


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("epochs", 0, "Give at least 1."),
        ("epochs", "many", "Give a whole number."),
        ("epochs", 2.5, "Give a whole number."),
        ("lr", "fast", "Give a number."),
        ("lr", 0, "Give more than 0."),
        ("batch_size", 9_999_999, "Give at most 4096."),
        ("augment", "much", "Give one of: none, light, strong."),
        ("class_weights", "perhaps", "Give true or false."),
        ("data", {"id": "x" * 5000}, "letters."),
        ("data", {"id": "path:\udcff"}, "It is not UTF-8"),
        ("model", {"id": "resnet18"}, "Check how it is written."),
        ("model", {}, "Give a value."),
    ],
)
def test_what_may_be_given_is_told_in_words_of_the_language(field: str, value: object, told: str) -> None:
    values = {"model": {"id": "bundled/efficientnet_lite0"}, "data": {"id": "builtin/digits"}, field: value}
    with pytest.raises(InputError) as refused:
        parse_spec(FinetuneSpec, values)
    (problem,) = refused.value.problems
    sentence, chinese = explain(problem), explain(problem, translator("zh_CN"))
    assert sentence.endswith(told) or told in sentence
    assert "should" not in sentence + chinese
    assert told not in chinese
    assert explain(Problem("spec.invalid_value", values={**problem.values, "rule": "as kept before"})).endswith(
        "before"
    )
