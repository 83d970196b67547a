"""What a session knows: language, address and choices. The only door to session_state and query params.

A session holds ids and choices, never results: those are read from the record of runs.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.charts.theme import Theme
from core.i18n import LANGUAGES, Translator, pick_language
from core.markdown import markdown_translator

_LANGUAGE = "lang"


def choose_language() -> None:
    """Draw the switch of languages; the browser's language is the default."""
    names = list(LANGUAGES)
    st.selectbox(
        " · ".join(row.word for row in LANGUAGES.values()),
        names,
        index=names.index(pick_language(st.context.locale)),
        format_func=lambda name: LANGUAGES[name].name,
        key=_LANGUAGE,
        bind="query-params",
    )


def words() -> Translator:
    """The translator of this session's language, into Markdown: what fills its sentences is drawn as it is."""
    return markdown_translator(language())


def language() -> str:
    """The language of this session."""
    return str(st.session_state.get(_LANGUAGE) or pick_language(st.context.locale))


def session_id() -> str:
    """What tells this open page from others."""
    context = get_script_run_ctx()
    return context.session_id if context else ""


def theme() -> Theme:
    """The theme in which this session's figures are drawn."""
    return "dark" if st.context.theme.type == "dark" else "light"


def query(name: str) -> str:
    """A part of the address, empty when it is not there."""
    return str(st.query_params.get(name, ""))


def set_query(**values: str) -> None:
    """Change parts of the address; an empty value removes one."""
    for name, value in values.items():
        if value:
            st.query_params[name] = value
        elif name in st.query_params:
            del st.query_params[name]


def recall(name: str, default: Any = None) -> Any:
    """What this session remembers under a name, or the value of the widget of this key."""
    return st.session_state.get(name, default)


def remember(name: str, value: Any) -> None:
    """Keep a small choice for this session, or give a widget its value before it is drawn."""
    st.session_state[name] = value


def keep_known(name: str, known: Container[str]) -> None:
    """Of the values chosen in a widget of several, leave those that can still be chosen."""
    chosen = st.session_state.get(name)
    if chosen and not all(value in known for value in chosen):
        st.session_state[name] = [value for value in chosen if value in known]


def forget(*names: str) -> None:
    for name in names:
        st.session_state.pop(name, None)
