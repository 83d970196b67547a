"""Training on texts as a whole: it learns, stops, resumes to the same numbers, and its cache is true."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import BatchEncoding

from core.data.texts import load_texts
from core.data.token_lengths import covering_length
from core.errors import DataError, InputError, StoppedError
from core.finetune import autotune
from core.finetune.baseline import run_baseline
from core.finetune.run import Finetuning, finetune
from core.finetune.spec import FinetuneSpec
from core.networks.text import load_text_classifier
from core.networks.tokens import LengthGrouped, Tokens, measure_lengths
from core.predict.load import load_predictor
from core.predict.texts import TextPredictor
from core.registry.methods import MethodSettings
from core.runs.kinds import check_spec
from core.spec import DataRef
from tests.fixtures.listening import Listener
from tests.fixtures.reviews import write_reviews
from tests.fixtures.text_models import plant


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reviews(tmp_path_factory.mktemp("data"))


def _spec(reviews: Path, model: str, **changes: Any) -> FinetuneSpec:
    values = {
        "model": {"id": model},
        "data": {"id": f"path:{reviews}"},
        "epochs": 3,
        "batch_size": 16,
        "seed": 3,
        "method": "full",
        "lr": 0.01,
    }
    return FinetuneSpec.model_validate(values | changes)


@pytest.mark.parametrize("method", ["head", "last", "full", "lora"])
def test_it_learns_and_tells_what_it_did(method: str, reviews: Path, home: Path, tmp_path: Path) -> None:
    spec = _spec(reviews, plant("bert", home), method=method, epochs=12, lr=0.05 if method == "head" else 0.01)
    listener = Listener()
    summary = finetune(spec, tmp_path / "run", listener, resume=False)
    assert summary["test"]["accuracy"] > (0.6 if method == "head" else 0.9)
    assert summary["task"] == "text-classification"
    assert summary["tokens"]["share_cut"] == 0
    assert 0 < summary["tokens"]["share_unknown"] < 0.4
    assert {"tokens", "baseline", "fit", "test"} <= set(listener.phases)
    assert ("train" in listener.phases, "fit" in summary, "probe" in summary) == (
        (False, True, False) if method == "head" else (True, False, True)
    )
    report = json.loads((tmp_path / "run/artifacts/report.json").read_text(encoding="utf-8"))
    assert report["baseline"]["accuracy"] > 0.9, "word counts find the word"
    assert all(set(row) >= {"text", "true", "predicted"} for row in report["mistakes"])


@pytest.mark.parametrize("method", ["last", "lora", "full"])
def test_stopped_run_resumes_to_the_same_numbers(method: str, reviews: Path, home: Path, tmp_path: Path) -> None:
    spec = _spec(reviews, plant("bert", home), method=method)
    whole, first, second = Listener(), Listener(stop_after=9, since="train"), Listener()
    finetune(spec, tmp_path / "whole", whole, resume=False)
    with pytest.raises(StoppedError):
        finetune(spec, tmp_path / "parts", first, resume=False)
    finetune(spec, tmp_path / "parts", second, resume=True)
    together = first.rows | second.rows
    assert set(together) == set(whole.rows)
    for key, value in whole.rows.items():
        assert together[key] == pytest.approx(value, abs=1e-5), key


def test_kept_states_give_the_same_training_as_computing_anew(
    reviews: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = _spec(reviews, plant("bert", home), method="head", epochs=2, train_size=100)
    first, again, without = Listener(), Listener(), Listener()
    one = finetune(spec, tmp_path / "one", first, resume=False)
    two = finetune(spec, tmp_path / "two", again, resume=False)
    assert one["engine"]["computed_rows"] == 160
    assert two["engine"]["computed_rows"] == 0
    assert first.rows == again.rows
    monkeypatch.setattr("core.finetune.run.MOST_KEPT_BYTES", -1)
    monkeypatch.setenv("GRAFT_HOME", str(tmp_path / "elsewhere"))
    finetune(spec, tmp_path / "three", without, resume=False)
    # Without kept features the head learns in steps, from the one that fits the same features.
    fitted = max(step for name, step in first.rows if name == "val__loss")
    for name in ("val__loss", "val__accuracy"):
        assert without.rows[name, 0] == pytest.approx(first.rows[name, fitted], abs=1e-3), name


def test_finished_model_answers_texts(reviews: Path, home: Path) -> None:
    from core.runs import manage, submit
    from core.runs.worker import work
    from core.store import open_store

    run = submit.new_run(_spec(reviews, plant("bert", home), epochs=10))
    open_store().update_run(run.id, status="running")
    assert work(run.id) == 0, manage.read_log(run.id)
    predictor = load_predictor(f"run/{run.id}")
    assert isinstance(predictor, TextPredictor)
    texts = ["a good film", "a bad film", "", "<b>good</b> a", "\x00bad"]
    found = predictor.answer(texts)
    assert [answer.label for answer in found] == ["positive", "negative", "", "positive", "negative"]
    assert all(sum(answer.probabilities.values()) == pytest.approx(1) for answer in found if answer.label)
    label, pieces = predictor.explain("a good film")
    assert label == "positive"
    assert "".join(piece.text for piece in pieces) == "a good film"
    assert max(pieces, key=lambda piece: piece.weight).text == "good"


def test_pictures_and_texts_are_not_mixed_up(reviews: Path, home: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        finetune(_spec(reviews, "bundled/efficientnet_lite0"), tmp_path / "a", Listener(), resume=False)
    spec = _spec(reviews, plant("bert", home), data={"id": "builtin/digits"})
    with pytest.raises(DataError):
        finetune(spec, tmp_path / "b", Listener(), resume=False)


def test_adapters_need_attention(reviews: Path) -> None:
    spec = _spec(reviews, "bundled/efficientnet_lite0", method="lora")
    assert "model.no_attention" in {problem.code for problem in check_spec(spec)}
    long = _spec(reviews, "bundled/minilm-l6", max_length=513)
    assert "model.length_too_large" in {problem.code for problem in check_spec(long)}


def test_adapters_beside_a_vision_transformer_are_merged_when_saved(tmp_path: Path) -> None:
    from core.networks.image import build_classifier, load_classifier, save_classifier
    from core.networks.tuning import merge, set_trainable
    from core.spec import ModelRef

    ref = ModelRef(id="torchvision/vit_b_16", weights="random")
    model = build_classifier(ref, ["a", "b"], seed=0, image_size=32).eval()
    set_trainable(model, "lora", MethodSettings(lora_rank=2, lora_alpha=4))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    x = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        wanted = model(x)
        merge(model)
        torch.testing.assert_close(model(x), wanted, atol=1e-4, rtol=1e-3)
        save_classifier(model, tmp_path)
        torch.testing.assert_close(load_classifier(tmp_path)(x), wanted, atol=1e-4, rtol=1e-3)


def test_no_adapter_for_networks_without_attention() -> None:
    from core.networks.image import build_classifier
    from core.networks.tuning import set_trainable
    from core.spec import ModelRef

    ref = ModelRef(id="torchvision/squeezenet1_1", weights="random")
    with pytest.raises(InputError, match="attention"):
        set_trainable(build_classifier(ref, ["a", "b"], seed=0), "lora")


def test_text_that_is_left_over_is_another_one_in_each_epoch() -> None:
    """Of 33 texts in batches of 16 one finds no place: not the shortest one each time, which would never be learned."""
    sampler = LengthGrouped(np.arange(1, 34), 16, seed=1)
    left = []
    for epoch in range(20):
        sampler.set_epoch(epoch)
        left.append(list(sampler)[-1])
    assert len(set(left)) > 8


def test_text_of_just_the_length_that_is_read_is_not_cut(home: Path) -> None:
    from core.networks.text import build_text_classifier
    from core.spec import ModelRef

    tokenizer = build_text_classifier(ModelRef(id=plant("bert", home)), ["a", "b"], seed=0).tokenizer
    texts = ["a " * 6, "a " * 7, "a"]  # each with a token before and behind it
    assert Tokens(texts, np.arange(3), tokenizer, 8, None).share_cut == pytest.approx(1 / 3)
    assert Tokens(texts, np.arange(3), tokenizer, 9, None).share_cut == 0
    in_python = _WithoutEncodings(tokenizer)
    assert Tokens(texts, np.arange(3), in_python, 8, None).share_cut == pytest.approx(1 / 3)


def test_so_much_is_read_as_covers_nearly_all_texts(home: Path, tmp_path: Path) -> None:
    """Where nothing is said: by the model's own tokens, of all the texts, within what the model takes in."""
    path = tmp_path / "long.csv"
    lines = [f"{'good ' * (36 if i < 95 else 60)},{'ab'[i % 2]}\n" for i in range(100)]
    path.write_text("text,label\n" + "".join(lines), encoding="utf-8")
    values = {"model": {"id": plant("bert", home)}, "data": {"id": f"path:{path}"}, "epochs": 1}
    for train_size in (10, 40):
        spec = FinetuneSpec.model_validate(values | {"train_size": train_size})
        task = Finetuning(spec, tmp_path / f"{train_size}", Listener(), resume=False)
        summary = task.run()
        assert summary["max_length"] == 40
        saved = json.loads((tmp_path / f"{train_size}/artifacts/model/model.json").read_text(encoding="utf-8"))
        assert saved["max_length"] == 40
    assert covering_length([600] * 10, longest=8192) == 512
    assert covering_length([600] * 10, longest=64) == 64
    assert (
        covering_length(measure_lengths(["good " * 1_000_000, "bad"], task.task.model.tokenizer), longest=1024) == 512
    )


