"""Home: this machine, ways to begin, and what is and was at work."""

from __future__ import annotations

import streamlit as st

from core.markdown import Markdown
from core.runs.kinds import TRAININGS
from core.store import ACTIVE, open_store
from pages.ui import parts, state
from pages.ui.cached import machine as cached_machine
from pages.ui.runs import line

_ = state.words()
RECENT = 5


def show_machine() -> None:
    """Processor, accelerators, memory and the number formats that are native here."""
    machine = cached_machine.machine()
    st.header(_("This machine"), anchor=False)
    missing = _("torch was installed without it")
    gpus = [gpu.name if gpu.usable else f"{gpu.name} ({missing})" for gpu in machine.accelerators]
    native = sorted({p.name for p in machine.precisions if p.native}, reverse=True)
    memory = _("{total}, {free} free", total=_.size(machine.memory_mb * 1e6), free=_.size(machine.free_memory_mb * 1e6))
    parts.facts(
        [
            (_("Processor"), machine.processor),
            (_("Cores"), _.plural("{n} core in use", "{n} cores in use", machine.usable_threads)),
            (_("Accelerator"), ", ".join(gpus) or _("none: everything runs on the processor")),
            (_("Memory"), memory),
            (_("Disk"), _("{size} free", size=_.size(cached_machine.free_disk() * 1e6))),
            (_("Number formats"), ", ".join(native)),
        ],
        key="machine",
    )


def show_ways() -> None:
    """Ways to begin."""
    ways: list[tuple[str, str, str, str, dict[str, str]]] = [
        (
            "finetune",
            ":material/model_training:",
            _("Fine-tune a model"),
            _("Start with handwritten digits, which come with Graft."),
            {},
        ),
        (
            "compare",
            ":material/stacked_line_chart:",
            _("What pretraining buys"),
            _("From scratch against pretrained weights, from few examples to many."),
            {},
        ),
        (
            "predict",
            ":material/chat:",
            _("Ask about a sentence"),
            _("Praise or complaint, in Chinese or English: at once, without a network."),
            {},
        ),
        (
            "data",
            ":material/upload:",
            _("Bring your own data"),
            _("Pictures in a zip with one folder for each class, or texts with labels in a table."),
            {},
        ),
    ]
    for column, (view, icon, label, text, query) in zip(st.columns(len(ways)), ways, strict=True):
        with column.container(border=True, height="stretch", key=f"way_{view}"):
            parts.link(view, Markdown(f"**{label}**"), icon, **query)
            st.markdown(f":gray[{text}]")


def show_runs() -> None:
    """Runs at work, then the last ones that ended."""
    listed = [run for kind in TRAININGS for run in open_store().list_runs(kind=kind, limit=30)]
    runs = sorted(listed, key=lambda run: -run.created_at)
    active = [run for run in runs if run.status in ACTIVE]
    ended = [run for run in runs if run.status not in ACTIVE][:RECENT]
    if active:
        st.header(_("At work"), anchor=False)
        for run in active:
            line.run_link(run, _)
    st.header(_("Recent runs"), anchor=False)
    if not ended:
        with parts.empty(
            _("No run has ended yet"),
            _("A first model that reads handwritten digits is one click away."),
            icon=":material/history:",
            key="no_runs",
        ):
            parts.link("finetune", _("Fine-tune on digits"), ":material/model_training:", data="builtin/digits")
    for run in ended:
        line.run_link(run, _)
    if len(runs) > RECENT:
        parts.link("runs", _("All runs"), ":material/history:")


parts.head("Graft", _("Take a pretrained network, adapt it to your own pictures or texts, and know what it was worth."))
show_ways()
left, right = st.columns([3, 2], gap="large")
with left:
    show_runs()
with right:
    show_machine()
