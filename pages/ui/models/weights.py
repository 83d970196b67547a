"""A model's weights on this machine: fetching them with live progress, where they lie, deleting them."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core import settings
from core.i18n import Translator
from core.markdown import as_code
from core.messages import explain
from core.models import hubs
from core.models.card import ModelCard
from core.models.spec import DownloadSpec
from core.models.weight_files import find_weights, is_local
from core.runs import manage, queue, submit
from core.store import RESUMABLE, Run, open_store
from pages.ui import live, parts, state
from pages.ui import words as ui_words
from pages.ui.cached import answers as cached_answers
from pages.ui.cached import machine as cached_machine
from pages.ui.cached import models as cached_models

_LOOKED_BACK = 200  # downloads that a card looks through for its own


def show(card: ModelCard) -> None:
    """On a model's card: the button that fetches its weights, how far that is, or where they lie."""
    if card.source == "run":
        return
    _ = state.words()
    run = _latest(card.id)
    if run is not None and run.is_active:
        with st.container(border=True, key="getting"):
            st.fragment(_tick, run_every=live.TICK_S)(run.id)
    elif is_local(card):
        _show_place(card, _)
    else:
        _offer(card, run if run is not None and run.status in RESUMABLE else None, _)


def _latest(model_id: str) -> Run | None:
    """The newest download of a model."""
    runs = open_store().list_runs(kind="download", limit=_LOOKED_BACK)
    return next((run for run in runs if run.spec["model"] == model_id), None)


# -- fetching ----------------------------------------------------------------------------------------------


def _offer(card: ModelCard, before: Run | None, _: Translator) -> None:
    """The one button, greyed with its reason; after an attempt that failed, why, and going on from there."""
    problems = hubs.check_download(card.id)
    blocking = [explain(problem, _) for problem in problems if problem.severity == "error"]
    with st.container(border=True, key="getting"):
        if before is not None and not blocking:
            live.show_reason(before, _)
            came = _numbers(before).get("done_mb")
            if came:
                st.caption(_("{size} came already: it goes on from there.", size=_.size(came * 1e6)))
        label = _("Resume the download") if before is not None else _("Download")
        if before is None and card.size_mb:
            sizes = {"size": _.size(card.size_mb * 2**20), "free": _.size(cached_machine.free_disk() * 1e6)}
            label = _("Download ({size}, {free} free)", **sizes)
        is_pressed = st.button(
            label,
            type="primary",
            key="get_weights",
            icon=":material/download:",
            disabled=bool(blocking),
            help=blocking[0] if blocking else None,
        )
        for sentence in blocking:
            st.caption(sentence)
        if before is not None and not blocking:
            live.show_log(before, _, key=f"log_{before.id}", label=_("Log"))
    if is_pressed:
        with parts.guarded():
            if before is not None:
                manage.resume_run(before.id)
            else:
                submit.submit(DownloadSpec(model=card.id))
            st.rerun()


def _tick(run_id: str) -> None:
    """One look at a download at work."""
    with parts.guarded():
        _ = state.words()
        cached_machine.pump()
        run = open_store().get_run(run_id)
        if not run.is_active:
            cached_answers.forget_models()
            st.rerun()
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.markdown(f"{ui_words.badge_text(run.status, _)} · {_doing(run, _)}")
        with right:
            if not run.stop_requested and st.button(
                _("Stop and keep"), key=f"stop_{run.id}", icon=":material/stop_circle:", width="stretch"
            ):
                queue.stop_run(run.id)
                st.rerun()
        if run.status == "running":
            st.progress(run.progress or 0.0, text=_how_far(run, _))


def _doing(run: Run, _: Translator) -> str:
    """What a download does now; how far it is stands below, in the reader's own units."""
    phase = run.phase
    if run.status == "running" and phase and phase["code"] == "fetch" and not run.stop_requested:
        return _("Fetching {file}", file=as_code(phase["values"]["file"]))
    return ui_words.phase_words(run, _)


def _numbers(run: Run) -> dict[str, float]:
    """What a download counts while it fetches."""
    values = run.phase["values"] if run.phase else {}
    return {name: value for name, value in values.items() if not isinstance(value, str)}