def test_run_of_version_0_1_goes_on_reading_what_it_read(home: Path, reviews: Path, tmp_path: Path) -> None:
    """It wrote no mark: a checkpoint that lies there without one is of a run that read 128 tokens."""
    spec = _spec(reviews, plant("bert", home))
    with pytest.raises(StoppedError):
        finetune(spec, tmp_path / "run", Listener(stop_after=9, since="train"), resume=False)
    assert Finetuning(spec, tmp_path / "run", Listener(), resume=True).spec.max_length is None
    (tmp_path / "run" / "checkpoint" / "began.json").unlink()
    assert Finetuning(spec, tmp_path / "run", Listener(), resume=True).spec.max_length == 128
    asked = spec.model_copy(update={"max_length": 32})
    assert Finetuning(asked, tmp_path / "run", Listener(), resume=True).spec.max_length == 32


def test_run_that_began_with_all_embeddings_goes_on_so(home: Path, reviews: Path, tmp_path: Path) -> None:
    """What its optimizer remembers is of all of them."""
    spec, second = _spec(reviews, plant("bert", home), method="full"), Listener()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.finetune.learner.TextLearner.learning", lambda _, recipe: nullcontext())
        with pytest.raises(StoppedError):
            finetune(spec, tmp_path / "run", Listener(stop_after=9, since="train"), resume=False)
    (tmp_path / "run" / "checkpoint" / "began.json").write_text('{"recipe": 2}')
    finetune(spec, tmp_path / "run", second, resume=True)
    assert min(step for name, step in second.rows if name == "train__loss") > 1


