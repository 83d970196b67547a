"""Parquet as programs write it: one label in a list, labels as numbers, and files that unfold to anything."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.data.collection import Collection
from core.data.open import open_collection
from core.data.readers import parquet_columns
from core.errors import DataError
from core.predict.text_files import read_questions
from core.spec import DataRef
from tests.fixtures.pictures import codes, encoded

SOME = {"data.unlabelled": 1, "data.several_labels_left_out": 1}
TEXTS = [f"{'good' if n % 2 else 'bad'} film {n}" for n in range(12)]


def _write(path: Path, columns: dict[str, Any], **how: Any) -> Path:
    pq.write_table(pa.table(columns), path, **how)
    return path


def _open(path: Path) -> Collection:
    return open_collection(DataRef(id=f"path:{path}"))


def _refusals(path: Path) -> set[str]:
    """How the file is refused, to be learned from and to be answered alike."""
    told = set()
    for read in (_open, read_questions):
        with pytest.raises(DataError) as found:
            read(path)
        told |= codes(found.value.problems)
    return told


# -- labels ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "names", "left_out"),
    [
        ([math.nan, 1.0, 0.0, 1.0], ["0", "1"], {"data.unlabelled": 1}),
        ([None, 1.0, 0.0, 1.0], ["0", "1"], {"data.unlabelled": 1}),
        ([True, False, True, False], ["false", "true"], {}),
        ([["cat"], ["dog"], ["cat"], []], ["cat", "dog"], {"data.unlabelled": 1}),
        ([["cat"], ["dog"], ["cat", "dog"], None], ["cat", "dog"], SOME),
        (pa.array(["cat", "dog", "cat", None]).dictionary_encode(), ["cat", "dog"], {"data.unlabelled": 1}),
    ],
)  # fmt: skip
def test_labels_of_pictures_are_told_as_those_of_texts(
    labels: Any, names: list[str], left_out: dict[str, int], tmp_path: Path
) -> None:
    pictures = [encoded(n) for n in range(4)]
    found = _open(_write(tmp_path / "a.parquet", {"image": pictures, "label": labels}))
    assert found.labels == names
    assert {problem.code: problem.values["n"] for problem in found.problems} == left_out
    texts = _open(_write(tmp_path / "b.parquet", {"text": TEXTS[:4], "label": labels}))
    assert texts.labels == names
    assert texts.targets.tolist() == found.targets.tolist()


def test_labels_are_found_in_a_table_sorted_by_them(tmp_path: Path) -> None:
    columns = {"phrase": [f"a film number {n}" for n in range(1600)], "mood": ["calm"] * 800 + ["angry"] * 800}
    found = _open(_write(tmp_path / "a.parquet", columns))
    assert (found.columns, found.labels) == (("phrase", "mood"), ["angry", "calm"])


def test_rows_of_pictures_are_found_in_every_row_group(tmp_path: Path) -> None:
    pictures = [encoded(n) for n in range(7)]
    struct = [{"bytes": content, "path": f"{n}.png"} for n, content in enumerate([*pictures, pictures[0]])]
    path = _write(tmp_path / "a.parquet", {"image": struct, "label": [0, 1] * 4}, row_group_size=3)
    items = _open(path).items
    read = dict(items.read_many(_open(path).targets[:0]))
    assert read == {}
    rows = _open(path).splits["train"][[6, 1, 7, 3]]
    assert dict(items.read_many(rows)) == {1: pictures[1], 3: pictures[3], 6: pictures[6], 7: pictures[0]}


# -- small files that unfold -------------------------------------------------------------------------------


def test_a_value_repeated_ends_at_what_a_table_may_take(tmp_path: Path) -> None:
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 5000), pa.array(["x" * 1_000_000]))
    path = _write(
        tmp_path / "a.parquet", {"text": text, "label": [0, 1] * 2500}, compression="zstd", store_schema=False
    )
    assert path.stat().st_size < 5000
    assert _refusals(path) == {"data.table_unfolds"}


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_a_repeated_picture_is_read_a_few_at_a_time(kind: Any, tmp_path: Path) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 5000), pa.array([b"\x89PNG" + bytes(1_000_000)], kind))
    path = _write(tmp_path / "a.parquet", {"image": column, "label": [0, 1] * 2500}, compression="zstd")
    found, resource = _open(path), pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(len(content) for _, content in found.items.read_many(found.splits["train"])) == 5000 * 1_000_004
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 450_000


def test_more_rows_than_any_table_are_refused_by_the_footer(tmp_path: Path) -> None:
    n = parquet_columns.MAX_ROWS + 1
    zeros = pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()).take(pa.nulls(n, pa.int32()).fill_null(0)), ["a"])
    path = _write(tmp_path / "a.parquet", {"text": zeros, "label": zeros}, compression="zstd")
    assert path.stat().st_size < 200_000
    assert _refusals(path) == {"data.too_many_rows"}


def test_a_column_that_packs_like_no_data_is_refused_by_the_footer(tmp_path: Path) -> None:
    columns = {"text": ["x" * 20_000_000, "good film"], "label": ["a", "b"]}
    assert _refusals(_write(tmp_path / "a.parquet", columns, compression="zstd")) == {"data.parquet_bomb"}


@pytest.mark.parametrize("damage", [lambda raw: raw[:-20], lambda raw: raw[:-60] + bytes(52) + raw[-8:]])
def test_a_broken_footer_is_told(damage: Any, tmp_path: Path) -> None:
    path = _write(tmp_path / "a.parquet", {"text": TEXTS, "label": [0, 1] * 6})
    path.write_bytes(damage(path.read_bytes()))
    assert _refusals(path) == {"data.unreadable_file"}


def test_two_columns_of_one_name_are_told(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(TEXTS), pa.array(TEXTS)], names=["text", "text"])
    pq.write_table(table, tmp_path / "a.parquet")
    assert _refusals(tmp_path / "a.parquet") == {"data.unreadable_file"}


# -- splits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("训练", "测试")])
def test_a_column_of_splits_is_followed(train: str, test: str, tmp_path: Path) -> None:
    said = [test if row % 4 == 0 else train for row in range(len(TEXTS))]
    labels = ["ab"[row % 2] for row in range(len(TEXTS))]
    pictures = [encoded(row) for row in range(len(TEXTS))]
    for first, values in (("text", TEXTS), ("image", pictures)):
        columns = {first: values, "label": labels, "split": said}
        collection = _open(_write(tmp_path / f"{first}.parquet", columns))
        assert {split: len(rows) for split, rows in collection.splits.items()} == {"train": 9, "test": 3}
        assert not collection.problems
