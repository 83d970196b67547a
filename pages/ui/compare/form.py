"""The form of a comparison, and beside it what it will cost, what speaks against it, and the start."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import streamlit as st

from core.compare.estimate import estimate_compare, most_examples
from core.compare.grid import families, steps_for
from core.compare.spec import CompareSpec
from core.errors import GraftError
from core.hardware import best_device
from core.i18n import Translator
from core.messages import explain
from core.models.catalog import check_image_size
from core.problems import Problem
from core.registry.methods import METHODS
from core.runs.kinds import check_spec
from core.spec import parse_spec
from pages.ui import forms, parts, pickers, start, state

KEY = "cmp"
# Many trainings from scratch take long on a processor: they begin with smaller pictures than the network's own.
SMALL_PX = 96


def choose() -> None:
    """The form, and beside it what it will cost."""
    _ = state.words()
    form = forms.Form(KEY)
    left, right = st.columns([2, 3], gap="large")
    with left:
        card = pickers.pick_model(form, asks_weights=False)
        pickers.pick_data(form)
        empty = {"test_size": _("all"), "patience": _("never"), "max_length": _("what covers 95%")}
        if card:
            form.task = card.task
            if not card.has_attention:
                reason = explain(Problem("model.no_attention", values={"id": card.name}), _)
                form.unavailable["methods"] = {row.id: reason for row in METHODS.values() if row.needs_attention}
            empty["image_size"] = "" if card.is_text else str(card.vision.image_size)
            if not card.is_text and best_device() == "cpu" and not check_image_size(card, SMALL_PX):
                form.defaults["image_size"] = SMALL_PX
        form.defaults["sizes"] = _sizes_within(form)
        forms.draw_fields(CompareSpec, form, skip=("model", "data"), many=("methods",), placeholders=empty)
    with right:
        _offer(form, _)


def _offer(form: forms.Form, _: Translator) -> None:
    """Estimate, grid, problems, the one button and the command line, for what is in the form now."""
    try:
        spec = spec_of(form)
        problems = check_spec(spec) if spec else []
    except GraftError as error:
        spec, problems = None, list(error.problems)
    problems += start.look_into(form) + (_beyond(spec, _) if spec else [])
    form.tell(problems)
    is_blocked = spec is None or any(problem.severity == "error" for problem in problems)
    st.header(_("What it will cost here"), anchor=False)
    if spec and spec.sizes and spec.methods:
        start.show_estimate([estimate_compare(spec)])
        _show_grid(spec, _)
    else:
        st.caption(_("Known when model, data, methods and sizes are chosen."))
    parts.show_problems(problem for problem in problems if problem.field not in form.slots)
    if start.offer_start(KEY, _("Start comparison"), [spec] if spec else [], is_blocked=is_blocked):
        assert spec is not None
        start.start_one(KEY, spec)


def _sizes_within(form: forms.Form) -> tuple[int, ...]:
    """The usual sizes, as far as the data is known to reach."""
    usual: tuple[int, ...] = CompareSpec.model_fields["sizes"].default
    if not form.values.get("data"):
        return usual
    most = most_examples(CompareSpec.model_validate({name: form.values[name] for name in ("model", "data")}))
    return usual if most is None else tuple(size for size in usual if size <= most) or (most,)


def _beyond(spec: CompareSpec, _: Translator) -> list[Problem]:
    """Sizes that the data is known not to reach; for data nobody has read, the run tells."""
    most = most_examples(spec)
    beyond = [_.number(size) for size in spec.sizes if most is not None and size > most]
    values = {"sizes": ", ".join(beyond), "n": _.number(most or 0)}
    return [Problem("compare.size_too_large", field="sizes", values=values)] if beyond else []


def spec_of(form: forms.Form) -> CompareSpec | None:
    """What the form asks for, None while there is no data. Raises `InputError` when something is wrong."""
    values: dict[str, Any] = {name: value for name, value in form.values.items() if value is not None}
    values["sizes"] = forms.parse_sizes(values.get("sizes") or [], "sizes")
    if form.values.get("patience") is None:  # an empty field means never, which is not the default
        values["patience"] = None
    return parse_spec(CompareSpec, values) if values.get("data") else None


def _show_grid(spec: CompareSpec, _: Translator) -> None:
    """How many trainings there will be, and how long each of a size may learn."""
    curves, sizes = len(families(spec)), len(spec.sizes)
    st.markdown(
        _(
            "**{n} trainings**: {families} × {sizes} × {repeats}.",
            n=_.number(curves * sizes * spec.seeds),
            families=_.plural("{n} start", "{n} starts", curves),
            sizes=_.plural("{n} size", "{n} sizes", sizes),
            repeats=_.plural("{n} repeat", "{n} repeats", spec.seeds),
        )
    )
    rows = []
    for size in spec.sizes:
        steps = steps_for(spec, size)
        passes = math.ceil(steps / math.ceil(size / spec.batch_size))
        rows.append({"size": size, "steps": steps, "passes": passes, "trainings": curves * spec.seeds})
    number = st.column_config.NumberColumn
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key="cmp_grid",
        column_config={
            "size": number(_("Training examples"), format="localized"),
            "steps": number(
                _("Steps at most"), format="localized", help=_("The same for all starts; a training may stop earlier.")
            ),
            "passes": number(_("Passes over them"), format="localized", help=_("Epochs.")),
            "trainings": number(_("Trainings"), format="localized"),
        },
    )
