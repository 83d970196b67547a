"""Pictures of a comparison: accuracy and training time against the number of training examples.

Every family is drawn in the looks of its method; from scratch grey and dashed. `size_chart` and `time_chart` give
plain data with both themes' colours for the live component, `figure_html` a page of both to carry away.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from plotly.subplots import make_subplots

from core.charts.theme import FONT, LOOKS, TEXT, Chart, Layout, Look, Trace, layout_of_axes, resolve
from core.compare.figure_words import families_of, family_word, headline, worth_words
from core.compare.grid import SCRATCH
from core.compare.records import CompareReport, FamilyRow, SizeRow
from core.i18n import Translator

HEIGHT = 420
_PAGE = {"light": "#FFFFFF", "dark": "#0E1512"}
_MOST_DIRECT_LABELS = 3
_BLANK = "\u00a0"  # a browser drops plain blanks at the beginning of a text
_LABEL_PX = 110  # the room beside a chart for the names at the ends of its lines
_CLOSEST_TICKS = 0.09  # of the axis: nearer ones would write over each other
_SECONDS = (0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 10_800, 36_000, 86_400)


def family_look(family: str) -> Look:
    """How a family is drawn."""
    return LOOKS["random"] if family == SCRATCH else LOOKS[family]


def size_chart(report: CompareReport, _: Translator, *, keep: str) -> Chart:
    """Accuracy against size: means with their intervals, single trainings faint, fitted laws thin.

    While `keep` stays the same, zoom and hover survive new points.
    """
    families, axis = families_of(report), _Axis(report)
    low, high = _accuracy_range(report, families)
    # Bands of many families cover one another: they are fainter then.
    traces = [trace for family in families for trace in _law(family, 0.13 if axis.is_direct else 0.05, _)]
    traces += [trace for family in families for trace in _singles(report, family, _)]
    traces += _in_front([_means(family, _, is_named=not axis.is_direct) for family in families])
    traces += _equivalence(report, 0.045 * (high - low), _)
    if axis.is_direct:
        ends = [(family, family["sizes"][-1]["accuracy"]) for family in families]
        traces += _end_labels(ends, (low, high), _)
    layout = _layout(axis, _("Accuracy on the test examples"), _, keep)
    layout["yaxis"] |= {"tickformat": ".0%", "range": [low, high]}
    return {"traces": traces + _keys(report, families, _), "layout": layout}


def time_chart(report: CompareReport, _: Translator, *, keep: str) -> Chart:
    """Seconds of training against size, both on log axes, with the span over the repeats."""
    families, axis = families_of(report), _Axis(report)
    traces = _in_front([_times(family, _, is_named=not axis.is_direct) for family in families])
    layout = _layout(axis, _("Training time"), _, keep)
    seconds = [row[name] for family in families for row in family["sizes"] for name in ("seconds_low", "seconds_high")]
    seconds = [max(value, 0.01) for value in seconds] or [1.0]
    low, high = math.log10(min(seconds)) - 0.12, math.log10(max(seconds)) + 0.12
    ticks = [value for value in _SECONDS if low <= math.log10(value) <= high]
    layout["yaxis"] |= {"type": "log", "range": [low, high], "tickvals": ticks}
    layout["yaxis"]["ticktext"] = [_.duration(value) for value in ticks]
    if axis.is_direct:
        ends = [(family, math.log10(max(family["sizes"][-1]["seconds"], 0.01))) for family in families]
        traces += [{**label, "y": [10 ** label["y"][0]]} for label in _end_labels(ends, (low, high), _)]
    return {"traces": traces, "layout": layout}


# -- the size axis -----------------------------------------------------------------------------------------


class _Axis:
    """The log axis of sizes: it shows what is planned, so that it stays while the curves grow."""

    def __init__(self, report: CompareReport) -> None:
        planned = {int(cell["size"]) for cell in report.get("cells") or []}
        self.sizes = sorted(planned | {int(row["size"]) for f in families_of(report) for row in f["sizes"]}) or [1]
        families = {cell["family"] for cell in report.get("cells") or []} or {f["family"] for f in families_of(report)}
        self.is_direct = len(families) <= _MOST_DIRECT_LABELS
        self.span = max(0.3, math.log10(self.sizes[-1] / self.sizes[0]))
        first, last = (math.log10(self.sizes[i]) for i in (0, -1))
        self.range = [first - 0.08 * self.span, last + 0.06 * self.span]

    def ticks(self) -> list[int]:
        """The measured sizes, as many as stand side by side."""
        shown: list[int] = []
        for size in self.sizes:
            if not shown or math.log10(size / shown[-1]) > _CLOSEST_TICKS * self.span:
                shown.append(size)
        return shown


def _layout(axis: _Axis, y: str, _: Translator, keep: str) -> Layout:
    layout = layout_of_axes(_("Training examples (log axis)"), y)
    ticks = axis.ticks()
    layout["xaxis"] = {name: value for name, value in layout["xaxis"].items() if name != "rangemode"}
    layout["xaxis"] |= {"type": "log", "range": axis.range, "tickvals": ticks}
    layout["xaxis"]["ticktext"] = [_.count(size) for size in ticks]
    if axis.is_direct:
        layout["margin"] = {**layout["margin"], "r": _LABEL_PX}
    return layout | {"uirevision": keep, "hovermode": "closest", "showlegend": True, "height": HEIGHT}


def _accuracy_range(report: CompareReport, families: Sequence[FamilyRow]) -> tuple[float, float]:
    values = [row[name] for family in families for row in family["sizes"] for name in ("low", "high", "accuracy")]
    values += [cell["accuracy"] for cell in report.get("cells") or [] if cell.get("accuracy") is not None]
    if not values:
        return 0.0, 1.02
    low = max(0.0, min(min(values), 0.9) - 0.04)
    return low, min(1.02, max(max(values), low + 0.1) + 0.04)


# -- families ----------------------------------------------------------------------------------------------


def _in_front(traces: list[Trace]) -> list[Trace]:
    """The first family drawn last, and still first in the legend: hollow marks of it stay seen."""
    return [{**trace, "legendrank": rank} for rank, trace in enumerate(traces, 1)][::-1]


def _means(family: FamilyRow, _: Translator, *, is_named: bool) -> Trace:
    """The means of a family with their intervals; hollow where trainings were still improving."""
    look, rows, name = family_look(family["family"]), family["sizes"], family_word(family["family"], _)
    return {
        "type": "scatter",
        "x": [row["size"] for row in rows],
        "y": [row["accuracy"] for row in rows],
        "text": [_hover_text(row, _) for row in rows],
        "mode": "lines+markers",
        "name": name,
        "legendgroup": family["family"],
        "showlegend": is_named,
        "line": {"color": look.colour, "width": 2.5, "dash": look.dash},
        "marker": {
            "symbol": look.marker,
            "size": 10,
            "color": [_PAGE if row.get("unconverged") else look.colour for row in rows],
            "line": {"color": look.colour, "width": 2},
        },
        "error_y": _whiskers(rows, "accuracy", "low", "high", look),
        "hovertemplate": f"%{{text}}<extra>{name}</extra>",
    }


def _hover_text(row: SizeRow, _: Translator) -> str:
    """A point in words, for who points at it."""
    lines = [
        _("{n} training examples", n=_.number(row["size"])),
        _(
            "{accuracy} (95%: {low} to {high})",
            accuracy=_.percent(row["accuracy"]),
            low=_.percent(row["low"]),
            high=_.percent(row["high"]),
        ),
        _.plural("{n} repeat", "{n} repeats", row["seeds"]),
    ]
    if row.get("unconverged"):
        lines.append(_("still improving: at least this"))
    return "<br>".join(lines)


def _whiskers(rows: Sequence[Mapping[str, Any]], value: str, low: str, high: str, look: Look) -> Trace:
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, row[high] - row[value]) for row in rows],
        "arrayminus": [max(0.0, row[value] - row[low]) for row in rows],
        "color": look.colour,
        "thickness": 1.5,
        "width": 4,
    }


def _singles(report: CompareReport, family: FamilyRow, _: Translator) -> list[Trace]:
    """Every single training as a faint dot, where a mean hides several."""
    several = {row["size"] for row in family["sizes"] if row["seeds"] > 1}
    cells = [c for c in report.get("cells") or [] if c["family"] == family["family"] and c["size"] in several]
    cells = [cell for cell in cells if cell.get("accuracy") is not None]
    if not cells:
        return []
    return [
        {
            "type": "scatter",
            "x": [cell["size"] for cell in cells],
            "y": [cell["accuracy"] for cell in cells],
            "text": [_("seed {seed}", seed=cell["seed"]) for cell in cells],
            "mode": "markers",
            "name": _("one training"),
            "legendgroup": family["family"],
            "showlegend": False,
            "opacity": 0.45,
            "marker": {"symbol": "circle", "size": 5, "color": family_look(family["family"]).colour},
            "hovertemplate": "%{y:.1%}<br>%{text}<extra></extra>",
        }
    ]


def _law(family: FamilyRow, opacity: float, _: Translator) -> list[Trace]:
    """The fitted law as a thin line in its band; nothing where the data do not carry one."""
    law, look = family.get("law"), family_look(family["family"])
    if not law or not law.get("curve"):
        return []
    curve = law["curve"]
    base = {"type": "scatter", "mode": "lines", "legendgroup": family["family"], "showlegend": False}
    sizes = [point["size"] for point in curve]
    band = [min(1.0, point["high"]) for point in curve] + [max(0.0, point["low"]) for point in reversed(curve)]
    name = _("fitted law")
    filled = {
        **base,
        "x": sizes + sizes[::-1],
        "y": band,
        "fill": "toself",
        "fillcolor": {"light": _faint(look.light, opacity), "dark": _faint(look.dark, opacity)},
        "line": {"width": 0},
        "hoverinfo": "skip",
        "name": name,
    }
    line = {
        **base,
        "x": sizes,
        "y": [point["accuracy"] for point in curve],
        "line": {"color": look.colour, "width": 1.2, "dash": "dot"},
        "name": name,
        "hovertemplate": f"%{{y:.1%}}<extra>{name}</extra>",
    }
    return [filled, line]


def _faint(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def _times(family: FamilyRow, _: Translator, *, is_named: bool) -> Trace:
    look, rows, name = family_look(family["family"]), family["sizes"], family_word(family["family"], _)
    rows = [{**row, "seconds": max(row["seconds"], 0.01)} for row in rows]
    return {
        "type": "scatter",
        "x": [row["size"] for row in rows],
        "y": [row["seconds"] for row in rows],
        "text": [
            f"{_('{n} training examples', n=_.number(row['size']))}<br>{_.duration(row['seconds'])}" for row in rows
        ],
        "mode": "lines+markers",
        "name": name,
        "showlegend": is_named,
        "line": {"color": look.colour, "width": 2.5, "dash": look.dash},
        "marker": {"symbol": look.marker, "size": 10, "color": look.colour},
        "error_y": _whiskers(rows, "seconds", "seconds_low", "seconds_high", look),
        "hovertemplate": f"%{{text}}<extra>{name}</extra>",
    }


# -- words in the picture ----------------------------------------------------------------------------------


def _end_labels(ends: Sequence[tuple[FamilyRow, float]], view: tuple[float, float], _: Translator) -> list[Trace]:
    """Each family's name beside the end of its line; names that would touch are moved apart, none out of view."""
    apart = 0.13 * (view[1] - view[0])
    placed: list[tuple[FamilyRow, float]] = []
    for family, y in sorted(ends, key=lambda end: -end[1]):
        highest = placed[-1][1] - apart if placed else view[1] - apart / 2
        placed.append((family, min(y, highest)))
    if len(placed) > 1:  # half of what the lower ones were moved down, all are moved up
        shift = min((min(y for _family, y in ends) - placed[-1][1]) / 2, view[1] - apart / 2 - placed[0][1])
        placed = [(family, y + shift) for family, y in placed]
    return [
        {
            "type": "scatter",
            "x": [family["sizes"][-1]["size"]],
            "y": [y],
            "mode": "text",
            "text": ["<br>".join(2 * _BLANK + line for line in _folded(family_word(family["family"], _)))],
            "textposition": "middle right",
            "textfont": {"color": family_look(family["family"]).colour, "size": 13},
            "cliponaxis": False,
            "showlegend": False,
            "hoverinfo": "skip",
        }
        for family, y in placed
    ]


