"""The fences of the house: who may import whom, where things live, and that every code has its sentence."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from core import files, transfer
from core.data import cache as cache_of_data
from core.data import library
from core.kinds import KINDS
from core.messages import PHASES, SENTENCES, STANDING
from core.settings import SETTINGS
from core.specs import metadata

ROOT = Path(__file__).resolve().parents[2]
CORE = sorted((ROOT / "core").rglob("*.py"))
PAGES = sorted((ROOT / "pages").rglob("*.py"))
HOUSE = [*CORE, *PAGES, ROOT / "app.py"]
BENCH = sorted((ROOT / "bench").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# Every module of core stands in exactly one of these rooms; a new one is put where it belongs.
LIGHT = {
    "core",
    "core.files",
    *(f"core.{name}" for name in ("errors", "events", "messages", "i18n", "settings", "specs", "options", "store")),
    *(f"core.{name}" for name in ("catalog", "hardware", "figures", "curves", "clock", "estimate", "evaluate")),
    *(f"core.{name}" for name in ("size_figures", "size_report")),
    *(f"core.{name}" for name in ("grid", "spec_checks", "siblings", "export", "runs", "jobs", "reporter", "answers")),
    *(f"core.{name}" for name in ("size_law", "findings", "conclusions", "outcome", "pareto", "bundle", "model_card")),
    *(f"core.{name}" for name in ("fields", "optimize_spec", "optimize_messages", "verdicts", "plane")),
    *(f"core.{name}" for name in ("values", "compare_messages", "compare_records")),
    *(
        f"core.{name}"
        for name in ("model_specs", "recipe", "run_names", "catalog_search", "families", "family_texts", "measured")
    ),
    *(f"core.{name}" for name in ("other_tasks", "library_messages", "anatomy")),
    *(f"core.{name}" for name in ("ask_records", "ask_messages", "catalog_local", "hubs", "getting_messages")),
    "core.locales",
    "core.locales.texts",
    "core.finetune",
    "core.finetune.records",
    "core.inspection_records",
    "core.measurement_records",
}
LIGHT |= {_module(path) for path in CORE if path.is_relative_to(ROOT / "core" / "registry")}
DATA = {f"core.data{name}" for name in ("", ".cache", ".checks", ".cifar", ".classes", ".facts", ".folders", ".hub")}
DATA |= {f"core.data.{name}" for name in ("images", "library", "parquet", "pictures", "report", "sources", "splits")}
DATA |= {"core.transfer", "core.download", "core.local_weights", "core.run_archive"}
DATA |= {"core.hub_search", "core.data.drawn", "core.data.sounds", "core.data.readers", "core.data.readers.builtin"}
DATA |= {
    "core.data.albums",
    "core.data.questions",
    "core.data.tables",
    "core.data.texts",
    "core.data.tokens",
    "core.data.zips",
}
HEAVY = {
    *(f"core.{name}" for name in ("tasks", "encoders", "embeddings", "tokenized", "lora", "baseline")),
    *(f"core.{name}" for name in ("catalog_texts", "catalog_timm", "catalog_hub", "inspection", "measurement")),
    *(f"core.{name}" for name in ("piping", "asked_network", "answering_texts", "answering_media")),
    *(f"core.{name}" for name in ("blueprints", "memory_model", "shapes")),
    *(f"core.{name}" for name in ("answering", "sentiment", "sentiment.characters", "sentiment.encoder")),
    *(
        f"core.{name}"
        for name in ("batches", "engine", "prefix", "learner", "checkpoints", "loop", "train", "cells", "compare")
    ),
    *(
        f"core.{name}"
        for name in ("predict", "models", "stages", "weights", "catalog_snapshot", "doctor", "saliency", "asked")
    ),
    *(f"core.{name}" for name in ("stages_timm", "heads_timm", "sizes_timm")),
}
LIGHT |= {f"core.optimize.{name}" for name in ("checks", "rows", "variants")}
HEAVY |= {
    _module(path) for path in CORE if path.parent.relative_to(ROOT).parts[1:2] in (("optimize",), ("networks",))
} - LIGHT
# Scripts that travel with a model: nothing of the house imports them, and they import nothing of it.
TRAVELLERS = {f"core.bundles.{path.stem}" for path in CORE if path.parent.name == "bundles"}
# The only rooms where spine and heavy meet.
DOORS = {"core.worker", "core.kinds", "core.__main__", "core.asking_commands", "core.model_commands"}
# The one that everybody may ask: it opens nothing until a run begins.
TABLE_OF_KINDS = {"core.kinds"}

TORCH_FAMILY = {"torch", "torchvision", "transformers", "timm", "accelerate", "safetensors", "lightning"}
TORCH_FAMILY |= {"torch_pruning"}
TORCH_FAMILY |= {"onnxruntime", "openvino", "nncf", "litert_torch", "ai_edge_litert", "executorch", "tensorrt"}
LIGHT_PACKAGES = {"babel", "numpy", "pandas", "platformdirs", "plotly", "psutil", "pydantic", "scipy", "sqlalchemy"} | {
    "rjieba"
}
DATA_PACKAGES = {"PIL", "datasets", "filelock", "huggingface_hub", "numpy", "pillow_heif", "pyarrow", "pydantic"}
DATA_PACKAGES |= {"openpyxl", "scipy", "sklearn", "tokenizers"}
PAGE_PACKAGES = {"numpy", "pandas", "pydantic", "streamlit"}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


MODULES = {_module(path): path for path in HOUSE}


def _names(node: ast.AST) -> list[str]:
    """The modules an import statement imports, as far as a name from one of our packages is a module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute here"
        module = node.module or ""
        inner = [f"{module}.{alias.name}" for alias in node.names]
        return [name for name in inner if name in MODULES] or [module]
    return []


