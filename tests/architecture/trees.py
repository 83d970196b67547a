"""The house read as syntax trees: its modules, what each imports, and what is reached through others."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = sorted((ROOT / "core").rglob("*.py"))
PAGES = sorted((ROOT / "pages").rglob("*.py"))
HOUSE = [*CORE, *PAGES, ROOT / "app.py"]
BENCH = sorted((ROOT / "bench").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

# What computes: none of it is in memory until the work begins.
TORCH_FAMILY = {"torch", "torchvision", "transformers", "timm", "accelerate", "safetensors", "lightning"}
TORCH_FAMILY |= {"torch_pruning", "peft", "captum", "diffusers"}
TORCH_FAMILY |= {"onnxruntime", "openvino", "nncf", "litert_torch", "ai_edge_litert", "executorch", "tensorrt"}

# From the ground up: a line imports only from lines above it.
ORDER: tuple[tuple[str, ...], ...] = (
    ("evaluate", "files", "hardware", "i18n", "problems"),
    ("markdown", "paths", "registry", "settings", "values"),
    ("lifeline", "messages", "schema", "sharing"),
    ("ready",),
    ("errors", "recovery"),
    ("cache", "progress", "spec", "store", "unforeseen"),
    ("charts", "models"),
    ("data",),
    ("networks",),
    ("finetune", "inspection", "snapshot"),
    ("compare", "measurement", "predict"),
    ("optimize",),
    ("runs",),
    ("cli",),
)
JOB_ROOMS = ("finetune", "inspection", "measurement", "compare", "predict", "optimize")


def module_of(path: Path) -> str:
    """`core/data/open.py` as `core.data.open`, a folder's `__init__.py` as the folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in HOUSE}


def room_of(module: str) -> str:
    """`core.data.readers.zip` as `data`, `core.store` as `store`, `pages.ui.models.card` as `pages.ui.models`."""
    if module.startswith("core."):
        return module.split(".")[1]
    path = MODULES[module]
    parts = module.split(".")
    return ".".join(parts[:3]) if module.startswith("pages.ui.") and path.parent != ROOT / "pages" / "ui" else module


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _names(node: ast.AST) -> list[str]:
    """The modules an import statement imports, as far as a name from one of our packages is a module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute here"
        inner = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if name in MODULES else str(node.module) for name in inner]
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
def imports(module: str, *, lazy: bool = True) -> frozenset[str]:
    """What a module imports; `lazy` counts what its functions import when called."""
    nodes = _walk(tree_of(MODULES[module]), into_functions=lazy)
    return frozenset(name for node in nodes for name in _names(node)) - {module}


def ours(names: Iterable[str]) -> set[str]:
    """Those of the names that are modules of the house, the races or the tests."""
    return {name for name in names if name.partition(".")[0] in {"core", "pages", "app", "bench", "tests"}}


def foreign(names: Iterable[str]) -> set[str]:
    """The packages of others among the names."""
    return {name.partition(".")[0] for name in set(names) - ours(names)} - sys.stdlib_module_names


@cache
def heavy() -> frozenset[str]:
    """Modules that bring one of torch's family into memory as soon as they are imported, at once or through others."""
    found = {module for module in MODULES if foreign(imports(module, lazy=False)) & TORCH_FAMILY}
    while more := {m for m in set(MODULES) - found if imports(m, lazy=False) & found}:
        found |= more
    return frozenset(found)


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The groups of nodes that reach one another (Tarjan 1972: strongly connected components of more than one)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = []
            while not group or group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for node in graph:
        if node not in index:
            visit(node)
    return found
