"""One picture: from bytes that nobody vouches for to a square of uint8 RGB."""

from __future__ import annotations

import io
import logging
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from core.errors import DataError
from core.registry.formats import PICTURE_FILES

MAX_BYTES = 64_000_000
MAX_PIXELS = 100_000_000
# Readers complain of odd tags line by line; what cannot be read is told once, by name.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)
# Pillow's own limit speaks of attacks in a warning; Graft's own check comes before any decoding.
Image.MAX_IMAGE_PIXELS = None
_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
Interpolation = Literal["bilinear", "bicubic"]


@lru_cache(maxsize=1)
def _known_formats() -> tuple[str, ...]:
    """Those of PICTURE_FILES that this build of Pillow reads, phones' HEIC among them."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    Image.init()
    return tuple(name for name in PICTURE_FILES if name in Image.OPEN)


def open_image(source: bytes | Path | Any, name: str = "") -> Image.Image:
    """A decoded picture from bytes, a path or an open file. The type is told by the content, not the name.

    Raises `DataError`: not a picture, damaged or cut short, too many bytes or pixels.
    """
    name = name or (source.name if isinstance(source, Path) else "")
    data = bytes_of(source)
    if len(data) > MAX_BYTES:
        raise DataError("data.picture_too_large", name=name, size=f"{len(data) / 1e6:.0f} MB", limit="64 MB")
    try:
        image = read_header(data)
    except OSError as error:
        raise DataError("data.picture_unreadable", name=name) from error
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width} × {image.height}"
        raise DataError("data.picture_too_large", name=name, size=size, limit=f"{MAX_PIXELS // 10**6} MP")
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # decoders fail in many ways on damaged files
        raise DataError("data.picture_unreadable", name=name) from error
    return image


def bytes_of(source: Any) -> bytes:
    """The bytes of a path, an open file or of themselves, one more than is read at most."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, Path):
        with source.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    data: bytes = source.read(MAX_BYTES + 1)
    return data


def read_header(data: bytes) -> Image.Image:
    """The picture not yet decoded: its size and mode are known. Raises OSError for anything else."""
    try:
        return Image.open(io.BytesIO(data), formats=_known_formats())
    except Exception as error:  # every format's reader fails in its own ways on what is no such file
        raise OSError(str(error)) from error


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


def decode(data: bytes, size: int, resize_size: int, interpolation: Interpolation) -> NDArray[np.uint8]:
    """A picture's bytes as a square [size, size, 3]; large JPEGs are decoded at a fraction of their size.

    Raises OSError when it cannot be read and ValueError when it is too large.
    """
    if len(data) > MAX_BYTES:
        raise ValueError("too many bytes")
    image = read_header(data)
    if image.width * image.height > MAX_PIXELS:
        raise ValueError("too many pixels")
    if image.format in {"JPEG", "MPO"}:
        image.draft("RGB", (2 * resize_size, 2 * resize_size))
    try:
        image.load()
        return fit_image(image, size, resize_size, interpolation)
    except MemoryError:  # says nothing about the picture
        raise
    except Exception as error:
        raise OSError(str(error)) from error


def fit_image(image: Image.Image, size: int, resize_size: int, interpolation: Interpolation) -> NDArray[np.uint8]:
    """A square [size, size, 3] as networks were trained to see: shorter edge to `resize_size`, centre crop.

    Turned upright by its EXIF tag; transparency on white; grey, palette, CMYK and 16-bit become RGB.
    """
    image = upright(image)
    width, height = image.size
    if (width, height) == (size, size) and resize_size == size:
        return np.asarray(image)
    edge = min(width, height) * size / resize_size  # the crop, measured in the picture's own pixels
    left, top = (width - edge) / 2, (height - edge) / 2
    # Bicubic enlarging rings around every edge: on 32 px pictures it cost EfficientNet-Lite0 two to four points.
    if edge < size:
        interpolation = "bilinear"
    box = (max(0.0, left), max(0.0, top), min(float(width), left + edge), min(float(height), top + edge))
    return np.asarray(image.resize((size, size), _RESAMPLING[interpolation], box=box))


def upright(image: Image.Image) -> Image.Image:
    """As RGB, turned as its EXIF tag says."""
    return to_rgb(ImageOps.exif_transpose(image))


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode as RGB."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float32)
        # I;16 ranges over 0 … 65535 whatever this picture's brightest point is; I and F do not say their range.
        scale = 257.0 if image.mode.startswith("I;16") or values.max(initial=0) > 255 else 1.0
        return Image.fromarray(np.clip(values / scale, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, image).convert("RGB")
    return image.convert("RGB")
