"""Whatever a file unfolds to: it is read or answered with a sentence, and its reader's memory keeps to the limit."""

from __future__ import annotations

import gc
import io
import pickle
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from core.data import reading
from core.data.limits import MOST_MEMORY_MB, within_memory
from core.data.open import open_collection
from core.data.picture import decode, open_shown, open_told
from core.data.reading import read_apart
from core.data.report import describe_data
from core.data.room import room_for
from core.data.showing import MOST_MEMORY, memory_for, open_header, read_picture, to_rgb
from core.data.token_lengths import measure_tokens
from core.errors import DataError
from core.messages import explain
from core.models.catalog import get_model
from core.predict.picture_files import Squares, open_album
from core.predict.text_files import read_questions
from core.problems import Problem
from core.progress import SilentReporter
from core.spec import DataRef
from tests.fixtures.bombs import TABLES, grey_png, png, webp, with_dictionary
from tests.fixtures.pictures import codes, encoded, exif_of, pack, picture, seeing
from tests.fixtures.processes import ROOT

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


# -- pictures ----------------------------------------------------------------------------------------------


@_ON_LINUX
def test_the_largest_picture_that_is_read_keeps_to_the_limit(at_rest: float, tmp_path: Path) -> None:
    (path := tmp_path / "large.png").write_bytes(grey_png(10_000, 7900))
    square = read_apart("core.data.picture:decode", path.name, path.read_bytes(), seeing(8, 8))
    assert square.shape == (8, 8, 3)
    assert _peak_mb() < at_rest + MOST_MEMORY_MB


@pytest.mark.parametrize(
    ("data", "limit"),
    [
        (png(10_000, 10_000), "33 MP"),  # a bomb by how it is packed, though not by its size
        (png(10_001, 10_000, content=bytes(3_000_000)), "100 MP"),
        (png(10_000, 10_000, kind=0), "80 MP"),
        (webp(6000, 5000), "25 MP"),
    ],
)
def test_picture_that_takes_too_much_is_refused_by_its_header(data: bytes, limit: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as found:
        open_told(data, "large.png")
    (problem,) = found.value.problems
    assert (problem.code, problem.values["limit"]) == ("data.picture_too_large", limit)
    (path := tmp_path / "large.png").write_bytes(data)
    for read in (lambda: decode(data, seeing(8, 8)), lambda: read_picture(path, seeing(8, 8).model_dump())):  # bundles
        with pytest.raises(ValueError, match=limit):
            read()


@pytest.mark.parametrize(
    ("format", "mode", "options", "bytes_a_pixel"),
    [
        ("PNG", "RGB", {}, 4), ("PNG", "RGBA", {}, 8), ("PNG", "L", {}, 5), ("PNG", "P", {}, 5),
        ("PNG", "I;16", {}, 18), ("PNG", "RGB", {"exif": exif_of(3, b"\6\0\0\0")}, 8),
        ("WEBP", "RGB", {}, 16), ("HEIF", "RGB", {}, 8), ("AVIF", "RGB", {}, 10),
        ("JPEG", "RGB", {}, 1), ("JPEG", "RGB", {"progressive": True}, 7), ("JPEG", "CMYK", {}, 2),
    ],
)  # fmt: skip
def test_what_a_picture_takes_is_told_by_its_header(
    format: str, mode: str, options: dict[str, Any], bytes_a_pixel: int
) -> None:
    content = io.BytesIO()
    picture(size=(40, 40)).convert("L" if mode == "I;16" else mode).convert(mode).save(content, format, **options)
    assert memory_for(open_header(content.getvalue())) == 1600 * bytes_a_pixel


def test_of_an_endless_file_no_more_is_read_than_of_a_picture(tmp_path: Path) -> None:
    with (path := tmp_path / "large.png").open("wb") as file:
        file.truncate(10_000_000_000)
    with pytest.raises(ValueError, match="64 MB"):
        read_picture(path, seeing(8, 8).model_dump())
    with pytest.raises(DataError) as found:
        open_told(path)
    assert found.value.code == "data.picture_too_large"


def test_a_jpeg_that_would_take_too_much_is_decoded_at_half_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(size=(200, 100), format="JPEG")
    monkeypatch.setattr("core.data.showing.MOST_MEMORY", 60_000)
    assert open_told(content)[0].size == (100, 50)
    monkeypatch.setattr("core.data.showing.MOST_MEMORY", 80_000)
    assert open_told(content)[0].size == (200, 100)


def test_transparency_is_laid_on_white_alike_in_parts_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 20, 4), dtype=np.uint8), "RGBA")
    whole = np.asarray(to_rgb(image))
    monkeypatch.setattr("core.data.showing._BAND", 70)
    np.testing.assert_array_equal(np.asarray(to_rgb(image)), whole)


