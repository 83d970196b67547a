"""What holds of every split, every table and every name in a zip, whatever they are."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.readers.parquet import read_columns
from core.data.readers.table import read_cells, read_table
from core.data.splits import HELD_OUT, Split, make_split, stratified_order
from core.data.zip_safety import check_zip
from core.errors import DataError

# -- splits ------------------------------------------------------------------------------------------------

TARGETS = st.lists(st.integers(0, 4), min_size=2, max_size=120).map(lambda found: np.array(found, dtype=np.int64))
SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.none() | st.integers(1, 150)


def _parts(targets: np.ndarray, words: list[str]) -> dict[str, np.ndarray]:
    """The rows as the splits of a data set; the first is always one of training."""
    sides = np.array([words[row % len(words)] for row in range(len(targets))])
    return {word: np.flatnonzero(sides == word) for word in dict.fromkeys(words)}


OFFICIAL = st.sampled_from(
    [["train"], ["train", "train", "test"], ["train", "train", "validation"], ["train", "validation", "test"]]
)


@given(TARGETS, SEEDS)
def test_an_order_holds_every_row_once_and_each_beginning_the_classes_in_their_shares(
    targets: np.ndarray, seed: int
) -> None:
    rows = np.arange(len(targets))
    order = stratified_order(targets, rows, seed)
    assert sorted(order.tolist()) == rows.tolist()
    for label in np.unique(targets):
        share = (targets == label).mean()
        seen = np.cumsum(targets[order] == label)
        # Each class is spread evenly by itself: all together they are off by less than one for each class.
        assert np.abs(seen - share * np.arange(1, len(rows) + 1)).max() <= len(np.unique(targets))


@given(TARGETS, OFFICIAL, SIZES, SIZES, SEEDS)
def test_parts_of_a_split_share_no_row_and_stay_in_their_data(
    targets: np.ndarray, words: list[str], train_size: int | None, test_size: int | None, seed: int
) -> None:
    official = _parts(targets, words)
    split = make_split(targets, official, train_size=train_size, test_size=test_size, seed=seed)
    train, validation, test = (set(part.tolist()) for part in (split.train, split.validation, split.test))
    assert len(train) == len(split.train) <= (train_size or len(targets))
    assert len(test) == len(split.test) <= (test_size or len(targets))
    assert test
    assert not test & (train | validation)
    # A single row is all there is to train on and to choose by.
    assert not train & validation or (train == validation == set(split.train.tolist()) and len(train) == 1)
    assert train | validation | test <= set(np.concatenate(list(official.values())).tolist())


@given(TARGETS, OFFICIAL, SEEDS)
def test_a_split_without_limits_leaves_no_row_out(targets: np.ndarray, words: list[str], seed: int) -> None:
    split = make_split(targets, _parts(targets, words), train_size=None, test_size=None, seed=seed)
    assert len(np.unique(np.concatenate([split.train, split.validation, split.test]))) == len(targets)


@given(TARGETS, OFFICIAL, SIZES, SEEDS, SEEDS)
def test_the_seed_decides_the_split_but_never_the_test(
    targets: np.ndarray, words: list[str], train_size: int | None, seed: int, other: int
) -> None:
    def made(seed: int, size: int | None) -> Split:
        return make_split(targets, _parts(targets, words), train_size=size, test_size=None, seed=seed)

    first, again = made(seed, train_size), made(seed, train_size)
    for name in ("train", "validation", "test"):
        assert np.array_equal(getattr(first, name), getattr(again, name)), name
    assert np.array_equal(first.test, made(other, None).test)


@given(TARGETS, SEEDS)
def test_held_out_rows_are_a_fifth_and_stratified(targets: np.ndarray, seed: int) -> None:
    split = make_split(targets, {"train": np.arange(len(targets))}, train_size=None, test_size=None, seed=seed)
    counts = np.bincount(targets, minlength=5)
    several = counts > 1 if (counts > 1).any() else counts > 0
    total = int(counts[several].sum())
    assert len(split.test) == max(1, round(HELD_OUT * total))
    shares = np.where(several, counts, 0) / total
    assert np.abs(np.bincount(targets[split.test], minlength=5) - shares * len(split.test)).max() <= several.sum()


@given(TARGETS, st.integers(1, 4), SIZES, SEEDS)
def test_no_content_lies_in_two_parts_that_are_drawn(
    targets: np.ndarray, copies: int, train_size: int | None, seed: int
) -> None:
    rows = np.arange(len(targets))
    alike = rows // copies * copies
    if len(np.unique(alike)) < 3:  # less than one content for each part
        return
    split = make_split(targets, {"train": rows}, train_size=train_size, test_size=None, seed=seed, alike=alike)
    train, validation, test = (set(alike[part].tolist()) for part in (split.train, split.validation, split.test))
    assert not train & validation
    assert not test & (train | validation)
    assert (len(validation), len(test)) == (len(split.validation), len(split.test))
    assert min(map(len, (train, validation, test))) > 0


# -- tables ------------------------------------------------------------------------------------------------

# Latin and Chinese letters, and all that csv itself is made of. Left out are files that no csv writer leaves behind (a
# quote without its other one) and encodings without a mark of their own: what is meant there has to be guessed.
LETTERS = st.characters(categories=("L", "N"), max_codepoint=0x9FFF) | st.sampled_from(list(" ,;|\t\r\n\"'!?，"))
HEADER = ("text", "label", "note")
CELLS = st.text(LETTERS, min_size=1, max_size=20).filter(lambda cell: bool(cell.strip()) and cell not in HEADER)
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12)


def _records(table: dict[str, list[Any]]) -> list[tuple[Any, ...]]:
    return list(zip(*table.values(), strict=True))


@pytest.mark.parametrize("read", [read_table, read_cells])
@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
def test_a_written_table_is_read_back_row_by_row(delimiter: str, read: Any, tmp_path: Path) -> None:
    path = tmp_path / ("table.tsv" if delimiter == "\t" else "table.csv")

    @given(ROWS, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    def round_trip(rows: list[tuple[str, ...]], quoting: Any, encoding: str) -> None:
        file = io.StringIO(newline="")
        csv.writer(file, delimiter=delimiter, quoting=quoting).writerows([HEADER, *rows])
        path.write_bytes(file.getvalue().encode(encoding))
        table, problems = read(path)
        assert (list(table), _records(table), problems) == (list(HEADER), rows, [])

    round_trip()


def test_records_of_json_are_read_back_one_a_line_or_as_a_list(tmp_path: Path) -> None:
    lines, whole = tmp_path / "table.jsonl", tmp_path / "table.json"
    values = st.text(max_size=20) | st.integers(-(2**53), 2**53) | st.booleans() | st.none()

    @given(st.lists(st.tuples(st.text(min_size=1, max_size=20), values), min_size=1, max_size=8))
    def round_trip(rows: list[tuple[Any, ...]]) -> None:
        records = [dict(zip(HEADER, row, strict=False)) for row in rows]
        lines.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
        whole.write_text(json.dumps(records), encoding="utf-8")
        for path in (lines, whole):
            table, problems = read_table(path)
            assert (_records(table), problems) == (rows, []), path.name

    round_trip()


def _save_xlsx(path: Path, rows: list[tuple[str, ...]]) -> None:
    book = openpyxl.Workbook()
    for row in [HEADER, *rows]:
        book.active.append(row)
    book.save(path)


def _save_parquet(path: Path, rows: list[tuple[str, ...]]) -> None:
    pq.write_table(pa.table(dict(zip(HEADER, map(list, zip(*rows, strict=True)), strict=True))), path, row_group_size=5)


def _save_pandas(orient: Any) -> Callable[[Path, list[tuple[str, ...]]], None]:
    return lambda path, rows: pd.DataFrame(rows, columns=list(HEADER)).to_json(path, orient=orient)


@pytest.mark.parametrize(
    ("save", "name", "read"),
    [
        (_save_xlsx, "a.xlsx", read_table),
        (_save_parquet, "a.parquet", read_columns),
        *((_save_pandas(orient), "a.json", read_table) for orient in ("columns", "index", "records", "split")),
    ],
)
def test_what_programs_write_is_read_back_row_by_row(save: Any, name: str, read: Any, tmp_path: Path) -> None:
    @given(ROWS)
    def round_trip(rows: list[tuple[str, ...]]) -> None:
        if name == "a.xlsx":  # XML has one line end
            rows = [tuple(re.sub("\r\n?", "\n", cell) for cell in row) for row in rows]
        save(tmp_path / name, rows)
        table, problems = read(tmp_path / name)
        assert (list(table), _records(table), problems) == (list(HEADER), rows, [])

    round_trip()


# -- zips --------------------------------------------------------------------------------------------------

NAMES = st.lists(
    st.sampled_from(["..", ".", "a", "ä", "图", "C:", "c", "...", "a b", "..a"]), min_size=1, max_size=4
).flatmap(lambda parts: st.tuples(st.sampled_from(["", "/", "\\"]), st.sampled_from(["/", "\\"]), st.just(parts)))


def test_no_name_that_a_zip_is_let_through_with_leaves_its_folder(tmp_path: Path) -> None:
    path, folder = tmp_path / "some.zip", tmp_path / "within"
    passed: list[str] = []
    refused: list[str] = []

    @given(NAMES)
    def checked(name: tuple[str, str, list[str]]) -> None:
        start, sign, parts = name
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(start + sign.join(parts), b"x")
        try:
            ((_, text),) = check_zip(path, "some")
        except DataError as error:
            refused.extend(problem.code for problem in error.problems)
            return
        passed.append(text)
        assert (folder / text).resolve().is_relative_to(folder)
        # On Windows too, whose folders are parted by the other sign and whose drives are letters.
        for kind in (PurePosixPath, PureWindowsPath):
            assert not kind(text).anchor
            assert ".." not in kind(text).parts

    checked()
    assert set(refused) == {"data.zip_unsafe_path"}
    assert min(len(passed), len(refused)) > 5, "names of both kinds were tried"
