"""What a training chose to compute with, and how it was timed."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from core.finetune.records import DataFacts, EngineFacts, TimingRow, summary_of
from core.i18n import N_, Translator
from core.store import Run
from pages.ui import parts, words

_PHASES = {
    "libraries": N_("loading libraries"),
    "data": N_("reading data"),
    "model": N_("loading the model"),
    "tokens": N_("splitting into tokens"),
    "baseline": N_("training the simple rival"),
    "autotune": N_("timing options"),
    "compile": N_("preparing the fast path"),
    "features": N_("computing features"),
    "fit": N_("fitting the head"),
    "train": N_("training itself"),
    "validate": N_("validating"),
    "test": N_("testing"),
    "save": N_("saving"),
}
_PARTS = {"prefix": N_("frozen part"), "train": N_("training step")}


def show_engine(run: Run, _: Translator) -> None:
    summary = summary_of(run)
    engine, phases = summary.get("engine"), summary.get("phases") or {}
    slowest = sorted(phases.items(), key=lambda pair: -pair[1])[:4]
    times = ", ".join(f"{_(_PHASES.get(code, code))} {_.duration(seconds)}" for code, seconds in slowest)
    parts.facts(
        [
            *_engine_facts(engine, _),
            (_("Picture size"), f"{summary['image_size']} px" if "image_size" in summary else ""),
            (_("Length that is read"), words.length_words(summary, _)),
            (_("Learning rate"), f"{summary['learning_rate']:g}" if "learning_rate" in summary else ""),
            (_("Examples"), _rows(summary.get("data"), _)),
            (_("Peak memory"), _.size(summary["peak_memory_mb"] * 1e6) if summary.get("peak_memory_mb") else ""),
            (_("Where the time went"), times),
        ],
        key=f"engine_{run.id}",
    )
    timings = _timings(run)
    if timings:
        st.markdown(_("What was timed on this machine before choosing:"))
        best = max((row["images_per_s"] or 0.0) for row in timings)
        st.dataframe(
            pd.DataFrame([{**row, "part": _(_PARTS.get(row["part"], row["part"]))} for row in timings]).sort_values(
                "images_per_s", ascending=False
            ),
            hide_index=True,
            key=f"timings_{run.id}",
            column_order=["part", "option", "images_per_s", "reason"],
            placeholder="–",
            column_config={
                "part": _("Part"),
                "option": _("Option"),
                "images_per_s": st.column_config.ProgressColumn(
                    _("Examples/s"), format="%.0f", min_value=0, max_value=best or 1.0
                ),
                "reason": _("Not timed because"),
            },
        )


def _engine_facts(engine: EngineFacts | None, _: Translator) -> list[tuple[str, str]]:
    if engine is None:
        return []
    return [
        (_("Device"), str(engine.get("device", ""))),
        (_("Number format"), str(engine.get("precision", ""))),
        (_("Layout"), str(engine.get("layout", ""))),
        (_("Threads"), str(engine.get("threads", ""))),
        (_("Frozen part"), _frozen(engine, _)),
    ]


def _frozen(engine: EngineFacts, _: Translator) -> str:
    if engine.get("prefix") in (None, "none"):
        return ""
    return _(
        "{n} examples computed once by {engine} ({precision}), {cached} read from the cache",
        n=_.number(engine.get("computed_rows") or 0),
        engine=engine["prefix"],
        precision=engine.get("prefix_precision") or "",
        cached=_.number(engine.get("cached_rows") or 0),
    )


def _rows(data: DataFacts | None, _: Translator) -> str:
    if data is None or "train" not in data:
        return ""
    return _(
        "{train} training, {validation} validation, {test} test",
        train=_.number(data["train"]),
        validation=_.number(data["validation"]),
        test=_.number(data["test"]),
    )


def _timings(run: Run) -> list[TimingRow]:
    try:
        kept = json.loads((run.folder / "artifacts" / "autotune.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    rows: list[TimingRow] = kept.get("timings") or []
    return rows
