"""Between a filled form and a run: its specs, what they will cost, what speaks against them, and the start."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import streamlit as st

from core import store
from core.data.spec import ImportSpec
from core.data.token_lengths import MOST_READ, covering_length
from core.errors import GraftError, InputError
from core.finetune.estimate import EstimateReport, estimate_finetune
from core.finetune.spec import FinetuneSpec
from core.messages import explain
from core.problems import Problem
from core.registry.methods import METHODS
from core.runs import kinds, manage, submit
from core.runs.kinds import check_spec
from core.spec import Spec, parse_spec
from core.store import open_store
from pages.ui import parts, state, words
from pages.ui.cached import machine as cached_machine
from pages.ui.cached import models as cached_models
from pages.ui.forms import Form
from pages.ui.pickers import TEXT_MODEL


def take_choices(prefix: str) -> None:
    """What another page sent along in the address becomes the choice of this page's form."""
    columns = {name: state.query(name) for name in ("text_column", "label_column") if state.query(name)}
    if state.query("data"):
        state.remember(f"{prefix}_data_columns", {state.query("data"): columns})
    for name in ("model", "data"):
        if state.query(name):
            state.remember(f"{prefix}_{name}", state.query(name))
    state.set_query(model="", data="", text_column="", label_column="")


def offer(form: Form) -> None:
    """Estimate, problems, command line and the one button, for what is in the form now."""
    _ = state.words()
    try:
        specs = specs_of(form)
        problems = list({repr(problem): problem for spec in specs for problem in check_spec(spec)}.values())
    except GraftError as error:
        specs, problems = [], list(error.problems)
    problems += look_into(form)
    form.tell(problems)
    st.header(_("What it will cost here"), anchor=False)
    if specs:
        show_estimate([estimate_finetune(spec) for spec in specs])
    else:
        st.caption(_("Known when model, data and method are chosen."))
    parts.show_problems(problem for problem in problems if problem.field not in form.slots)
    is_blocked = not specs or any(problem.severity == "error" for problem in problems)
    label = _("Start training") if len(specs) < 2 else _("Start {n} trainings to compare", n=len(specs))
    if offer_start(form.key, label, specs, is_blocked=is_blocked):
        start(specs)
        st.rerun()


def offer_start(prefix: str, label: str, specs: Sequence[Spec], *, is_blocked: bool) -> bool:
    """The one primary button and, below, the same on the command line; returns whether it was pressed.

    Not by a callback: that would start what the page showed, not what was typed just before the click.
    """
    _ = state.words()
    is_pressed = st.button(
        label,
        type="primary",
        key=f"{prefix}_start",
        icon=":material/play_arrow:",
        disabled=is_blocked,
        help=_("Something is missing or wrong: see the fields.") if is_blocked else None,
    )
    if specs:
        with st.expander(_("The same on the command line"), key=f"{prefix}_command", icon=":material/terminal:"):
            for spec in specs:
                st.code(kinds.command_line(spec), language=None, wrap_lines=True)
    return is_pressed


def start_one(prefix: str, spec: Spec) -> None:
    """Put a run into the queue, once: a second click finds the page already at the run."""
    if not state.query("run"):
        try:
            state.set_query(run=submit.submit(spec).id)
        except GraftError as error:
            state.remember(f"{prefix}_refused", error.problems)
    st.rerun()


def show_refused(prefix: str) -> None:
    """What spoke against the last press of the button, once."""
    refused = state.recall(f"{prefix}_refused")
    if refused:
        parts.show_problems(refused)
        state.forget(f"{prefix}_refused")


def look_into(form: Form) -> list[Problem]:
    """What is known of the data that speaks against this model; what nobody looked into is looked into now.

    Pictures that come with Graft or from a hub need no look: they are what they were.
    """
    data = form.values.get("data")
    if not data:
        return []
    run = manage.latest_import(data)
    before = run.id if run else ""
    if run is not None and run.status == "done" and manage.is_outdated(run):
        run = None
    is_own = str(data.get("id")).startswith(("path:", "upload/"))
    looked = {**data, "after": before}
    if run is None and (form.task == "text-classification" or is_own) and state.recall("ft_looked_into") != looked:
        state.remember("ft_looked_into", looked)
        with suppress(GraftError):  # the training's own check tells what is wrong
            run = submit.submit(parse_spec(ImportSpec, {"data": data}))
    if run is None:
        return []
    if run.is_active:
        st.fragment(_wait_for, run_every=1.0)(run.id)
        return []
    report = store.read_report(run.id) if run.status == "done" else None
    if report is None:
        return [dataclasses.replace(Problem.from_dict(problem), field="data") for problem in run.error or []]
    if report.get("task") != form.task:
        code = "data.not_texts" if form.task == "text-classification" else "data.not_pictures"
        return [Problem(code, field="data", values={"id": report["name"]})]
    if "max_length" in form.slots:
        with form.slots["max_length"]:
            tell_cut(report, form.values.get("max_length"), longest_of(form))
    problems = [Problem.from_dict(problem) for problem in report["problems"]]
    is_minilm = TEXT_MODEL in model_and_base(form)
    return [problem for problem in problems if problem.code != "data.unknown_tokens" or is_minilm]


