"""Text tables as people have them: quotes that open nothing, titles, row names, commas in texts. No row is lost."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.data.open import open_collection
from core.data.readers import separated
from core.data.readers.separated import _Parser, find_layout, read_rows
from core.data.readers.table import read_cells, read_table
from core.data.table_rows import Held
from core.data.text_collection import texts_of
from core.errors import DataError
from core.predict.text_files import read_questions
from core.spec import DataRef

PLAIN = [(f"The soup was number {i}", ("good", "bad")[i % 2]) for i in range(12)]


def _write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def _rows(path: Path) -> list[tuple[Any, ...]]:
    return list(zip(*read_table(path)[0].values(), strict=True))


def _codes(path: Path) -> set[str]:
    return {problem.code for problem in read_table(path)[1]}


def _lines(rows: list[tuple[str, str]], sign: str = "\t") -> str:
    return "".join(f"{text}{sign}{label}\n" for text, label in [("text", "label"), *rows])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", "\r\r\n"])
@pytest.mark.parametrize("stretch", [1, 40, 100_000])
def test_lines_without_quotes_are_read_many_at_a_time_as_one_by_one(
    end: str, stretch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = ["plain", "", "  ", "two words", '"in, quotes"', '"a\nb"', 'a 5" pipe', '"open', "日本"]
    random = np.random.default_rng(0)
    lines = [f"{cells[place]},{'good' if place % 2 else 'bad'}" for place in random.integers(0, len(cells), 300)]
    for text in (end + "text,label" + end + end.join(lines), "text,label" + end + end.join([*lines, ""])):
        monkeypatch.setattr(separated, "_STRETCH_CHARS", stretch)
        found = read_rows(text, "a.csv")
        with monkeypatch.context() as one_by_one:
            one_by_one.setattr(_Parser, "_stretch", lambda _self, at, _quote: at)
            wanted = read_rows(text, "a.csv")
        assert (found.cells, found.lines, found.stray) == (wanted.cells, wanted.lines, wanted.stray)


def test_a_reader_that_is_done_holds_nothing_without_a_search_for_cycles() -> None:
    gc.disable()
    try:
        parser = _Parser('text,label\n"a ""b""",c\nd "e,f\n', find_layout("text,label\na,b\n"))
        parser.read(Held("a.csv"))
        gone = weakref.ref(parser)
        del parser
        assert gone() is None
    finally:
        gc.enable()


# -- quotes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("places", [(3,), (3, 9), (0, 11), (2, 3, 4)])
def test_a_quote_that_opens_nothing_swallows_no_row(tmp_path: Path, places: tuple[int, ...]) -> None:
    rows = [(('"' if i in places else "") + text, label) for i, (text, label) in enumerate(PLAIN)]
    path = _write(tmp_path / "a.tsv", _lines(rows))
    assert _rows(path) == rows
    assert _codes(path) == {"data.stray_quotes"}
    assert len(read_questions(path)) == 12


def test_a_quote_at_a_cells_end_does_not_close_one_that_was_opened_rows_before(tmp_path: Path) -> None:
    rows = [*PLAIN[:3], ('"Lovely place', "good"), *PLAIN[3:8], ('A screen of 27"', "bad"), *PLAIN[8:]]
    for sign in ("\t", ",", ";"):
        assert _rows(_write(tmp_path / "a.csv", _lines(rows, sign))) == rows


def test_an_open_quote_among_quoted_cells_swallows_no_row(tmp_path: Path) -> None:
    text = _lines(PLAIN, ",") + '"stray here,bad\n"Well, it is fine",good\n"First line\nsecond, line",bad\n'
    expected = [*PLAIN, ('"stray here', "bad"), ("Well, it is fine", "good"), ("First line\nsecond, line", "bad")]
    assert _rows(_write(tmp_path / "a.csv", text)) == expected


def test_an_inch_mark_does_not_break_cells_with_line_breaks(tmp_path: Path) -> None:
    cells = [(f"Line {i}\nI bought it, it was fine\nbut slow, very slow", ("good", "bad")[i % 2]) for i in range(10)]
    lines = ["text,label", *(f'"{text}",{label}' for text, label in cells), 'A 19" screen,good', 'Two, 5" wide,bad']
    path = _write(tmp_path / "a.csv", "\n".join(lines))
    assert _rows(path) == [*cells, ('A 19" screen', "good"), ('Two, 5" wide', "bad")]


