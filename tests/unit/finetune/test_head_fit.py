"""The head is fitted to its optimum, the strength of its penalty is chosen by what was held out, and all is bounded."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from threadpoolctl import ThreadpoolController

from core.finetune import cross_validation, head_fit
from core.finetune.cross_validation import cross_validate, draw_folds
from core.finetune.head_fit import LinearHead, fit_head, is_worth_fitting
from core.finetune.passes import FOLDS, folds_for
from core.networks.heads import head_inputs, new_head, put_linear


def _classes(n: int, width: int, seed: int = 0, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of classes that overlap, of very different spreads."""
    random = np.random.default_rng(seed)
    targets = np.arange(n) % classes
    centres = np.random.default_rng(9).normal(size=(classes, width))
    found = (centres[targets] * 0.5 + random.normal(size=(n, width))) * np.geomspace(0.1, 100, width) + 5
    return torch.from_numpy(found).float(), torch.from_numpy(targets)


@pytest.mark.parametrize(("n", "width"), [(30, 200), (300, 8)], ids=["few rows", "many rows"])
@pytest.mark.parametrize("weights", [None, [1.0, 5.0, 0.2]], ids=["alike", "by class"])
def test_fitted_head_is_the_optimum_that_another_solver_finds(n: int, width: int, weights: list[float] | None) -> None:
    features, targets = _classes(n, width)
    strength, class_weights = 0.3, None if weights is None else torch.tensor(weights)
    fitted = fit_head(features, targets, 3, strength, class_weights=class_weights)
    assert fitted.has_converged
    x = features.double().numpy()
    standard = (x - x.mean(0)) / np.sqrt(x.var(0) + x.var(0).mean() + 1e-5)
    counted = np.ones(n) if weights is None else np.array(weights)[targets.numpy()]
    other = LogisticRegression(C=1 / (strength * counted.sum()), tol=1e-10, max_iter=5000)
    other.fit(standard, targets.numpy(), sample_weight=counted)
    wanted = other.predict_proba(standard)
    np.testing.assert_allclose(fitted.head.logits(features).softmax(1).numpy(), wanted, atol=2e-3)
    again = fit_head(features, targets, 3, strength, class_weights=class_weights)
    assert torch.equal(again.head.weight, fitted.head.weight)


def test_network_answers_as_the_head_that_was_fitted_for_it() -> None:
    features, targets = _classes(60, 12)
    head = fit_head(features, targets, 3, 0.1).head
    network = new_head(12, 3, is_map=True).eval()
    put_linear(network, head.mean, head.variance, head.weight, head.bias)
    maps = features[:, :, None, None].expand(-1, -1, 2, 2)
    assert torch.equal(head_inputs(network, maps), features)
    torch.testing.assert_close(network(maps), head.logits(features).float(), atol=1e-4, rtol=1e-4)


def test_feature_that_hardly_varies_is_not_blown_up() -> None:
    features, targets = _classes(60, 12)
    features[:, 3] = 5 + 1e-4 * torch.randn(60, generator=torch.Generator().manual_seed(0))
    head = fit_head(features, targets, 3, 1e-3).head
    moved = features.clone()
    moved[:, 3] += 0.1  # a thousand times its spread, as a network below that learns moves it
    torch.testing.assert_close(head.logits(moved), head.logits(features), atol=0.2, rtol=0)


