"""The form of an optimization: what becomes smaller, on which data, in which ways; what it costs, and the start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st

from core.errors import GraftError
from core.i18n import Translator
from core.messages import explain
from core.models.card import ModelCard
from core.optimize.checks import check_pass
from core.optimize.estimate import estimate_optimize
from core.optimize.spec import OptimizeSpec
from core.optimize.variants import variants_of
from core.problems import Problem
from core.registry.passes import PASSES, Pass, name_of
from core.runs.kinds import check_spec
from core.spec import parse_spec
from core.store import open_store
from pages.ui import forms, parts, pickers, start, state
from pages.ui.cached import models as cached_models

KEY = "opt"


def choose() -> None:
    """The form, and beside it what it will cost."""
    _ = state.words()
    form = forms.Form(KEY)
    left, right = st.columns([2, 3], gap="large")
    with left:
        card = _pick_model(form, _)
        if card is None:
            return
        form.task = card.task
        pickers.pick_data(form)
        if card.source != "run":
            st.caption(
                _("Where the classes of the data are not those of the model, agreement with the original is measured.")
            )
        _pick_passes(form, card, _)
        _offer_models(form, card, _)
        empty = {
            "test_size": _("what a minute allows"),
            "train_size": _("all"),
            "lr": _("what suits the pass"),
            "teacher": _("the original itself"),
            "student": _("every second layer") if card.is_text else _("choose a smaller network"),
        }
        forms.draw_fields(OptimizeSpec, form, skip=("model", "data", "passes"), placeholders=empty)
    with right:
        _offer(form, _)


# -- what becomes smaller ----------------------------------------------------------------------------------


def _can_shrink(card: ModelCard, is_local: bool) -> bool:
    return bool(card.num_classes) and is_local and card.is_trainable


def _pick_model(form: forms.Form, _: Translator) -> ModelCard | None:
    """A model with a classifier of its own that is here: one's own runs first."""
    fitting = [card for card, is_local in cached_models.models() if _can_shrink(card, is_local)]
    if not fitting:
        with parts.empty(
            _("No model to make smaller yet"),
            _("Fine-tune one first: handwritten digits come with Graft."),
            icon=":material/speed:",
            key="no_models",
        ):
            parts.link("finetune", _("Fine-tune on digits"), ":material/model_training:", data="builtin/digits")
        return None
    wanted = state.recall(f"{KEY}_model")
    if wanted not in {card.id for card in fitting}:
        if wanted:  # sent along by another page, or deleted meanwhile
            parts.show_problems([Problem("model.no_classifier", values={"id": wanted})])
        state.remember(f"{KEY}_model", fitting[0].id)
    help_ = _("What is to become smaller: a model with classes of its own, your runs first.")
    card = pickers.pick_model(form, asks_weights=False, suits=_can_shrink, help_=help_)
    if card is not None:
        _follow_model(card)
    return card


def _follow_model(card: ModelCard) -> None:
    """A run that is chosen brings its data along, once: another choice of data stays."""
    if state.recall(f"{KEY}_data_of") == card.id:
        return
    state.remember(f"{KEY}_data_of", card.id)
    if card.source != "run":
        return
    data = open_store().get_run(card.id.partition("/")[2]).spec.get("data") or {}
    if data.get("id"):
        columns = {name: data[name] for name in ("text_column", "label_column") if data.get(name)}
        state.remember(f"{KEY}_data_columns", {data["id"]: columns})
        state.remember(f"{KEY}_data", data["id"])


def _offer_models(form: forms.Form, card: ModelCard, _: Translator) -> None:
    """The networks that may teach or learn: of the same kind, the smaller ones as students."""
    others = [other for other, is_local in cached_models.models() if is_local and other.is_trainable]
    others = [other for other in others if other.task == card.task]
    lines = {other.id: pickers.model_line(other, True, _) for other in others}
    small = {other.id for other in others if other.parameters < card.parameters}
    form.options["student"] = {model_id: line for model_id, line in lines.items() if model_id in small}
    teachers = {other.id for other in others if other.num_classes == card.num_classes}
    form.options["teacher"] = {model_id: line for model_id, line in lines.items() if model_id in teachers - {card.id}}


# -- ways to try -------------------------------------------------------------------------------------------