def _folded(word: str) -> list[str]:
    """A name on two lines, broken behind its comma."""
    for comma in (", ", "，"):
        first, sign, second = word.partition(comma)
        if sign:
            return [first + comma.strip(), second]
    return [word]


def _equivalence(report: CompareReport, below: float, _: Translator) -> list[Trace]:
    """A dotted line from the pretrained point to as many examples as training from scratch needs for the same.

    Its words stand `below` the line.
    """
    worth, axis = headline(report), _Axis(report)
    if worth is None:
        return []
    size, y = float(worth["size"]), worth["accuracy"]
    end = min(float(worth.get("scratch_size") or worth.get("high") or 0), 1.1 * axis.sizes[-1])
    if end <= size:
        return []
    base = {"type": "scatter", "showlegend": False, "hoverinfo": "skip"}
    words = _("{n} examples from scratch", n=worth_words(worth, _))
    return [
        {
            **base,
            "x": [size, end],
            "y": [y, y],
            "mode": "lines+markers",
            "line": {"color": TEXT, "width": 1.5, "dash": "dot"},
            "marker": {"symbol": ["circle", "arrow-right"], "size": [1, 11], "color": TEXT},
        },
        {
            **base,
            "x": [size],
            "y": [y - below],
            "mode": "text",
            "text": [f"{4 * _BLANK}<b>{words}</b>"],
            "textposition": "middle right",
            "textfont": {"color": TEXT, "size": 12},
            "cliponaxis": False,
        },
    ]


