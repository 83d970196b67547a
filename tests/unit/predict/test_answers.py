"""Texts cut into pieces and joined again, their language, and cells that no spreadsheet computes."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from core.markdown import plain_cell
from core.predict.answer_tables import answers_csv, made_safe
from core.predict.answers import MAX_PIECES, TextAnswer, language_of, split_pieces

TEXTS = [
    "It isn't bad, at 3.5 stars!",
    "这部电影还行 and fun",
    "  two  blanks ",
    "",
    "🙂🙂",
    "مرحبا بالعالم",
    "line\nbreak",
    "word " * 500,
    "字" * 3000,
]


@pytest.mark.parametrize("text", TEXTS)
def test_pieces_are_the_text_again_when_joined(text: str) -> None:
    pieces = split_pieces(text)
    assert "".join(part for part, _ in pieces) == text
    assert sum(is_word for _, is_word in pieces) <= MAX_PIECES


def test_words_stay_whole_in_both_languages() -> None:
    assert [part for part, is_word in split_pieces("It isn't 3.5") if is_word] == ["It", "isn't", "3.5"]
    assert [part for part, is_word in split_pieces("电影太棒了 ok") if is_word] == ["电影", "太棒了", "ok"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("这部电影很好", "zh"),
        ("a good film", "en"),
        ("iPhone很好用", "zh"),
        ("我 really loved every minute of it", "en"),
    ],
)
def test_language_is_told_by_letters(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("text", ["", "🙂🎉", "مرحبا", "12345 !!!", "привет"])
def test_language_is_none_when_there_are_no_letters_it_knows(text: str) -> None:
    assert language_of(text) is None


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "\r=1", "\n=1"])
def test_formula_becomes_a_text(cell: str) -> None:
    assert plain_cell(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-3", "+4.5", "-0.25", "plain", "", 7, -1.5])
def test_number_and_plain_text_stay_as_they_are(cell: object) -> None:
    assert plain_cell(cell) == cell


def test_csv_of_answers_opens_in_a_spreadsheet_without_computing() -> None:
    raw = answers_csv([{"text": "=HYPERLINK(1)", "label": "positive"}, {"text": "a\x00,b", "label": None}])
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))
    assert rows == [["text", "label"], ["'=HYPERLINK(1)", "positive"], ["a,b", ""]]


def test_confidence_is_that_of_the_likeliest_class() -> None:
    assert TextAnswer("unsure", {"a": 0.6, "b": 0.4}).confidence == 0.6
    assert TextAnswer("").confidence is None


def test_table_that_came_from_elsewhere_computes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text('text,answer\n"=HYPERLINK(""http://evil.example"")",@SUM(A1)\n-0.5,fine\n', encoding="utf-8")
    lines = made_safe(path).decode("utf-8-sig").splitlines()
    assert lines == ["text,answer", '"\'=HYPERLINK(""http://evil.example"")",\'@SUM(A1)', "-0.5,fine"]
