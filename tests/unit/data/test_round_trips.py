"""Tables of any content, written in every format and dialect, come back row by row and cell by cell.

Left out is what no program writes: a quote without its other one, two encodings in a file. Those have their own tests
(`readers/test_separated.py`), since what is meant there has to be guessed.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.data.open import open_collection
from core.data.readers.table import read_cells, read_table
from core.data.text_collection import texts_of
from core.predict.text_files import read_questions
from core.spec import DataRef

QUICK = settings(max_examples=40, deadline=None, derandomize=True)
HEADER = ("text", "label", "note")
# Letters of several scripts and what tables are made of: quotes, separators, line breaks, backslashes, signs of errors.
SIGNS = st.sampled_from(list(" ,;|\t\r\n\"'\\=#-+.!?，：“”"))
LETTERS = st.characters(categories=("L", "N"), max_codepoint=0x9FFF) | SIGNS
TEXTS = st.text(LETTERS, min_size=1, max_size=24).filter(lambda cell: _is_text(cell))
LABELS = st.sampled_from(["good", "bad", "01", "1", "1.0", "NA", "null", "None", "007", "-", "True"])
NOTES = TEXTS | st.just("")
ROWS = st.lists(st.tuples(TEXTS, LABELS, NOTES), min_size=1, max_size=40)
Rows = list[tuple[str, str, str]]


def _is_text(cell: str) -> bool:
    """Not a spreadsheet's error, which is emptied and told, nor blank, nor a name of the header."""
    return bool(cell.strip()) and cell.strip() not in HEADER and not cell.strip().startswith("#")


def _back(path: Path, read: Callable[..., Any] = read_table) -> tuple[list[str], list[tuple[Any, ...]]]:
    table, problems = read(path)
    assert problems == []
    return list(table), list(zip(*table.values(), strict=True))


# -- text tables -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("sign", [",", ";", "\t", "|"], ids=["comma", "semicolon", "tab", "bar"])
def test_text_tables_of_every_dialect(sign: str, end: str, tmp_path: Path) -> None:
    path = tmp_path / ("table.tsv" if sign == "\t" else "table.csv")

    @QUICK
    @given(
        ROWS,
        st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
        st.booleans(),
    )
    @example([('"', "good", ""), ('""', "bad", '"'), ('"""', "good", '\\"'), ("a\n\nb", "bad", "\\")], 0, "utf-8", True)
    @example([(f"a{sign}good\nb", "bad", "")] * 6, csv.QUOTE_MINIMAL, "utf-8", False)
    def round_trip(rows: Rows, quoting: Any, encoding: str, ends_open: bool) -> None:
        text = end.join(_line(row, sign, quoting) for row in [HEADER, *rows])
        path.write_bytes((text if ends_open else text + end).encode(encoding))
        assert _back(path) == (list(HEADER), rows)
        assert _back(path, read_cells) == (list(HEADER), rows)
        assert read_questions(path).texts == [text for text, _, _ in rows]

    round_trip()


def _line(row: tuple[str, ...], sign: str, quoting: Any) -> str:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=sign, quoting=quoting).writerow(row)
    return file.getvalue().removesuffix("\r\n")


@QUICK
@given(ROWS)
def test_what_pandas_writes(tmp_path_factory: pytest.TempPathFactory, rows: Rows) -> None:
    """It leaves a carriage return within a text without quotes."""
    path = tmp_path_factory.mktemp("pandas") / "table.csv"
    rows = [
        (text, label, note.rstrip("\r")) for text, label, note in rows
    ]  # there it would be a part of the line's end
    pd.DataFrame(rows, columns=list(HEADER)).to_csv(path, index=False, lineterminator="\n")
    assert _back(path) == (list(HEADER), rows)


