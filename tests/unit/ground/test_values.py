"""Values with their kinds: how each is said, and that what runs and reports keep is read back into the same words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from core.i18n import LANGUAGES, translator
from core.messages import SENTENCES, WITH_KINDS, explain, explain_finding
from core.problems import Problem
from core.values import (
    Count,
    Gap,
    Listed,
    Points,
    PValue,
    Seconds,
    Sentence,
    Share,
    Text,
    Times,
    Unknown,
    Value,
    Within,
)

FIXTURES = next(parent for parent in Path(__file__).parents if parent.name == "tests") / "fixtures"
KEPT = json.loads((FIXTURES / "kept_findings.json").read_text(encoding="utf-8"))
# The families whose every value has a kind; a code of theirs without one is printed raw and nobody notices.
WITH_KINDS_ONLY = ("compare", "optimize", "estimate")


@pytest.mark.parametrize("kept", KEPT, ids=[row["code"] for row in KEPT])
def test_what_older_reports_keep_is_said_in_the_same_words(kept: dict[str, Any]) -> None:
    for language in LANGUAGES:
        if kept["is_problem"]:
            told = explain(Problem.from_dict(kept), translator(language))
        else:
            told = explain_finding(kept, translator(language))
        assert told == kept[language]


def test_every_code_with_kinds_is_held_here_as_older_reports_keep_it() -> None:
    assert {row["code"] for row in KEPT} == WITH_KINDS.keys()


def test_every_sentence_of_a_family_with_kinds_has_them() -> None:
    codes = {code for code in SENTENCES if code.partition(".")[0] in WITH_KINDS_ONLY}
    assert len(codes) > 80
    assert codes <= WITH_KINDS.keys()


@pytest.mark.parametrize("code", sorted(WITH_KINDS))
def test_every_value_is_said_by_its_kind_in_every_language(code: str) -> None:
    row = WITH_KINDS[code]
    for plain in [kept["values"] for kept in KEPT if kept["code"] == code]:
        told = {language: row.fill(plain, translator(language)) for language in LANGUAGES}
        assert len(set(told.values())) == len(LANGUAGES)
        for language, words in told.items():
            assert all(row.value(name, plain).said(translator(language)) in words for name in row.kinds)
            assert not re.search(r"[{}!]|Please|please", words)


def test_sentence_is_refused_when_one_of_its_values_has_no_kind() -> None:
    with pytest.raises(ValueError, match="size"):
        Sentence("With {size} examples {name} is ahead.", {"name": Text})
    with pytest.raises(ValueError, match="place"):
        Sentence("{name} is ahead.", {"name": Text, "place": Count})


@pytest.mark.parametrize(
    ("value", "english", "chinese"),
    [
        (Text("a/b"), "a/b", "a/b"),
        (Unknown(), "–", "–"),
        (Count(12345), "12,345", "12,345"),
        (Count(12345, 2), "12,000", "12,000"),
        (Times(6.832), "6.8", "6.8"),
        (Share(0.7564), "75.6%", "75.6%"),
        (Share(0.7564, 0), "76%", "76%"),
        (Points(0.32), "0.3", "0.3"),
        (Points(-0.01), "0", "0"),
        (Gap(0.25), "25.0", "25.0"),
        (Gap(-0.0001), "0.0", "0.0"),
        (Gap(0.251, 0), "25", "25"),
        (Seconds(130), "2 min 10 s", "2 分 10 秒"),
        (PValue(0.0213), "= 0.021", "= 0.021"),
        (PValue(0.0002), "< 0.001", "< 0.001"),
        (Listed((Count(1000), Share(0.5))), "1,000, 50.0%", "1,000、50.0%"),
    ],
)
def test_value_says_itself_in_both_languages(value: Value, english: str, chinese: str) -> None:
    assert (value.said(translator("en")), value.said(translator("zh_CN"))) == (english, chinese)


def test_share_is_told_as_finely_as_its_interval_supports() -> None:
    row = Sentence("{accuracy}", {"accuracy": Within(Share, "low", "high")})
    _ = translator("en")
    assert row.fill({"accuracy": 0.8123, "low": 0.79, "high": 0.83}, _) == "81.2%"
    assert row.fill({"accuracy": 0.8123, "low": 0.7, "high": 0.9}, _) == "81%"
    assert row.fill({"accuracy": 0.8123}, _) == "81.2%"


def test_value_that_is_not_known_is_a_dash() -> None:
    assert Sentence("at most {most}", {"most": Count}).fill({"most": None}, translator("en")) == "at most –"
