"""Words of the pages for statuses, sources, lengths and durations: the same everywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core.finetune.records import FinetuneSummary
from core.i18n import N_, Translator
from core.messages import explain_phase
from core.models.card import ModelCard
from core.registry.tasks import HUB_TASKS, READS
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
    words = _(
        "{accuracy} (95%: {low} to {high})",
        accuracy=_.percent(test["accuracy"]),
        low=_.percent(low),
        high=_.percent(high),
    )
    if "without_leaks" not in test:
        return words
    clean = test["without_leaks"]
    share = _.percent(clean["accuracy"]) if clean else "–"
    return words + _(", without what is trained on too: {share}", share=share)


def beside_column(_: Translator) -> Any:
    """The column that marks accuracies with what is to be known beside them."""
    return st.column_config.TextColumn(
        _("Beside it"),
        width="medium",
        help=_("What is to be known beside the accuracy: a click on a cell shows all of it."),
    )


def seconds_of(run: Run) -> float | None:
    """How long a run took from start to end."""
    return None if run.started_at is None or run.ended_at is None else max(0.0, run.ended_at - run.started_at)


def rough(seconds: float) -> float:
    """A duration said no finer than it is known: 5 s steps below a minute, then 10 s, then minutes."""
    step = 1 if seconds < 10 else 5 if seconds < 60 else 10 if seconds < 600 else 60
    return max(1.0, round(seconds / step) * step)


SOURCES = {
    "bundled": N_("comes with Graft"),
    "torchvision": "torchvision",
    "timm": "timm",
    "hub": "Hugging Face",
    "run": N_("your run"),
}


def source_words(card: ModelCard, _: Translator) -> str:
    """Where a model comes from."""
    return _(SOURCES[card.source])


def plain(text: str) -> str:
    """A publisher's note without the marks of its markup."""
    return re.sub(r"`+([^`<]+?)\s*(?:<[^>]*>)?`+_*", r"\1", text)


def language_words(codes: Sequence[str], _: Translator) -> str:
    """Languages a model reads."""
    return _(", ").join(_(READS[code]) for code in codes)


def reads_words(card: ModelCard, _: Translator) -> str:
    """What a model takes in: pictures, texts and of which languages, both, or speech."""
    languages = language_words(card.text.languages, _) if card.text else ""
    words = [_("pictures")] if card.preprocessing else []
    words += [_("texts") + (f": {languages}" if languages else "")] if card.text else []
    if not words:
        words = [_("speech") if "sounds" in HUB_TASKS[card.task].reads else _("texts")]
    return " + ".join(words)


def length_words(summary: FinetuneSummary, _: Translator) -> str:
    """How much of each text was read, and what that cut or missed."""
    tokens = summary.get("tokens")
    if not tokens:
        return ""
    return _(
        "{n} tokens ({cut} of the texts are longer), {unknown} of the tokens unknown to the model",
        n=_.number(summary["max_length"]),
        cut=_.percent(tokens["share_cut"]),
        unknown=_.percent(tokens["share_unknown"]),
    )