class _WithoutEncodings:
    """A tokenizer that is written in Python: it does not say what it cut."""

    def __init__(self, tokenizer: Any) -> None:
        self._inner, self.pad_token_id, self.unk_token_id = tokenizer, tokenizer.pad_token_id, tokenizer.unk_token_id

    def __call__(self, *args: Any, **options: Any) -> Any:
        return BatchEncoding({"input_ids": self._inner(*args, **options)["input_ids"]})


@pytest.mark.parametrize("method", ["head", "last", "full"])
def test_saved_model_gives_the_answers_that_were_tested(
    method: str, reviews: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autotune, "has_fast_bf16", lambda device: True)
    spec = _spec(reviews, plant("bert", home), method=method)
    summary = finetune(spec, tmp_path / "run", Listener(), resume=False)
    assert summary["engine"]["precision"] == "bf16"
    told = pd.read_parquet(tmp_path / "run" / "artifacts" / "predictions.parquet")
    data = load_texts(spec.data, train_size=None, test_size=None, seed=3)
    model = TextPredictor(load_text_classifier(tmp_path / "run" / "artifacts" / "model"), 64, "run/it")
    answers = [model.probabilities([data.texts[row]])[0] for row in told["row"]]
    np.testing.assert_array_equal(np.argmax(answers, 1), told["predicted"])
    np.testing.assert_allclose(np.max(answers, 1), told["confidence"], atol=1e-5)
    many = [data.texts[row] for row in told["row"]] * 3  # a table of them: in no other arithmetic
    np.testing.assert_allclose(model.probabilities(many), np.tile(answers, (3, 1)), atol=1e-6)


def test_batches_hold_texts_of_one_length_and_every_text_once() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 330)
    sampler = LengthGrouped(lengths, 16, seed=1)
    order = list(sampler)
    assert sorted(order) == list(range(330))
    assert order == list(sampler)
    sampler.set_epoch(1)
    assert order != list(sampler)
    spread = [np.ptp(lengths[order[i : i + 16]]) for i in range(0, 320, 16)]
    assert np.median(spread) < 12, "a random order has some 90"


@pytest.mark.parametrize("texts", [["很好", "太差"] * 40, ["😀", "😡"] * 40, ["so good", "so bad"] * 40])
def test_baseline_reads_any_language(texts: list[str]) -> None:
    targets, rows = np.array([1, 0] * 40), np.arange(80)
    rival = run_baseline(texts, targets, rows[:60], rows[60:], 2, seed=0)
    assert (rival.probabilities.argmax(1) == targets[60:]).all()


def test_class_weights_lift_the_rare_class(tmp_path: Path) -> None:
    from core.finetune.learner import balanced_weights

    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + "".join(f"word{i},{'a' if i % 10 else 'b'}\n" for i in range(100)))
    weights = balanced_weights(load_texts(DataRef(id=f"path:{path}"), train_size=None, test_size=None, seed=0))
    assert weights[1] / weights[0] == pytest.approx(9, rel=0.25)
