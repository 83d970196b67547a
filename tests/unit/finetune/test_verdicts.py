"""What a run says of its fitted head, in words."""

from __future__ import annotations

from typing import Any

import pytest

from core.cli.results import lines
from core.finetune.verdicts import baseline_words, cross_validation_words, probe_words
from core.i18n import LANGUAGES, translator

HELD_OUT: Any = {"accuracy": 0.75, "interval": [0.6, 0.86], "n": 32, "folds": 5}


TEST: Any = {"accuracy": 0.75, "interval": [0.4, 0.9], "n": 8, "macro_f1": 0.7}
LEAKY: Any = {**TEST, "without_leaks": {"accuracy": 0.5, "interval": [0.1, 0.9], "n": 4}}


def _probe(better: str | None) -> Any:
    return {
        "strength": 0.1, "trained_on": 32, "seconds": 2.0, "cross_validation": HELD_OUT, "accuracy": 0.625,
        "interval": [0.3, 0.86], "macro_f1": 0.6, "difference": 0.125, "difference_interval": [-0.1, 0.35], "p": 0.5,
        "better": better,
    }  # fmt: skip


def test_cross_validation_stands_beside_a_test_that_is_smaller() -> None:
    english = translator("en")
    told = cross_validation_words(HELD_OUT, 8, english)
    assert all(part in told for part in ("75", "32 examples", "60", "86", "The test has only 8"))
    assert "only" not in cross_validation_words(HELD_OUT, 400, english)


@pytest.mark.parametrize(
    ("better", "said"), [("model", "is worth it"), ("probe", "does better"), (None, "no difference")]
)
def test_training_is_told_against_the_head_it_began_from(better: str | None, said: str) -> None:
    words = probe_words(_probe(better), TEST, translator("en"))
    assert said in words
    assert "62.5" in words
    for language in LANGUAGES:
        assert "{" not in probe_words(_probe(better), TEST, translator(language))


@pytest.mark.parametrize("better", ["rival", None])
def test_rivals_are_told_without_leaks_too_and_on_which_rows_it_was_asked(better: str | None) -> None:
    clean: Any = {"accuracy": 0.25, "interval": [0.0, 0.6], "n": 4}
    leaky = {**_probe(None), "without_leaks": clean, "tested_on": 4, "kind": "words"}
    for language in LANGUAGES:
        _ = translator(language)
        for words in (
            probe_words({**leaky, "better": better and "probe"}, LEAKY, _),
            baseline_words({**leaky, "better": better and "baseline"}, LEAKY, _),
        ):
            assert all(share in words for share in ("62.5%", "25.0%", "75.0%", "50.0%"))
            assert "4 test examples alone" in words or language != "en"


def test_nothing_is_told_of_rivals_where_every_test_row_is_trained_on() -> None:
    known: Any = {name: value for name, value in _probe(None).items() if name != "p" and "difference" not in name}
    known["without_leaks"] = None
    for words in (probe_words, baseline_words):
        told = words(known, {**TEST, "without_leaks": None}, translator("en"))
        assert "which is better is not known" in told
        assert "62.5%" in told


def test_command_line_says_both() -> None:
    head = lines({"test": TEST, "fit": {"strength": 1.0, "cross_validation": HELD_OUT}})
    assert [line[:18] for line in head] == ["  Cross-validation"]
    full = lines({"test": TEST, "probe": _probe("probe"), "baseline": {**_probe("baseline"), "kind": "words"}})
    assert [line.split()[0] for line in full] == ["Cross-validation:", "The", "Word"]
