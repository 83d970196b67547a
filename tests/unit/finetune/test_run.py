"""Training as a whole on tiny pictures: it learns, stops, resumes to the same numbers, and its caches are true."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from core import hardware
from core.data.images import load_images
from core.errors import DataError, RunError, StoppedError
from core.finetune import autotune, image_features, loop
from core.finetune.learner import ImageLearner
from core.finetune.run import finetune
from core.finetune.spec import FinetuneSpec
from core.networks.image import load_classifier
from core.predict.pictures import Predictor
from tests.fixtures.coloured import LITE0, RANDOM, Whole, colour_spec, trained_once, write_colours
from tests.fixtures.homes import living_in
from tests.fixtures.listening import Listener


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nobody changes them."""
    return write_colours(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[FinetuneSpec], Whole]:
    return trained_once(tmp_path_factory)


@pytest.fixture
def has_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that computes frozen parts in bf16 by default, whatever this one does."""
    monkeypatch.setattr(autotune, "has_fast_bf16", lambda device: True)


@pytest.mark.parametrize(
    ("flags", "precision"), [({"avx512f", "avx512_vnni"}, "fp32"), ({"avx512f", "avx512_bf16"}, "bf16")]
)
@pytest.mark.parametrize("is_text", [False, True])
def test_bf16_is_taken_where_the_processor_has_it_and_not_where_it_is_emulated(
    flags: set[str], precision: str, is_text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """oneDNN says yes wherever there is AVX-512."""
    keys = []
    for known in (flags, {"avx2"}):
        monkeypatch.setattr(hardware, "_cpu_flags", lambda known=known: frozenset(known))
        keys.append(autotune.engine_key(LITE0, "pretrained", 1, 64, 32, torch.device("cpu")))
        if known is flags:
            engine = autotune.default_engine("auto", torch.device("cpu"), is_text=is_text)
            assert engine.prefix_precision == precision
            assert engine.precision == (precision if is_text else "fp32")
    assert (keys[0] != keys[1]) == (precision == "bf16"), "a choice of before is not taken for one of now"


def test_head_learns_colours_and_leaves_everything_a_reader_needs(pictures: Path, tmp_path: Path) -> None:
    listener = Listener()
    summary = finetune(colour_spec(pictures), tmp_path / "run", listener, resume=False)
    assert summary["test"]["accuracy"] > 0.9
    low, high = summary["test"]["interval"]
    assert low < summary["test"]["accuracy"] <= high
    assert summary["data"]["labels"] == ["green", "red", "蓝"]
    assert (summary["data"]["train"], summary["data"]["validation"], summary["data"]["test"]) == (72, 18, 24)
    artifacts = tmp_path / "run" / "artifacts"
    report = json.loads((artifacts / "report.json").read_text(encoding="utf-8"))
    assert np.array(report["confusion"]).sum() == 24
    predictions = pd.read_parquet(artifacts / "predictions.parquet")
    assert (predictions["predicted"] == predictions["target"]).mean() == summary["test"]["accuracy"]
    card = json.loads((artifacts / "model" / "model.json").read_text(encoding="utf-8"))
    assert card["base"] == LITE0
    assert card["data"]["fingerprint"] == summary["data"]["fingerprint"]
    assert listener.phases[0] == "data"
    assert listener.shares == sorted(listener.shares)
    assert listener.shares[-1] == pytest.approx(1.0, abs=0.02)
    # The curve: first heads while the features arrive, then the fit pass by pass, each with loss and accuracy.
    steps = {step for name, step in listener.rows if name == "train__loss"}
    assert steps == set(range(1, len(steps) + 1))
    assert len(steps) > 3 + 5
    assert {(name, 1) for name in ("train__accuracy", "val__loss", "val__accuracy")} <= listener.rows.keys()
    assert listener.rows["train__loss", len(steps)] < listener.rows["train__loss", 4]
    assert [phase for phase in listener.phases if phase in ("features", "fit", "train")] == ["features", "fit"]
    # What is learned from in the end is all that does not test; how well it is told, held-out rows say.
    fit = summary["fit"]
    assert fit == report["fit"]
    assert (fit["trained_on"], fit["has_converged"], fit["cross_validation"]["n"]) == (90, True, 90)
    low, high = fit["cross_validation"]["interval"]
    assert 0.8 < low < fit["cross_validation"]["accuracy"] < high <= 1


@pytest.mark.parametrize(
    "changes",
    [{"method": "head"}, {"method": "last", "last_blocks": 2}, {"method": "full"}, RANDOM],
    ids=["head", "last", "full", "random"],
)
@pytest.mark.usefixtures("has_bf16")
def test_saved_model_gives_the_answers_that_were_tested(
    pictures: Path, home: Path, tmp_path: Path, uninterrupted: Callable[..., Whole], changes: dict[str, Any]
) -> None:
    """At the defaults: whatever is quickest for training, what is told is what the saved model answers."""
    warm = uninterrupted(colour_spec(pictures, epochs=1))
    assert warm.summary["best_epoch"] == warm.summary["epochs_done"]
    warm.leave_caches_in(home)
    spec = colour_spec(pictures, epochs=1, lr=0.01, **changes)
    summary = finetune(spec, tmp_path / "run", Listener(), resume=False)
    assert summary["engine"]["prefix_precision"] in ("bf16", None)
    predictions = pd.read_parquet(tmp_path / "run" / "artifacts" / "predictions.parquet")
    predictor = Predictor(load_classifier(tmp_path / "run" / "artifacts" / "model"), 32)
    data = load_images(spec.data, predictor.model.preprocessing, seed=3, reporter=Listener())
    answers = predictor.answer_seen(list(data.pixels.read(predictions["row"].to_numpy())))
    assert [answer[0][0] for answer in answers] == [data.labels[place] for place in predictions["predicted"]]
    np.testing.assert_allclose([answer[0][1] for answer in answers], predictions["confidence"], atol=1e-4)


def test_choice_of_a_long_run_is_kept_when_it_is_made(
    pictures: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that goes on computes as it began, though by now another way would be timed as the quicker one."""
    ways = iter(["bf16", "bf16", "fp32"])

    def time_training(_: Any, engine: autotune.ComputeChoice, *__: Any) -> tuple[autotune.ComputeChoice, list[Any]]:
        return engine.replace(precision=next(ways), layout="contiguous"), []

    monkeypatch.setattr("core.finetune.run.time_training", time_training)
    spec, whole, first, second = colour_spec(pictures, **RANDOM), Listener(), Listener(4, since="train"), Listener()
    with living_in(tmp_path / "elsewhere"):
        finetune(spec, tmp_path / "whole", whole, resume=False)
    with pytest.raises(StoppedError):
        finetune(spec, tmp_path / "run", first, resume=False)
    kept = json.loads((tmp_path / "run" / "artifacts" / "autotune.json").read_text(encoding="utf-8"))["engine"]
    assert (kept["precision"], kept["layout"]) == ("bf16", "contiguous")
    assert list(json.loads((home / "autotune.json").read_text(encoding="utf-8")).values()) == [kept]
    set_to: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", set_to.append)
    finetune(spec, tmp_path / "run", second, resume=True)
    assert {**first.rows, **second.rows} == whole.rows
    assert set_to == [kept["threads"]], "sums over other threads have other last digits"


