"""Where things live, how long files are, and that the map names every room."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from core import cache, files
from core.data import uploads
from core.models import file_download
from tests.architecture.trees import BENCH, CORE, HOUSE, MODULES, ROOT, TESTS, tree_of

LONGEST, LONGEST_VIEW = 400, 150
# Where JSON of the outside is read, keyword arguments of a library are gathered, or an option is not yet checked.
# Everything else that crosses a room is a record. The number may only fall.
MOST_UNTYPED = 47


def _attributes(path: Path) -> set[str]:
    return {node.attr for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute)}


def test_caches_stand_only_in_cached() -> None:
    for path in HOUSE:
        if path.parent != ROOT / "pages" / "ui" / "cached":
            assert not _attributes(path) & {"cache_data", "cache_resource"}, path


def test_session_and_address_are_reached_only_through_state() -> None:
    for path in HOUSE:
        if path != ROOT / "pages" / "ui" / "state.py":
            assert not _attributes(path) & {"session_state", "query_params"}, path


def test_the_environment_is_read_only_by_settings() -> None:
    """`os.environ` may be handed to a child, but only settings ask it for a name of Graft or of a library's folder."""
    name = re.compile(r"(GRAFT|HF|TORCH|XDG)_\w+")
    for path in HOUSE:
        if path == ROOT / "core" / "settings.py":
            continue
        for node in ast.walk(tree_of(path)):
            asked: ast.expr | None = None
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                place = ast.unparse(node.func)
                asked = node.args[0] if place in {"os.environ.get", "os.getenv", "environ.get"} else None
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
                asked = node.slice if ast.unparse(node.value) in {"os.environ", "environ"} else None
            if isinstance(asked, ast.Constant):
                assert not name.fullmatch(str(asked.value)), f"{path}: {asked.value}"


def test_processes_are_begun_where_it_is_seen_to_that_they_end() -> None:
    """`core.lifeline` begins what ends with who began it; workers outlive their server; a question has a time limit."""
    allowed = {"core/lifeline.py", "core/runs/queue.py", "core/hardware.py"}
    begins = re.compile(r"(subprocess|os)\.(run|Popen|call|check_\w+|system|spawn\w+)")
    for path in HOUSE:
        calls = {ast.unparse(node.func) for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)}
        begun = {call for call in calls if begins.fullmatch(call)}
        assert not begun or path.relative_to(ROOT).as_posix() in allowed, (path, begun)


def test_no_module_of_core_speaks_to_a_librarys_logging_when_it_is_imported() -> None:
    """It would change the whole process for whoever imports it: said where work with the library begins."""
    calls = {"disable_progress_bar", "enable_progress_bar", "set_verbosity", "set_verbosity_error", "basicConfig"}
    for path in CORE:
        at_import = [node for node in tree_of(path).body if isinstance(node, ast.Expr)]
        named = {part.attr for node in at_import for part in ast.walk(node) if isinstance(part, ast.Attribute)}
        assert not named & calls, path


def test_only_files_moves_a_file_into_its_place_and_sums_it() -> None:
    """`core.files` gives what is being written a name of its own: two writers of one name spoil each other's file."""
    # What comes over the network goes on under its own name, under a lock; what leaves the cache is moved out of sight;
    # what an upload is called is known when it was looked through.
    moving = {Path(str(module.__file__)) for module in (files, file_download, cache, uploads)}
    for path in HOUSE:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                # A text's `replace` takes two texts, a dataclass's and a table's take names.
                is_move = node.func.attr in ("replace", "rename") and len(node.args) == 1 and not node.keywords
                assert path in moving or not is_move, f"{path}:{node.lineno}: core.files.replacing"
                is_sum = node.func.attr == "file_digest"
                assert path == Path(str(files.__file__)) or not is_sum, f"{path}:{node.lineno}: core.files.sha256"


def test_no_script_lies_directly_in_pages() -> None:
    """Streamlit would treat it as a page of the old kind and open it without the frame."""
    assert [path.name for path in (ROOT / "pages").glob("*.py")] == ["__init__.py"]


def test_files_stay_short_and_say_what_they_are() -> None:
    for path in [*HOUSE, *BENCH, *TESTS]:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        limit = LONGEST_VIEW if path.parent == ROOT / "pages" / "views" else LONGEST
        assert lines <= limit, f"{path} has {lines} lines"
        assert not re.search(r"util|helper|manager", path.stem), path
        if path.name != "__init__.py" or path.is_relative_to(ROOT / "core"):
            assert ast.get_docstring(tree_of(path)), f"{path} does not say what it is"


def test_what_crosses_a_room_is_a_record() -> None:
    untyped = [
        f"{path}:{number}"
        for path in CORE
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "dict[str, Any]" in line
    ]
    assert len(untyped) <= MOST_UNTYPED, untyped


def test_rooms_export_nothing_but_their_modules() -> None:
    """A room's `__init__.py` says what the room is for: names are imported from where they stand."""
    for path in HOUSE:
        # core holds the version, messages joins its tables.
        if path.name == "__init__.py" and path.parent.name not in {"core", "messages"}:
            assert len(tree_of(path).body) <= 1, path


def test_the_map_names_every_room_and_no_other() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = text.partition("## Rooms")[2].partition("\n## ")[0]
    named = set(re.findall(r"^\| `((?:core|pages)/[\w/.]*)`", section, flags=re.MULTILINE))
    rooms = {f"core/{path.name}/" for path in (ROOT / "core").iterdir() if (path / "__init__.py").is_file()}
    rooms |= {f"core/{path.name}" for path in (ROOT / "core").glob("*.py") if not path.name.startswith("__")}
    rooms |= {"pages/views/", "pages/ui/"}
    assert named == rooms


def test_every_place_the_documents_name_is_there() -> None:
    for document in ("ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        for name in set(re.findall(r"`((?:core|pages|tests|bench|docs)/[\w/.-]+)`", text)):
            assert (ROOT / name).exists(), f"{document} names {name}"
        for name in set(re.findall(r"`(core(?:\.\w+)+)`", text)):
            known = name in MODULES or name.rpartition(".")[0] in MODULES
            assert known, f"{document} names {name}"