def model_and_base(form: Form) -> tuple[str, str]:
    """The id of the model that was chosen, and of the one it was made from."""
    chosen = (form.values.get("model") or {}).get("id")
    return next(((card.id, card.base) for card, _is_local in cached_models.models() if card.id == chosen), ("", ""))


def longest_of(form: Form) -> int:
    """Tokens that the chosen model takes in at most."""
    chosen = (form.values.get("model") or {}).get("id")
    card = next((card for card, _is_local in cached_models.models() if card.id == chosen), None)
    return card.reading.max_length if card and card.is_text else MOST_READ


def _wait_for(run_id: str) -> None:
    _ = state.words()
    if not open_store().get_run(run_id).is_active:
        st.rerun()
    st.caption(_("Looking into the data …"))


def specs_of(form: Form) -> list[FinetuneSpec]:
    """One spec for each method chosen, none while there is no data. Raises `InputError` when something is wrong."""
    if not form.values.get("method"):
        raise InputError([Problem("form.no_method", field="method")])
    if not form.values.get("data"):  # still being uploaded or typed: nothing is wrong yet
        return []
    values = {name: value for name, value in form.values.items() if name != "method" and value is not None}
    if not any("last_blocks" in METHODS[method].fields for method in form.values["method"]):
        values.pop("last_blocks", None)
    return [parse_spec(FinetuneSpec, {**values, "method": method}) for method in form.values["method"]]


def start(specs: list[FinetuneSpec]) -> None:
    """Put the runs into the queue, once: a second click finds the page already at the run."""
    if state.query("run") or state.query("group"):
        return
    group = submit.new_group() if len(specs) > 1 else None
    try:
        made = [submit.submit(spec, group=group) for spec in specs]
    except GraftError as error:
        state.remember("ft_refused", error.problems)
        return
    state.set_query(**({"group": group} if group else {"run": made[0].id}))


def show_estimate(estimates: list[EstimateReport]) -> None:
    """Time, memory and disk of what is about to start, and what that is known from."""
    _ = state.words()
    known = [estimate.time_s for estimate in estimates if estimate.time_s]
    longest, shortest = "–", None
    if known and len(known) == len(estimates):
        low, high = (sum(pair[i] for pair in known) for i in (0, 1))
        longest, shortest = _.duration(words.rough(high)), _("from {time}", time=_.duration(words.rough(low)))
    memory, disk = max(estimate.memory_mb for estimate in estimates), sum(estimate.disk_mb for estimate in estimates)
    free_memory, free_disk = cached_machine.machine().free_memory_mb, cached_machine.free_disk()
    parts.numbers(
        [
            (_("Time, up to"), longest, shortest, None),
            (_("Memory"), _.size(memory * 1e6), _("{size} free", size=_.size(free_memory * 1e6)), None),
            (_("Disk"), _.size(disk * 1e6), _("{size} free", size=_.size(free_disk * 1e6)), None),
        ]
    )
    basis = next((estimate.from_run for estimate in estimates if estimate.from_run), None)
    if shortest is None:
        reason = next((estimate.reason for estimate in estimates if estimate.reason), "estimate.unknown")
        st.caption(explain(Problem(reason), _))
    elif basis:
        parts.link("runs", _("Estimated from an earlier run on this machine"), ":material/speed:", run=basis)
    else:
        st.caption(_("Estimated from this machine's measured speed."))
    if any(estimate.rows is None for estimate in estimates):
        st.caption(_("This data set was not read yet: its size is assumed."))


def tell_cut(report: Mapping[str, Any], max_length: int | None, longest_read: int) -> None:
    """Before a training: how much of each text is read, and what share of the texts is longer."""
    _ = state.words()
    tokens = report.get("tokens") or {}
    lengths = tokens.get("lengths")
    if not lengths:
        return
    limit = max_length or covering_length(lengths, longest_read)
    share = sum(length > limit for length in lengths) / len(lengths)
    longest = _.number(lengths[-1])
    if max_length is None:
        sentence = _(
            "{n} tokens of each text are read, which covers {share} of the texts; "
            "the longest has {longest} tokens, as MiniLM-L6 counts.",
            n=_.number(limit),
            share=_.percent(1 - share, 0),
            longest=longest,
        )
    elif not share:
        sentence = _("No text is longer: the longest has {longest} tokens, as MiniLM-L6 counts.", longest=longest)
    else:
        sentence = _(
            "{share} of the texts are longer and lose their end; "
            "the longest has {longest} tokens, as MiniLM-L6 counts.",
            share=_.percent(share, 0 if share >= 0.01 else 1),
            longest=longest,
        )
    st.caption(sentence)