def test_training_stays_on_one_device_when_there_are_two(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = loop._arguments

    def on_a_machine_with_two(asked: loop.Loop) -> Any:
        made = arguments(asked)
        made._n_gpu = 2
        return made

    monkeypatch.setattr(loop, "_arguments", on_a_machine_with_two)
    heard = Listener()
    spec = colour_spec(pictures, epochs=2, method="last", last_blocks=1)
    summary = finetune(spec, tmp_path / "run", heard, resume=False)
    assert summary["epochs_done"] == 2
    assert max(step for _, step in heard.rows) == 2 * 5


def test_answers_are_computed_in_whole_batches_however_few_examples_train(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    answer = ImageLearner.logits

    def counting(learner: ImageLearner, rows: Any) -> Any:
        sizes.extend([] if learner.training else [len(rows)])
        return answer(learner, rows)

    monkeypatch.setattr(ImageLearner, "logits", counting)
    finetune(colour_spec(pictures, epochs=1, train_size=6, batch_size=24), tmp_path / "run", Listener(), resume=False)
    assert sizes[-1] == 24, "the test's 24 rows at once"


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "last", "last_blocks": 1},
        {"method": "full", "augment": "strong"},
        RANDOM,
    ],
    ids=["last", "full-augmented", "random"],
)
@pytest.mark.parametrize("stop_after", [1, 5, 8], ids=["mid-epoch", "validating", "second-epoch"])
@pytest.mark.usefixtures("has_bf16")
def test_resumed_run_gives_the_numbers_of_an_uninterrupted_one(
    pictures: Path,
    home: Path,
    tmp_path: Path,
    uninterrupted: Callable[..., Whole],
    changes: dict[str, Any],
    stop_after: int,
) -> None:
    spec = colour_spec(pictures, **changes)
    whole, first, second = uninterrupted(spec), Listener(stop_after, since="train"), Listener()
    whole.leave_caches_in(home)
    with pytest.raises(StoppedError):
        finetune(spec, tmp_path / "run", first, resume=False)
    assert 0 < len(first.rows) < len(whole.rows)
    got = finetune(spec, tmp_path / "run", second, resume=True)
    assert second.rows, "nothing was left to do: the stop came too late"
    assert {**first.rows, **second.rows} == whole.rows
    for name in ("test", "val", "best_epoch", "epochs_done"):
        assert got[name] == whole.summary[name]