def _for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _walk(node: ast.AST, *, into_functions: bool) -> Iterator[ast.AST]:
    """Every node below, without what only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if _for_types_only(child):
            continue
        if not into_functions and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield child
        yield from _walk(child, into_functions=into_functions)


@cache
def _imports(module: str, *, lazy: bool = True) -> frozenset[str]:
    """What a module imports; `lazy` counts what its functions import when called."""
    nodes = _walk(_tree(MODULES[module]), into_functions=lazy)
    return frozenset(name for node in nodes for name in _names(node))


def _ours(names: frozenset[str]) -> set[str]:
    return {name for name in names if name.partition(".")[0] in {"core", "pages", "app", "bench", "tests"}}


def _foreign(names: frozenset[str]) -> set[str]:
    packages = {name.partition(".")[0] for name in names - _ours(names)}
    return packages - sys.stdlib_module_names


def test_every_module_of_core_has_a_room() -> None:
    rooms = LIGHT | DATA | HEAVY | DOORS
    assert len(rooms) == len(LIGHT) + len(DATA) + len(HEAVY) + len(DOORS), "a module stands in two rooms"
    found = {name for name in MODULES if name.partition(".")[0] == "core"}
    assert found - TRAVELLERS == rooms


@pytest.mark.parametrize("module", sorted(TRAVELLERS))
def test_travelling_scripts_need_nothing_but_what_their_requirements_name(module: str) -> None:
    assert not _ours(_imports(module))
    assert _foreign(_imports(module)) <= {"numpy", "PIL", "tokenizers", "onnxruntime", "torch", "openvino"}
    assert not _foreign(_imports(module, lazy=False)) & {"onnxruntime", "torch", "openvino"}
    assert not [name for name in MODULES if name not in TRAVELLERS and _imports(name) & TRAVELLERS]


@pytest.mark.parametrize("module", sorted(LIGHT))
def test_light_rooms_import_only_light_ones(module: str) -> None:
    names = _imports(module)
    assert _foreign(names) <= LIGHT_PACKAGES
    assert _ours(names) <= LIGHT | TABLE_OF_KINDS


def test_the_registry_imports_no_room_so_that_every_room_may_ask_it() -> None:
    found = {name for name in MODULES if name.startswith("core.registry")}
    assert found
    for module in found:
        assert _ours(_imports(module)) <= found | {"core.i18n"}, module


@pytest.mark.parametrize("module", sorted(DATA))
def test_data_imports_no_torch_even_when_called(module: str) -> None:
    names = _imports(module)
    assert _foreign(names) <= DATA_PACKAGES
    assert _ours(names) <= DATA | TABLE_OF_KINDS | LIGHT - {"core.runs", "core.jobs", "core.reporter"}


@pytest.mark.parametrize("module", sorted(HEAVY))
def test_heavy_rooms_know_nothing_of_runs_jobs_and_pages(module: str) -> None:
    assert _ours(_imports(module)) <= HEAVY | DATA | LIGHT - {"core.runs", "core.jobs", "core.reporter"}
    assert "streamlit" not in _foreign(_imports(module))


@pytest.mark.parametrize("module", sorted(DOORS))
def test_doors_open_heavy_rooms_only_when_needed(module: str) -> None:
    at_once = _imports(module, lazy=False)
    assert not _foreign(at_once) & (TORCH_FAMILY | {"streamlit"})
    assert not _ours(at_once) & HEAVY
    assert _ours(_imports(module)) <= LIGHT | DATA | HEAVY | DOORS


def test_core_never_imports_pages_streamlit_or_the_races() -> None:
    for module in sorted(LIGHT | DATA | HEAVY | DOORS):
        names = _imports(module)
        assert "streamlit" not in _foreign(names), module
        assert {name.partition(".")[0] for name in _ours(names)} <= {"core"}, module


def test_pages_import_light_rooms_only_and_views_no_other_view() -> None:
    for module in sorted(name for name in MODULES if name.partition(".")[0] in {"pages", "app"}):
        names = _imports(module)
        assert _foreign(names) <= PAGE_PACKAGES, module
        allowed = LIGHT | TABLE_OF_KINDS | {name for name in MODULES if name.startswith("pages.ui")} - {"pages.ui"}
        if module == "pages.ui.cached":
            models = {"core.optimize.predict", "core.piping", "core.predict", "core.saliency", "core.sentiment"}
            allowed |= DATA | models
            at_once = _imports(module, lazy=False)
            assert not models & at_once, "a model is loaded when somebody asks for it"
            assert not _ours(_imports(module, lazy=False)) & DATA, "reading data waits until somebody asks for it"
        assert _ours(names) <= allowed, module


def test_nothing_of_the_house_imports_races_or_tests() -> None:
    for module in MODULES:
        assert not {name.partition(".")[0] for name in _ours(_imports(module))} & {"bench", "tests"}, module


def test_torch_stays_unloaded_when_every_light_room_and_page_is_imported() -> None:
    script = f"""
