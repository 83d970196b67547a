"""The record of one run: its name, tags and note, its settings, its files, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core import recovery
from core.i18n import Translator
from core.markdown import as_code, as_text
from core.problems import Problem
from core.runs import kinds, manage, queue
from core.runs.kinds import KINDS
from core.spec import metadata
from core.store import RESUMABLE, Run, open_store
from pages.ui import live, parts, state, words
from pages.ui.cached import answers as cached_answers
from pages.ui.cached import machine as cached_machine
from pages.ui.charts import draw_curves
from pages.ui.finetune import results as finetune_results


def show_record(run: Run) -> None:
    """Everything that is kept of a run."""
    _ = state.words()
    parts.head(run.name, _("The record of one run: {id}", id=run.id))
    _actions(run, _)
    parts.show_problems(Problem.from_dict(problem) for problem in run.error or [])
    live.show_warnings(run)
    left, right = st.columns([2, 3], gap="large")
    with left:
        _edit(run, _)
    with right:
        st.header(_("Settings"), anchor=False)
        parts.facts(list(settings_of(run, _).items()), key="record_settings")
        if run.parent:
            parts.link("runs", _("Made from run {id}", id=run.parent), ":material/account_tree:", run=run.parent)
        st.code(kinds.command_line(manage.spec_of(run)), language=None, wrap_lines=True)
    if run.kind == "finetune" and cached_machine.fresh_curves(run.id).curve("train/loss").last is not None:
        draw_curves([run], f"record_{run.id}", _)
    _files(run, _)
    live.show_log(run, _, key=f"log_{run.id}", label=_("Log"))


def tell_set_aside() -> None:
    """That the record of all runs was damaged, as long as the damaged file is kept."""
    parts.show_problems(recovery.told(open_store().path))


def settings_of(run: Run, _: Translator) -> dict[str, str]:
    """A run's settings by their labels, choices in words; what was left empty is left out."""
    settings: dict[str, str] = {}
    for name, info in KINDS[run.kind].spec.model_fields.items():
        value = run.spec.get(name)
        if value is None:
            continue
        if name == "model" and isinstance(value, str):
            settings[_("Model")] = value
        elif name == "model":
            settings[_("Model")] = value["id"] + (f" ({_('Random weights')})" if value["weights"] == "random" else "")
        elif name == "data":
            settings[_("Data")] = value["id"]
        else:
            facts = metadata(info)
            condition = facts.get("shown_when")
            if condition and not _is_any_of(run.spec.get(condition[0]), condition[1]):
                continue
            choices = facts.get("choices") or {}
            several = value if isinstance(value, list) else [value]
            settings[_(info.title or name)] = ", ".join(_word(one, choices, _) for one in several)
    return settings


def _is_any_of(value: Any, wanted: Sequence[Any]) -> bool:
    return any(one in wanted for one in (value if isinstance(value, list) else [value]))


def _word(value: Any, choices: Mapping[Any, str], _: Translator) -> str:
    if value in choices:
        return _(choices[value])
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return f"{value:g}" if isinstance(value, float) else str(value)


def _actions(run: Run, _: Translator) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="record_actions"):
        words.badge(run.status)
        parts.link("runs", _("All runs"), ":material/arrow_back:")
        parts.link(KINDS[run.kind].view, _("Open"), ":material/open_in_full:", run=run.id)
        if run.status in RESUMABLE:
            live.resume_button(run, _)
        if run.is_active:
            if not run.stop_requested and st.button(
                _("Stop and keep"), key="record_stop", icon=":material/stop_circle:"
            ):
                queue.stop_run(run.id)
                st.rerun()
            return
        if st.button(
            _("Repeat"),
            key="record_repeat",
            icon=":material/replay:",
            help=_("The same settings and seed again, as a new run."),
        ):
            with parts.guarded():
                again = manage.repeat_run(run.id)
                st.switch_page(words.VIEWS[KINDS[run.kind].view], query_params={"run": again.id})
        finetune_results.export_button(run, _)
        if st.button(_("Delete"), key="record_delete", icon=":material/delete:"):
            ask_delete([run.id])


def _edit(run: Run, _: Translator) -> None:
    """Name, tags and note."""
    st.header(_("Name and notes"), anchor=False)
    known = sorted({tag for other in open_store().list_runs(limit=500) for tag in other.tags})
    with st.form(f"edit_{run.id}", border=False):
        name = st.text_input(_("Name"), run.name, key=f"name_{run.id}", max_chars=200)
        tags = st.multiselect(
            _("Tags"),
            known,
            default=run.tags,
            accept_new_options=True,
            key=f"tags_{run.id}",
            placeholder=_("choose or write new ones"),
        )
        note = st.text_area(_("Note"), run.note, key=f"note_{run.id}", max_chars=10_000)
        if st.form_submit_button(_("Save"), key=f"save_{run.id}", icon=":material/save:"):
            with parts.guarded():
                manage.rename_run(run.id, name or "")
                manage.tag_run(run.id, tags)
                manage.note_run(run.id, note or "")
                state.remember("saved_run", run.id)
                st.rerun()
    if state.recall("saved_run") == run.id:
        state.forget("saved_run")
        st.caption(_("Saved."))


def _files(run: Run, _: Translator) -> None:
    artifacts = open_store().list_artifacts(run.id)
    shown = [artifact for artifact in artifacts if artifact.kind != "picture"]
    if not shown:
        return
    with st.expander(_("Files"), key=f"files_{run.id}", icon=":material/folder:"):
        st.caption(as_text(run.folder))
        table = [{"name": a.name, "size": _.size(a.bytes), "sha256": a.sha256[:12]} for a in shown]
        config = {"name": _("File"), "size": _("Size"), "sha256": "sha256"}
        st.dataframe(pd.DataFrame(table), hide_index=True, key=f"artifacts_{run.id}", column_config=config)


def ask_delete(run_ids: Sequence[str]) -> None:
    """Ask before runs are deleted, with the room they take."""
    _ = state.words()

    @st.dialog(_("Delete for good?"), icon=":material/delete:")
    def dialog() -> None:
        with parts.guarded():
            runs = [open_store().get_run(run_id) for run_id in run_ids]
            for run in runs[:10]:
                st.markdown(f"- {as_text(run.name)} {as_code(run.id)}")
            if len(runs) > 10:
                st.caption(_("and {n} more", n=len(runs) - 10))
            size = sum(manage.run_size(run_id) for run_id in run_ids)
            st.markdown(_("This frees {size}. Model, curves and results are gone then.", size=_.size(size)))
            if st.button(_("Delete"), key="delete_confirmed", type="primary", icon=":material/delete:"):
                for run_id in run_ids:
                    manage.delete_run(run_id)
                cached_answers.forget_models()
                state.forget("runs_table")
                state.set_query(run="")
                st.rerun()

    dialog()
