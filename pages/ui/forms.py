"""Forms drawn from what a spec says of its fields: label, help, range, choices, unit, level, when shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

from core.errors import InputError
from core.i18n import Translator
from core.problems import Problem
from core.spec import Spec, metadata
from pages.ui import parts, state

# Sizes of training sets to choose from; others can be typed.
SIZES = [50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000]


@dataclass
class Form:
    """What was filled in so far, and the place below each field where its problems are told."""

    key: str
    task: str = "image-classification"
    values: dict[str, Any] = field(default_factory=dict)
    slots: dict[str, Any] = field(default_factory=dict)
    # Choices that cannot be had now, by field: each with the reason.
    unavailable: dict[str, dict[Any, str]] = field(default_factory=dict)
    # Where this page begins with something else than the spec's default.
    defaults: dict[str, Any] = field(default_factory=dict)
    # What a field of text may be, by field: each value with its line in the list. Without it, text is typed.
    options: dict[str, dict[str, str]] = field(default_factory=dict)

    def tell(self, problems: Iterable[Problem]) -> None:
        """Show problems at their fields; what belongs to no field stays to the caller."""
        by_field: dict[str, list[Problem]] = {}
        for problem in problems:
            if problem.field in self.slots:
                by_field.setdefault(str(problem.field), []).append(problem)
        for name, of_field in by_field.items():
            with self.slots[name]:
                parts.show_problems(of_field)


def draw_fields(
    spec: type[Spec],
    form: Form,
    *,
    skip: Iterable[str] = (),
    many: Iterable[str] = (),
    placeholders: Mapping[str, str] | None = None,
) -> None:
    """Draw a spec's fields into `form`: basic ones open, expert ones folded away.

    Fields in `many` take several choices at once: their value is a list. Placeholders say what an empty
    field means.
    """
    _ = state.words()
    named = [(name, info) for name, info in spec.model_fields.items() if name not in set(skip) and info.title]
    expert = [pair for pair in named if metadata(pair[1]).get("level") == "expert"]
    for name, info in named:
        if (name, info) not in expert:
            _draw(name, info, form, _, name in set(many), (placeholders or {}).get(name, ""))
    if expert:
        with st.expander(_("More settings"), key=f"{form.key}_expert", icon=":material/tune:"):
            for name, info in expert:
                _draw(name, info, form, _, name in set(many), (placeholders or {}).get(name, ""))


def _draw(name: str, info: FieldInfo, form: Form, _: Translator, is_many: bool, placeholder: str) -> None:
    facts = metadata(info)
    if not _is_shown(facts, form) or facts.get("task") not in (None, form.task):
        return
    key = f"{form.key}_{name}"
    unit = _(str(facts.get("unit") or ""))
    label = _(info.title or name)
    if unit:
        label = _("{label} ({unit})", label=label, unit=unit)
    help_ = _(info.description or "")
    choices = facts.get("choices")
    if choices and is_many:
        form.values[name] = _draw_many(label, help_, choices, info.default, key, form.unavailable.get(name, {}))
    elif choices:
        options = list(choices)
        form.values[name] = st.selectbox(
            label,
            options,
            index=options.index(info.default),
            format_func=lambda value: _(choices[value]),
            key=key,
            help=help_,
            persist_state="session",
        )
    elif info.annotation is bool:
        form.values[name] = st.checkbox(label, value=info.default, key=key, help=help_, persist_state="session")
    elif get_origin(info.annotation) is tuple:
        form.values[name] = _draw_sizes(label, help_, form.defaults.get(name, info.default), key)
    elif str in _kinds(info):
        form.values[name] = _draw_text(label, help_, form.options.get(name), key, placeholder)
    else:
        form.values[name] = _draw_number(info, form.defaults.get(name, info.default), label, help_, key, placeholder)
    form.slots[name] = st.container(key=f"{key}_problems")


def _is_shown(facts: Mapping[str, Any], form: Form) -> bool:
    condition = facts.get("shown_when")
    if not condition:
        return True
    other, wanted = condition
    value = form.values.get(other)
    return any(part in wanted for part in (value if isinstance(value, list) else [value]))


def _draw_many(
    label: str, help_: str, choices: Mapping[Any, str], default: Any, key: str, unavailable: Mapping[Any, str]
) -> list[Any]:
    _ = state.words()
    st.markdown(f":small[{label}]", help=help_)
    return [
        value
        for value, text in choices.items()
        if st.checkbox(
            _(text),
            value=value in default if isinstance(default, tuple) else value == default,
            key=f"{key}_{value}",
            persist_state="session",
            disabled=value in unavailable,
            help=unavailable.get(value),
        )
        and value not in unavailable
    ]


def _draw_sizes(label: str, help_: str, default: tuple[int, ...], key: str) -> list[Any]:
    """Several whole numbers: chosen or typed. What was typed stays text until `parse_sizes` reads it."""
    _ = state.words()
    return st.multiselect(
        label,
        sorted({*SIZES, *default}),
        default=list(default),
        format_func=lambda size: _.number(size) if isinstance(size, int) else str(size),
        key=key,
        help=help_,
        placeholder=_("choose or type numbers"),
        accept_new_options=True,
        filter_mode="prefix",
        select_all=False,  # "20" and Enter would take 200, 2,000 and 20,000 at once
        persist_state="session",
    )


def parse_sizes(given: Iterable[Any], field: str) -> list[int]:
    """Sizes as they were chosen or typed ("2,500"). Raises `InputError` with one sentence for all that are none."""
    sizes, wrong = [], []
    for value in given:
        digits = re.sub(r"[\s,，'_]", "", str(value))
        size = int(digits) if digits.isdecimal() and len(digits) < 12 else 0
        if size >= 2:
            sizes.append(size)
        else:
            wrong.append(str(value))
    if wrong:
        raise InputError([Problem("form.bad_size", field=field, values={"received": ", ".join(wrong)})])
    return sizes


def _kinds(info: FieldInfo) -> list[Any]:
    """The types of a field's value, None left out."""
    return [kind for kind in (get_args(info.annotation) or (info.annotation,)) if kind is not type(None)]