import sys
for name in {sorted(LIGHT | DATA | DOORS)!r}:
    __import__(name)
loaded = sorted({TORCH_FAMILY!r} & set(sys.modules))
assert not loaded, loaded
assert "streamlit" not in sys.modules
for name in {sorted(name for name in MODULES if name.startswith("pages.ui"))!r}:
    __import__(name)
loaded = sorted({TORCH_FAMILY!r} & set(sys.modules))
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


# -- where things live -----------------------------------------------------------------------------------


def _attributes(path: Path) -> set[str]:
    return {node.attr for node in ast.walk(_tree(path)) if isinstance(node, ast.Attribute)}


def test_caches_stand_only_in_cached() -> None:
    for path in HOUSE:
        if path != ROOT / "pages" / "ui" / "cached.py":
            assert not _attributes(path) & {"cache_data", "cache_resource"}, path


def test_session_and_address_are_reached_only_through_state() -> None:
    for path in HOUSE:
        if path != ROOT / "pages" / "ui" / "state.py":
            assert not _attributes(path) & {"session_state", "query_params"}, path


def test_no_script_lies_directly_in_pages() -> None:
    """Streamlit would treat it as a page of the old kind and open it without the frame."""
    assert [path.name for path in (ROOT / "pages").glob("*.py")] == ["__init__.py"]


def test_files_stay_short_and_say_what_they_are() -> None:
    for path in [*HOUSE, *BENCH, *TESTS]:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        limit = 150 if path.parent == ROOT / "pages" / "views" else 500
        assert lines <= limit, f"{path} has {lines} lines"
        assert not re.search(r"util|helper|manager", path.stem), path
        if path.name != "__init__.py":
            assert ast.get_docstring(_tree(path)), f"{path} does not say what it is"


def test_only_settings_reads_settings_of_graft_from_the_environment() -> None:
    for path in HOUSE:
        if path == ROOT / "core" / "settings.py":
            continue
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
                is_environ = isinstance(node.func.value, ast.Attribute) and node.func.value.attr == "environ"
                named = node.args and isinstance(node.args[0], ast.Constant) and str(node.args[0].value)
                assert not (is_environ and named and named.startswith("GRAFT_")), path


def test_no_module_of_core_speaks_to_a_librarys_logging_when_it_is_imported() -> None:
    """It would change the whole process for whoever imports it: said where work with the library begins."""
    calls = {"disable_progress_bar", "enable_progress_bar", "set_verbosity", "set_verbosity_error", "basicConfig"}
    for path in CORE:
        at_import = [node for node in _tree(path).body if isinstance(node, ast.Expr)]
        named = {part.attr for node in at_import for part in ast.walk(node) if isinstance(part, ast.Attribute)}
        assert not named & calls, path


def test_only_files_moves_a_file_into_its_place_and_sums_it() -> None:
    """`core.files` gives what is being written a name of its own: two writers of one name spoil each other's file."""
    # What comes over the network goes on under its own name, under a lock; what leaves the cache is moved out of sight;
    # what an upload is called is known when it was looked through.
    moving = {Path(str(module.__file__)) for module in (files, transfer, cache_of_data, library)}
    for path in HOUSE:
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                # A text's `replace` takes two texts, a dataclass's and a table's take names.
                is_move = node.func.attr in ("replace", "rename") and len(node.args) == 1 and not node.keywords
                assert path in moving or not is_move, f"{path}:{node.lineno}: core.files.replacing"
                is_sum = node.func.attr == "file_digest"
                assert path == Path(str(files.__file__)) or not is_sum, f"{path}:{node.lineno}: core.files.sha256"