def _pick_passes(form: forms.Form, card: ModelCard, _: Translator) -> None:
    """Every way as a box to tick, by what it takes; what cannot be done here is greyed with the reason."""
    info = OptimizeSpec.model_fields["passes"]
    st.markdown(f"**{_(str(info.title))}**", help=_(str(info.description)))
    device = state.recall(f"{KEY}_device") or "cpu"
    problems = {row.id: check_pass(row.id, card, device) for row in PASSES.values()}
    quick = [row for row in PASSES.values() if row.is_usual]
    learning = [row for row in PASSES.values() if row.learns]
    others = [row for row in PASSES.values() if row not in quick and row not in learning]
    ready = sum(not _refusals(problems[row.id]) for row in others)
    chosen = _boxes(quick, problems, _)
    with st.expander(_("With training (minutes to hours)"), key=f"{KEY}_learning", icon=":material/model_training:"):
        chosen += _boxes(learning, problems, _)
    label = _("Other runtimes ({ready} of {n} ready here)", ready=ready, n=len(others))
    with st.expander(label, key=f"{KEY}_runtimes", icon=":material/memory:"):
        chosen += _boxes(others, problems, _)
    form.values["passes"] = [name for name in PASSES if name in chosen]
    form.slots["passes"] = st.container(key=f"{KEY}_passes_problems")


def _refusals(problems: Iterable[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity == "error"]


def _boxes(rows: Iterable[Pass], problems: Mapping[str, list[Problem]], _: Translator) -> list[str]:
    """A box for each row, with what is to be said of it below; returns the names of those that are ticked."""
    return [row.id for row in rows if _box(row, problems[row.id], _)]


def _box(row: Pass, problems: list[Problem], _: Translator) -> bool:
    refused = _refusals(problems)
    with st.container(gap="xxsmall", key=f"{KEY}_way_{row.id}"):
        if refused:  # a box of its own: what was ticked for another model stays so there
            key = f"{KEY}_refused_{row.id}"
            st.checkbox(_(row.label), key=key, help=_(row.help), disabled=True, persist_state="session")
            is_on = False
        else:
            key = f"{KEY}_pass_{row.id}"
            is_on = st.checkbox(_(row.label), value=row.is_usual, key=key, help=_(row.help), persist_state="session")
        for problem in refused or (problems if is_on else []):
            st.caption(f"{':material/block:' if refused else ':material/warning:'} {explain(problem, _)}")
    return is_on


# -- the start ---------------------------------------------------------------------------------------------


def _offer(form: forms.Form, _: Translator) -> None:
    """Estimate, variants, problems, the one button and the command line, for what is in the form now."""
    try:
        spec = spec_of(form)
        problems = _of_the_form(check_spec(spec)) if spec else []
    except GraftError as error:
        spec, problems = None, list(error.problems)
    problems += start.look_into(form)
    if not form.values["passes"] and not any(problem.field == "passes" for problem in problems):
        problems.append(Problem("form.no_method", field="passes"))
    form.tell(problems)
    is_blocked = spec is None or any(problem.severity == "error" for problem in problems)
    st.header(_("What it will cost here"), anchor=False)
    if spec and spec.passes:
        start.show_estimate([estimate_optimize(spec)])
        _show_variants(spec, _)
    else:
        st.caption(_("Known when model, data and ways are chosen."))
    parts.show_problems(problem for problem in problems if problem.field not in form.slots)
    if start.offer_start(KEY, _("Start optimizing"), [spec] if spec else [], is_blocked=is_blocked):
        assert spec is not None
        start.start_one(KEY, spec)


def _of_the_form(problems: Iterable[Problem]) -> list[Problem]:
    """What the boxes have not said already: their warnings stand beside them."""
    return [p for p in problems if not (p.field == "passes" and p.severity == "warning")]


def spec_of(form: forms.Form) -> OptimizeSpec | None:
    """What the form asks for, None while there is no data. Raises `InputError` when something is wrong."""
    values: dict[str, Any] = {name: value for name, value in form.values.items() if value is not None}
    return parse_spec(OptimizeSpec, values) if values.get("data") else None


def _show_variants(spec: OptimizeSpec, _: Translator) -> None:
    """Which variants there will be, in words."""
    variants = variants_of(spec.passes, combine=spec.combine)
    counted = _.plural("{n} variant", "{n} variants", len(variants))
    names = _(", ").join(name_of("+".join(variant.passes), _) for variant in variants)
    st.markdown(_("**{n}**, measured beside the original: {names}.", n=counted, names=names))