def _keys(report: CompareReport, families: Sequence[FamilyRow], _: Translator) -> list[Trace]:
    """What the lesser marks mean, in the legend: only those that are drawn."""
    base: Trace = {"type": "scatter", "x": [None], "y": [None], "mode": "markers", "showlegend": True}
    rows = [row for family in families for row in family["sizes"]]
    keys: list[Trace] = []
    if rows:
        bar = {"symbol": "line-ns-open", "size": 12, "color": TEXT, "line": {"color": TEXT, "width": 2}}
        keys.append({**base, "name": _("95% interval"), "marker": bar})
    if any(row["seeds"] > 1 for row in rows):
        keys.append({**base, "name": _("one training"), "opacity": 0.5, "marker": {"size": 5, "color": TEXT}})
    if any(row.get("unconverged") for row in rows):
        hollow = {"symbol": "circle", "size": 10, "color": _PAGE, "line": {"color": TEXT, "width": 2}}
        keys.append({**base, "name": _("still improving: at least this"), "marker": hollow})
    if any(family.get("law") for family in families):
        thin = {"color": TEXT, "width": 1.2, "dash": "dot"}
        keys.append({**base, "mode": "lines", "name": _("fitted law"), "line": thin})
    return [{**key, "legendgroup": key["name"]} for key in keys]  # a group each: they stand side by side