def test_bombs_among_pictures_are_left_out_and_named(tmp_path: Path) -> None:
    bomb = png(10_000, 10_000)
    files = {f"{label}/{n}.png": encoded(n) for n in range(4) for label in "ab"} | {"a/bomb.png": bomb}
    zipped = pack(tmp_path / "a.zip", files)
    rows = [(content, name[0]) for name, content in files.items()]
    table = {"image": [content for content, _ in rows], "label": [label for _, label in rows]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    for path in (zipped, tmp_path / "a.parquet"):
        found = describe_data(DataRef(id=f"path:{path}"), SilentReporter())
        assert [problem.values["n"] for problem in found.problems if problem.code == "data.too_large"] == [1]
        assert len(found.preview) == 8
    album = open_album(zipped)
    with Squares(album, get_model("bundled/efficientnet_lite0").vision) as squares:
        assert [name for name, square, _ in squares.take(0, len(album)) if square is None] == ["a/bomb.png"]


def test_few_large_pictures_are_shown_as_a_preview(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.data.report._PREVIEW_PIXELS", 1000)
    path = pack(tmp_path / "a.zip", {f"{label}/{n}.png": encoded(n) for n in range(8) for label in "ab"})
    assert len(describe_data(DataRef(id=f"path:{path}"), SilentReporter()).preview) == 1000 // (12 * 10)


def test_zip_that_asks_for_a_huge_dictionary_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", ["a/1.png", "b/1.png"], compression=zipfile.ZIP_LZMA)
    assert len(open_collection(DataRef(id=f"path:{path}"))) == 2
    with_dictionary(path, 0xFFFFFFFF)
    with pytest.raises(DataError) as found:
        open_collection(DataRef(id=f"path:{path}"))
    assert codes(found.value.problems) == {"data.zip_packing"}


def test_room_for_large_pictures_is_given_one_after_another() -> None:
    entered, beside = threading.Event(), threading.Event()

    def enter() -> None:
        entered.set()
        with room_for(MOST_MEMORY):
            beside.set()

    with room_for(MOST_MEMORY // 2), room_for(MOST_MEMORY // 2):
        thread = threading.Thread(target=enter)
        thread.start()
        entered.wait()
        assert not beside.wait(0.05)
    thread.join()
    assert beside.is_set()


# -- rows --------------------------------------------------------------------------------------------------


def test_rows_that_hold_nothing_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.data.table_rows.MAX_ROWS", 100)
    (path := tmp_path / "a.csv").write_text("text,label\n" + " \n" * 101)
    with pytest.raises(DataError) as found:
        read_questions(path)
    assert found.value.code == "data.too_many_rows"


def test_very_long_texts_are_measured_by_few_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    short = [f"{'word ' * n}end" for n in range(1, 200)]
    whole = measure_tokens(short)
    assert whole is not None
    assert (whole.lengths[0], whole.lengths[-1]) == (4, 202)
    monkeypatch.setattr("core.data.token_lengths._ENOUGH_CHARS", 1000)
    few = measure_tokens(short)
    assert few is not None
    assert few.lengths[-1] == 35  # of the first 32


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
        raise MemoryError
    assert found.value.code == "data.reading_too_much"
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


@_ON_LINUX
def test_limit_is_of_what_is_taken_from_the_system() -> None:
    asks = "with within_memory('a.csv'): bytearray(2 * MOST_MEMORY_MB * 1_000_000)"
    command = f"from core.data.limits import MOST_MEMORY_MB, within_memory\n{asks}"
    # A process of its own: this one may still hold what another test has given back.
    ended = subprocess.run([sys.executable, "-c", command], cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    assert f"takes more than {MOST_MEMORY_MB} MB" in ended.stderr


def test_what_python_itself_leaves_unsaid_is_told_as_too_large_and_cycles_are_looked_for_again() -> None:
    seen = []

    def lack() -> None:
        with within_memory("a.csv"):
            seen.append(gc.isenabled())
            raise SystemError("error return without exception set")

    with pytest.raises(DataError, match="takes more than 500 MB"):
        lack()
    assert [*seen, gc.isenabled()] == [False, True]


def test_answers_are_plain_values() -> None:
    problem = Problem("data.empty_table", values={"name": "a.csv"})
    assert pickle.loads(pickle.dumps([problem])) == [problem]


def test_pages_are_handed_what_a_network_sees_and_no_larger_picture_than_they_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = encoded(3, size=(60, 40))
    whole, odd = read_apart("core.data.picture:open_shown", "a.png", content, "a.png")
    np.testing.assert_array_equal(whole, np.asarray(picture(3, (60, 40))))
    assert odd == []
    seen = seeing(16, 18)
    np.testing.assert_array_equal(
        read_apart("core.data.picture:see", "a.png", content, "a.png", seen), decode(content, seen)
    )
    monkeypatch.setattr("core.data.picture._SHOWN_PIXELS", 600)
    assert open_shown(content, "a.png")[0].shape == (20, 30, 3)
    with pytest.raises(DataError) as found:
        read_apart("core.data.picture:see", "a.png", b"no picture", "a.png", seen)
    assert found.value.code == "data.picture_unreadable"
