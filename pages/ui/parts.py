"""The furniture of every page: heads, states, badges, problems, numbers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st

from core.errors import GraftError, Problem
from core.figures import TEXT
from core.i18n import N_, Translator
from core.kinds import KINDS
from core.messages import explain, explain_phase
from core.pareto import limit_words
from core.registry.passes import name_of
from core.store import Run
from pages.ui import state

# status -> icon, glyph for tables and tab titles, word, colour of the theme
STATUSES: dict[str, tuple[str, str, str, Any]] = {
    "queued": (":material/schedule:", "○", N_("Queued"), "gray"),
    "running": (":material/motion_play:", "●", N_("Running"), "blue"),
    "done": (":material/check_circle:", "✓", N_("Done"), "green"),
    "failed": (":material/error:", "✕", N_("Failed"), "red"),
    "stopped": (":material/stop_circle:", "■", N_("Stopped"), "gray"),
    "interrupted": (":material/power_off:", "▲", N_("Interrupted"), "yellow"),
}
VIEWS = {
    name: f"pages/views/{name}.py"
    for name in ("home", "models", "data", "compare", "finetune", "predict", "optimize", "runs", "settings")
}


# Test ids are Streamlit's stable names; class names are not. A link to the page one is on is still a link.
_STYLE = """
[data-testid=stMainBlockContainer] { padding-top: 3.5rem; padding-bottom: 4rem; }
[data-testid=stMain] [data-testid=stPageLink-NavLink] { background: transparent; border-radius: .5rem; }
[data-testid=stMain] [data-testid=stPageLink-NavLink]:hover { background: var(--st-secondary-background-color); }
[data-testid=stMain] [data-testid=stPageLink-NavLink] p { font-weight: 500; }
[data-testid=stMain] [class*=st-key-primary_] a { background: #1B7F5C; padding: .35rem .75rem; }
[data-testid=stMain] [class*=st-key-primary_] a:hover { background: #166A4D; }
[data-testid=stMain] [class*=st-key-primary_] a * { color: #fff; }
[data-testid=stTable] :is(td, td *) { overflow-wrap: anywhere !important; }
[data-testid=stTable] tr > :first-child { min-width: 6rem; }
[data-testid=stCaptionContainer], [data-testid=stCaptionContainer] :is(p, code) { color: inherit !important; }
[data-testid=stCaptionContainer], [data-testid=stImageCaption] { opacity: .8; }
@media (max-width: 800px) { .st-key-size_charts [data-testid=stColumn] { min-width: 100%; } }
"""


def dress() -> None:
    """The few styles that no setting covers."""
    chosen = f"[data-testid=stButtonGroup] [aria-checked=true] * {{ color: {TEXT[state.theme()]}; }}"
    st.html(f"<style>{_STYLE}{chosen}</style>")


@contextmanager
def guarded() -> Iterator[None]:
    """Tell what goes wrong in a sentence: a page never shows a traceback."""
    try:
        yield
    except GraftError as error:
        show_problems(error.problems)
    except Exception as error:
        logging.getLogger("graft").exception("a page failed")
        _ = state.words()
        detail = f"{type(error).__name__}: {error}"[:300]
        with st.container(key="unexpected_error"):
            st.error(
                _("This page met something Graft does not know: {detail}. The server's log has more.", detail=detail),
                icon=":material/error:",
            )


def head(title: str, purpose: str) -> None:
    """A page's title and the one sentence that says what it is for."""
    st.title(title, anchor=False)
    st.markdown(f":gray[{purpose}]")


def empty(title: str, text: str, *, icon: str, key: str) -> st.delta_generator.DeltaGenerator:
    """An empty state; draw the one click to a first success into what is returned."""
    box = st.container(border=True, key=key, horizontal_alignment="center", gap="small")
    box.markdown(f"## {icon} {title}", text_alignment="center", anchors=False)
    box.markdown(f":gray[{text}]", text_alignment="center")
    return box


def link(view: str, label: str, icon: str | None = None, **query: str) -> None:
    """A link to another page with parts of its address."""
    st.page_link(VIEWS[view], label=label, icon=icon, query_params=query or None)


def primary_link(view: str, label: str, icon: str, **query: str) -> None:
    """The page's one way on, where it leads to another page: a link that looks like the primary button."""
    with st.container(key=f"primary_{view}", width="content"):
        link(view, label, icon, **query)


def show_problems(problems: Iterable[Problem]) -> None:
    """Errors and warnings, each in its sentence."""
    _ = state.words()
    for problem in problems:
        if problem.severity == "error":
            st.error(explain(problem, _), icon=":material/error:")
        else:
            st.warning(explain(problem, _), icon=":material/warning:")


def badge(status: str) -> None:
    """A run's status as icon and word."""
    icon, _glyph, word, colour = STATUSES[status]
    st.badge(state.words()(word), icon=icon, color=colour)


def badge_text(status: str, _: Translator) -> str:
    """A run's status inside a line of markdown."""
    icon, _glyph, word, colour = STATUSES[status]
    return f":{colour}-badge[{icon} {_(word)}]"


def status_words(status: str, _: Translator) -> str:
    """A run's status inside a table."""
    _icon, glyph, word, _colour = STATUSES[status]
    return f"{glyph} {_(word)}"


def phase_words(run: Run, _: Translator) -> str:
    """What a run is doing now, in words."""
    if run.status == "queued":
        return _("Waiting for its turn")
    if run.stop_requested and run.status == "running":
        return _("Stopping: what was done so far is kept")
    phase = run.phase or {"code": "starting", "values": {}}
    return explain_phase(phase["code"], phase.get("values") or {}, _)


def accuracy_words(test: Mapping[str, Any] | None, _: Translator) -> str:
    """75.6% (95%: 73.7% – 77.5%), as far as it is known."""
    if not test:
        return ""
    low, high = test["interval"]
    return _(
        "{accuracy} (95%: {low} to {high})",
        accuracy=_.percent(test["accuracy"]),
        low=_.percent(low),
        high=_.percent(high),
    )


def seconds_of(run: Run) -> float | None:
    """How long a run took from start to end."""
    return None if run.started_at is None or run.ended_at is None else max(0.0, run.ended_at - run.started_at)


def rough(seconds: float) -> float:
    """A duration said no finer than it is known: 5 s steps below a minute, then 10 s, then minutes."""
    step = 1 if seconds < 10 else 5 if seconds < 60 else 10 if seconds < 600 else 60
    return max(1.0, round(seconds / step) * step)


def numbers(values: Sequence[tuple[str, str, str | None, str | None]], *, key: str = "numbers") -> None:
    """Up to four numbers that matter: label, value, what it is to be compared with, help."""
    with st.grid(len(values), min_column_width=150, key=key):
        for label, value, against, help_ in values:
            st.metric(
                label, value, against, delta_color="off", delta_arrow="off", help=help_, border=True, height="stretch"
            )


def facts(rows: Sequence[tuple[str, str]], *, key: str) -> None:
    """A few facts, label and value, in two columns."""
    with st.container(key=key):
        st.table({label: value for label, value in rows if value}, border="horizontal", hide_header=True)


def run_link(run: Run, _: Translator) -> None:
    """One run in a list: what it is, how it stands, and the way to it."""
    with st.container(border=True, key=f"run_card_{run.id}", gap=None):
        link(KINDS[run.kind].view, run.name, ":material/arrow_forward:", **({"run": run.id}))
        line = [badge_text(run.status, _)]
        if run.status == "running":
            line.append(phase_words(run, _))
            if run.eta_s is not None:
                line.append(_("about {time} left", time=_.duration(rough(run.eta_s))))
        else:
            line.append(cells_words(run, _) or best_words(run, _) or accuracy_words(run.summary.get("test"), _))
            line.append(_.time(run.created_at))
        st.markdown(" · ".join(part for part in line if part))
        if run.status == "running":
            st.progress(run.progress or 0.0)


def cells_words(run: Run, _: Translator) -> str:
    """How many trainings of a comparison are done, as far as it is known."""
    cells = run.summary.get("cells")
    if not isinstance(cells, int):
        return ""
    return _("{done} of {n} trainings", done=_.number(run.summary.get("cells_done", cells)), n=_.number(cells))


def best_words(run: Run, _: Translator) -> str:
    """What an optimization recommends, as far as it is known."""
    if run.kind != "optimize" or "recommended" not in run.summary:
        return ""
    best = run.summary.get("best") or {}
    ratios = best.get("ratios")
    if not ratios:
        return _("nothing recommended")
    return _(
        "{name}: {size}× smaller, {latency}× faster",
        name=name_of(best["name"], _),
        size=_.number(ratios["size"], 2),
        latency=_.number(ratios["latency"][0], 2),
    )


def optimize_line(run: Run, _: Translator) -> str:
    """What an optimization was asked for, in one line."""
    spec = run.spec
    told = [spec["model"]["id"], spec["data"]["id"], _.plural("{n} way", "{n} ways", len(spec["passes"]))]
    told.append(limit_words(spec["max_drop"], _))
    return " · ".join(told)


def grid_line(run: Run, _: Translator) -> str:
    """What a comparison was asked for, in one line."""
    spec = run.spec
    sizes = [int(size) for size in spec["sizes"]]
    if len(sizes) > 1:
        span = _("{low} to {high} training examples", low=_.number(sizes[0]), high=_.number(sizes[-1]))
    else:
        span = _.plural("{n} training example", "{n} training examples", sizes[0])
    cells = len(sizes) * spec["seeds"] * (len(spec["methods"]) + int(spec["scratch"]))
    told = [spec["data"]["id"], span, _.plural("{n} repeat", "{n} repeats", spec["seeds"])]
    told.append(_.plural("{n} training", "{n} trainings", cells))
    if spec.get("image_size"):
        told.append(f"{spec['image_size']} px")
    return " · ".join(told)


def one_line(run: Run, _: Translator) -> str:
    """What a fine-tuning was asked for, in one line."""
    spec = run.spec
    parts = [_.plural("{n} epoch", "{n} epochs", spec["epochs"])]
    if spec.get("train_size"):
        parts.append(_.plural("{n} training example", "{n} training examples", spec["train_size"]))
    if spec.get("image_size"):
        parts.append(f"{spec['image_size']} px")
    if spec.get("lr"):
        parts.append(_("learning rate {lr}", lr=f"{spec['lr']:g}"))
    parts.append(_("seed {seed}", seed=spec["seed"]))
    return " · ".join(parts)
