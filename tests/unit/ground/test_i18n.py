"""Words and numbers in English and Chinese."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from core import i18n
from core.i18n import LANGUAGES, N_, pick_language, translator

EN, ZH = translator("en"), translator("zh_CN")


def test_text_is_translated_and_filled() -> None:
    assert EN("Training, epoch {epoch} of {epochs}", epoch=2, epochs=5) == "Training, epoch 2 of 5"
    assert ZH("Training, epoch {epoch} of {epochs}", epoch=2, epochs=5) == "训练中：第 2 轮，共 5 轮"
    assert N_("Saving") == "Saving"


def test_text_stays_english_when_no_translation_is_known() -> None:
    assert ZH("A text nobody wrote {x}", x=1) == "A text nobody wrote 1"


def test_empty_text_is_not_the_header_of_the_catalogue() -> None:
    assert ZH("") == ""
    assert EN("") == ""


def test_braces_stay_when_no_values_are_given() -> None:
    assert EN("a {b}") == "a {b}"


def test_plural_takes_the_form_of_its_number() -> None:
    forms = ("{n} run at work", "{n} runs at work")
    assert EN.plural(*forms, 1) == "1 run at work"
    assert EN.plural(*forms, 1200) == "1,200 runs at work"
    assert "1,200" in ZH.plural(*forms, 1200)
    assert ZH.plural(*forms, 1).replace("1", "2") == ZH.plural(*forms, 2)
    assert ZH.plural(*forms, 1) != EN.plural(*forms, 1)


@pytest.mark.parametrize(
    ("value", "digits", "wanted"),
    [
        (0, None, "0"),
        (1234567, None, "1,234,567"),
        (0.0012345, 2, "0.001"),
        (12345.678, 3, "12,300"),
        (-2.5, 2, "-2.5"),
    ],
)
def test_number_is_grouped_and_rounded(value: float, digits: int | None, wanted: str) -> None:
    assert EN.number(value, digits) == wanted
    assert ZH.number(value, digits) == wanted


def test_percent_keeps_its_decimals() -> None:
    assert EN.percent(0.7564) == "75.6%"
    assert EN.percent(1.0) == "100.0%"
    assert EN.percent(0.5, 0) == "50%"
    assert EN.percent(0.5, 2) == "50.00%"
    assert ZH.percent(0.7564) == "75.6%"


@pytest.mark.parametrize(
    ("value", "english", "chinese"),
    [
        (11_689_512, "11.7 M", "1170 万"),
        (4_652_008, "4.65 M", "465 万"),
        (1_300_000_000, "1.3 B", "13 亿"),
        (12_810, "12.8 k", "1.28 万"),
        (9_996, "10 k", "9,996"),
        (999, "999", "999"),
        (0, "0", "0"),
        (1.256, "1.26", "1.26"),
    ],
)
def test_count_is_told_in_the_units_of_the_language(value: float, english: str, chinese: str) -> None:
    assert (EN.count(value), ZH.count(value)) == (english, chinese)


@pytest.mark.parametrize(
    ("value", "english"),
    [(999_999, "1 M"), (999_500, "1 M"), (999_499, "999 k"), (999_999_999, "1 B")],
)
def test_count_takes_the_next_unit_when_rounding_reaches_it(value: float, english: str) -> None:
    assert EN.count(value) == english


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (44_700_000, "44.7 MB"),
        (1_500_000_000, "1.5 GB"),
        (2.5e12, "2,500 GB"),
        (999_999, "1 MB"),
        (999_999_999, "1 GB"),
    ],
)
def test_size_is_told_in_decimal_units(value: float, wanted: str) -> None:
    assert EN.size(value) == wanted
    assert ZH.size(value) == wanted


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (0, "0 ms", "0 毫秒"),
        (0.0123, "12 ms", "12 毫秒"),
        (0.9999, "1 s", "1 秒"),
        (1, "1 s", "1 秒"),
        (3.14, "3.1 s", "3.1 秒"),
        (9.96, "10 s", "10 秒"),
        (59.7, "1 min", "1 分"),
        (130, "2 min 10 s", "2 分 10 秒"),
        (3600, "1 h", "1 小时"),
        (3725, "1 h 2 min", "1 小时 2 分"),
        (90_000, "1 d 1 h", "1 天 1 小时"),
        (86_405, "1 d", "1 天"),
    ],
)
def test_duration_is_told_in_two_units(seconds: float, english: str, chinese: str) -> None:
    assert (EN.duration(seconds), ZH.duration(seconds)) == (english, chinese)


def test_time_is_told_as_the_language_writes_it() -> None:
    moment = datetime(2026, 3, 5, 14, 7).timestamp()
    assert EN.time(moment) == "5 Mar, 14:07"
    assert ZH.time(moment) == "3月5日 14:07"


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("zh-Hans-CN", "zh_CN"),
        ("zh_TW", "zh_CN"),
        ("ZH", "zh_CN"),
        ("en-GB", "en"),
        ("de", "en"),
        (None, "en"),
        ("", "en"),
    ],
)
def test_language_is_picked_from_a_wish(wanted: str | None, language: str) -> None:
    assert pick_language(wanted) == language
    assert language in LANGUAGES


def test_lists_and_pairs_are_written_as_the_language_does() -> None:
    assert EN.listed(["a", "b"]) == "a, b"
    assert ZH.listed(iter(["a", "b"])) == "a、b"
    assert EN.pair("Size", "3 MB") == "Size: 3 MB"
    assert ZH.pair("大小", "3 MB") == "大小：3 MB"


def test_language_speaks_english_when_its_file_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "LOCALES", tmp_path)
    i18n.translator.cache_clear()
    try:
        assert translator("zh_CN")("Saving") == "Saving"
    finally:
        i18n.translator.cache_clear()
