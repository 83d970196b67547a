"""Workbooks as people lay them out: the table is found, told where, and nothing else is taken for it."""

from __future__ import annotations

import datetime
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from core.data.open import open_collection
from core.data.readers import xlsx
from core.data.readers.xlsx import read_xlsx
from core.data.text_collection import texts_of
from core.errors import DataError
from core.messages import explain
from core.predict.text_files import read_questions
from core.spec import DataRef
from tests.fixtures.pictures import codes

ROWS = [(f"{'good' if n % 2 else 'bad'} film {n}", "pos" if n % 2 else "neg") for n in range(12)]
TABLE = [("text", "label"), *ROWS]
SHEET = "xl/worksheets/sheet1.xml"


def _save(path: Path, sheets: Mapping[str, Iterable[Iterable[Any]]], merged: Iterable[str] = ()) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        for area in merged:
            sheet.merge_cells(area)
    book.save(path)
    return path


def _change(path: Path, entry: str, pattern: str, by: str) -> Path:
    """The same workbook, with something in the XML of an entry replaced."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files[entry] = re.sub(pattern, by, files[entry].decode(), flags=re.DOTALL).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def _is_whole(path: Path) -> bool:
    """Whether every row is there, with its class, to be learned from and to be answered."""
    found = open_collection(DataRef(id=f"path:{path}"))
    classes = [found.labels[target][:3] for target in found.targets]
    texts = [text for text, _ in ROWS]
    return (texts_of(found), classes) == (texts, [label for _, label in ROWS]) and read_questions(path).texts == texts


@pytest.mark.parametrize("stated", ['<dimension ref="A1"/>', '<dimension ref="A1:XFD1048576"/>', ""])
def test_what_a_sheet_says_of_its_size_is_not_believed(stated: str, tmp_path: Path) -> None:
    path = _change(_save(tmp_path / "a.xlsx", {"A": TABLE}), SHEET, "<dimension[^>]*>", stated)
    assert _is_whole(path)


@pytest.mark.parametrize("attribute", [r' r="[A-Z]+[0-9]+"', r' r="[0-9]+"'])
def test_cells_and_rows_need_no_places(attribute: str, tmp_path: Path) -> None:
    assert _is_whole(_change(_save(tmp_path / "a.xlsx", {"A": TABLE}), SHEET, attribute, ""))


@pytest.mark.parametrize(
    "above",
    [
        [("Guest comments, spring",), ()],
        [("Guest comments",), ("exported", None), ()],
        [(), ()],
    ],
)
def test_titles_above_the_table_are_no_rows_of_it(above: list[tuple[Any, ...]], tmp_path: Path) -> None:
    path = _save(tmp_path / "a.xlsx", {"A": [*above, *TABLE]})
    assert _is_whole(path)
    told = [problem for problem in read_xlsx(path, False)[1] if problem.code == "data.rows_above"]
    assert [problem.values["row"] for problem in told] == ([len(above) + 1] if any(above) else [])


def test_a_table_may_begin_anywhere(tmp_path: Path) -> None:
    assert _is_whole(_save(tmp_path / "a.xlsx", {"A": [(), (), *((None, None, *row) for row in TABLE)]}))


def test_the_sheet_with_the_table_is_found_and_named(tmp_path: Path) -> None:
    notes = [("How to use this file",), ("Labels are pos or neg",)]
    counts = [("day", "guests"), ("Monday", 3), ("Tuesday", 4)]
    path = _save(tmp_path / "a.xlsx", {"Notes": notes, "Counts": counts, "Data": TABLE})
    assert _is_whole(path)
    (problem,) = open_collection(DataRef(id=f"path:{path}")).problems
    assert (problem.code, problem.values["sheet"], problem.values["n"]) == ("data.sheet_taken", "Data", 2)
    first = _save(tmp_path / "b.xlsx", {"Data": TABLE, "Notes": notes})
    assert codes(open_collection(DataRef(id=f"path:{first}")).problems) == {"data.other_sheets"}


def test_hidden_sheets_are_passed_over(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.xlsx", {"lists": [("text", "label"), ("old", "x")], "Data": TABLE})
    assert _is_whole(
        _change(path, "xl/workbook.xml", 'name="lists"([^>]*) state="visible"', r'name="lists"\1 state="hidden"')
    )


def test_where_no_sheet_holds_a_table_those_looked_at_are_named(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.xlsx", {"Notes": [("Hello",), ("you",)], "More": [("again",)]})
    with pytest.raises(DataError) as found:
        open_collection(DataRef(id=f"path:{path}"))
    assert found.value.code == "data.no_table_in_sheets"
    assert "Notes, More" in explain(found.value.problems[0])


def test_a_label_merged_over_rows_holds_for_each(tmp_path: Path) -> None:
    merged = {0: "neg", 6: "pos"}
    rows = [("Comments",), ("label", "text"), *((merged.get(n), text) for n, (text, _) in enumerate(ROWS))]
    path = _save(tmp_path / "a.xlsx", {"A": rows}, merged=["A3:A8", "A9:A14"])
    found = open_collection(DataRef(id=f"path:{path}"))
    assert found.targets.tolist() == [0] * 6 + [1] * 6


def test_a_title_merged_over_columns_is_no_name_of_them(tmp_path: Path) -> None:
    assert _is_whole(_save(tmp_path / "a.xlsx", {"A": [("Comments", None), *TABLE]}, merged=["A1:B1"]))


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#DIV/0!"])
def test_errors_of_a_spreadsheet_are_empty_and_told(error: str, tmp_path: Path) -> None:
    rows = [("text", "label"), *((text, error if n < 3 else label) for n, (text, label) in enumerate(ROWS))]
    path = _save(tmp_path / "a.xlsx", {"A": rows})
    table = tmp_path / "a.csv"
    table.write_text("\n".join(map(",".join, rows)))
    for source in (path, table):
        found = open_collection(DataRef(id=f"path:{source}"))
        assert found.labels == ["negative", "positive"]
        told = {problem.code: problem.values["n"] for problem in found.problems}
        assert told == {"data.error_cells": 3, "data.unlabelled_texts": 3}


def test_values_are_read_as_they_are_shown(tmp_path: Path) -> None:
    day = datetime.datetime(2024, 5, 17)
    path = _save(tmp_path / "a.xlsx", {"A": [("text", "n", "x", "day", "yes"), ("one\ntwo", 7, 2.5, day, True)]})
    table, _ = read_xlsx(path, False)
    assert [values[0] for values in table.values()] == ["one\ntwo", 7, 2.5, day, True]


# -- small files that unfold -------------------------------------------------------------------------------


def test_a_cell_far_out_takes_nothing(tmp_path: Path) -> None:
    far = '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>far</t></is></c></row></sheetData>'
    path = _change(_save(tmp_path / "a.xlsx", {"A": TABLE}), SHEET, "</sheetData>", far)
    table, problems = read_xlsx(path, False)
    assert [len(values) for values in table.values()] == [len(ROWS)] * 2
    assert codes(problems) == {"data.ragged_rows"}


def test_areas_that_overlap_are_gone_through_once(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.xlsx", {"A": TABLE})
    areas = "<mergeCells>" + '<mergeCell ref="B2:B1048576"/>' * 1000 + "</mergeCells>"
    table, _ = read_xlsx(_change(path, SHEET, "</sheetData>", "</sheetData>" + areas), False)
    assert len(table["label"]) == len(ROWS)


def test_a_sheet_of_too_much_xml_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _save(tmp_path / "a.xlsx", {"A": TABLE})
    monkeypatch.setattr(xlsx, "_MAX_SHEET_BYTES", 100)
    with pytest.raises(DataError) as found:
        read_xlsx(path, False)
    assert found.value.code == "data.sheet_too_large"


def test_declared_entities_are_refused(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.xlsx", {"A": TABLE})
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><worksheet'
    with pytest.raises(DataError) as found:
        read_xlsx(_change(path, SHEET, "<worksheet", bomb), False)
    assert found.value.code == "data.unreadable_file"