def _how_far(run: Run, _: Translator) -> str:
    values = _numbers(run)
    if "done_mb" not in values:
        return _("The size is known in a moment.")
    done, total = (_.size(values[name] * 1e6) for name in ("done_mb", "total_mb"))
    words = [_("{done} of {total}", done=done, total=total)]
    if values.get("rate_mb"):
        words.append(_("{size} per second", size=_.size(values["rate_mb"] * 1e6)))
    if run.eta_s is not None:
        words.append(_("about {time} left", time=_.duration(ui_words.rough(run.eta_s))))
    return " · ".join(words)


# -- what is here ------------------------------------------------------------------------------------------


def _show_place(card: ModelCard, _: Translator) -> None:
    path = find_weights(card)
    if path is None or card.source == "bundled":
        return
    with st.container(horizontal=True, vertical_alignment="center", key="getting"):
        size, folder = _.size(path.stat().st_size), as_code(path.parent)
        st.markdown(_("Its weights take {size} in {folder}.", size=size, folder=folder))
        if st.button(_("Delete weights"), key="delete_weights", icon=":material/delete:"):
            _ask_delete(card.id)


def show_all() -> None:
    """Every model whose weights lie in the caches, with its size, to be deleted; and where new ones come from."""
    _ = state.words()
    st.header(_("Weights on this machine"), anchor=False)
    switch = hubs.offline_switch(is_hub=True)
    addresses = {"hub": hubs.hub_endpoint(), "torch": hubs.torch_endpoint()}
    servers = {name: as_code(settings.without_login(address)) for name, address in addresses.items()}
    where = _("Fetched from {hub} and {torch}.", **servers)
    if switch:
        where = _("Nothing is fetched: the offline switch is on ({switch}=1).", switch=switch)
    st.caption(where)
    freed = state.recall("weights_freed")
    if freed is not None:
        state.forget("weights_freed")
        st.info(_("{size} freed.", size=_.size(freed)), icon=":material/check_circle:")
    stored = cached_models.stored_weights()
    if not stored:
        st.caption(_("None in the caches: bundled models come as packages. A model's card fetches its weights."))
        return
    rows = [
        {
            "model": one.model,
            "size": one.bytes / 1e6,
            "state": _("whole") if one.is_whole else _("unfinished"),
            "folder": str(one.folder),
        }
        for one in stored
    ]
    event = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key="weights_table",
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "model": st.column_config.TextColumn(_("Model"), width="medium", pinned=True),
            "size": st.column_config.NumberColumn(_("Size (MB)"), format="%.1f"),
            "state": st.column_config.TextColumn(_("State")),
            "folder": st.column_config.TextColumn(_("Folder"), width="large"),
        },
    )
    st.caption(_("{size} in all.", size=_.size(sum(one.bytes for one in stored))))
    chosen = [stored[row] for row in event.selection.rows if row < len(stored)]
    with st.container(horizontal=True, key="weights_actions"):
        label, is_off = _("Delete weights"), not chosen
        help_ = _("Select a row first.") if is_off else None
        if st.button(label, key="delete_weights", icon=":material/delete:", disabled=is_off, help=help_):
            _ask_delete(chosen[0].model)
        if chosen:
            parts.link("models", _("Card"), ":material/deployed_code:", model=chosen[0].model)


def _ask_delete(model_id: str) -> None:
    """Ask before weights are deleted, with the room they take."""
    _ = state.words()

    @st.dialog(_("Delete these weights?"), icon=":material/delete:")
    def dialog() -> None:
        with parts.guarded():
            stored = next((one for one in cached_models.stored_weights() if one.model == model_id), None)
            st.markdown(as_code(model_id))
            if stored is not None:
                values = {"size": _.size(stored.bytes), "folder": as_code(stored.folder)}
                st.markdown(_("This frees {size} in {folder}, for every program that uses that cache.", **values))
            if settings.is_offline():
                st.caption(_("The offline switch is on: they cannot be fetched again while it is."))
            if st.button(_("Delete"), key="delete_weights_confirmed", type="primary", icon=":material/delete:"):
                state.remember("weights_freed", cached_answers.remove_weights(model_id))
                state.forget("weights_table")
                st.rerun()

    dialog()
