"""Every picture of numbers: colours, lines and markers that mean the same on every page.

The live curves are drawn in the browser by the page's own component, so `curve_chart` gives plain data
with both themes' colours; everything else is a Plotly figure in the theme asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from core.i18n import N_
from core.registry.methods import METHODS

Theme = Literal["light", "dark"]
# Plotly's own schema, with a colour for each theme where it wants one.
Trace = dict[str, Any]
Layout = dict[str, Any]


class Chart(TypedDict):
    """What the live component draws."""

    traces: list[Trace]
    layout: Layout


@dataclass(frozen=True, slots=True)
class Look:
    """How one meaning is drawn everywhere: a colour for each theme, a dash, a marker, a word."""

    light: str
    dark: str
    dash: str
    marker: str
    word: str

    @property
    def colour(self) -> dict[str, str]:
        return {"light": self.light, "dark": self.dark}

    def on(self, theme: Theme) -> str:
        return self.light if theme == "light" else self.dark


LOOKS: dict[str, Look] = {
    "random": Look("#6B7280", "#9CA3AF", "dash", "circle", N_("From scratch")),
    **{row.id: Look(row.light, row.dark, row.dash, row.marker, row.word) for row in METHODS.values()},
}
BRAND = {"light": "#1B7F5C", "dark": "#4CC38A"}
TEXT = {"light": "#16211C", "dark": "#E7F0EB"}
GRID = {"light": "#E3E9E6", "dark": "#26322D"}
FONT = "'Source Sans', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"


def look_of(spec: Mapping[str, Any]) -> Look:
    """How a fine-tuning is drawn: by its method; grey and dashed when it began with random weights."""
    if (spec.get("model") or {}).get("weights") == "random":
        return LOOKS["random"]
    return LOOKS.get(str(spec.get("method")), LOOKS["head"])


def layout_of_axes(x: str, y: str) -> Layout:
    """The layout that all charts share, with the titles of both axes; colours for both themes."""
    axis = {"gridcolor": GRID, "zeroline": False, "automargin": True, "linecolor": GRID}
    return {
        "height": 300,
        "margin": {"l": 8, "r": 8, "t": 34, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": TEXT, "size": 13, "family": FONT},
        "hoverlabel": {"font": {"size": 13}},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": LOOKS["random"].colour, "activecolor": TEXT},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
        "xaxis": {**axis, "title": {"text": x}, "rangemode": "tozero"},
        "yaxis": {**axis, "title": {"text": y}},
    }


def resolve(value: Any, theme: Theme) -> Any:
    """Colours given for both themes, reduced to one."""
    if isinstance(value, dict):
        if set(value) == {"light", "dark"}:
            return value[theme]
        return {name: resolve(part, theme) for name, part in value.items()}
    return [resolve(part, theme) for part in value] if isinstance(value, list) else value


def shorten(label: str, most: int = 18) -> str:
    """A class name that fits beside an axis."""
    return label if len(label) <= most else label[: most - 1] + "…"
