"""What a check found in a data set: numbers, pictures, classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.charts.classification import class_chart
from core.i18n import Translator
from core.markdown import Markdown, as_text
from pages.ui import parts, state


def show_report(report: dict[str, Any]) -> None:
    """Numbers, classes and pictures of a checked data set."""
    _ = state.words()
    if report.get("task") == "text-classification":
        show_texts(report, _)
        return
    planned, sizes = report["planned"], report["sizes"]
    if planned:
        counts = {name: _.number(planned[name]) for name in ("train", "validation", "test")}
        size = _.plural("{n} picture", "{n} pictures", report["num_images"])
        text = _(
            "{pictures}: a training on all learns from {train}, chooses on {validation}, tests on {test}.",
            pictures=size,
            **counts,
        )
        st.markdown(f"## {text}", anchors=False)
    median = f"{sizes['width'][1]} × {sizes['height'][1]} px" if sizes else "–"
    spread = f"{sizes['width'][0]}–{sizes['width'][2]} × {sizes['height'][0]}–{sizes['height'][2]}" if sizes else None
    checked = report["checked"]
    seen = None if checked == report["num_images"] else _("{n} opened", n=_.number(checked))
    parts.numbers(
        [
            (_("Pictures"), _.number(report["num_images"]), seen, None),
            (_("Classes"), _.number(len(report["labels"])), None, None),
            (_("Typical size"), median, spread, None),
            (_("On the disk"), _.size(report["bytes"]), ", ".join(report["modes"]) or None, None),
        ]
    )
    st.header(_("Pictures of every class"), anchor=False)
    with st.grid(min_column_width=112, key="data_preview"):
        for picture in report["preview"]:
            st.image(picture["picture"], caption=as_text(picture["label"]), width=96, alt=picture["label"])
    _show_classes(report, _)


def choose_columns(
    likely: Sequence[str], every: Sequence[str], check: Callable[[str, str | None, str | None], None], data_id: str
) -> None:
    """Which columns hold texts and labels, and the way to others."""
    _ = state.words()
    if len(likely) == 2:
        bold = [Markdown(f"**{as_text(name)}**") for name in likely]
        st.caption(_("The texts are taken from column {text}, the labels from {label}.", text=bold[0], label=bold[1]))
    if len(every) < 2 or (len(every) == 2 and len(likely) == 2):
        return
    box = st.expander(_("Take other columns"), key="data_columns", icon=":material/view_column:", expanded=not likely)
    with box:
        left, right = st.columns(2)
        places = [list(every).index(name) if name in every else 0 for name in (*likely, "", "")[:2]]
        text = left.selectbox(_("Column with the texts"), every, places[0], key="data_text_column")
        label = right.selectbox(_("Column with the labels"), every, places[1], key="data_label_column")
        is_new = text != label and [text, label] != list(likely)
        button = st.button(_("Check with these"), key="data_recheck", icon=":material/refresh:", disabled=not is_new)
        if button:
            check(data_id, text, label)
            st.rerun()


def show_texts(report: dict[str, Any], _: Translator) -> None:
    """Numbers, texts and classes of a checked set of texts."""
    planned, tokens = report["planned"], report.get("tokens")
    if planned:
        counts = {name: _.number(planned[name]) for name in ("train", "validation", "test")}
        size = _.plural("{n} text", "{n} texts", report["num_images"])
        text = _(
            "{texts}: a training on all learns from {train}, chooses on {validation}, tests on {test}.",
            texts=size,
            **counts,
        )
        st.markdown(f"## {text}", anchors=False)
    median, _most, longest = report["characters"]
    reach = _("the longest {n}", n=_.number(longest))
    known = "–" if not tokens else _.percent(1 - tokens["share_unknown"])
    beyond = None if not tokens else _("{share} over 128 tokens", share=_.percent(tokens["share_beyond_128"]))
    parts.numbers(
        [
            (_("Texts"), _.number(report["num_images"]), None, None),
            (_("Classes"), _.number(len(report["labels"])), None, None),
            (_("Characters"), _.number(median), reach, _("Of a typical text: half of the texts are shorter.")),
            (_("Tokens known"), known, beyond, _("To MiniLM-L6: the rest it sees as one and the same unknown token.")),
        ]
    )
    st.header(_("Texts of every class"), anchor=False)
    st.dataframe(
        pd.DataFrame(report["preview"]),
        hide_index=True,
        key="text_preview",
        column_order=["text", "label"],
        column_config={
            "text": st.column_config.TextColumn(_("Text"), width="medium"),
            "label": st.column_config.TextColumn(_("Class"), width="small"),
        },
    )
    _show_classes(report, _)


def _show_classes(report: dict[str, Any], _: Translator) -> None:
    st.header(_("How many of each class"), anchor=False)
    counted = "; ".join(f"{name}: {sum(values)}" for name, values in report["counts"].items())
    alt = _("Examples of each class. {counts}", counts=counted)
    st.plotly_chart(
        class_chart(report["counts"], report["labels"], _, state.theme()), theme=None, key="classes", alt=alt
    )
    if len(report["labels"]) > 60:
        st.caption(_("The 60 largest classes are drawn; the table has all."))
        st.dataframe(
            pd.DataFrame({_("Class"): report["labels"], **report["counts"]}), hide_index=True, key="all_classes"
        )
