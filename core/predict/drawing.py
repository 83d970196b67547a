"""Pictures with what was found in them: numbered boxes, or numbered parts in colour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from plotly.colors import sequential

from core.data.showing import upright
from core.predict.tasks.records import Box, Segment, colour_of

_MOST_PX = 1024
_STRENGTH = 0.55


def draw_boxes(picture: Image.Image, boxes: Sequence[Box]) -> Image.Image:
    """The picture (at most 1024 px) with a numbered frame around each thing, in the order given."""
    shown = upright(picture).copy()
    width = shown.width
    shown.thumbnail((_MOST_PX, _MOST_PX))
    scale = shown.width / width
    pen, line = ImageDraw.Draw(shown), max(2, round(max(shown.size) / 250))
    for number, box in enumerate(boxes, 1):
        left, top, right, bottom = (edge * scale for edge in box.box)
        # Boxes of a careless detector may be turned inside out.
        frame = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
        pen.rectangle(frame, outline="#FFFFFF", width=line + 2)
        pen.rectangle(frame, outline=colour_of(number), width=line)
        _number(pen, shown, (frame[0], frame[1]), number)
    return shown


def paint_parts(picture: Image.Image, mask: NDArray[np.uint16], segments: Sequence[Segment]) -> Image.Image:
    """The picture at the mask's size, each part in its colour and with its number where most of it lies."""
    height, width = mask.shape
    ground = np.asarray(upright(picture).resize((width, height)), np.float32)
    paint = np.zeros((len(segments) + 1, 3), np.float32)
    for segment in segments:
        colour = colour_of(segment.number)
        paint[segment.number] = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    strength = np.where(mask > 0, _STRENGTH, 0.0)[..., None]
    mixed = ground * (1 - strength) + paint[mask] * strength
    shown = Image.fromarray(mixed.astype(np.uint8))
    pen = ImageDraw.Draw(shown)
    for segment in segments:
        if segment.share > 0.005:  # a number would hide a smaller one
            _number(pen, shown, _middle(mask == segment.number), segment.number)
    return shown


def _middle(part: NDArray[np.bool_]) -> tuple[float, float]:
    """A point of the part in px: the middle of one of its widest rows, which lies inside, as the mean may not."""
    widths = part.sum(1)
    wide = np.flatnonzero(widths >= 0.9 * widths.max())
    row = int(wide[len(wide) // 2])
    columns = np.flatnonzero(part[row])
    return float(columns[len(columns) // 2]), float(row)


def _number(pen: ImageDraw.ImageDraw, shown: Image.Image, place: tuple[float, float], number: int) -> None:
    size = max(12, round(max(shown.size) / 45))
    font = ImageFont.load_default(size)
    left, top, right, bottom = pen.textbbox((0, 0), str(number), font=font)
    wide, high, edge = right - left, bottom - top, max(2, size // 5)
    x = min(max(0.0, place[0]), max(0.0, shown.width - wide - 2 * edge))
    y = min(max(0.0, place[1]), max(0.0, shown.height - high - 2 * edge))
    pen.rectangle((x, y, x + wide + 2 * edge, y + high + 2 * edge), fill="#16211C")
    pen.text((x + edge - left, y + edge - top), str(number), fill="#FFFFFF", font=font)


_HEAT = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in sequential.Cividis], dtype=np.float32)
_FAINTEST, _STRONGEST = 0.25, 0.8


def lay_heat(picture: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A picture [h, w, 3] with a map [h, w] of 0 … 1 laid over it: dark blue for nothing, yellow for the most.

    The colours (cividis, Nuñez et al. 2018) rise in brightness too, and look alike to colour-blind eyes. The stronger
    a place, the more it covers.
    """
    places = np.linspace(0, 1, len(_HEAT))
    colours = np.stack([np.interp(heat, places, _HEAT[:, channel]) for channel in range(3)], axis=-1)
    cover = (_FAINTEST + (_STRONGEST - _FAINTEST) * heat)[..., None]
    grey = picture.mean(-1, keepdims=True)  # colours of the picture would be taken for colours of the map
    drawn: NDArray[np.uint8] = np.rint(grey * (1 - cover) + colours * cover).astype(np.uint8)
    return drawn
