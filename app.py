"""Graft's frame: page settings, language, menu, runs at work. `python app.py` opens it."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

if get_script_run_ctx(suppress_warning=True) is None:  # not drawn by a server: become one
    from pages.ui.server import serve

    serve(__file__, sys.argv[1:])
    sys.exit()

from core import ready, settings
from pages.ui import charts, live, parts, reach, state, words

BRAND = Path(__file__).parent / "pages" / "ui" / "brand"
parts.tell_everywhere()
st.set_page_config(page_title="Graft", page_icon=str(BRAND / "mark.svg"), layout="wide")
st.logo(str(BRAND / "logo.svg"), size="large", icon_image=str(BRAND / "mark.svg"))
settings.pass_to_libraries()
parts.dress()
charts.serve_plotly()

with st.sidebar:
    at_work = st.container(key="at_work")
    state.choose_language()
_ = state.words()
is_admitted = reach.is_admitted()

page = st.navigation(
    [
        st.Page(words.VIEWS["home"], title=_("Home"), icon=":material/home:", url_path="home", default=True),
        st.Page(words.VIEWS["models"], title=_("Models"), icon=":material/deployed_code:", url_path="models"),
        st.Page(words.VIEWS["data"], title=_("Data"), icon=":material/photo_library:", url_path="data"),
        st.Page(words.VIEWS["compare"], title=_("Compare"), icon=":material/stacked_line_chart:", url_path="compare"),
        st.Page(words.VIEWS["finetune"], title=_("Fine-tune"), icon=":material/model_training:", url_path="finetune"),
        st.Page(words.VIEWS["predict"], title=_("Predict"), icon=":material/chat:", url_path="predict"),
        st.Page(words.VIEWS["optimize"], title=_("Optimize"), icon=":material/speed:", url_path="optimize"),
        st.Page(words.VIEWS["runs"], title=_("Runs"), icon=":material/history:", url_path="runs"),
        st.Page(words.VIEWS["settings"], title=_("Settings"), icon=":material/settings:", url_path="settings"),
    ],
    position="sidebar" if is_admitted else "hidden",
)
if not is_admitted:
    reach.ask_in()
    st.stop()
ready.keep()
with at_work:
    live.watch_runs(page.title)
with parts.guarded():
    page.run()