# -- to carry away -----------------------------------------------------------------------------------------


def stacked_figure(report: CompareReport, _: Translator) -> Any:
    """Both charts, one above the other, in the light theme: a Plotly figure."""
    charts = [size_chart(report, _, keep="export"), time_chart(report, _, keep="export")]
    figure = make_subplots(rows=2, cols=1, vertical_spacing=0.1, row_heights=[0.56, 0.44])
    for row, chart in enumerate(charts, 1):
        drawn = resolve(chart, "light")
        for trace in drawn["traces"]:
            shown = row == 1 and trace.get("showlegend", True)
            figure.add_trace({**trace, "showlegend": shown}, row=row, col=1)
        figure.update_xaxes(drawn["layout"]["xaxis"], row=row, col=1)
        figure.update_yaxes(drawn["layout"]["yaxis"], row=row, col=1)
    shared = resolve(layout_of_axes("", ""), "light")
    kept = {name: shared[name] for name in ("font", "legend", "hoverlabel")}
    kept |= {"margin": charts[0]["layout"]["margin"], "template": "none", "paper_bgcolor": _PAGE["light"]}
    figure.update_layout(height=2 * HEIGHT + 60, **kept)
    return figure


def figure_html(report: CompareReport, title: str, sentences: Sequence[str], _: Translator) -> str:
    """A page of its own with the title, what came out and both charts; it needs no network."""
    drawn = stacked_figure(report, _).to_html(include_plotlyjs=True, full_html=False)
    items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences)
    style = f"body{{font:16px {FONT};color:{TEXT['light']};max-width:1000px;margin:2rem auto;padding:0 1rem}}"
    return (
        f'<!doctype html><html lang="{_.language.tag}"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{style}</style></head><body><h1>{html.escape(title)}</h1><ul>{items}</ul>{drawn}</body></html>"
    )
