"""JSON as programs write it: every shape gives the same rows, or a sentence says what was found instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.data.open import open_collection
from core.data.readers.json_rows import read_json
from core.data.table_rows import MAX_COLUMNS
from core.data.text_collection import texts_of
from core.errors import DataError
from core.messages import explain
from core.predict.text_files import read_questions
from core.spec import DataRef
from tests.fixtures.pictures import codes

ROWS = [{"text": f"{'good' if n % 2 else 'bad'} film {n}", "label": "pos" if n % 2 else "neg"} for n in range(12)]
FRAME = pd.DataFrame(ROWS)
SHAPES = {
    "lines": "\n".join(map(json.dumps, ROWS)),
    "records": json.dumps(ROWS),
    "pretty": "\n".join(json.dumps(row, indent=2) for row in ROWS),
    "pandas": FRAME.to_json(),
    "index": FRAME.to_json(orient="index"),
    "split": FRAME.to_json(orient="split"),
    "table": FRAME.to_json(orient="table"),
    "lists": json.dumps(FRAME.to_dict("list")),
    "wrapped": json.dumps({"version": 1, "data": ROWS}, indent=1),
    "two rows by default": FRAME[:2].to_json(),
    "two rows by index": FRAME[:2].to_json(orient="index"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_its_rows(shape: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(SHAPES[shape])
    rows = ROWS[:2] if shape.startswith("two") else ROWS
    found = open_collection(DataRef(id=f"path:{path}"))
    assert texts_of(found) == [row["text"] for row in rows]
    assert [found.labels[target][:3] for target in found.targets] == [row["label"] for row in rows]
    assert read_questions(path).texts == [row["text"] for row in rows]


def test_lists_by_split_are_splits(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"train": ROWS[:8], "test": ROWS[8:]}))
    found = open_collection(DataRef(id=f"path:{path}"))
    assert {split: len(rows) for split, rows in found.splits.items()} == {"train": 8, "test": 4}


@pytest.mark.parametrize(
    "text",
    [
        FRAME.to_json(orient="values"),
        "{}",
        '{"text": {}}',
        '{"a": {"b": {"c": 1}}}',
        '[["text", "label"]]',
        "[1, 2]",
        "[" * 100_000,
    ],
)
def test_other_shapes_are_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(DataError) as found:
        read_json(text, "rows.json")
    assert found.value.code == "data.json_shape"
    assert 'orient="records"' in explain(found.value.problems[0])


@pytest.mark.parametrize("text", ["null", ' "a good film"\n', "42", "-1.5e3", "true", "\ufeffnull"])
@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows.csv"])
def test_single_value_is_no_table(text: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    for read in (read_questions, lambda path: open_collection(DataRef(id=f"path:{path}"))):
        with pytest.raises(DataError) as found:
            read(path)
        assert found.value.code == "data.json_shape"


def test_list_that_breaks_off_is_told_with_its_place() -> None:
    with pytest.raises(DataError) as found:
        read_json('[{"text": "a", "label": "b"} {"text"', "rows.json")
    assert explain(found.value.problems[0]).startswith("rows.json cannot be read: its list is broken at character 29.")


def test_lines_that_are_no_objects_are_left_out_and_told() -> None:
    lines = [json.dumps(ROWS[0]), "{broken", json.dumps(ROWS[1]), "[" * 100_000, "17"]
    table, problems = read_json("\n".join(lines), "rows.jsonl")
    assert table["text"] == [row["text"] for row in ROWS[:2]]
    assert problems[0].values["n"] == 3


@pytest.mark.parametrize("text", ['{"a":' * 100_000, "[" + '{"a":' * 100_000])
def test_what_is_nested_too_deep_is_told_in_words(text: str) -> None:
    with pytest.raises(DataError) as found:
        read_json(text, "rows.json")
    assert found.value.code == "data.json_deep"


def test_half_letters_are_told_apart_from_whole_ones_and_can_be_written(tmp_path: Path) -> None:
    rows = [{"te\\ud83dxt": "x"}, {"text": "a\\ud83d", "label": "\\udc00"}, {"text": "\\ud83c\\udf31 好", "label": "b"}]
    lines = "\n".join(json.dumps(row).replace("\\\\", "\\") for row in rows)
    table, _ = read_json(lines, "rows.jsonl")
    assert table["text"][1:] == ["a\ufffd", "🌱 好"]
    assert table["label"][1] == "\ufffd"
    json.dumps(table, ensure_ascii=False).encode()


def test_number_without_end_is_told_in_words() -> None:
    with pytest.raises(DataError) as found:
        read_json('[{"text": "a", "label": ' + "9" * 5000 + "}]", "rows.json")
    sentence = explain(found.value.problems[0])
    assert "too many digits" in sentence
    assert "Save it anew" in sentence


# -- labels in lists ---------------------------------------------------------------------------------------


def _labelled(tmp_path: Path, labels: list[Any]) -> DataRef:
    path = tmp_path / "rows.jsonl"
    rows = [{**row, "label": label} for row, label in zip(ROWS, labels, strict=True)]
    path.write_text("\n".join(map(json.dumps, rows)))
    return DataRef(id=f"path:{path}")


def test_a_list_of_one_label_is_that_label(tmp_path: Path) -> None:
    every = [[row["label"]] for row in ROWS]
    some = [[row["label"]] if n % 2 else row["label"] for n, row in enumerate(ROWS)]
    for labels in (every, some):
        found = open_collection(_labelled(tmp_path, labels))
        assert [found.labels[target][:3] for target in found.targets] == [row["label"] for row in ROWS]
        assert found.problems == []


def test_examples_with_several_labels_are_left_out_and_told(tmp_path: Path) -> None:
    labels = [["pos", "neg"] if n < 3 else [row["label"]] for n, row in enumerate(ROWS[:-1])]
    found = open_collection(_labelled(tmp_path, [*labels, []]))
    assert (found.targets >= 0).sum() == 8
    told = {problem.code: problem.values["n"] for problem in found.problems}
    assert told == {"data.several_labels_left_out": 3, "data.unlabelled_texts": 1}


def test_a_column_of_several_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as found:
        open_collection(_labelled(tmp_path, [["pos", "neg"]] * len(ROWS)))
    assert codes(found.value.problems) == {"data.several_labels"}


# -- small files that unfold -------------------------------------------------------------------------------


def test_new_names_in_every_row_end_at_the_limit_of_columns() -> None:
    with pytest.raises(DataError) as found:
        read_json("\n".join(json.dumps({f"key {n}": 1}) for n in range(MAX_COLUMNS + 1)), "rows.jsonl")
    assert found.value.code == "data.too_many_columns"


def test_empty_cells_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.data.table_rows.MAX_HELD_BYTES", 1_000_000)
    wide = json.dumps({f"key {n}": None for n in range(400)})
    with pytest.raises(DataError) as found:
        read_json("\n".join([wide, *['{"key 0": 1}'] * 1000]), "rows.jsonl")
    assert found.value.code == "data.table_unfolds"
