"""Paths that people give: what was meant, and why one cannot be read or written, told before any work."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from core.messages import explain
from core.paths import check_readable, check_writable, meant_path
from core.problems import Problem


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "my table.csv"
    path.write_text("text,label\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "typed",
    [
        "{}", " {} ", "'{}'", '"{}"', "“{}”", "‘{}’", "「{}」", "`{}`", ' "{}" \n', "'\"{}\"'", "file://{}",
        "FILE://{}", "\u202a{}\u202c", "\ufeff{}", "{}/", "/tmp/..{}",
    ],
)  # fmt: skip
def test_path_is_found_however_it_was_pasted(table: Path, typed: str) -> None:
    assert meant_path(typed.format(table)).samefile(table)


def test_path_is_found_with_escapes_and_from_the_home(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert meant_path(str(table).replace(" ", "\\ ")) == table
    assert meant_path(table.as_uri()) == table
    monkeypatch.setenv("HOME", str(table.parent))
    assert meant_path("~/my table.csv") == meant_path("'~/my table.csv'") == table


def test_what_lies_there_as_it_was_typed_is_meant(tmp_path: Path) -> None:
    odd = tmp_path / "'quoted' "
    odd.write_bytes(b"")
    assert meant_path(odd) == odd


def _codes(problems: list[Problem]) -> list[str]:
    assert all(explain(problem).endswith(".") and len(explain(problem)) < 600 for problem in problems)
    return [problem.code for problem in problems]


def test_what_speaks_against_reading_is_told(table: Path, tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "dead").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    assert _codes(check_readable(table)) == _codes(check_readable(tmp_path)) == []
    for path, code in (
        (tmp_path / "gone", "data.path_missing"),
        (tmp_path / "circle", "path.circle"),
        (tmp_path / "dead", "path.dead_link"),
        (tmp_path / "pipe", "path.special"),
        (Path("/dev/zero"), "path.special"),
        (table / "inside", "path.not_a_folder"),
        (tmp_path / ("a" * 3000), "path.too_long"),
        (Path("/" + "a/" * 4000), "path.too_long"),
        (Path("a\0b"), "path.no_path"),
        (Path(r"C:\Users\me\pets.csv"), "path.of_windows"),
        (Path(r"/srv/D:\pets"), "path.of_windows"),
        (Path("https://example.org/pets.csv"), "path.address"),
        (Path("~nobody-of-this-name/pets"), "data.path_missing"),
        (Path("\udcff.csv"), "data.path_missing"),
    ):
        assert _codes(check_readable(meant_path(path))) == [code], path


def test_socket_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # its name may be short only
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("s")
        assert _codes(check_readable(Path("s"))) == ["path.special"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_file_without_rights_is_told(table: Path) -> None:
    table.chmod(0)
    assert _codes(check_readable(table)) == ["path.no_rights"]


def test_place_of_a_result_is_tried_and_left_as_it_was(table: Path, tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    before = {path: path.stat().st_size for path in tmp_path.iterdir() if path.name != "circle"}
    assert _codes(check_writable(tmp_path / "new.csv")) == _codes(check_writable(table)) == []
    assert _codes(check_writable(tmp_path, may_be_folder=True)) == []
    assert _codes(check_writable(tmp_path / "a" / "b" / "new.zip", makes_folders=True)) == []
    for path, code in (
        (tmp_path, "path.out_is_folder"),
        (tmp_path / "gone" / "new.csv", "path.no_folder"),
        (table / "new.csv", "path.not_a_folder"),
        (tmp_path / ("a" * 300), "path.too_long"),
        (tmp_path / "circle", "path.circle"),
        (Path("/dev/null"), "path.special"),
        (Path("a\0b"), "path.no_path"),
    ):
        assert _codes(check_writable(path)) == [code], path
    assert _codes(check_writable(table / "a" / "new.zip", makes_folders=True)) == ["path.not_a_folder"]
    assert _codes(check_writable(table, reads=table)) == ["path.out_is_asked"]
    assert {path: path.stat().st_size for path in tmp_path.iterdir() if path.name != "circle"} == before


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="a place where nobody writes, not even root")
def test_place_where_nothing_can_be_written_is_refused() -> None:
    (problem,) = check_writable(Path("/proc/new.csv"))
    assert problem.code in ("path.no_rights", "path.read_only", "data.path_missing", "path.unusable")