def test_quotes_within_quotes_stand_in_the_text(tmp_path: Path) -> None:
    lines = ["text,label", '"He said "hi", and left",good', '"A "fine" place",bad', '"They said "no"",good', "so,bad"]
    texts = ['He said "hi", and left', 'A "fine" place', 'They said "no"', "so"]
    rows = _rows(_write(tmp_path / "a.csv", "\n".join(lines * 1 + lines[1:])))
    assert [text for text, _ in rows] == texts * 2


def test_quotes_behind_backslashes_are_quotes(tmp_path: Path) -> None:
    lines = ["text,label", '"He said \\"oh, really\\" and left",good', '"It is \\"new\\"",bad', "plain,good", "so,bad"]
    rows = _rows(_write(tmp_path / "a.csv", "\n".join(lines)))
    assert rows[:2] == [('He said "oh, really" and left', "good"), ('It is "new"', "bad")]


def test_blanks_between_a_separator_and_a_quote_are_no_part_of_the_cell(tmp_path: Path) -> None:
    assert _rows(_write(tmp_path / "a.csv", '"text", "label"\n"a, b", "x"\n"c", "y"\n')) == [("a, b", "x"), ("c", "y")]


def test_rows_within_a_cell_are_told_where_quotes_are_used_as_they_should_be(tmp_path: Path) -> None:
    rows = [(text, label) for text, label in PLAIN]
    lines = ["text,label", *(f'"{text}",{label}' for text, label in rows), '"one,good\ntwo,bad\nthree",good']
    path = _write(tmp_path / "a.csv", "\n".join(lines))
    assert _rows(path) == [*rows, ("one,good\ntwo,bad\nthree", "good")]
    assert _codes(path) == {"data.rows_in_cells"}


