"""How an inspection is read: layers as rows to fold and search, parameters as a picture, memory as a table."""

from __future__ import annotations

from typing import TypedDict

import plotly.graph_objects as go

from core.charts.theme import BRAND, FONT, LOOKS, TEXT, Theme
from core.i18n import N_, Translator
from core.inspection.records import InspectionReport, tuning_of
from core.markdown import as_label
from core.registry.methods import METHODS, MethodSettings

PARTS = {"backbone": N_("backbone"), "head": N_("head"), "auxiliary": N_("auxiliary, not used to answer")}
_INDENT = "\u2003"
# Above this share of the free memory a training leaves the machine no room to work in.
_ROOM = 0.9


class LayerLine(TypedDict):
    """A row of the table of layers, with shares in percent and multiply-adds in millions."""

    layer: str
    kind: str
    block: int | None
    part: str
    input: str
    output: str
    parameters: int
    parameter_share: float
    macs: float
    mac_share: float
    path: str


class TuningLine(TypedDict):
    """A row of the table of ways of tuning, with the share in percent; `key` is the way's name."""

    method: str
    what: str
    parameters: int
    share: float
    key: str


def deepest(report: InspectionReport) -> int:
    """How many levels of modules lie inside one another."""
    return max((int(row["depth"]) for row in report["layers"]), default=0)


def layer_rows(report: InspectionReport, depth: int, text: str, _: Translator) -> list[LayerLine]:
    """The layers down to a depth; with a search text all that hold its words in path, kind or part, however deep."""
    wanted = text.lower().split()
    rows: list[LayerLine] = []
    for row in report["layers"]:
        part = _(PARTS[row["part"]])
        if wanted:
            if not all(word in f"{row['path']} {row['kind']} {part}".lower() for word in wanted):
                continue
        elif row["depth"] > depth:
            continue
        name = row["path"].rpartition(".")[2] or report["name"]
        rows.append(
            {
                "layer": row["path"] if wanted else _INDENT * max(0, row["depth"] - 1) + name,
                "kind": row["kind"],
                "block": row["block"],
                "part": part if row["path"] else "",
                "input": shape_words(row["input"]),
                "output": shape_words(row["output"]),
                "parameters": row["parameters"],
                "parameter_share": 100 * row["parameter_share"],
                "macs": row["macs"] / 1e6,
                "mac_share": 100 * row["mac_share"],
                "path": row["path"],
            }
        )
    return rows


def shape_words(shape: list[int] | None) -> str:
    """3 × 224 × 224: the shape for one example, without the place of the batch."""
    return " × ".join(map(str, shape[1:])) if shape and len(shape) > 1 else ""


def parameter_chart(report: InspectionReport, _: Translator, theme: Theme) -> go.Figure:
    """An icicle of the parameters: below each module what lies in it, in the network's own order.

    Blue are those of the head, green those of the backbone; what has no parameters is left out.
    """
    colours = {
        "backbone": BRAND[theme],
        "head": LOOKS["head"].on(theme),
        "auxiliary": LOOKS["random"].on(theme),
    }
    rows = [row for row in report["layers"] if row["parameters"]]
    shown = {row["path"] for row in rows}
    names = [as_label(row["path"].rpartition(".")[2] or report["name"]) for row in rows]
    trace = go.Icicle(
        ids=[as_label(row["path"] or "/") for row in rows],
        labels=names,
        parents=["" if not row["path"] else as_label(_holder(row["path"], shown)) for row in rows],
        values=[row["own"] for row in rows],
        branchvalues="remainder",
        sort=False,
        maxdepth=4,
        tiling={"orientation": "v", "pad": 1},
        marker={"colors": [colours[row["part"]] for row in rows], "line": {"width": 0.5}},
        leaf={"opacity": 1},
        textfont={"color": {"light": "#FFFFFF", "dark": "#0E1512"}[theme]},
        pathbar={"visible": True, "thickness": 24},
        customdata=[[as_label(row["kind"]), _.count(row["parameters"]), _(PARTS[row["part"]])] for row in rows],
        texttemplate="%{label}<br>%{percentRoot:.0%}",
        hovertemplate="%{id}<br>%{customdata[0]} · %{customdata[2]}<br>"
        "%{customdata[1]} (%{percentRoot:.1%})<extra></extra>",
    )
    figure = go.Figure([trace])
    figure.update_layout(
        template="none",
        height=380,
        margin={"l": 4, "r": 4, "t": 28, "b": 4},
        paper_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 13, "color": TEXT[theme]},
    )
    return figure


def _holder(path: str, shown: set[str]) -> str:
    parent = path.rpartition(".")[0]
    while parent and parent not in shown:
        parent = parent.rpartition(".")[0]
    return parent or "/"


def tuning_rows(report: InspectionReport, last_blocks: int, _: Translator) -> list[TuningLine]:
    """What each way of tuning would train, from the least to the most; empty for a network that is not tuned here."""
    tuning = tuning_of(report)
    if tuning is None:
        return []
    rows: list[TuningLine] = []
    for row in METHODS.values():
        trained = tuning.trained(row.id, last_blocks)
        if trained is None:
            continue
        rows.append(
            {
                "method": f"{row.glyph} {_(row.word)}",
                "what": row.trains(_, MethodSettings(last_blocks=last_blocks, lora_rank=tuning.rank)),
                "parameters": trained["parameters"],
                "share": 100 * trained["share"],
                "key": row.id,
            }
        )
    return rows


def memory_rows(report: InspectionReport, free_mb: float, _: Translator) -> list[dict[str, str]]:
    """Memory by way and precision (rows) and batch size (columns), each with a mark: does it fit in what is free?"""
    memory = report["memory"]
    ways = [(_("Answering"), memory["inference"])]
    ways += [(_(row.word), memory["training"][name]) for name, row in METHODS.items() if name in memory["training"]]
    rows = []
    for word, by_precision in ways:
        for precision in sorted(by_precision, reverse=True):  # fp32 first: what is meant where nothing is said
            by_batch = by_precision[precision]
            cells = {str(n): _cell(float(by_batch[str(n)]), free_mb, _) for n in memory["batches"]}
            rows.append({"way": word, "precision": precision, **cells})
    return rows


def _cell(need_mb: float, free_mb: float, _: Translator) -> str:
    fits = need_mb < _ROOM * free_mb
    return f"{'✓' if fits else '✕'} {_.size(need_mb * 1e6)}"
