"""What a comparison concludes in sentences, from trainings with known accuracies."""

from __future__ import annotations

import pytest

from core.compare.pairs import Result
from core.i18n import translator
from core.messages import explain_finding
from tests.fixtures.trainings import HEAD, SCRATCH, codes_of, findings_of, result_of, trained, values_of


def test_pretrained_is_ahead_and_no_difference_is_left_at_the_end() -> None:
    found = findings_of(trained("scratch", SCRATCH), trained("head", HEAD))
    assert codes_of(found) == ["ahead_at", "even_at_last", "time_faster", "labels_about"]
    values = values_of(found, "ahead_at")
    assert (values["size"], values["least_size"], values["sizes"]) == (100, 3000, [100, 300, 1000, 3000])
    assert values["difference"] == pytest.approx(0.4)
    assert values["low"] < 0.4 < values["high"]
    assert values_of(found, "even_at_last")["largest"] == 10_000
    told = explain_finding(found["conclusions"][0])
    assert told.startswith(
        "Pretrained weights (head only) are ahead of training from scratch at 100, 300, 1,000, 3,000"
    )
    assert "by 40.0 points at 100 (95%" in told
    assert "（只训练最后一层）" in explain_finding(found["conclusions"][0], translator("zh_CN"))


def test_size_from_which_on_no_difference_is_shown_is_told() -> None:
    late = {**HEAD, 1000: 0.709, 3000: 0.791}
    values = values_of(findings_of(trained("scratch", SCRATCH), trained("head", late)), "even_from")
    assert (values["size"], values["largest"]) == (1000, 10_000)
    assert 0 <= values["difference"] < values["high"]


def test_pretrained_is_ahead_everywhere_when_the_gap_remains() -> None:
    found = findings_of(trained("scratch", {100: 0.3, 300: 0.5}), trained("lora", {100: 0.7, 300: 0.75}))
    assert codes_of(found)[:2] == ["ahead_everywhere", "gap_remains"]
    assert values_of(found, "gap_remains")["difference"] == pytest.approx(0.25)
    assert "(LoRA)" in explain_finding(found["conclusions"][0])


def test_pretrained_is_ahead_once_when_one_size_is_done() -> None:
    found = findings_of(trained("scratch", {100: 0.3}), trained("head", {100: 0.7}))
    assert codes_of(found) == ["ahead_once", "time_faster", "labels_more_than"]


def test_training_from_scratch_is_ahead_when_it_is() -> None:
    once = findings_of(trained("scratch", {100: 0.7}), trained("head", {100: 0.5}))
    assert codes_of(once)[0] == "scratch_ahead_once"
    found = findings_of(trained("scratch", {100: 0.7, 300: 0.8}), trained("head", {100: 0.6, 300: 0.65}))
    assert codes_of(found)[0] == "scratch_ahead"
    values = values_of(found, "scratch_ahead")
    assert (values["size"], values["difference"]) == (300, pytest.approx(0.15))
    assert 0 < values["low"] < values["high"]


def test_both_sides_are_told_when_the_curves_cross() -> None:
    found = findings_of(trained("scratch", {100: 0.3, 300: 0.8}), trained("head", {100: 0.6, 300: 0.65}))
    assert codes_of(found)[:2] == ["ahead_once", "scratch_ahead_once"]
    assert not {"even_from", "gap_remains"} & set(codes_of(found))


def test_no_difference_is_told_when_none_is_shown() -> None:
    once = findings_of(trained("scratch", {100: 0.5}), trained("head", {100: 0.503}))
    assert codes_of(once)[0] == "none_shown_once"
    found = findings_of(trained("scratch", {100: 0.504, 300: 0.6}), trained("head", {100: 0.5, 300: 0.602}))
    assert codes_of(found)[0] == "none_shown"
    values = values_of(found, "none_shown")
    assert values["difference"] == pytest.approx(0.004), "whoever it favours"
    assert values["low"] < 0 < values["high"]


@pytest.mark.parametrize(
    ("seconds", "code", "times"), [(5.0, "time_faster", 12), (180.0, "time_slower", 3), (62.0, "time_alike", 1)]
)
def test_time_is_compared_at_the_largest_size_both_have(seconds: float, code: str, times: float) -> None:
    head = trained("head", {100: 0.7, 300: 0.75}, train_seconds=seconds)
    found = findings_of(trained("scratch", {100: 0.3, 300: 0.5, 1000: 0.7}, train_seconds=60.0), head)
    values = values_of(found, code)
    assert values["size"] == 300
    assert values["times"] == pytest.approx(times, rel=0.05)


def test_time_is_told_with_its_interval_and_not_at_all_where_seeds_contradict() -> None:
    def results(*seconds: float) -> list[Result]:
        return [result_of("head", 100, seed, 0.7, train_seconds=each) for seed, each in enumerate(seconds)]

    scratch = trained("scratch", {100: 0.3}, train_seconds=60.0)
    told = [one for one in findings_of(scratch, results(9.5, 10.0, 10.5))["conclusions"] if "time" in one["code"]]
    assert "took 6 (95%: 5.3 to 6.8) times as long" in explain_finding(told[0])
    assert "time_alike" in codes_of(findings_of(scratch, results(20.0, 60.0, 90.0)))


def test_main_family_is_the_most_accurate_over_the_sizes_all_have() -> None:
    found = findings_of(trained("scratch", SCRATCH), trained("head", HEAD), trained("full", {100: 0.72, 300: 0.78}))
    assert {values_of(found, code)["family"] for code in ("ahead_everywhere", "gap_remains")} == {"full"}


def test_methods_are_told_apart_only_when_the_test_does() -> None:
    found = findings_of(
        trained("head", {100: 0.7, 300: 0.71}, train_seconds=5.0),
        trained("last", {100: 0.6, 300: 0.709}, train_seconds=20.0),
        trained("full", {100: 0.5, 300: 0.708}, train_seconds=60.0),
    )
    assert codes_of(found) == ["method_best", "methods_alike", "dominated", "dominated"]
    values = values_of(found, "method_best")
    assert (values["best"], values["second"], values["size"]) == ("head", "last", 100)
    assert found["conclusions"][2]["values"] == {"family": "last", "by": "head", "sizes": [100]}
    assert explain_finding(found["conclusions"][0]).startswith(
        "With 100 examples, head only adapts the pretrained weights best"
    )


def test_nothing_is_concluded_when_nothing_can_be_compared() -> None:
    assert codes_of(findings_of([])) == ["nothing_yet"]
    found = findings_of(trained("scratch", {100: 0.4}, converged=False), planned=12)
    assert codes_of(found) == ["nothing_yet", "scratch_unconverged", "still_missing"]
    assert values_of(found, "still_missing") == {"missing": 9, "planned": 12}
    assert "still_missing" not in codes_of(findings_of(trained("head", {100: 0.4}), planned=3))


def test_decimals_are_left_out_when_the_interval_is_wide() -> None:
    values = {"family": "head", "size": 100, "difference": 0.213, "low": 0.1, "high": 0.32}
    told = explain_finding({"code": "compare.ahead_once", "values": values})
    assert "21 points" in told
    assert "10 to 32" in told
    nearly_none = {**values, "difference": 0.02, "low": -0.0001, "high": 0.04}
    assert "(95%: 0.0 to 4.0)" in explain_finding({"code": "compare.ahead_once", "values": nearly_none})
