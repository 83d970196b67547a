"""Several models side by side: who leads in what, then every fact in a column for each model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import streamlit as st

from core.i18n import Translator
from core.measurement.report import Measurement
from core.models.card import ModelCard
from core.models.families import get_family
from pages.ui import parts, state, words

MOST = 4
Measured = Mapping[str, Measurement]


def show(pairs: Sequence[tuple[ModelCard, bool]], measured: Measured) -> None:
    """At most four models (with whether their weights are here) beside each other."""
    _ = state.words()
    parts.head(_("Side by side"), " · ".join(card.name for card, _local in pairs))
    with st.container(horizontal=True, key="beside_actions"):
        parts.link("models", _("All models"), ":material/arrow_back:")
        for card, _local in pairs:
            parts.link("models", card.name, ":material/deployed_code:", model=card.id)
    cards = [card for card, _local in pairs]
    st.markdown("\n".join(f"- {line}" for line in _leaders(cards, measured, _)))
    rows = _rows(pairs, measured, _)
    names = _distinct([card.name for card in cards], [card.id for card in cards])
    table = pd.DataFrame([row[1:] for row in rows], columns=names, index=[row[0] for row in rows])
    kept = table[(table != "").any(axis=1)].replace("", "–")
    st.dataframe(
        kept,
        key="beside_table",
        height=40 + 35 * len(kept),
        column_config={"_index": st.column_config.TextColumn(width=190)},
    )
    st.caption(_("Accuracies are as published; times and memory stand only where they were measured on this machine."))


def _distinct(names: Sequence[str], ids: Sequence[str]) -> list[str]:
    """Column names: two weights of one network may share theirs, and then the id tells them apart."""
    return [name if names.count(name) == 1 else model_id for name, model_id in zip(names, ids, strict=True)]


def _leaders(cards: Sequence[ModelCard], measured: Measured, _: Translator) -> list[str]:
    """Who leads, where more than one model is known in that."""
    lines = []
    known = [card for card in cards if card.metrics.get("acc@1") is not None]
    if len({card.metrics_on for card in known}) == 1 and len(known) > 1:
        best = max(known, key=lambda card: card.metrics["acc@1"])
        values = {"model": best.name, "accuracy": _.percent(best.metrics["acc@1"] / 100), "data": best.metrics_on}
        lines.append(_("Most accurate on {data}: **{model}**, {accuracy}.", **values))
    small = min(cards, key=lambda card: card.parameters)
    lines.append(_("Fewest parameters: **{model}**, {n}.", model=small.name, n=_.count(small.parameters)))
    timed = [card for card in cards if card.id in measured]
    if len(timed) > 1:
        quick = min(timed, key=lambda card: measured[card.id].latency_p50_ms)
        time = _.duration(measured[quick.id].latency_p50_ms / 1000)
        lines.append(_("Fastest here, one at a time: **{model}**, {time}.", model=quick.name, time=time))
    else:
        lines.append(_("Their speed here is not known: open a card and measure it."))
    return lines


def _rows(pairs: Sequence[tuple[ModelCard, bool]], measured: Measured, _: Translator) -> list[list[str]]:
    cards = [card for card, _local in pairs]

    def row(label: str, tell: Callable[[ModelCard], str]) -> list[str]:
        return [label, *(tell(card) for card in cards)]

    def here(tell: Callable[[Measurement], str]) -> Callable[[ModelCard], str]:
        return lambda card: tell(measured[card.id]) if card.id in measured else ""

    def share(name: str) -> Callable[[ModelCard], str]:
        return lambda card: _.percent(card.metrics[name] / 100) if name in card.metrics else ""

    yes_no = {True: _("yes"), False: _("no"), None: ""}
    local = {card.id: is_local for card, is_local in pairs}
    return [
        row(_("For"), lambda card: words.reads_words(card, _)),
        row(_("Family"), lambda card: _family_words(card)),
        row(_("Accuracy"), share("acc@1")),
        row(_("Top-5 accuracy"), share("acc@5")),
        row(_("Measured on"), lambda card: card.metrics_on if card.metrics else ""),
        row(_("Parameters"), lambda card: _.count(card.parameters)),
        row(_("GMACs"), lambda card: _.number(card.gmacs, 3)),
        row(_("Size"), lambda card: _.size(card.size_mb * 2**20)),
        row(_("Picture size"), lambda card: f"{card.preprocessing.image_size} px" if card.preprocessing else ""),
        row(_("Reads at most"), lambda card: _("{n} tokens", n=_.number(card.text.max_length)) if card.text else ""),
        row(_("Classes"), lambda card: _.number(card.num_classes) if card.num_classes else _("none of its own")),
        row(_("One at a time, here"), here(lambda row_here: _.duration(row_here.latency_p50_ms / 1000))),
        row(_("In batches, here"), here(lambda row_here: _("{n} each second", n=_.number(row_here.throughput, 3)))),
        row(_("Memory, here"), here(lambda row_here: _.size(row_here.memory_mb * 2**20) if row_here.memory_mb else "")),
        row(_("Can be fine-tuned"), lambda card: yes_no[card.is_trainable]),
        row(_("Licence"), lambda card: _(card.licence) if card.licence else _("not stated by the publisher")),
        row(_("Licence allows commerce"), lambda card: yes_no[card.allows_commerce]),
        row(_("On this machine"), lambda card: yes_no[local[card.id]]),
        row(_("Source"), lambda card: words.source_words(card, _)),
        row("id", lambda card: card.id),
    ]


def _family_words(card: ModelCard) -> str:
    family = get_family(card.family)
    return f"{card.family} ({family.year})" if family else card.family
