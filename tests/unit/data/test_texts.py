"""Texts as people bring them: odd cells, odd labels, odd encodings, and columns that have to be named."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest

from core.cache import cache_folder
from core.data.report import describe_data
from core.data.text_cleaning import clean_texts
from core.data.texts import load_texts
from core.data.uploads import store_upload
from core.errors import DataError
from core.progress import SilentReporter
from core.registry.looks import MAX_CHARS
from core.spec import DataRef
from tests.fixtures.pictures import codes

ROWS = [(f"{'good' if i % 2 else 'bad'} film number {i}", "pos" if i % 2 else "neg") for i in range(40)]


def _write(path: Path, rows: list[tuple[str, str]], header: str = "text,label", encoding: str = "utf-8") -> DataRef:
    lines = [header, *(f'"{text}",{label}' for text, label in rows)]
    path.write_bytes("\n".join(lines).encode(encoding))
    return DataRef(id=f"path:{path}")


def _load(ref: DataRef) -> tuple[list[str], list[str], set[str]]:
    data = load_texts(ref, seed=0)
    return data.texts, data.labels, codes(data.problems)


def test_split_of_texts_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    ref = _write(tmp_path / "a.csv", ROWS)
    first, again, other = (load_texts(ref, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.train, again.train)
    assert not np.array_equal(first.train, other.train)
    rows = np.concatenate([first.train, first.validation, first.test])
    assert sorted(rows.tolist()) == list(range(40))
    assert first.labels == ["negative", "positive"]


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("x" * 1_000_000, "x" * MAX_CHARS),
        ("🙂🎉🎉", "🙂🎉🎉"),
        ("مرحبا بالعالم", "مرحبا بالعالم"),
        ("a\x00b\x07c", "abc"),
        ("good<br /><br>film &amp; more", "good film & more"),
        ("<script>alert(1)</script> 3 < 4", "<script>alert(1)</script> 3 < 4"),
        ("  much \t\n space  ", "much space"),
        ("\ud800bad", "bad"),
    ],
)
def test_odd_cell_is_read_as_text(cell: str, kept: str) -> None:
    assert clean_texts([cell]).texts == [kept]


def test_one_cell_of_a_megabyte_does_not_spoil_the_rest(tmp_path: Path) -> None:
    texts, _, told = _load(_write(tmp_path / "a.csv", [("y" * 1_000_000, "pos"), *ROWS]))
    assert max(map(len, texts)) == MAX_CHARS
    assert "data.long_texts" in told


def test_nul_bytes_and_markup_are_told(tmp_path: Path) -> None:
    _, _, told = _load(_write(tmp_path / "a.csv", [("go\x00od", "pos"), ("very<br>bad", "neg"), *ROWS]))
    assert {"data.control_characters", "data.markup"} <= told


def test_label_column_with_one_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_texts(_write(tmp_path / "a.csv", [(text, "pos") for text, _ in ROWS]), seed=0)
    assert "data.one_class" in codes(caught.value.problems)


def test_empty_texts_and_missing_labels_are_left_out_and_told(tmp_path: Path) -> None:
    ref = _write(tmp_path / "a.csv", [*ROWS, ("", "pos"), ("   ", "neg"), ("no label", "")])
    data = load_texts(ref, seed=0)
    assert {"data.empty_texts", "data.unlabelled_texts"} <= codes(data.problems)
    assert len(data.train) + len(data.validation) + len(data.test) == 40


def test_copies_and_leaks_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    _write(folder / "train.csv", [*ROWS, *ROWS[:5]])
    _write(folder / "test.csv", [*ROWS[:4], ("something new", "pos"), ("something else", "neg")])
    assert {"data.text_leak", "data.text_duplicates"} <= _load(DataRef(id=f"path:{folder}"))[2]


def test_texts_trained_on_and_chosen_by_are_no_copies(tmp_path: Path) -> None:
    rows = [("one good", "pos"), ("one bad", "neg"), ("two good", "pos"), ("two bad", "neg")]
    assert "data.text_duplicates" not in _load(_write(tmp_path / "a.csv", rows))[2]


@pytest.mark.parametrize("longest", [3, 300])
def test_lengths_in_tokens_tell_what_a_limit_cuts(tmp_path: Path, longest: int) -> None:
    rows = [("word " * (longest if i % 4 == 0 else 2), "pos" if i % 2 else "neg") for i in range(40)]
    tokens = describe_data(_write(tmp_path / "a.csv", rows), SilentReporter()).tokens
    assert tokens is not None
    assert (tokens.lengths[0], tokens.lengths[-1]) == (4, longest + 2)
    beyond = sum(length > 128 for length in tokens.lengths) / len(tokens.lengths)
    assert beyond == pytest.approx(tokens.share_beyond_128, abs=0.01)


def test_uneven_classes_are_told(tmp_path: Path) -> None:
    rows = [(f"good film {i}", "pos") for i in range(120)] + [(f"bad film {i}", "neg") for i in range(10)]
    assert "data.unbalanced" in _load(_write(tmp_path / "a.csv", rows))[2]
    assert "data.unbalanced" not in _load(_write(tmp_path / "b.csv", ROWS))[2]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_chinese_is_read_in_any_usual_encoding(tmp_path: Path, encoding: str) -> None:
    rows = [(f"这家酒店非常{'好' if i % 2 else '差'}，第{i}次来了", "好评" if i % 2 else "差评") for i in range(30)]
    texts, labels, _ = _load(_write(tmp_path / "a.csv", rows, "内容,情感", encoding))
    assert texts[1] == "这家酒店非常好，第1次来了"
    assert set(labels) == {"好评", "差评"}


def test_ragged_rows_are_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = ["text,label", *(f"{text},{label}" for text, label in ROWS), "too,many,cells", "too few"]
    path.write_text("\n".join(lines), encoding="utf-8")
    data = load_texts(DataRef(id=f"path:{path}"), seed=0)
    assert "data.ragged_rows" in codes(data.problems)
    assert len(data.texts) == 40


def test_other_columns_are_taken_when_they_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [
        {"text": f"note {i}", "body": f"long body number {i}", "label": i % 2, "kind": "ab"[i % 2]} for i in range(40)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    guessed = describe_data(DataRef(id=f"path:{path}"), SilentReporter())
    assert (guessed.columns, guessed.all_columns) == (["text", "label"], ["text", "body", "label", "kind"])
    named = describe_data(DataRef(id=f"path:{path}", text_column="body", label_column="kind"), SilentReporter())
    assert (named.columns, named.labels) == (["body", "kind"], ["a", "b"])
    assert named.fingerprint != guessed.fingerprint


@pytest.mark.parametrize(
    ("columns", "code"),
    [(("nothing", "label"), "data.no_such_column"), (("text", "text"), "data.same_column")],
)
def test_columns_that_cannot_be_are_told(tmp_path: Path, columns: tuple[str, str], code: str) -> None:
    ref = _write(tmp_path / "a.csv", ROWS).model_copy(update={"text_column": columns[0], "label_column": columns[1]})
    with pytest.raises(DataError) as caught:
        load_texts(ref, seed=0)
    assert code in codes(caught.value.problems)


def test_table_whose_columns_have_to_be_named_is_kept(home: Path) -> None:
    rows = "".join(f"a long sentence number {i},unique {i}\n" for i in range(40))
    data_id = store_upload(io.BytesIO(("thoughts,remark\n" + rows).encode()), "odd.csv")
    with pytest.raises(DataError) as caught:
        describe_data(DataRef(id=data_id), SilentReporter())
    (problem,) = caught.value.problems
    assert problem.code == "data.no_label_column"
    assert problem.values["columns"] == "thoughts, remark"


def test_texts_make_room_in_the_caches_as_pictures_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who trains on texts alone would else keep the features of all of them for ever."""
    monkeypatch.setenv("GRAFT_CACHE_GB", "0")
    old = cache_folder("features", "old")
    (old / "data.bin").write_bytes(b"x" * 10_000)
    os.utime(old / "used", (0, 0))
    load_texts(_write(tmp_path / "a.csv", ROWS), seed=0)
    assert not old.exists()
