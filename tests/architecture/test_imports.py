"""The fences of the house, computed from its syntax trees: no circle, no light file with torch, rooms in order."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from tests.architecture.trees import (
    JOB_ROOMS,
    MODULES,
    ORDER,
    ROOT,
    TESTS,
    TORCH_FAMILY,
    circles,
    foreign,
    heavy,
    imports,
    ours,
    room_of,
    tree_of,
)

LEVELS = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
IN_CORE = sorted(name for name in MODULES if name.startswith("core."))
IN_PAGES = sorted(name for name in MODULES if name.partition(".")[0] in {"pages", "app"})
# Scripts that travel with a model: nothing of the house imports them, and they import nothing that stays here.
TRAVELLERS = sorted(name for name in MODULES if ".bundle.scripts." in name)
# The preparation of pictures and the cleaning of texts are Graft's own and go with them.
GOES_ALONG = ("core.data.showing", "core.registry.looks")
LIGHT_FILES = {"spec", "checks", "estimate", "report", "figures", "verdicts"}
LIGHT_ROOMS = {room for level in ORDER[:7] for room in level} | {"runs", "cli"}


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert circles({"a": {"b"}, "b": set(), "c": {"a", "b"}}) == []


def test_no_circle_of_modules_counting_imports_inside_functions() -> None:
    assert circles({module: imports(module) & set(MODULES) for module in MODULES}) == []


def test_no_circle_of_rooms() -> None:
    graph: dict[str, set[str]] = {room_of(module): set() for module in MODULES}
    for module in MODULES:
        graph[room_of(module)] |= {room_of(name) for name in imports(module) if name in MODULES} - {room_of(module)}
    assert circles(graph) == []


@pytest.mark.parametrize("module", IN_CORE)
def test_a_room_imports_only_from_rooms_below_it(module: str) -> None:
    room = room_of(module)
    if room in {"__main__", "locales"}:  # the command line's door; a tool for developers
        return
    assert room in LEVELS, f"{room} stands in no line of the order"
    above = {
        name
        for name in ours(imports(module))
        if room_of(name) != room and not LEVELS.get(room_of(name), len(ORDER)) < LEVELS[room]
    }
    assert not above


def test_the_registry_imports_no_room_so_that_every_room_may_ask_it() -> None:
    found = {name for name in MODULES if name.startswith("core.registry")}
    for module in found:
        assert ours(imports(module)) <= found | {"core.i18n"}, module


def test_no_light_file_reaches_torch() -> None:
    wrong = {
        module
        for module in heavy()
        if module in IN_PAGES or room_of(module) in LIGHT_ROOMS or module.rpartition(".")[2] in LIGHT_FILES
    }
    assert not wrong
    assert len(heavy()) > 50, "the search finds nothing any more"


def test_doors_to_torch_stand_where_they_are_told() -> None:
    """A light module may open a heavy one inside a function only where a person or a worker begins the work."""
    doors = {module for module in set(MODULES) - heavy() if imports(module) & heavy()}
    # Starting a run, a verb, a page's cache, opening a model file, answering a file (pictures are decoded while
    # torch is loaded) and in English (Chinese needs no torch).
    allowed = re.compile(
        r"core\.(runs\.kinds|cli\.\w+|compare\.run|measurement\.runtimes|predict\.run|predict\.sentiment\.model)"
        r"|pages\.ui\.cached\.\w+"
    )
    assert not {door for door in doors if not allowed.fullmatch(door)}


@pytest.mark.parametrize("room", JOB_ROOMS)
def test_every_job_room_has_its_files_and_names_those_with_torch(room: str) -> None:
    folder = ROOT / "core" / room
    here = {path.stem for path in folder.glob("*.py")}
    assert {"__init__", "spec", "run"} <= here
    words = ast.get_docstring(tree_of(folder / "__init__.py")) or ""
    named = re.search(r"Torch: (.*?)\.$", " ".join(words.split()))
    assert named, f"core/{room}/__init__.py does not say which files bring torch"
    prefix = f"core.{room}."
    found = {name.removeprefix(prefix) for name in heavy() if name.startswith(prefix) and name.count(".") == 2}
    assert set(named.group(1).split(", ")) == found


@pytest.mark.parametrize("module", [*TRAVELLERS, *GOES_ALONG])
def test_travelling_scripts_need_nothing_but_what_their_requirements_name(module: str) -> None:
    assert not ours(imports(module)) - set(GOES_ALONG)
    assert foreign(imports(module)) <= {"numpy", "PIL", "pillow_heif", "tokenizers", "onnxruntime", "torch", "openvino"}
    assert not foreign(imports(module, lazy=False)) & {"onnxruntime", "torch", "openvino"}
    assert not [name for name in MODULES if name not in TRAVELLERS and imports(name) & set(TRAVELLERS)]


def test_core_never_imports_pages_streamlit_or_the_races() -> None:
    for module in IN_CORE:
        assert "streamlit" not in foreign(imports(module)), module
        assert {name.partition(".")[0] for name in ours(imports(module))} <= {"core"}, module


def test_pages_import_no_worker_no_race_and_no_other_view() -> None:
    for module in IN_PAGES:
        names = ours(imports(module))
        assert not {name for name in names if name.startswith(("pages.views", "bench", "tests", "core.cli"))}, module
        assert "core.runs.worker" not in names, module
        assert not foreign(imports(module)) & TORCH_FAMILY, module


def test_pages_hand_files_to_the_reading_process() -> None:
    """The server never opens what people bring: `core.data.reading` does, in a process of its own."""
    openers = {"core.data.open", "core.data.picture", "core.data.sound", "core.data.images", "core.data.texts"}
    openers |= {name for name in MODULES if name.startswith("core.data.readers")} | {"core.predict.picture_files"}
    for module in IN_PAGES:
        assert not imports(module) & openers, module


def test_the_server_starts_before_anything_of_the_house_is_imported() -> None:
    """What caches speaks up where no server runs yet, and a newcomer's first lines would be warnings."""
    body = tree_of(MODULES["app"]).body
    door = next(place for place, node in enumerate(body) if isinstance(node, ast.If))
    before = {name for node in body[:door] if isinstance(node, ast.ImportFrom) for name in [str(node.module)]}
    after = {name for node in body[door:] if isinstance(node, ast.ImportFrom) for name in [str(node.module)]}
    assert not ours(before)
    assert "pages.ui" in ours(after)


def test_nothing_of_the_house_imports_races_or_tests() -> None:
    for module in MODULES:
        assert not {name.partition(".")[0] for name in ours(imports(module))} & {"bench", "tests"}, module


def test_no_file_imports_from_a_test() -> None:
    """What several tests need stands in `tests/fixtures` or in a `conftest.py`: a test says nothing to another."""
    is_test = re.compile(r"\btest_\w+$")
    for path in TESTS:
        for node in ast.walk(tree_of(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(f"{node.module}.{name}" for name in names)]
            wrong = [name for name in names if name.startswith("tests.") and is_test.search(name)]
            assert not wrong, f"{path} imports {wrong}"


def test_torch_and_streamlit_stay_unloaded_when_every_light_module_is_imported() -> None:
    light = sorted(set(IN_CORE) - heavy() - set(TRAVELLERS) - {"core.__main__"})
    pages = sorted(name for name in IN_PAGES if name.startswith("pages.ui"))
    script = f"""
import sys
for name in {light!r}:
    __import__(name)
assert "streamlit" not in sys.modules
for name in {pages!r}:
    __import__(name)
loaded = sorted({TORCH_FAMILY!r} & set(sys.modules))
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