def test_what_is_noise_is_held_back_more_than_what_can_be_told() -> None:
    clear, targets = _classes(240, 10)
    noise = torch.from_numpy(np.random.default_rng(1).normal(size=(240, 10))).float()
    folds = draw_folds(targets.numpy(), np.arange(240), seed=0)
    told, guessed = (cross_validate(x, targets, 3, folds) for x in (clear, noise))
    assert told.strength < guessed.strength
    assert told.right.mean() > 0.7
    assert 0.2 < guessed.right.mean() < 0.47
    fresh, truth = _classes(3000, 10, seed=5)
    right = fit_head(clear, targets, 3, told.strength).head.logits(fresh).argmax(1) == truth
    assert told.right.mean() == pytest.approx(float(right.double().mean()), abs=0.1)


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 5.0, 0.2])], ids=["alike", "by class"])
def test_folds_solved_together_answer_as_each_by_itself(
    weights: torch.Tensor | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, targets = _classes(120, 30)
    folds = draw_folds(targets.numpy(), np.arange(120), seed=0)[:4]
    told = []
    for few in (True, False):
        monkeypatch.setattr(cross_validation, "spans_few", lambda rows, width, few=few: few)
        told.append(cross_validate(features, targets, 3, folds, class_weights=weights))
    one_by_one, together = told
    assert together.strength == one_by_one.strength
    assert together.loss == pytest.approx(one_by_one.loss, rel=2e-3)
    assert (together.right == one_by_one.right).mean() > 0.97
    assert len(together.right) == sum(map(len, folds))


def test_copies_are_held_out_together() -> None:
    random = np.random.default_rng(2)
    features = torch.from_numpy(np.tile(random.normal(size=(60, 80)), (4, 1))).float()
    targets = torch.from_numpy(np.tile(random.integers(0, 2, 60), 4))
    apart = cross_validate(features, targets, 2, draw_folds(targets.numpy(), np.tile(np.arange(60), 4), seed=0))
    mixed = cross_validate(features, targets, 2, draw_folds(targets.numpy(), np.arange(240), seed=0))
    assert apart.right.mean() < 0.65, "labels drawn at random cannot be told"
    assert mixed.right.mean() > 0.9, "copies on both sides would say they can"


@pytest.mark.parametrize("counts", [[1, 1], [2, 1], [2] * 10, [50, 3, 1], [1] * 7])
def test_every_row_is_held_out_once_however_few_a_class_has(counts: list[int]) -> None:
    targets = np.repeat(np.arange(len(counts)), counts)
    folds = draw_folds(targets, np.arange(len(targets)), seed=3)
    assert sorted(np.concatenate(folds).tolist()) == list(range(len(targets)))
    assert len(folds) == min(5, len(targets))
    features = torch.from_numpy(np.random.default_rng(0).normal(size=(len(targets), 4))).float()
    found = cross_validate(features, torch.from_numpy(targets), len(counts), folds)
    assert len(found.right) == len(targets)
    assert np.isfinite(found.loss)


def test_what_would_take_minutes_or_gigabytes_is_not_fitted() -> None:
    assert is_worth_fitting(25_000, 1280, 10)
    assert is_worth_fitting(2_000, 1280, 1_000)
    assert not is_worth_fitting(50_000, 1280, 1_000)
    assert not is_worth_fitting(1_000_000, 384, 2)
    assert folds_for(400, 1280, 10) == FOLDS
    assert folds_for(2_000, 1280, 1_000) == 1


def test_weights_far_from_the_optimum_are_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_fit, "MAX_PASSES", 2)
    features, targets = _classes(60, 12)
    heard: list[tuple[int, LinearHead]] = []
    fitted = fit_head(features, targets, 3, 1e-3, after_pass=lambda n, head: heard.append((n, head)))
    assert not fitted.has_converged
    assert [n for n, _ in heard] == [1, 2]


def test_a_fit_of_few_numbers_takes_one_thread_and_gives_back_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine threads wait for each other in each pass: hundreds of passes took minutes."""
    before, seen = torch.get_num_threads(), set[int]()
    torch.set_num_threads(2)
    try:
        features, targets = _classes(60, 12)
        fit_head(features, targets, 3, 1.0, after_pass=lambda passes, head: seen.add(torch.get_num_threads()))
        assert (seen, torch.get_num_threads()) == ({1}, 2)
        monkeypatch.setattr(head_fit, "_WORTH_THREADS", 0)
        fit_head(features, targets, 3, 1.0, after_pass=lambda passes, head: seen.add(torch.get_num_threads()))
        assert seen == {1, 2}
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("worth", [0, 10**12])
def test_scipys_threads_never_take_the_processors_from_torch(monkeypatch: pytest.MonkeyPatch, worth: int) -> None:
    monkeypatch.setattr(head_fit, "_WORTH_THREADS", worth)
    libraries, seen = ThreadpoolController().select(user_api="blas"), set[int]()

    def threads() -> set[int]:
        return {library["num_threads"] for library in libraries.info()}

    features, targets = _classes(60, 12)
    with libraries.limit(limits=2):
        fit_head(features, targets, 3, 1.0, after_pass=lambda passes, head: seen.update(threads()))
        assert (seen, threads()) == ({1}, {2})