@pytest.mark.parametrize(
    ("line", "end"),
    [('"x,a\ny,b\n', 'z",a\n'), ('""x,a\n', '"z",a\n'), ('"a ""b"" c,a\nd,b\n', ""), ('x,a\n"y\n', 'z",a\n')],
)
def test_no_line_is_looked_at_again_for_each_open_quote(
    tmp_path: Path, line: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    monkeypatch.setattr(_Parser, "_is_whole", _counted(_Parser._is_whole, looked))
    read_cells(_write(tmp_path / "a.csv", "text,label\n" + line * 500 + end))
    assert len(looked) < 4 * 1000


def _counted(judge: Any, looked: list[str]) -> Any:
    def counted(parser: Any, line: str) -> bool:
        looked.append(line)
        return bool(judge(parser, line))

    return counted


# -- the first lines ---------------------------------------------------------------------------------------


def test_a_line_that_names_the_separator_is_no_row(tmp_path: Path) -> None:
    for said in ("sep=;", '"sep=;"', "SEP=;"):
        path = _write(tmp_path / "a.csv", f"{said}\r\ntext;label\r\na, b;x\r\nc;y\r\n")
        assert (_rows(path), list(read_table(path)[0])) == ([("a, b", "x"), ("c", "y")], ["text", "label"])


@pytest.mark.parametrize("end", ["\r\r\n", "\n\n", "\r\n"])
def test_line_ends_that_were_doubled_on_their_way_end_one_row(tmp_path: Path, end: str) -> None:
    path = _write(tmp_path / "a.csv", end.join(["text,label", '"a, b",x', "c\rd,y", "e,x", ""]))
    assert _rows(path) == [("a, b", "x"), ("c\rd", "y"), ("e", "x")]


def test_names_of_rows_without_a_name_of_their_column_are_a_column(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.csv", '"text","label"\n"1","a film","pos"\n"2","b film","neg"\n')
    assert read_table(path) == (
        {"column (1)": ["1", "2"], "text": ["a film", "b film"], "label": ["pos", "neg"]},
        [],
    )
    questions = read_questions(_write(tmp_path / "b.csv", '"text"\n"1","a film"\n"2","b film"\n'))
    assert questions.texts == ["a film", "b film"]


def test_names_of_columns_that_stand_there_again_are_no_row_and_told(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.csv", _lines(PLAIN, ",") + _lines(PLAIN, ","))
    assert _rows(path) == PLAIN * 2
    assert _codes(path) == {"data.repeated_header"}


@pytest.mark.parametrize("names", ["text,label", "alpha,beta"])
def test_a_remark_above_two_columns_is_left_out_and_told(tmp_path: Path, names: str) -> None:
    path = _write(tmp_path / "a.csv", f"# exported in May\n{names}\n" + _lines(PLAIN, ",").partition("\n")[2])
    assert (list(read_table(path)[0]), _rows(path)) == (names.split(","), PLAIN)
    assert _codes(path) == {"data.lines_before_table"}


def test_lines_of_a_title_are_left_out_and_told(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.csv", "Export of May,,\n\nid,text,label\n1,a film,x\n2,b film,y\n3,c film,x\n")
    assert list(read_table(path)[0]) == ["id", "text", "label"]
    assert _codes(path) == {"data.lines_before_table"}


@pytest.mark.parametrize(
    ("header", "first", "is_header"),
    [
        ("message,spam", "Win a prize now,spam", True),
        ("sms,ham", "Win a prize now,spam", True),
        ("短信,垃圾", "现在就来领取您的大奖吧,垃圾", True),
        ("What did you like about your stay?,Would you come again?", "The quiet rooms and the view,yes", True),
        ("1,Win a prize,spam", "2,See you there,ham", False),
        ("Win a prize now,spam", "Win another prize,spam", False),
    ],
)
def test_a_first_row_is_one_of_names_or_of_cells(tmp_path: Path, header: str, first: str, is_header: bool) -> None:
    row = first.split(",")
    other = [*row[:-1], {"spam": "ham", "ham": "spam", "垃圾": "正常", "yes": "no"}[row[-1]]]
    others = [",".join(f"{cell} {i}" if len(cell) > 6 else cell for cell in (row, other)[i % 2]) for i in range(12)]
    path = _write(tmp_path / "a.csv", "\n".join([header, *others]))
    table, problems = read_table(path)
    assert len(next(iter(table.values()))) == 12 + (not is_header)
    assert [problem.code for problem in problems] == ["data.no_header"] * (not is_header)


# -- separators in texts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("label_first", [True, False])
def test_commas_in_texts_without_quotes_stay_in_the_text_where_the_class_shows_it(
    tmp_path: Path, label_first: bool
) -> None:
    rows = [(f"{text}, as I said, twice" if i % 3 == 0 else text, label) for i, (text, label) in enumerate(PLAIN)]
    names, cells = ("label,text", [row[::-1] for row in rows]) if label_first else ("text,label", rows)
    path = _write(tmp_path / "a.csv", "\n".join([names, *map(",".join, cells), "too,many,cells"]))
    collection = open_collection(DataRef(id=f"path:{path}"))
    assert texts_of(collection) == [text for text, _ in rows]
    assert {problem.code for problem in collection.problems} == {"data.separators_in_texts", "data.ragged_rows"}


def test_a_separator_is_found_though_texts_hold_another(tmp_path: Path) -> None:
    rows = [(f"One thing, and {i}", ("good", "bad")[i % 2]) for i in range(12)]
    for sign in ("\t", ";", "|"):
        assert _rows(_write(tmp_path / "a.csv", _lines(rows, sign))) == rows


# -- questions ---------------------------------------------------------------------------------------------

TEXTS = ["Good food, and cheap", "The room was loud, the staff, well, rude", "I would come back"]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("first", ["", "text"])
def test_every_line_is_one_text_and_a_usual_name_is_none(tmp_path: Path, name: str, end: str, first: str) -> None:
    path = _write(tmp_path / name, end.join([first, *TEXTS] if first else TEXTS))
    assert read_questions(path).texts == TEXTS


@pytest.mark.parametrize("first", ["No", "Name it", "Great", "很好"])
def test_a_first_line_of_one_word_is_a_text_too(tmp_path: Path, first: str) -> None:
    questions = read_questions(_write(tmp_path / "a.csv", "\n".join([first, *TEXTS])))
    assert questions.texts == [first, *TEXTS]
    assert [problem.code for problem in questions.problems] == ["data.first_line_kept"]


def test_lines_in_quotes_are_texts_without_them(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.csv", "text\n" + "\n".join(f'"{text}"' for text in TEXTS) + '\n"two\nlines"\n')
    assert read_questions(path).texts == [*TEXTS, "two\nlines"]


def test_what_a_spreadsheet_saves_as_text_is_a_table_of_questions(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.txt", _lines(PLAIN), "utf-16")
    assert read_questions(path).texts == [text for text, _ in PLAIN]


def test_a_table_of_questions_keeps_rows_that_do_not_fit(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.csv", "id,text\n1,one\n2\n3,two, or so\n4,three\n5,four\n")
    table, problems = read_cells(path)
    assert table["text"] == ["one", "", "two,  or so".replace(",  ", ", "), "three", "four"]
    assert [problem.code for problem in problems] == ["data.ragged_rows_kept"]


def test_prose_is_no_table_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        read_table(_write(tmp_path / "a.csv", "\n".join(TEXTS)))
