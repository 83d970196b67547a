"""Asking a picture model: pictures of one's own, and what each may be."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.ui import asking, cached, parts, state

TYPES = ["png", "jpg", "jpeg", "webp", "bmp", "gif", "heic", "tif", "tiff"]
MOST = 20


def ask(model_id: str, key: str) -> None:
    """Upload pictures; each is shown with the likeliest classes."""
    _ = state.words()
    files = st.file_uploader(
        _("Pictures of your own"), type=TYPES, key=f"{key}_pictures", max_upload_size=25, accept_multiple_files=True
    )
    if not files:
        st.caption(_("The model answers with the classes it learned, and how sure it is."))
        return
    if len(files) > MOST:
        st.caption(_("The first {n} are answered.", n=MOST))
    predictor = None
    for place, file in enumerate(files[:MOST]):
        with parts.guarded():
            picture = cached.read_picture(file.getvalue())
            if predictor is None:
                with st.spinner(_("Asking the model; the first time takes some seconds")):
                    predictor = cached.predictor(model_id)
            (answers,) = predictor.predict([picture])
            left, right = st.columns([1, 3])
            left.image(picture, width=180, alt=file.name, caption=file.name)
            with right:
                label, share = answers[0]
                st.markdown(_("**{label}**, {share} sure", label=label, share=_.percent(share)))
                table = pd.DataFrame([(name, 100 * value) for name, value in answers[:5]], columns=["label", "share"])
                st.dataframe(
                    table,
                    hide_index=True,
                    column_config={"label": _("Class"), "share": asking.sure_column(_)},
                    key=f"{key}_answers_{place}",
                )
                if predictor.latency_ms is not None:
                    st.caption(_("Answered in {time}.", time=_.duration(predictor.latency_ms / 1000)))
