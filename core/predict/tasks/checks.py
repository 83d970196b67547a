"""What speaks against asking a model of the hub, before it is loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from core.errors import NotFoundError
from core.i18n import LANGUAGES
from core.models.catalog import get_model
from core.models.weight_files import find_local_weights, hub_snapshots
from core.predict.tasks.table import find_recommended
from core.problems import Problem
from core.registry.task_rows import InputField, Task
from core.registry.tasks import HUB_TASKS

MAX_LABEL_CHARS = 100
_INSTALL = {"diffusers": "pip install -r requirements-extras.txt"}


def is_here(model_id: str) -> bool:
    """Whether all of a model of the hub lies on this machine."""
    return any(find_local_weights(folder) for folder in hub_snapshots(model_id))


def default_model(task: Task) -> str:
    """The first recommended model that lies here, or the first."""
    return next((row.id for row in task.models if is_here(row.id)), task.models[0].id)


def published_size_mb(task: Task, model_id: str) -> float:
    """What fetching a model takes (2**20 bytes), by its card or the table; 0 where neither says."""
    with suppress(NotFoundError):
        if size := get_model(model_id).size_mb:
            return size
    advised = find_recommended(task, model_id)
    return advised.size_mb if advised else 0.0


def not_here(task: Task, model_id: str) -> Problem:
    """That a model's weights are not here, or only a part of them, what getting them takes and how."""
    if any((folder / "config.json").is_file() for folder in hub_snapshots(model_id)):
        return Problem("ask.incomplete", field="model", values={"id": model_id})
    size = published_size_mb(task, model_id) * 2**20
    words = f"{size / 1e9:.1f} GB" if size > 995e6 else f"{size / 1e6:.0f} MB"
    return Problem("ask.not_local", field="model", values={"id": model_id, "size": words})


# -- what speaks against asking ----------------------------------------------------------------------------


def check_needs(task: Task, model_id: str) -> list[Problem]:
    """That a package is absent without which no model of a task answers, or this one does not."""
    advised = find_recommended(task, model_id)
    return check_package(HUB_TASKS[task.hub].library) or check_package(advised.extra if advised else "")


def check_package(package: str) -> list[Problem]:
    """That a package a task or model needs is not installed, with the line that installs it."""
    if not package or importlib.util.find_spec(package) is not None:
        return []
    install = _INSTALL.get(package, f"pip install {package}")
    return [Problem("ask.needs_package", field="model", values={"package": package, "install": install})]


def check_inputs(task: Task, values: Mapping[str, object]) -> list[Problem]:
    """What speaks against asking a task so: missing or too long inputs, unknown names, options out of range."""
    problems: list[Problem] = []
    known = [*(entry.name for entry in task.inputs), *(option.name for option in task.options)]
    for name in values:
        if name not in known:
            values_ = {"name": name, "task": task.id, "known": ", ".join(known)}
            problems.append(Problem("ask.unknown_input", field=name, values=values_))
    for entry in task.inputs:
        problems += _check_input(entry, values.get(entry.name))
    for option in task.options:
        value = values.get(option.name, option.default)
        if isinstance(option.default, bool):
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not option.least <= value <= option.most:
            range_ = {
                "name": option.name,
                "received": str(value)[:40],
                "least": option.least,
                "most": option.most,
            }
            problems.append(Problem("ask.option_range", field=option.name, values=range_))
    return problems


def _check_input(entry: InputField, value: Any) -> list[Problem]:
    missing = Problem("ask.input_missing", field=entry.name, values={"name": entry.name})
    if entry.kind in ("picture", "sound"):
        return [missing] if value is None else []
    if entry.kind == "labels":
        return _check_labels(entry, list(value or []))
    text = str(value or "").strip()
    if not text:
        return [missing]
    if len(text) > entry.most:
        values = {"name": entry.name, "n": len(text), "limit": entry.most}
        return [Problem("ask.text_too_long", field=entry.name, values=values)]
    return []


def _check_labels(entry: InputField, labels: list[Any]) -> list[Problem]:
    texts = [str(label).strip() for label in labels]
    if len(texts) != len(set(texts)) or "" in texts:
        return [Problem("ask.labels_alike", field=entry.name)]
    if not entry.least <= len(texts) <= entry.most:
        values = {"n": len(texts), "least": entry.least, "limit": entry.most}
        return [Problem("ask.labels_number", field=entry.name, values=values)]
    longest = max(texts, key=len)
    if len(longest) > MAX_LABEL_CHARS:
        long = {"label": longest[:20], "n": len(longest), "limit": MAX_LABEL_CHARS}
        return [Problem("ask.label_too_long", field=entry.name, values=long)]
    return []


def split_labels(text: str) -> list[str]:
    """Labels as they are typed: separated by commas of either script, or lines; each once."""
    signs = "".join(language.label_signs for language in LANGUAGES.values())
    for sign in f"{signs}\n":
        text = text.replace(sign, ",")
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
