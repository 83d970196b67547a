"""One picture: from bytes that nobody vouches for to a square of uint8 RGB, or to words that say what is wrong."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.data import showing
from core.data.room import room_for
from core.data.showing import MAX_BYTES
from core.errors import DataError
from core.models.card import Preprocessing
from core.problems import Problem, shown

# Readers complain of odd tags line by line; what cannot be read is told once, by name.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)
# Pillow's own limit speaks of attacks in a warning; Graft's own check comes before any decoding.
Image.MAX_IMAGE_PIXELS = None
# So large a picture is handed to a page; larger ones are made smaller.
_SHOWN_PIXELS = 16_000_000
# The sentence of what may be odd about a picture that is read all the same.
ODDITIES = {showing.TURN_UNKNOWN: "data.turn_unknown", showing.NEARLY_FLAT: "data.nearly_flat"}


def open_image(source: bytes | Path | Any, name: str = "") -> Image.Image:
    """A picture, upright and RGB, from bytes, a path or an open file. The type is told by the content, not the name.

    Raises `DataError`: not a picture, damaged or cut short, too many bytes or pixels.
    """
    return open_told(source, name)[0]


def open_told(source: bytes | Path | Any, name: str = "") -> tuple[Image.Image, list[Problem]]:
    """The same, with what is odd about the picture as warnings."""
    name = name or (source.name if isinstance(source, Path) else "")
    data = bytes_of(source)
    if len(data) > MAX_BYTES:
        raise DataError("data.picture_too_large", name=name, size=f"{len(data) / 1e6:.0f} MB", limit="64 MB")
    try:
        header = showing.open_header(data)
        with room_for(showing.memory_for(header)):
            image = showing.open_decoded(data)
            odd = showing.oddities(image)
            seen = showing.upright(image)
    except MemoryError:
        raise
    except showing.TooLargeError as error:
        size = f"{header.width} × {header.height}"
        raise DataError("data.picture_too_large", name=name, size=size, limit=error.limit) from error
    except Exception as error:  # what can be decoded may still have no colours that can be told
        raise DataError("data.picture_unreadable", name=name) from error
    values = {"n": 1, "names": shown(name)}
    return seen, [Problem(ODDITIES[one], "warning", "data", values) for one in odd]


def open_shown(data: bytes, name: str) -> tuple[NDArray[np.uint8], list[Problem]]:
    """The same as pixels [height, width, 3], made smaller where it is larger than any page shows or any task reads."""
    image, odd = open_told(data, name)
    share = (_SHOWN_PIXELS / (image.width * image.height)) ** 0.5
    if share < 1:
        image = image.resize((max(1, int(image.width * share)), max(1, int(image.height * share))))
    return np.asarray(image), odd


def see(data: bytes, name: str, seen: Preprocessing) -> NDArray[np.uint8]:
    """A picture's bytes as the square that a network sees. Raises `DataError` as `open_image`."""
    return fit_image(open_image(data, name), seen)


def bytes_of(source: Any) -> bytes:
    """The bytes of a path, an open file or of themselves, one more than is read at most."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, Path):
        with source.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    data: bytes = source.read(MAX_BYTES + 1)
    return data


def is_cut_short(data: bytes, format: str | None) -> bool:
    """Whether a file seems to lack its end; True as well for formats that do not say where they end."""
    if format in {"JPEG", "MPO"}:
        return b"\xff\xd9" not in data[-64:]
    if format == "PNG":
        return b"IEND" not in data[-64:]
    if format == "GIF":
        return b";" not in data[-8:]
    if format == "WEBP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if format == "BMP":
        return int.from_bytes(data[2:6], "little") > len(data)
    if format in {"HEIF", "AVIF"}:  # boxes, each beginning with its size
        place = 0
        while place < len(data):
            size = int.from_bytes(data[place : place + 4], "big")
            if size < 8:  # 0: to the end; 1: a long size; else damaged
                return size != 0
            place += size
        return place > len(data)
    return True


def decode(data: bytes, seen: Preprocessing) -> NDArray[np.uint8]:
    """A picture's bytes as the square [size, size, 3] that a network sees.

    Raises OSError when it cannot be read and ValueError when it is too large.
    """
    try:
        with room_for(showing.memory_for(showing.open_header(data))):
            return fit_image(showing.open_decoded(data), seen)
    except (MemoryError, OSError, ValueError):
        raise
    except Exception as error:
        raise OSError(str(error)) from error


def fit_image(image: Image.Image, seen: Preprocessing) -> NDArray[np.uint8]:
    """The square [size, size, 3] of a decoded picture, upright or not, in any mode."""
    return np.asarray(showing.fit(showing.upright(image), seen.model_dump()))
