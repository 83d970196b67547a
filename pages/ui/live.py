"""What moves: the progress of runs, the badge of runs at work and the tab's title.

Fragments tick twice a second, more slowly for many viewers, read only what is new, and stop when the run has ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import streamlit as st

from core.data.record import read_record
from core.i18n import Translator
from core.markdown import as_text
from core.messages import explain
from core.problems import Problem
from core.runs import kinds, manage, queue
from core.runs.kinds import KINDS, TRAININGS
from core.store import ACTIVE, RESUMABLE, Run, open_store
from pages.ui import parts, state
from pages.ui import words as ui_words
from pages.ui.cached import answers as cached_answers
from pages.ui.cached import machine as cached_machine
from pages.ui.charts import draw_curves

TICK_S = 1.0
_CHANGED = ("run.data_changed", "run.file_changed")  # a run that found other data than it began with
PATIENCE_S = 8.0  # a run that has not stopped by then may be ended by force


# -- runs at work ------------------------------------------------------------------------------------------


def follow(run_ids: Sequence[str], key: str, bar: Any, show: Callable[[Run], None] | None = None) -> None:
    """Show runs at work until the last has ended; then the page is drawn anew.

    The switch that pauses goes into `bar`; `show` draws what a run alone has found so far, where it is not curves.
    """
    _ = state.words()
    is_paused = bar.toggle(_("Pause updates"), key=f"pause_{key}", help=_("The run goes on; only this page rests."))
    rest = cached_machine.tick_s(state.session_id())
    state.remember("tick_s", rest)
    st.fragment(_tick, run_every=None if is_paused else rest)(tuple(run_ids), key, show)


def _tick(run_ids: tuple[str, ...], key: str, show: Callable[[Run], None] | None) -> None:
    with parts.guarded():
        _ = state.words()
        rest, drawn = cached_machine.tick_s(state.session_id()), state.recall("tick_s", TICK_S)
        if not 0.6 < rest / drawn < 1.6:  # others came or went
            st.rerun()
        store = open_store()
        cached_machine.pump()
        runs = [store.get_run(run_id) for run_id in run_ids]
        if not any(run.is_active for run in runs):
            cached_answers.forget_models()
            st.rerun()
        for run in runs:
            _show_progress(run, _, is_alone=len(runs) == 1)
        show_warnings(*runs)
        if show is not None:
            show(runs[0])
        else:
            _show_curves(runs, key, _)
        log = _("Log")
        for run in runs:
            show_log(run, _, key=f"log_{key}_{run.id}", label=log if len(runs) == 1 else f"{log}: {run.name}")


def _show_curves(runs: Sequence[Run], key: str, _: Translator) -> None:
    has_begun = any(cached_machine.fresh_curves(run.id).curve("train/loss").last is not None for run in runs)
    if len(runs) == 1:
        _show_numbers(runs[0], _)
    if has_begun:
        draw_curves(runs, key, _)
    elif runs[0].status == "running":
        st.caption(_("Curves appear with the first training steps."))


def follow_check(run_id: str) -> None:
    """Show a data check at work, once a second; when it has ended the page is drawn anew."""
    st.fragment(_check_tick, run_every=TICK_S)(run_id)


def _check_tick(run_id: str) -> None:
    with parts.guarded():
        _ = state.words()
        store = open_store()
        queue.pump(store)
        run = store.get_run(run_id)
        if not run.is_active:
            st.rerun()
        _show_progress(run, _, is_alone=True)
        show_log(run, _, key=f"log_{run.id}", label=_("Log"))


def _show_progress(run: Run, _: Translator, *, is_alone: bool) -> None:
    with st.container(border=not is_alone, key=f"progress_{run.id}"):
        words = [ui_words.badge_text(run.status, _)]
        if not is_alone:
            words.insert(0, f"**{as_text(run.name)}**")
        if run.is_active:
            words.append(ui_words.phase_words(run, _))
        elif run.summary.get("test"):
            words.append(ui_words.accuracy_words(run.summary["test"], _))
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.markdown(" · ".join(words))
        with right:
            _stop_buttons(run, _)
        if run.status == "running":
            st.progress(run.progress or 0.0, text=_progress_words(run, _))
        elif run.status == "queued":
            st.caption(_queue_words(run, _))


def _progress_words(run: Run, _: Translator) -> str:
    words = [_.percent(run.progress or 0.0, 0)]
    if run.started_at is not None:
        words.append(_("{time} so far", time=_.duration(max(1.0, time.time() - run.started_at))))
    if run.eta_s is not None:
        words.append(_("about {time} left", time=_.duration(ui_words.rough(run.eta_s))))
    return " · ".join(words)


def _queue_words(run: Run, _: Translator) -> str:
    active = open_store().list_runs(statuses=ACTIVE)
    ahead = [other for other in active if other.device == run.device and other.created_at < run.created_at]
    if not ahead:
        return _("It begins in a moment.")
    return _.plural(
        "{n} run is before it: they run one after another.",
        "{n} runs are before it: they run one after another.",
        len(ahead),
    )


def _stop_buttons(run: Run, _: Translator) -> None:
    """Stop and keep; when the run does not listen, end it by force on the user's word."""
    if not run.is_active:
        return
    if not run.stop_requested:
        if st.button(_("Stop and keep"), key=f"stop_{run.id}", icon=":material/stop_circle:", width="stretch"):
            state.remember(f"stopped_at_{run.id}", time.time())
            queue.stop_run(run.id)
            st.rerun()
        return
    since = state.recall(f"stopped_at_{run.id}")
    if since is None:
        state.remember(f"stopped_at_{run.id}", since := time.time())
    if time.time() - since < PATIENCE_S:
        return
    help_ = _("It has not stopped yet. What the last checkpoint holds is kept.")
    if not state.recall(f"terminated_{run.id}"):
        if st.button(_("End it now"), key=f"terminate_{run.id}", help=help_, width="stretch"):
            state.remember(f"terminated_{run.id}", True)
            queue.terminate_run(run.id)
    elif st.button(_("End by force"), key=f"kill_{run.id}", help=help_, width="stretch"):
        queue.kill_run(run.id)
        st.rerun()


