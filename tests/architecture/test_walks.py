"""`make test` leaves out no test: only values of long walks are for the night, and some of each walk are not."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

from tests.architecture.trees import ROOT, TESTS, tree_of
from tests.fixtures import walks
from tests.fixtures.walks import changed_files, is_touched, walk

GIVEN_IN = ROOT / "tests" / "fixtures" / "walks.py"


def _walks(node: ast.AST) -> list[ast.Call]:
    calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "walk"]


def test_only_walks_give_the_mark_of_the_night() -> None:
    marking = [
        path
        for path in TESTS
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr == "nightly"
    ]
    assert marking == [GIVEN_IN]


def test_a_walk_is_the_values_of_a_parametrized_test() -> None:
    """So each test that the night has more of has some by day: `walk` leaves some of its values without the mark."""
    found = 0
    for path in TESTS:
        if path in (GIVEN_IN, Path(__file__).resolve()):
            continue
        tests = [node for node in tree_of(path).body if isinstance(node, ast.FunctionDef)]
        marks = [mark for test in tests for mark in test.decorator_list if isinstance(mark, ast.Call)]
        values = [
            mark.args[1] for mark in marks if ast.unparse(mark.func) == "pytest.mark.parametrize" and len(mark.args) > 1
        ]
        assert [value for value in values if value in _walks(value)] == _walks(tree_of(path)), path
        found += len(_walks(tree_of(path)))
    assert found


def test_some_of_a_walk_are_for_the_day_and_all_where_a_change_touches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walks, "changed_files", lambda _: {"README.md"})
    a, b, c = walk("abc", by_day="b")
    assert b == "b"
    assert [(value.values, [mark.name for mark in value.marks]) for value in (a, c)] == [
        (("a",), ["nightly"]),
        (("c",), ["nightly"]),
    ]
    monkeypatch.setattr(walks, "changed_files", lambda _: {"README.md", "core/networks/build.py"})
    assert walk("abc", by_day="b") == ["a", "b", "c"]
    for few in ("", "bd"):
        with pytest.raises(ValueError, match="for the day"):
            walk("abc", by_day=few)


def test_what_the_walks_go_through_is_there() -> None:
    for name in walks.WALKED:
        assert (ROOT / name).exists(), name
        assert is_touched([f"{name}x" if name.endswith("/") else name])
    assert not is_touched(["core/store.py", "tests/core/networks/x.py"])


def test_a_change_is_what_differs_from_main_or_from_the_commit_before(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        named = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *named, *words], check=True, capture_output=True)

    def changed() -> set[str]:
        changed_files.cache_clear()
        return set(changed_files(tmp_path))

    assert changed() == set(), "no git, no change"
    git("init", "-b", "main")
    for name in ("first", "second"):
        (tmp_path / name).touch()
        git("add", name)
        git("commit", "-m", name)
    assert changed() == {"second"}
    git("checkout", "-b", "mine")
    for name in ("third", "fourth"):
        (tmp_path / name).touch()
        git("add", name)
        git("commit", "-m", name)
    (tmp_path / "fifth").touch()
    assert changed() == {"third", "fourth", "fifth"}
    changed_files.cache_clear()