def _draw_text(label: str, help_: str, options: Mapping[str, str] | None, key: str, placeholder: str) -> str | None:
    """A text that may be left empty: typed, or one of `options`."""
    if options is None:
        return st.text_input(label, key=key, help=help_, placeholder=placeholder, persist_state="session") or None
    if state.recall(key) is not None and state.recall(key) not in options:
        state.forget(key)
    return st.selectbox(
        label,
        list(options),
        index=None,
        format_func=options.__getitem__,
        key=key,
        help=help_,
        placeholder=placeholder,
        persist_state="session",
    )


def _draw_number(
    info: FieldInfo, value: float | int | None, label: str, help_: str, key: str, placeholder: str
) -> float | int | None:
    is_whole = int in _kinds(info) and get_origin(info.annotation) is not float
    limits: dict[str, Any] = {}
    for rule in info.metadata:
        for name, target in (("ge", "min_value"), ("gt", "min_value"), ("le", "max_value")):
            if hasattr(rule, name):
                limits[target] = int(getattr(rule, name)) if is_whole else float(getattr(rule, name))
    if value is not None and type(None) in get_args(info.annotation):
        # A field that can be emptied is empty by itself: its default is put in once.
        if state.recall(key, ...) is ...:
            state.remember(key, value)
        value = None
    fine = 0.1 if info.default is not None and info.default >= 0.3 else 0.0001
    steps: dict[str, Any] = {"step": 1} if is_whole else {"step": fine, "format": "%g"}
    return st.number_input(
        label, value=value, key=key, help=help_, placeholder=placeholder, persist_state="session", **limits, **steps
    )