# -- codes and sentences ---------------------------------------------------------------------------------

_RAISERS = {"Problem", "GraftError", "InputError", "DataError", "RunError", "WeightsError", "NotFoundError"}
_RAISERS |= {"StoreError"}


def _texts(node: ast.expr | None) -> Iterator[str]:
    """The texts an expression may be: a literal or a choice of literals."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)


def _calls(names: set[str], files: list[Path]) -> Iterator[tuple[Path, ast.Call]]:
    for path in files:
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Call):
                func = node.func
                name = func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""
                if name in names:
                    yield path, node


def _literals(files: list[Path]) -> set[str]:
    return {
        node.value
        for path in files
        if not path.stem.endswith("messages")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_code_that_is_raised_has_a_sentence() -> None:
    found = {
        (str(path.relative_to(ROOT)), code)
        for path, call in _calls(_RAISERS, HOUSE)
        for code in _texts(call.args[0] if call.args else None)
    }
    assert len(found) > 50, "the search finds nothing any more"
    unknown = {pair for pair in found if pair[1] not in SENTENCES}
    assert not unknown


def test_every_literal_that_looks_like_a_code_has_a_sentence() -> None:
    """Codes that reach their Problem through a variable: they stand in no call of their own."""
    rooms = {code.partition(".")[0] for code in SENTENCES}
    shape = re.compile(rf"({'|'.join(sorted(rooms))})\.[a-z][a-z0-9_]*")
    files = {".bin", ".json", ".log", ".parquet", ".safetensors", ".zip", ".onnx", ".ts", ".pt2", ".xml", ".py"}
    files |= {".pte", ".tflite", ".engine"}
    found = {text for text in _literals(HOUSE) if shape.fullmatch(text) and Path(text).suffix not in files}
    unknown = found - set(SENTENCES)
    assert not unknown


def test_no_sentence_is_unused() -> None:
    unused = set(SENTENCES) - _literals(HOUSE)
    assert not unused


def test_every_phase_has_a_word_and_every_word_a_phase() -> None:
    said = {
        text for _, call in _calls({"phase", "during"}, HOUSE) for text in _texts(call.args[0] if call.args else None)
    }
    said |= set(_phases_as_records())
    assert len(said) > 5
    assert said == set(PHASES)


def _phases_as_records() -> Iterator[str]:
    """phase = {"code": …}, as the queue writes it into a row."""
    for path in HOUSE:
        for node in ast.walk(_tree(path)):
            if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Dict):
                continue
            if any(isinstance(target, ast.Name) and target.id == "phase" for target in node.targets):
                for key, value in zip(node.value.keys, node.value.values, strict=True):
                    if "code" in _texts(key):
                        yield from _texts(value)


def test_values_of_a_problem_fill_its_sentence() -> None:
    """Where code and values stand in one call, every placeholder of the sentence is given."""
    checked = 0
    for path, call in _calls(_RAISERS, HOUSE):
        code = next(_texts(call.args[0] if call.args else None), "")
        given = {keyword.arg for keyword in call.keywords}
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if code not in SENTENCES or None in given or "problems" in given:
            continue
        if name == "Problem":
            values = next(
                (k.value for k in call.keywords if k.arg == "values"), call.args[3] if call.args[3:] else None
            )
            if values is not None and not isinstance(values, ast.Dict):
                continue  # built above the call
            given = {text for key in (values.keys if values else []) for text in _texts(key)}
        wanted = set(re.findall(r"{(\w+)", SENTENCES[code])) - set(STANDING)
        assert wanted <= given, f"{path.name}: {code} lacks {sorted(wanted - given)}"
        checked += 1
    assert checked > 30


def test_every_text_of_a_form_and_setting_is_marked_for_translation() -> None:
    """Labels, helps, units and choices reach the reader through a variable: they are marked where they stand."""
    marked = {text for _, call in _calls({"N_"}, HOUSE) for text in _texts(call.args[0] if call.args else None)}
    plain = re.compile(r"[a-z0-9%]{0,4}|CPU")  # px, fp32: the same in every language
    texts = {item.help for item in SETTINGS.values()}
    for spec in (kind.spec for kind in KINDS.values()):
        for name, field in spec.model_fields.items():
            if name in {"model", "data"}:
                continue
            facts = metadata(field)
            texts |= {field.title or name, field.description or name, facts["unit"], *(facts["choices"] or {}).values()}
    unmarked = {text for text in texts if text not in marked and not plain.fullmatch(text)}
    assert not unmarked
