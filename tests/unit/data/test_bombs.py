"""Whatever a file unfolds to: it is read or answered with a sentence, and its reader's memory keeps to the limit."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.data import limits, reading
from core.data.limits import MOST_MEMORY_MB, within_memory
from core.data.reading import read_apart
from core.errors import DataError
from core.messages import explain
from core.predict.text_files import read_questions
from core.problems import Problem
from tests.fixtures.bombs import TABLES

_ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only there a process's memory has a limit")


def _peak_mb() -> float:
    """The most memory that the reading process ever held."""
    return float(read_apart("resource:getrusage", "", 0).ru_maxrss) / 1000


@pytest.fixture(scope="module")
def at_rest() -> Iterator[float]:
    """A fresh reading process with its libraries; how much memory it holds, in MB."""
    reading._PROCESS.end()
    for module in ("pyarrow.parquet:ParquetFile", "core.data.open:open_file", "core.predict.text_files:read_questions"):
        with pytest.raises(DataError):
            read_apart(module, "")
    yield _peak_mb()
    reading._PROCESS.end()


def _told(function: str, path: Path, *values: Any) -> list[Problem]:
    try:
        read_apart(function, path.name, path, *values)
    except DataError as error:
        return list(error.problems)
    return []


@_ON_LINUX
@pytest.mark.parametrize("name", TABLES)
def test_table_is_read_or_refused_within_the_limit(name: str, at_rest: float, tmp_path: Path) -> None:
    make, code = TABLES[name]
    make(path := tmp_path / name)
    learned = _told("core.data.uploads:look_through", path, name)
    answered = _told("core.predict.text_files:preview_questions", path)
    for problems in (learned, answered):
        assert [problem.code for problem in problems] == ([code] if code else [])
        assert all(explain(problem) != problem.code for problem in problems)
    assert _peak_mb() < at_rest + MOST_MEMORY_MB


def test_rows_that_hold_nothing_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.data.table_rows.MAX_ROWS", 100)
    (path := tmp_path / "a.csv").write_text("text,label\n" + " \n" * 101)
    with pytest.raises(DataError) as found:
        read_questions(path)
    assert found.value.code == "data.too_many_rows"


# -- the reading process itself ----------------------------------------------------------------------------


@_ON_LINUX
def test_what_takes_all_memory_is_told_and_the_reader_goes_on() -> None:
    with pytest.raises(DataError) as found:
        read_apart("builtins:bytearray", "huge.csv", 2 * MOST_MEMORY_MB * 1_000_000)
    assert found.value.code == "data.reading_too_much"
    assert "huge.csv" in explain(found.value.problems[0])
    assert read_apart("builtins:len", "small.csv", "abc") == 3


def test_a_reader_that_crashes_is_told_and_followed_by_another() -> None:
    with pytest.raises(DataError) as found:
        read_apart("os:_exit", "odd.csv", 3)
    assert found.value.code == "data.reading_too_much"
    assert read_apart("builtins:len", "small.csv", "abc") == 3


def test_a_reader_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    read_apart("builtins:len", "small.csv", "abc")
    monkeypatch.setattr(reading, "MOST_SECONDS", 0.1)
    with pytest.raises(DataError) as found:
        read_apart("signal:pause", "endless.csv")
    assert found.value.code == "data.reading_too_much"


def test_what_is_printed_on_the_way_is_no_answer(capfd: pytest.CaptureFixture[str]) -> None:
    reading._PROCESS.end()
    assert read_apart("os:write", "", 1, b"a word of a library") == 19
    reading._PROCESS.end()
    assert "a word of a library" in capfd.readouterr().err


def test_the_reader_ends_with_the_server() -> None:
    read_apart("builtins:len", "", "")
    process = reading._PROCESS._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(30) == 0


@_ON_LINUX
def test_memory_is_limited_where_a_file_is_read_and_not_afterwards() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    with within_memory("a.csv"):
        assert resource.getrlimit(resource.RLIMIT_DATA) != before
    with pytest.raises(DataError) as found, within_memory("a.csv"):
        bytearray(2 * limits.MOST_MEMORY_MB * 1_000_000)
    assert found.value.code == "data.reading_too_much"
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_answers_are_plain_values() -> None:
    problem = Problem("data.empty_table", values={"name": "a.csv"})
    assert pickle.loads(pickle.dumps([problem])) == [problem]
