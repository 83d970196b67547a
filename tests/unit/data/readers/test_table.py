"""Which column is what, over several files too; lines of fastText; encodings that are mixed or old."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.data.collection import Collection
from core.data.open import open_collection
from core.data.readers.table import read_table
from core.data.text_collection import texts_of
from core.errors import DataError
from core.predict.text_files import read_questions
from core.spec import DataRef


def _open(path: Path, text: str | bytes | None = None) -> Collection:
    if text is not None:
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    return open_collection(DataRef(id=f"path:{path}"))


def _codes(found: Collection) -> set[str]:
    return {problem.code for problem in found.problems}


# -- what is no table ------------------------------------------------------------------------------------

_PAGE = "<html><body><table><tr><td>text</td><td>label</td></tr><tr><td>a, b</td><td>c</td></tr></table></body></html>"
_PAGES = [_PAGE, f"<!DOCTYPE html>\n{_PAGE}", f"\ufeff\n <!-- saved from url -->\n<!doctype HTML>{_PAGE}"]


@pytest.mark.parametrize("page", [*_PAGES, f'<?xml version="1.0" encoding="UTF-8"?>\n{_PAGE}'])
@pytest.mark.parametrize("name", ["page.html", "page.xls", "page.xlsx", "page.csv", "page.txt", "page.jsonl"])
def test_web_page_is_told_as_one_whatever_its_name(page: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(page, encoding="utf-8")
    for read in (read_questions, _open):
        with pytest.raises(DataError) as found:
            read(path)
        assert found.value.code == "data.web_page"


def test_rows_that_speak_of_pages_are_rows(tmp_path: Path) -> None:
    rows = "".join(f"<html> is tag number {i},{'ab'[i % 2]}\n" for i in range(20))
    assert len(_open(tmp_path / "rows.csv", f"text,label\n{rows}")) == 20
    path = tmp_path / "texts.txt"
    path.write_text("<htmlx> no page\n<p>nor this</p>\n")
    assert read_questions(path).texts == ["<htmlx> no page", "<p>nor this</p>"]


# -- the column of the labels ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "row", "column"),
    [
        # Nearly empty, fewer classes than the other.
        ("body,topic,flag", lambda i: f"remark {i},{'xyz'[i % 3]},{'no' if i == 7 else 'yes' * (i == 9)}", "topic"),
        # The first 500 rows are of one class.
        ("body,emotion,source", lambda i: f"remark {i},{'joy' if i < 600 else 'fear'},{'ab'[i % 2]}", "emotion"),
        ("utterance,intent", lambda i: f"please do thing {i},intent {i // 20:02}", "intent"),
        ("id,my_feeling,airline,remark", lambda i: f"{i},{'xyz'[i % 3]},{'AB'[i % 2]},remark {i}", "my_feeling"),
        ("text,nights,again", lambda i: f"remark {i},{i % 7},{i % 11} times", "again"),
    ],
)  # fmt: skip
def test_labels_are_found_by_all_cells_of_a_column(tmp_path: Path, header: str, row: object, column: str) -> None:
    assert callable(row)
    found = _open(tmp_path / "a.csv", "\n".join([header, *(row(i) for i in range(800))]))
    assert found.columns is not None
    assert found.columns[1] == column


def test_a_guess_among_several_columns_is_told(tmp_path: Path) -> None:
    rows = [f"remark {i},{'xy'[i % 2]},{'abc'[i % 3]}" for i in range(30)]
    guessed = _open(tmp_path / "a.csv", "\n".join(["remark,one,two", *rows]))
    assert _codes(guessed) == {"data.label_guessed"}
    named = _open(tmp_path / "b.csv", "\n".join(["remark,label,two", *rows]))
    assert _codes(named) == set()


@pytest.mark.parametrize("other", ["Text , LABEL", "label,text", ""])
def test_columns_of_another_file_are_found_by_any_spelling_and_by_their_classes(tmp_path: Path, other: str) -> None:
    rows = [(f"remark {i}", "xy"[i % 2]) for i in range(20)]
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "train.csv").write_text("text,label\n" + "\n".join(map(",".join, rows)), encoding="utf-8")
    tested = [row[::-1] if other.startswith("label") else row for row in rows[:8]]
    (folder / "test.csv").write_text("\n".join([*([other] if other else []), *map(",".join, tested)]), encoding="utf-8")
    found = _open(folder)
    assert {split: len(places) for split, places in found.splits.items()} == {"train": 20, "test": 8}
    assert found.labels == ["x", "y"]


# -- fastText ----------------------------------------------------------------------------------------------


def test_lines_of_fasttext_are_texts_and_labels(tmp_path: Path) -> None:
    lines = [f"__label__{'ab'[i % 2]} remark, number {i}" for i in range(12)]
    path = tmp_path / "train.txt"
    found = _open(path, "\r\n".join([*lines, "__label__a __label__b both"]))
    assert (found.labels, texts_of(found)[:2]) == (["a", "b"], ["remark, number 0", "remark, number 1"])
    assert _codes(found) == {"data.several_labels_left_out"}
    assert read_questions(path).texts == [f"remark, number {i}" for i in range(12)] + ["both"]


# -- encodings ---------------------------------------------------------------------------------------------

KOREAN = "문장,감정\n" + "\n".join(
    f"{('방이 깨끗하고 조용했어요', '다시는 오고 싶지 않아요')[i % 2]} {i},{('긍정', '부정')[i % 2]}" for i in range(10)
)


def test_korean_is_read_as_what_korean_windows_writes(tmp_path: Path) -> None:
    found = _open(tmp_path / "a.csv", KOREAN.encode("cp949"))
    assert (found.labels, texts_of(found)[1]) == (["긍정", "부정"], "다시는 오고 싶지 않아요 1")


def test_single_western_bytes_in_utf8_are_read_as_what_they_are_and_told(tmp_path: Path) -> None:
    text = "text,label\n" + "".join(f"It wasn’t café {i},{'xy'[i % 2]}\n" for i in range(8))
    found = _open(tmp_path / "a.csv", text.encode() + "£12 for naïve “us”,x\n".encode("cp1252"))
    assert texts_of(found)[0] == "It wasn’t café 0"
    assert texts_of(found)[-1] == "£12 for naïve “us”"
    (told,) = found.problems
    assert (told.code, told.values["n"]) == ("data.encoding_mixed", 4)


@pytest.mark.parametrize("encoding", ["shift_jis", "big5", "cp1251"])
def test_encodings_that_cannot_be_told_are_refused(tmp_path: Path, encoding: str) -> None:
    words = {
        "shift_jis": ("部屋はきれいでした", "良い"),
        "big5": ("房間乾淨也很安靜", "好"),
        "cp1251": ("Номер чистый", "да"),
    }
    text = "text,label\n" + "".join(f"{words[encoding][0]} {i},{words[encoding][1]}{i % 2}\n" for i in range(10))
    with pytest.raises(DataError) as refused:
        _open(tmp_path / "a.csv", text.encode(encoding))
    assert refused.value.code == "data.encoding_unknown"


def test_rows_take_little_beside_their_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million texts of a hundred characters are within what a table may take: classes are held once."""
    rows = [(f"{'word ' * 19}{number:05}", f"class{number % 3}") for number in range(5000)]
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": a, "label": b}) + "\n" for a, b in rows))
    monkeypatch.setattr("core.data.table_rows.MAX_HELD_BYTES", 5000 * 260)
    for name in ("a.csv", "a.jsonl"):
        table, problems = read_table(tmp_path / name)
        assert list(zip(table["text"], table["label"], strict=True)) == rows
        assert not problems
        assert table["label"][0] is table["label"][3]
    monkeypatch.setattr("core.data.table_rows.MAX_HELD_BYTES", 5000 * 150)
    with pytest.raises(DataError, match="unfolds"):
        read_table(tmp_path / "a.csv")