def _show_numbers(run: Run, _: Translator) -> None:
    buffer = cached_machine.fresh_curves(run.id)
    accuracy, loss = buffer.curve("val/accuracy"), buffer.curve("train/loss")
    rate, memory = buffer.curve("train/images_per_s").last, buffer.curve("sys/memory_mb").last
    if all(value is None for value in (accuracy.last, loss.last, rate, memory)):
        return
    best = None if accuracy.last is None else float(accuracy.y.max())
    against = None if best is None else _("best {value}", value=_.percent(best))
    first = None if loss.last is None else _("at first {value}", value=_.number(float(loss.y[0]), 3))
    parts.numbers(
        [
            (_("Validation accuracy"), "–" if best is None else _.percent(float(accuracy.y[-1])), against, None),
            (_("Training loss"), "–" if loss.last is None else _.number(loss.last, 3), first, None),
            (_("Speed"), "–" if rate is None else _("{n} examples/s", n=_.number(rate, 3)), None, None),
            (_("Memory"), "–" if memory is None else _.size(memory * 1e6), None, None),
        ]
    )


def show_warnings(*runs: Run) -> None:
    """What is to be known beside the numbers of runs, each once: of a run at work what its data showed so far."""
    told: dict[str, Problem] = {}
    for run in runs:
        record = None if "problems" in run.summary else read_record(run.folder / "artifacts")
        for kept in run.summary.get("problems") or (record["problems"] if record else []):
            told.setdefault(repr(kept), Problem.from_dict(kept))
    parts.show_problems(told.values())


def show_end(run: Run, _: Translator) -> None:
    """A run that ended before it was done: why, what can be done, what it had reached, its log."""
    show_reason(run, _)
    if cached_machine.fresh_curves(run.id).curve("train/loss").last is not None:
        draw_curves([run], f"curves_{run.id}", _)
    show_command(run, _)


def show_command(run: Run, _: Translator) -> None:
    """A run's log and the command that repeats it, folded away."""
    show_log(run, _, key=f"log_{run.id}", label=_("Log"))
    with st.expander(_("The same on the command line"), key=f"command_{run.id}", icon=":material/terminal:"):
        st.code(kinds.command_line(manage.spec_of(run)), language=None, wrap_lines=True)


def show_reason(run: Run, _: Translator) -> None:
    """Why a run ended before it was done, and whether it can go on."""
    problems = [Problem.from_dict(problem) for problem in run.error or []]
    if run.status == "stopped":  # as was asked for: nothing went wrong
        for problem in problems:
            st.info(as_text(explain(problem, _)), icon=":material/stop_circle:")
    else:
        parts.show_problems(problems)
    if run.kind == "finetune":  # others that ended early have a report, which tells more
        show_warnings(run)
    if not run.error:
        st.info(_("It was stopped before it began."), icon=":material/stop_circle:")
    elif manage.has_checkpoint(run):
        st.caption(_("A checkpoint is kept: resuming goes on from there and gives the same numbers."))


