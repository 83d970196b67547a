"""Pieces of a page: headings, problems, notes, metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import streamlit as st
from streamlit import error_util

from core.charts.theme import TEXT
from core.markdown import as_text
from core.messages import explain
from core.problems import Problem
from core.unforeseen import told
from pages.ui import state
from pages.ui.words import VIEWS

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
[data-testid=stMetric] :is(.stMarkdownEllipsis, .stMarkdownEllipsis *) { white-space: normal; }
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
    except Exception as error:
        show_problems(told(error))


def tell_everywhere() -> None:
    """The same for all that a page does outside of `guarded`: fragments, callbacks, the frame.

    Streamlit has one place for what a script raises: it would draw the traceback and write it to the terminal.
    """
    error_util._log_uncaught_app_exception = lambda ex: None
    error_util.show_uncaught_app_exception = _show_uncaught


def _show_uncaught(ex: BaseException) -> None:
    problems = told(ex)
    try:
        show_problems(problems)
    except Exception:  # what failed is what sentences are shown with
        for problem in problems:
            st.error(explain(problem))


def head(title: str, purpose: str) -> None:
    """A page's title and the one sentence that says what it is for."""
    st.title(as_text(title), anchor=False)
    st.markdown(f":gray[{as_text(purpose)}]")


def empty(title: str, text: str, *, icon: str, key: str) -> st.delta_generator.DeltaGenerator:
    """An empty state; draw the one click to a first success into what is returned."""
    box = st.container(border=True, key=key, horizontal_alignment="center", gap="small")
    box.markdown(f"## {icon} {as_text(title)}", text_alignment="center", anchors=False)
    box.markdown(f":gray[{as_text(text)}]", text_alignment="center")
    return box


def link(view: str, label: str, icon: str | None = None, **query: str) -> None:
    """A link to another page with parts of its address."""
    st.page_link(VIEWS[view], label=as_text(label), icon=icon, query_params=query or None)


def primary_link(view: str, label: str, icon: str, **query: str) -> None:
    """The page's one way on, where it leads to another page: a link that looks like the primary button."""
    with st.container(key=f"primary_{view}", width="content"):
        link(view, label, icon, **query)


def show_problems(problems: Iterable[Problem]) -> None:
    """Errors and warnings, each in its sentence."""
    _ = state.words()
    for problem in problems:
        if problem.severity == "error":
            st.error(as_text(explain(problem, _)), icon=":material/error:")
        else:
            st.warning(as_text(explain(problem, _)), icon=":material/warning:")


def numbers(values: Sequence[tuple[str, str, str | None, str | None]], *, key: str = "numbers") -> None:
    """Up to four numbers that matter: label, value, what it is to be compared with, help."""
    with st.grid(len(values), min_column_width=150, key=key):
        for label, value, against, help_ in values:
            against = None if against is None else as_text(against)
            st.metric(
                as_text(label),
                as_text(value),
                against,
                delta_color="off",
                delta_arrow="off",
                help=help_,
                border=True,
                height="stretch",
            )


def facts(rows: Sequence[tuple[str, str]], *, key: str) -> None:
    """A few facts, label and value, in two columns."""
    with st.container(key=key):
        shown = {as_text(label): as_text(value) for label, value in rows if value}
        st.table(shown, border="horizontal", hide_header=True)