def test_resume_passes_over_a_torn_checkpoint(
    pictures: Path, tmp_path: Path, uninterrupted: Callable[..., Whole]
) -> None:
    spec = colour_spec(pictures, **RANDOM)
    whole, first, second = uninterrupted(spec), Listener(5), Listener()
    with pytest.raises(StoppedError):
        finetune(spec, tmp_path / "run", first, resume=False)
    newest = max((tmp_path / "run" / "checkpoint").glob("checkpoint-*"), key=lambda p: int(p.name.split("-")[1]))
    (newest / "model.safetensors").write_bytes(b"torn")
    finetune(spec, tmp_path / "run", second, resume=True)
    # Nothing older was complete: it began anew, and the numbers are those of a whole run.
    assert second.rows == whole.rows


def test_cached_features_give_what_uncached_ones_do(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for method in ("head", "last"):
        spec = colour_spec(pictures, method=method, last_blocks=2, epochs=2, lr=1e-4, train_size=60, precision="fp32")
        cold, warm, without = Listener(), Listener(), Listener()
        first = finetune(spec, tmp_path / f"cold-{method}", cold, resume=False)
        again = finetune(spec, tmp_path / f"warm-{method}", warm, resume=False)
        assert first["engine"]["computed_rows"] > 0
        assert again["engine"]["computed_rows"] == 0
        assert warm.rows == cold.rows
        with monkeypatch.context() as patch:
            patch.setattr("core.finetune.run.MOST_KEPT_BYTES", -1)
            plain = finetune(spec, tmp_path / f"plain-{method}", without, resume=False)
        assert plain["engine"]["prefix"] == "none"
        if method == "head":  # without kept features it learns in steps, from the head that fits the same features
            fitted = max(step for name, step in cold.rows if name == "val__loss")
            assert without.rows["val__loss", 0] == pytest.approx(cold.rows["val__loss", fitted], abs=1e-4)
            continue
        tolerance = 0.05  # block activations are kept in bf16
        assert without.rows.keys() == cold.rows.keys()
        for (name, step), value in cold.rows.items():
            if name.endswith("loss"):
                assert without.rows[name, step] == pytest.approx(value, rel=tolerance, abs=tolerance)


def test_features_that_others_computed_in_small_batches_are_the_same(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed run or a smaller one left changes no number: of a few pictures other kernels give other digits."""
    spec = colour_spec(pictures, method="head", train_size=40, precision="fp32")
    alone, after = Listener(), Listener()
    finetune(spec, tmp_path / "alone", alone, resume=False)
    monkeypatch.setenv("GRAFT_HOME", str(tmp_path / "other"))
    finetune(spec.model_copy(update={"batch_size": 3}), tmp_path / "few", Listener(), resume=False)
    summary = finetune(spec, tmp_path / "after", after, resume=False)
    assert summary["engine"]["computed_rows"] == 0
    assert after.rows == alone.rows


def test_onnx_runtime_computes_the_frozen_part_when_it_is_chosen(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_features, "WORTH_EXPORTING_S", -1.0)
    monkeypatch.setattr(image_features, "TIMED_BATCHES", 1)
    listener = Listener()
    summary = finetune(colour_spec(pictures, epochs=2, precision="fp32"), tmp_path / "run", listener, resume=False)
    assert "compile" in listener.phases
    kept = json.loads((tmp_path / "run" / "artifacts" / "autotune.json").read_text(encoding="utf-8"))
    options = {row["option"]: row["images_per_s"] for row in kept["timings"] if row["part"] == "prefix"}
    assert options.keys() == {"eager", "onnxruntime"}
    assert all(options.values()), kept
    faster = max(options, key=lambda name: options[name])
    assert summary["engine"]["prefix"] == faster


def test_equal_seeds_give_equal_runs_and_others_do_not(pictures: Path, tmp_path: Path) -> None:
    runs = []
    # Epochs and rates are for what learns in steps: a fitted head does not know them.
    for name, seed, epochs in (("a", 1, 1), ("b", 1, 7), ("c", 2, 1)):
        listener = Listener()
        finetune(colour_spec(pictures, seed=seed, epochs=epochs), tmp_path / name, listener, resume=False)
        runs.append(listener.rows)
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_early_stopping_ends_the_run_and_keeps_the_best_epoch(pictures: Path, tmp_path: Path) -> None:
    spec = colour_spec(pictures, epochs=40, patience=2, lr=0.01, method="last", last_blocks=1)
    summary = finetune(spec, tmp_path / "run", Listener(), resume=False)
    assert summary["epochs_done"] < 40
    assert summary["best_epoch"] == summary["epochs_done"] - 2


def test_diverging_loss_is_told_with_the_rate(pictures: Path, tmp_path: Path) -> None:
    without_norm = {"id": "torchvision/squeezenet1_1", "weights": "random"}
    spec = colour_spec(pictures, lr=10.0, schedule="constant", epochs=30, method="full", model=without_norm)
    with pytest.raises(RunError) as found:
        finetune(spec, tmp_path / "run", Listener(), resume=False)
    assert found.value.code == "run.diverged"
    assert found.value.values["lr"] == 10.0


def test_data_that_cannot_be_trained_on_is_refused_before_the_model_is_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "one" / "only"
    folder.mkdir(parents=True)
    Image.new("RGB", (40, 40)).save(folder / "a.png")
    listener = Listener()
    with pytest.raises(DataError) as found:
        finetune(colour_spec(tmp_path / "one"), tmp_path / "run", listener, resume=False)
    assert [problem.code for problem in found.value.problems if problem.severity == "error"] == ["data.one_class"]
    assert "model" not in listener.phases


def test_run_model_is_adapted_further(pictures: Path, home: Path) -> None:
    from core.store import open_store

    store = open_store()
    first = colour_spec(pictures, epochs=1)
    store.create_run("ft-a", kind="finetune", name="first", spec=first.model_dump(mode="json"))
    finetune(first, home / "runs" / "ft-a", Listener(), resume=False)
    again = colour_spec(pictures, epochs=1, model={"id": "run/ft-a"}, method="last", last_blocks=1)
    summary = finetune(again, home / "runs" / "ft-b", Listener(), resume=False)
    assert summary["test"]["n"] == 24
    card = json.loads((home / "runs" / "ft-b" / "artifacts" / "model" / "model.json").read_text(encoding="utf-8"))
    assert (card["base"], card["parent"]) == (LITE0, "run/ft-a")


def test_autotune_times_candidates_when_the_run_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps of each; the winner must win by more than noise, and the table says what was not timed."""
    clock = iter(np.arange(0, 1000, 0.5).tolist())
    monkeypatch.setattr(autotune.time, "perf_counter", lambda: next(clock))
    start = autotune.default_engine("auto", torch.device("cpu"))
    seen: list[autotune.ComputeChoice] = []
    step: Callable[[autotune.ComputeChoice], None] = seen.append
    chosen, table = autotune.time_training(
        step, start, [start.replace(layout="contiguous")], 32, 100_000, torch.device("cpu")
    )
    assert chosen == start, "all took the same time: the default stays"
    assert table[0].images_per_s is not None
    assert {candidate.layout for candidate in seen} == {"channels_last", "contiguous"}
    short, table = autotune.time_training(step, start, [], 32, 1, torch.device("cpu"))
    assert short == start
    assert len(table) == 1