@QUICK
@given(ROWS)
def test_quotes_behind_backslashes(tmp_path_factory: pytest.TempPathFactory, rows: Rows) -> None:
    path = tmp_path_factory.mktemp("escaped") / "table.csv"
    rows = [(text.replace("\\", "/"), label, note.replace("\\", "/")) for text, label, note in rows]
    rows.append(('He said "oh" and left', "good", ""))
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL, doublequote=False, escapechar="\\").writerows([HEADER, *rows])
    path.write_bytes(file.getvalue().encode())
    assert _back(path) == (list(HEADER), rows)


# -- tables of types ---------------------------------------------------------------------------------------

VALUES = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False, width=16) | st.booleans()
TYPED = st.lists(st.tuples(TEXTS, LABELS, VALUES | st.none()), min_size=1, max_size=30)


@QUICK
@given(TYPED)
def test_json_of_every_shape(tmp_path_factory: pytest.TempPathFactory, rows: Rows) -> None:
    folder = tmp_path_factory.mktemp("json")
    records = [dict(zip(HEADER, row, strict=True)) for row in rows]
    frame = pd.DataFrame(rows, columns=list(HEADER), dtype=object)
    shapes = {
        "lines.jsonl": "\n".join(json.dumps(record) for record in records),
        "list.json": json.dumps(records),
        "pretty.json": json.dumps(records, indent=2, ensure_ascii=False),
        "columns.json": json.dumps({name: dict(enumerate(frame[name].tolist())) for name in HEADER}),
        "split.json": json.dumps({"columns": HEADER, "index": list(range(len(rows))), "data": rows}),
    }
    for name, text in shapes.items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        assert _back(path) == (list(HEADER), rows), name


@QUICK
@given(TYPED)
def test_workbooks(tmp_path_factory: pytest.TempPathFactory, rows: Rows) -> None:
    path = tmp_path_factory.mktemp("xlsx") / "table.xlsx"
    book = openpyxl.Workbook()
    for row in [HEADER, *rows]:
        book.active.append(None if value is None else value for value in row)
    for line in book.active.iter_rows():
        for cell in line:
            if isinstance(cell.value, str):
                cell.data_type = "s"  # a text that begins with = is no formula
    book.save(path)
    # XML knows one line end.
    plain = [tuple(_as_xml(value) for value in row) for row in rows]
    assert _back(path) == (list(HEADER), plain)


def _as_xml(value: Any) -> Any:
    return value.replace("\r\n", "\n").replace("\r", "\n") if isinstance(value, str) else value


@QUICK
@given(ROWS, st.sampled_from([None, 1, 7]))
def test_parquet(tmp_path_factory: pytest.TempPathFactory, rows: Rows, group: int | None) -> None:
    path = tmp_path_factory.mktemp("parquet") / "table.parquet"
    columns = dict(zip(HEADER, map(list, zip(*rows, strict=True)), strict=True))
    pq.write_table(pa.table(columns), path, row_group_size=group)
    assert read_questions(path).table == columns


# -- as a data set -----------------------------------------------------------------------------------------


@QUICK
@given(st.lists(st.tuples(st.integers(0, 10**6), LABELS), min_size=2, max_size=60))
def test_labels_are_classes_as_they_are_written(tmp_path_factory: pytest.TempPathFactory, rows: Any) -> None:
    folder = tmp_path_factory.mktemp("set")
    table = [(f"text number {n}", label) for n, label in rows]
    with (folder / "table.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *table])
    pq.write_table(
        pa.table({"text": [t for t, _ in table], "label": [label for _, label in table]}), folder / "t.parquet"
    )
    (folder / "table.jsonl").write_text(
        "\n".join(json.dumps({"text": text, "label": label}) for text, label in table), encoding="utf-8"
    )
    for name in ("table.csv", "t.parquet", "table.jsonl"):
        found = open_collection(DataRef(id=f"path:{folder / name}"))
        assert texts_of(found) == [text for text, _ in table]
        written = [label for _, label in table]
        whole = all(label in ("1", "1.0") for label in written)  # a number with a gap's ".0" is that number
        assert [found.labels[target] for target in found.targets] == (["1"] * len(written) if whole else written)