def show_ending(run: Run, _: Translator, *, is_empty: bool) -> None:
    """Why an ended run ended, where it did not end well, and its command where it kept nothing to show."""
    if run.status != "done":
        show_reason(run, _)
    elif is_empty:
        st.info(_("This run kept no result."), icon=":material/info:")
    if is_empty:
        show_command(run, _)


@contextmanager
def actions(run: Run, view: str, again: str, _: Translator) -> Iterator[Any]:
    """What can be done with a run, in one row, which is given out: a page's own go between, resuming stands last."""
    bar = st.container(horizontal=True, vertical_alignment="center", key="run_actions")
    with bar:
        if not run.is_active:
            ui_words.badge(run.status)
        parts.link(view, again, ":material/add:")
        parts.link("runs", _("Its record"), ":material/history:", run=run.id)
        yield bar
        if run.status in RESUMABLE:
            resume_button(run, _)


def resume_button(run: Run, _: Translator) -> None:
    """Go on from the checkpoint, or begin anew where there is none."""
    has_changed = any(problem["code"] in _CHANGED for problem in run.error or [])
    if has_changed:
        _repeat_button(run, _)
    goes_on = manage.has_checkpoint(run) or run.kind == "compare"  # done trainings of a comparison are never repeated
    label = _("Resume") if goes_on else _("Begin anew")
    type_: Literal["primary", "secondary"] = "secondary" if has_changed else "primary"
    if st.button(label, key=f"resume_{run.id}", icon=":material/resume:", type=type_):
        with parts.guarded():
            manage.resume_run(run.id)
            state.forget(f"stopped_at_{run.id}", f"terminated_{run.id}")
            st.rerun()


def _repeat_button(run: Run, _: Translator) -> None:
    """Begin anew with the data that is there now, as a run of its own."""
    label = _("Repeat with the data as it is now")
    if st.button(label, key=f"repeat_{run.id}", icon=":material/replay:", type="primary"):
        with parts.guarded():
            state.set_query(run=manage.repeat_run(run.id).id)
            st.rerun()


def show_log(run: Run, _: Translator, *, key: str, label: str) -> None:
    """The run's log, read only while it is open."""
    box = st.expander(label, key=key, icon=":material/terminal:", on_change="rerun")
    if box.open:
        with box:
            st.code(
                manage.read_log(run.id) or _("Nothing was written yet."), language=None, wrap_lines=True, height=320
            )


# -- the frame: badge and tab title ------------------------------------------------------------------------


def watch_runs(page_title: str) -> None:
    """Keep the queue moving, count the runs at work in the side bar and tell the end of one in the tab's title."""
    rest = max(2 * TICK_S, 2 * cached_machine.tick_s(state.session_id()))
    st.fragment(_watch, run_every=rest)(page_title)


def _watch(page_title: str) -> None:
    with parts.guarded():
        _ = state.words()
        store = open_store()
        cached_machine.pump()
        active = store.list_runs(statuses=ACTIVE)
        st.set_page_config(page_title=_tab_title(active, page_title, _))
        trainings = [run for run in active if run.kind in TRAININGS]
        if trainings:
            first = next((run for run in trainings if run.status == "running"), trainings[0])
            label = _.plural("{n} run at work", "{n} runs at work", len(trainings))
            with st.container(key="running_badge", gap="xxsmall"):
                parts.link(KINDS[first.kind].view, label, ":material/motion_play:", run=first.id)
                st.progress(first.progress or 0.0, text=ui_words.phase_words(first, _))


def _tab_title(active: Sequence[Run], page_title: str, _: Translator) -> str:
    """What runs are at, else how the last one ended while this page was open, else the page."""
    trainings = [run for run in active if run.kind in TRAININGS]
    watched: list[str] = state.recall("watched_runs", [])
    ended = [run_id for run_id in watched if run_id not in {run.id for run in active}]
    if ended:
        state.remember("ended_run", ended[-1])
    state.remember("watched_runs", [run.id for run in trainings])
    running = next((run for run in trainings if run.status == "running"), None)
    if running is not None:
        return f"{_.percent(running.progress or 0.0, 0)} · Graft"
    last = state.recall("ended_run")
    if last:
        runs = [run for run in open_store().list_runs(limit=50) if run.id == last]
        if runs:
            return f"{ui_words.status_words(runs[0].status, _)} · Graft"
    return f"{page_title} · Graft"
