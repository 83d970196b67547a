"""A run in one line: its name, where it stands, what it found."""

from __future__ import annotations

import streamlit as st

from core.i18n import Translator
from core.markdown import join_markdown
from core.optimize.figures import limit_words
from core.registry.passes import name_of
from core.runs.kinds import KINDS
from core.store import Run
from pages.ui.parts import link
from pages.ui.words import accuracy_words, badge_text, phase_words, rough


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
    words = _(
        "{name}: {size}× smaller, {latency}× faster (95%: {low} to {high})",
        name=name_of(best["name"], _),
        size=_.number(ratios["size"], 2),
        **{end: _.number(value, 2) for end, value in zip(("latency", "low", "high"), ratios["latency"], strict=True)},
    )
    return join_markdown(" · ", [words, _("timed on a busy machine")]) if ratios.get("busy") else words


def optimize_line(run: Run, _: Translator) -> str:
    """What an optimization was asked for, in one line."""
    spec = run.spec
    words = [spec["model"]["id"], spec["data"]["id"], _.plural("{n} way", "{n} ways", len(spec["passes"]))]
    words.append(limit_words(spec["max_drop"], _))
    return join_markdown(" · ", words)


def grid_line(run: Run, _: Translator) -> str:
    """What a comparison was asked for, in one line."""
    spec = run.spec
    sizes = [int(size) for size in spec["sizes"]]
    if len(sizes) > 1:
        span = _("{low} to {high} training examples", low=_.number(sizes[0]), high=_.number(sizes[-1]))
    else:
        span = _.plural("{n} training example", "{n} training examples", sizes[0])
    cells = len(sizes) * spec["seeds"] * (len(spec["methods"]) + int(spec["scratch"]))
    words = [spec["data"]["id"], span, _.plural("{n} repeat", "{n} repeats", spec["seeds"])]
    words.append(_.plural("{n} training", "{n} trainings", cells))
    if spec.get("image_size"):
        words.append(f"{spec['image_size']} px")
    return join_markdown(" · ", words)


def one_line(run: Run, _: Translator) -> str:
    """What a fine-tuning was asked for, in one line."""
    spec = run.spec
    fit = run.summary.get("fit")
    if fit:
        parts = [_.plural("fitted in {n} pass", "fitted in {n} passes", fit["passes"])]
    else:
        parts = [_.plural("{n} epoch", "{n} epochs", spec["epochs"])]
    if spec.get("train_size"):
        parts.append(_.plural("{n} training example", "{n} training examples", spec["train_size"]))
    if spec.get("image_size"):
        parts.append(f"{spec['image_size']} px")
    if spec.get("lr"):
        parts.append(_("learning rate {lr}", lr=f"{spec['lr']:g}"))
    parts.append(_("seed {seed}", seed=spec["seed"]))
    return join_markdown(" · ", parts)
